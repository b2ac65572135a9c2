package session

import (
	"slices"

	"millrace/internal/core/store"
)

// few is up to how many partitions are searched one by one: most consumers that wait read a handful, and three maps
// would be half of what each of them takes.
const few = 8

// keyed finds partitions by key.
type keyed struct {
	list []*Partition       // each knows its place in it
	by   map[Key]*Partition // nil while there are few
}

func (k *keyed) len() int { return len(k.list) }

func (k *keyed) get(key *Key) *Partition {
	if k.by != nil {
		return k.by[*key]
	}
	for _, p := range k.list {
		if p.Key == *key {
			return p
		}
	}
	return nil
}

// has tells whether p itself is in, and not another of its key.
func (k *keyed) has(p *Partition) bool { return p.at >= 0 && p.at < len(k.list) && k.list[p.at] == p }

func (k *keyed) add(p *Partition) {
	p.at = len(k.list)
	k.list = append(k.list, p)
	switch {
	case k.by != nil:
		k.by[p.Key] = p
	case len(k.list) > few:
		k.by = make(map[Key]*Partition, 2*len(k.list))
		for _, p := range k.list {
			k.by[p.Key] = p
		}
	}
}

func (k *keyed) remove(p *Partition) {
	last := len(k.list) - 1
	moved := k.list[last]
	k.list[p.at], moved.at = moved, p.at
	k.list[last] = nil
	k.list = k.list[:last]
	p.at = -1
	if k.by != nil {
		delete(k.by, p.Key)
	}
}

// placed finds partitions by their place in the store, which does not change while they are in.
type placed struct {
	list []*Partition // while there are few
	by   map[store.PartitionID]*Partition
}

func (l *placed) get(id store.PartitionID) *Partition {
	if l.by != nil {
		return l.by[id]
	}
	for _, p := range l.list {
		if p.id == id {
			return p
		}
	}
	return nil
}

func (l *placed) add(p *Partition) {
	if l.by == nil && len(l.list) < few {
		l.list = append(l.list, p)
		return
	}
	if l.by == nil {
		l.by = make(map[store.PartitionID]*Partition, 2*few)
		for _, p := range l.list {
			l.by[p.id] = p
		}
		l.list = nil
	}
	l.by[p.id] = p
}

func (l *placed) remove(p *Partition) {
	if l.by == nil {
		if i := slices.Index(l.list, p); i >= 0 {
			l.list = slices.Delete(l.list, i, i+1)
		}
	} else if l.by[p.id] == p {
		delete(l.by, p.id)
	}
}

// idSet is a set of places.
type idSet struct {
	list []store.PartitionID // while there are few
	by   map[store.PartitionID]struct{}
}

func (s *idSet) len() int { return len(s.list) + len(s.by) }

func (s *idSet) has(id store.PartitionID) bool {
	if s.by != nil {
		_, ok := s.by[id]
		return ok
	}
	return slices.Contains(s.list, id)
}

// add adds ids that are not in.
func (s *idSet) add(ids []store.PartitionID) {
	if s.by == nil && len(s.list)+len(ids) <= few {
		s.list = append(s.list, ids...)
		return
	}
	if s.by == nil {
		s.by = make(map[store.PartitionID]struct{}, 2*(len(s.list)+len(ids)))
		for _, id := range s.list {
			s.by[id] = struct{}{}
		}
		s.list = nil
	}
	for _, id := range ids {
		s.by[id] = struct{}{}
	}
}

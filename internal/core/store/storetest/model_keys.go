package storetest

import (
	"bytes"
	"slices"

	"millrace/internal/core/store"
)

// versions is every value a key ever had, with keys in order.
type versions struct {
	order  []string
	values map[string][]version
}

type version struct {
	seq   uint64
	value []byte // nil: deleted
}

func (v *versions) apply(g *store.Group) {
	for _, c := range g.Keys {
		k := string(c.Key)
		if v.values[k] == nil {
			i, _ := slices.BinarySearch(v.order, k)
			v.order = slices.Insert(v.order, i, k)
		}
		if v.values == nil {
			v.values = map[string][]version{}
		}
		v.values[k] = append(v.values[k], version{g.Seq, bytes.Clone(c.Value)})
	}
}

// get returns a copy of the value as of seq, nil when there was none.
func (v *versions) get(key string, seq uint64) []byte {
	for _, old := range slices.Backward(v.values[key]) {
		if old.seq <= seq {
			return bytes.Clone(old.value)
		}
	}
	return nil
}

// between returns the keys of [from, to) that ever were.
func (v *versions) between(from, to []byte) []string {
	i, _ := slices.BinarySearch(v.order, string(from))
	j, _ := slices.BinarySearch(v.order, string(to))
	return v.order[i:max(i, j)]
}

// KeyChangedSince is exact.
func (v *versions) KeyChangedSince(key []byte, seq uint64) bool {
	all := v.values[string(key)]
	return len(all) > 0 && all[len(all)-1].seq > seq
}

// RangeChangedSince is exact.
func (v *versions) RangeChangedSince(r store.Range, seq uint64) bool {
	return slices.ContainsFunc(v.between(r.From, r.To), func(k string) bool {
		return v.KeyChangedSince([]byte(k), seq)
	})
}

// snapshot reads the model as of seq.
type snapshot struct {
	m      *Model
	seq    uint64
	now    int64
	locked bool // whoever made it holds the lock
}

var _ store.Snapshot = (*snapshot)(nil)

func (s *snapshot) lock() func() {
	if s.locked {
		return func() {}
	}
	s.m.mu.Lock()
	return s.m.mu.Unlock
}

func (s *snapshot) Sequence() uint64 { return s.seq }
func (s *snapshot) Now() int64       { return s.now }

func (s *snapshot) Get(key []byte) ([]byte, bool, error) {
	defer s.lock()()
	v := s.m.keys.get(string(key), s.seq)
	return v, v != nil, nil
}

func (s *snapshot) GetMany(keys [][]byte) ([][]byte, error) {
	defer s.lock()()
	values := make([][]byte, len(keys))
	for i, k := range keys {
		values[i] = s.m.keys.get(string(k), s.seq)
	}
	return values, nil
}

func (s *snapshot) Scan(from, to []byte, limit int, reverse bool) ([]store.KV, error) {
	defer s.lock()()
	keys := slices.Clone(s.m.keys.between(from, to))
	if reverse {
		slices.Reverse(keys)
	}
	var found []store.KV
	for _, k := range keys {
		if v := s.m.keys.get(k, s.seq); v != nil {
			found = append(found, store.KV{Key: []byte(k), Value: v})
		}
		if len(found) == limit {
			break
		}
	}
	return found, nil
}

func (s *snapshot) Head(id store.PartitionID, fields store.HeadField) (store.Head, bool, error) {
	defer s.lock()()
	if s.m.state.HeadChangedSince(id, fields, s.seq) {
		return store.Head{}, false, store.ErrConflict
	}
	h, ok := s.m.state.Head(id)
	return h, ok, nil
}

func (s *snapshot) Producer(id store.ProducerID) (store.Producer, bool, error) {
	defer s.lock()()
	if s.m.state.ProducerChangedSince(id, s.seq) {
		return store.Producer{}, false, store.ErrConflict
	}
	p, ok := s.m.state.Producer(id)
	return p, ok, nil
}

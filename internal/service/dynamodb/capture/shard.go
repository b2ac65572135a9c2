package capture

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"millrace/internal/core/field"
	"millrace/internal/core/store"
)

// ShardID names a shard; the zero value is none. IDs of a stream grow with time, and a child's is above its parent's.
type ShardID struct {
	Created int64  // ms since 1970
	Tag     uint32 // tells shards of one moment apart
}

// String is the id as clients see it.
func (id ShardID) String() string { return fmt.Sprintf("shardId-%020d-%08x", id.Created, id.Tag) }

// ParseShardID reads what String writes; false when it is something else.
func ParseShardID(s string) (id ShardID, ok bool) {
	rest, ok := strings.CutPrefix(s, "shardId-")
	if !ok || len(rest) != 20+1+8 || rest[20] != '-' {
		return ShardID{}, false
	}
	created, err := strconv.ParseUint(rest[:20], 10, 63)
	if err != nil {
		return ShardID{}, false
	}
	tag, err := strconv.ParseUint(rest[21:], 16, 32)
	id = ShardID{int64(created), uint32(tag)}
	return id, err == nil && id.String() == s // in lower case
}

// Compare orders ids as their texts.
func (id ShardID) Compare(other ShardID) int {
	return cmp.Or(cmp.Compare(id.Created, other.Created), cmp.Compare(id.Tag, other.Tag))
}

// ToEnd is where a shard ends that ends with its partition.
const ToEnd = store.OffsetMax

// Shard is a range of offsets of one partition.
type Shard struct {
	ID, Parent ShardID
	Partition  int          // index in the capture
	From       store.Offset // first
	To         store.Offset // one after the last; ToEnd also while the shard is open
	Since      int64        // ms since 1970 from which its age counts: when it was made, or last found without records
	Ended      int64        // ms since 1970; 0: it is open
}

// Open says that the shard may still grow.
func (s *Shard) Open() bool { return s.Ended == 0 }

// End is one more than the shard's last offset, in a partition whose next offset is next.
func (s *Shard) End(next store.Offset) store.Offset { return min(s.To, next) }

// MaxShards bounds what a stream rotates into within the day that shards are kept, so that its record has some 200 KB at most: nine times what
// 64 open shards make of four hours each.
const MaxShards = 4096

// Shards are those of one stream, in order of ids.
type Shards struct {
	All  []Shard
	Made uint64 // how many there ever were
}

// Add begins a shard at an offset of a partition and returns its id.
func (s *Shards) Add(partition int, from store.Offset, parent ShardID, now int64) ShardID {
	s.Made++
	id := ShardID{Created: max(now, parent.Created+1), Tag: uint32(s.Made) * 0x9e3779b1} // odd: no two of 2^32 are equal
	sh := Shard{ID: id, Parent: parent, Partition: partition, From: from, To: ToEnd, Since: id.Created}
	at, _ := slices.BinarySearchFunc(s.All, id, func(have Shard, id ShardID) int { return have.ID.Compare(id) })
	s.All = slices.Insert(s.All, at, sh)
	return id
}

// Find returns the shard of a text; nil when there is none.
func (s *Shards) Find(id string) *Shard {
	parsed, ok := ParseShardID(id)
	if !ok {
		return nil
	}
	return s.Get(parsed)
}

// Rotate ends an open shard before an offset and begins a child there. A shard without records goes on, and its age counts anew; so does any
// while there are MaxShards.
func (s *Shards) Rotate(id ShardID, at store.Offset, now int64) {
	sh := s.Get(id)
	switch {
	case sh == nil || !sh.Open():
		return
	case at <= sh.From || len(s.All) >= MaxShards:
		sh.Since = max(now, sh.Since)
		return
	}
	sh.To, sh.Ended = at, max(now, sh.ID.Created)
	s.Add(sh.Partition, at, id, now)
}

// Split ends an open shard with its partition and begins children in two others.
func (s *Shards) Split(id ShardID, children [2]int, now int64) {
	sh := s.Get(id)
	if sh == nil || !sh.Open() {
		return
	}
	sh.Ended = max(now, sh.ID.Created)
	for _, index := range children {
		s.Add(index, 0, id, now)
	}
}

// Close ends all open shards with their partitions.
func (s *Shards) Close(now int64) {
	for i := range s.All {
		if sh := &s.All[i]; sh.Open() {
			sh.Ended = max(now, sh.ID.Created)
		}
	}
}

// Drop forgets shards that ended before a time.
func (s *Shards) Drop(before int64) {
	s.All = slices.DeleteFunc(s.All, func(sh Shard) bool { return !sh.Open() && sh.Ended <= before })
}

// Due is when the next shard has to be looked at: an open one is rotated after so many ms, an ended one dropped. 0: never.
func (s *Shards) Due(rotate, keep int64) int64 {
	var due int64
	for i := range s.All {
		at := s.All[i].Since + rotate
		if !s.All[i].Open() {
			at = s.All[i].Ended + keep
		}
		if due == 0 || at < due {
			due = at
		}
	}
	return due
}

// Get returns the shard of an id; nil when there is none.
func (s *Shards) Get(id ShardID) *Shard {
	at, ok := slices.BinarySearchFunc(s.All, id, func(have Shard, id ShardID) int { return have.ID.Compare(id) })
	if !ok {
		return nil
	}
	return &s.All[at]
}

// AppendTo appends the stored form, of uvarints:
//
//	made | count | of each: created, tag, parent's created, parent's tag, partition, from, 0 or to + 1, since, ended
func (s *Shards) AppendTo(v []byte) []byte {
	v = binary.AppendUvarint(v, s.Made)
	v = binary.AppendUvarint(v, uint64(len(s.All)))
	for i := range s.All {
		sh := &s.All[i]
		to := uint64(0)
		if sh.To != ToEnd {
			to = uint64(sh.To) + 1
		}
		for _, u := range [...]uint64{
			uint64(sh.ID.Created), uint64(sh.ID.Tag), uint64(sh.Parent.Created), uint64(sh.Parent.Tag), uint64(sh.Partition), uint64(sh.From), to, uint64(sh.Since), uint64(sh.Ended),
		} {
			v = binary.AppendUvarint(v, u)
		}
	}
	return v
}

// DecodeShards reads what AppendTo wrote; false when it is something else.
func DecodeShards(v []byte) (Shards, bool) {
	d := field.Reader{B: v}
	s := Shards{Made: d.Uvarint()}
	n := d.Count(len(v) / 9) // a shard has nine fields
	s.All = make([]Shard, 0, n)
	for range n {
		sh := Shard{ID: readID(&d), Parent: readID(&d), Partition: int(d.Uvarint()), From: store.Offset(d.Uvarint()), To: ToEnd}
		if to := d.Uvarint(); to != 0 {
			sh.To = store.Offset(to - 1)
		}
		sh.Since, sh.Ended = int64(d.Uvarint()), int64(d.Uvarint())
		last := len(s.All) - 1
		if d.Bad || !sh.sound() || last >= 0 && s.All[last].ID.Compare(sh.ID) >= 0 {
			return Shards{}, false
		}
		s.All = append(s.All, sh)
	}
	return s, d.Done()
}

func readID(d *field.Reader) ShardID {
	id := ShardID{Created: int64(d.Uvarint())}
	tag := d.Uvarint()
	if id.Created < 0 || tag > 0xffffffff {
		d.Fail()
	}
	id.Tag = uint32(tag)
	return id
}

func (s *Shard) sound() bool {
	return s.Partition >= 0 && s.Partition < MaxPartitions && s.From >= 0 && s.To >= s.From && s.Since >= 0 && s.Ended >= 0
}

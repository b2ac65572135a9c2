package embedded

import (
	"bytes"
	"errors"
	"slices"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/cockroachdb/pebble/v2"

	"millrace/internal/core/store"
)

// viewMillis is how long a View may hold its snapshot: it pins memory and files of Pebble.
const viewMillis = 10_000

// snapshot implements store.Snapshot on a Pebble snapshot and the applied state.
//
// A transaction takes the Pebble snapshot only when it scans, since taking and closing one costs more than a
// read: a single key is read from what is there now, and its bucket tells whether that is still the
// value of the transaction's moment.
type snapshot struct {
	s      *Store
	snap   *pebble.Snapshot
	seq    uint64
	now    int64
	update bool
	began  time.Time

	buckets []uint64 // of keys read without a Pebble snapshot
	state   bool     // heads or producers were read

	want  *wanted                              // of a view
	heads map[store.PartitionID]*store.Head    // taken beside the snapshot; nil for what is not there
	prods map[store.ProducerID]*store.Producer // the same
}

// wanted is what the runs of a view have asked for, and the next run gets beside its snapshot.
type wanted struct {
	heads     map[store.PartitionID]bool
	producers map[store.ProducerID]bool
}

func (s *Store) snapshot() *snapshot {
	return &snapshot{s: s, seq: s.visible.Load(), now: s.Now(), update: true}
}

// pin takes the Pebble snapshot of a transaction. What it has read so far must still hold then.
func (v *snapshot) pin() error {
	if v.snap != nil {
		return nil
	}
	s := v.s
	s.pubMu.RLock()
	seq := s.visible.Load()
	v.snap = s.db.NewSnapshot()
	s.pubMu.RUnlock()
	if seq == v.seq {
		return nil
	}
	for _, b := range v.buckets {
		if s.locks.bucketChangedSince(b, v.seq) {
			return store.ErrConflict
		}
	}
	if v.state {
		return store.ErrConflict
	}
	v.seq = seq
	return nil
}

func (s *Store) viewSnapshot(want *wanted) *snapshot {
	s.pubMu.RLock()
	defer s.pubMu.RUnlock()
	v := &snapshot{s: s, snap: s.db.NewSnapshot(), seq: s.visible.Load(), now: s.Now(), began: s.opts.Clock.Now(), want: want}
	if want.heads == nil && want.producers == nil {
		return v
	}
	v.heads, v.prods = map[store.PartitionID]*store.Head{}, map[store.ProducerID]*store.Producer{}
	s.mu.RLock()
	defer s.mu.RUnlock()
	for id := range want.heads {
		v.heads[id] = nil
		if h, ok := s.applied.Head(id); ok {
			v.heads[id] = &h
		}
	}
	for id := range want.producers {
		v.prods[id] = nil
		if p, ok := s.applied.Producer(id); ok {
			v.prods[id] = &p
		}
	}
	return v
}

func (v *snapshot) close() {
	if v.snap == nil {
		return
	}
	if err := v.snap.Close(); err != nil {
		v.s.log.Error("close key snapshot", "error", err)
	}
}

func (v *snapshot) tooOld() bool {
	return v.s.opts.Clock.Now().Sub(v.began) > viewMillis*time.Millisecond
}

func (v *snapshot) Sequence() uint64 { return v.seq }
func (v *snapshot) Now() int64       { return v.now }

func (v *snapshot) Get(key []byte) ([]byte, bool, error) {
	hash := xxhash.Sum64(key)
	locks, b := &v.s.locks, hash%buckets
	if v.update && locks.lost.lately(b, v.seq) {
		return nil, false, store.ErrConflict
	}
	value, ok, known := v.s.kept.get(locks, key, hash, v.seq)
	if !known {
		var err error
		last := locks.last[b].Load()
		if v.snap != nil {
			value, ok, err = get(v.snap, key)
		} else if value, ok, err = get(v.s.db, key); err == nil && locks.bucketChangedSince(b, v.seq) {
			return nil, false, store.ErrConflict
		}
		if err != nil {
			return nil, false, err
		}
		v.s.kept.keep(locks, key, value, hash, last, v.seq)
	}
	if v.snap == nil {
		v.buckets = append(v.buckets, b)
	}
	return value, ok, nil
}

func get(r pebble.Reader, key []byte) ([]byte, bool, error) {
	value, closer, err := r.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, keyError(err)
	}
	value = append(make([]byte, 0, len(value)), value...)
	return value, true, closer.Close()
}

func (v *snapshot) GetMany(keys [][]byte) ([][]byte, error) {
	values := make([][]byte, len(keys))
	for i, key := range keys {
		value, _, err := v.Get(key)
		if err != nil {
			return nil, err
		}
		values[i] = value
	}
	return values, nil
}

func (v *snapshot) Scan(from, to []byte, limit int, reverse bool) ([]store.KV, error) {
	if err := v.pin(); err != nil {
		return nil, err
	}
	return scan(v.snap, from, to, limit, reverse)
}

func scan(r pebble.Reader, from, to []byte, limit int, reverse bool) (found []store.KV, err error) {
	it, err := r.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: to})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	first, next := it.First, it.Next
	if reverse {
		first, next = it.Last, it.Prev
	}
	var m slabs
	for ok := first(); ok && len(found) < limit; ok = next() {
		value, err := it.ValueAndErr()
		if err != nil {
			return nil, keyError(err)
		}
		if len(found) == cap(found) {
			found = slices.Grow(found, min(max(len(found), 16), limit-len(found)))
		}
		found = append(found, store.KV{Key: m.clone(it.Key()), Value: m.clone(value)})
	}
	return found, keyError(it.Error())
}

// slabs is memory for many short slices, in few pieces. What was cloned has no room to grow into its neighbour.
type slabs struct{ free []byte }

// A slab has four times the bytes of the one before. What keeps one pair of many keeps no more than the largest.
const (
	smallestSlab = 1 << 10
	largestSlab  = 32 << 10
)

// clone is bytes.Clone, but never nil.
func (m *slabs) clone(b []byte) []byte {
	if len(b) > largestSlab/8 {
		return bytes.Clone(b)
	}
	if len(b) > cap(m.free)-len(m.free) || m.free == nil {
		m.free = make([]byte, 0, max(min(4*cap(m.free), largestSlab), smallestSlab, 2*len(b)))
	}
	n := len(m.free)
	m.free = append(m.free, b...)
	return m.free[n:len(m.free):len(m.free)]
}

func (v *snapshot) Head(id store.PartitionID, fields store.HeadField) (store.Head, bool, error) {
	if v.want != nil {
		if h, ok := v.heads[id]; ok {
			if h == nil {
				return store.Head{}, false, nil
			}
			return *h, true, nil
		}
		if v.want.heads == nil {
			v.want.heads = map[store.PartitionID]bool{}
		}
		v.want.heads[id] = true
	}
	v.state = true
	v.s.mu.RLock()
	defer v.s.mu.RUnlock()
	if v.s.applied.HeadChangedSince(id, fields, v.seq) {
		return store.Head{}, false, store.ErrConflict
	}
	h, ok := v.s.applied.Head(id)
	return h, ok, nil
}

func (v *snapshot) Producer(id store.ProducerID) (store.Producer, bool, error) {
	if v.want != nil {
		if p, ok := v.prods[id]; ok {
			if p == nil {
				return store.Producer{}, false, nil
			}
			return *p, true, nil
		}
		if v.want.producers == nil {
			v.want.producers = map[store.ProducerID]bool{}
		}
		v.want.producers[id] = true
	}
	v.state = true
	v.s.mu.RLock()
	defer v.s.mu.RUnlock()
	if v.s.applied.ProducerChangedSince(id, v.seq) {
		return store.Producer{}, false, store.ErrConflict
	}
	p, ok := v.s.applied.Producer(id)
	return p, ok, nil
}

// overlay implements store.Snapshot for the serial pass: the decided state, and the keys of the group being
// made over Pebble, which has all groups before.
type overlay struct {
	s      *Store
	seq    uint64
	now    int64
	values map[string][]byte // nil for deleted
	sorted []string
}

func newOverlay(s *Store, g *store.Group) *overlay {
	o := &overlay{s: s, seq: g.Seq, now: g.Time, values: map[string][]byte{}}
	o.add(g.Keys)
	return o
}

func (o *overlay) add(changes []store.KeyChange) {
	for i := range changes {
		k := string(changes[i].Key)
		if _, ok := o.values[k]; !ok {
			at, _ := slices.BinarySearch(o.sorted, k)
			o.sorted = slices.Insert(o.sorted, at, k)
		}
		o.values[k] = changes[i].Value
	}
}

func (o *overlay) Sequence() uint64 { return o.seq }
func (o *overlay) Now() int64       { return o.now }

func (o *overlay) Get(key []byte) ([]byte, bool, error) {
	if v, ok := o.values[string(key)]; ok {
		return bytes.Clone(v), v != nil, nil
	}
	if value, ok, known := o.s.kept.get(&o.s.locks, key, xxhash.Sum64(key), o.seq); known {
		return value, ok, nil
	}
	return get(o.s.db, key)
}

func (o *overlay) GetMany(keys [][]byte) ([][]byte, error) {
	values := make([][]byte, len(keys))
	for i, key := range keys {
		value, _, err := o.Get(key)
		if err != nil {
			return nil, err
		}
		values[i] = value
	}
	return values, nil
}

func (o *overlay) Scan(from, to []byte, limit int, reverse bool) ([]store.KV, error) {
	lo, _ := slices.BinarySearch(o.sorted, string(from))
	hi, _ := slices.BinarySearch(o.sorted, string(to))
	own := o.sorted[lo:max(lo, hi)]
	found, err := scan(o.s.db, from, to, limit+len(own), reverse)
	if err != nil || len(own) == 0 {
		return found[:min(limit, len(found))], err
	}
	found = slices.DeleteFunc(found, func(kv store.KV) bool {
		_, ok := o.values[string(kv.Key)]
		return ok
	})
	for _, k := range own {
		if v := o.values[k]; v != nil {
			found = append(found, store.KV{Key: []byte(k), Value: bytes.Clone(v)})
		}
	}
	slices.SortFunc(found, func(a, b store.KV) int {
		if reverse {
			a, b = b, a
		}
		return bytes.Compare(a.Key, b.Key)
	})
	return found[:min(limit, len(found))], nil
}

func (o *overlay) Head(id store.PartitionID, _ store.HeadField) (store.Head, bool, error) {
	h, ok := o.s.decided.Head(id)
	return h, ok, nil
}

func (o *overlay) Producer(id store.ProducerID) (store.Producer, bool, error) {
	p, ok := o.s.decided.Producer(id)
	return p, ok, nil
}

package storetest

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"millrace/internal/core/store"
)

// modelTries is how often the model runs a transaction optimistically before it runs it alone.
const modelTries = 3

// Model is the reference driver: simple, in memory, exact about conflicts. Nothing is durable.
//
// Safe for concurrent use. A transaction function runs without the lock on its first tries, and
// under it after that, so it must not call the store then.
type Model struct {
	mu       sync.Mutex
	clock    func() int64
	now      int64 // the largest time that was told
	state    *store.State
	keys     versions
	parts    map[store.PartitionID]*modelPartition
	watchers map[int]*watcher
	nextID   int // of a watcher
	closed   bool
}

var _ store.Store = (*Model)(nil)

type watcher struct {
	ids map[store.PartitionID]bool
	fn  func(store.Event)
}

// ModelOption changes a model.
type ModelOption func(*Model)

// WithModelClock makes now (ms since 1970) the model's clock in place of the system's. It may go
// back; store time does not.
func WithModelClock(now func() int64) ModelOption { return func(m *Model) { m.clock = now } }

// NewModel returns an empty reference store.
func NewModel(opts ...ModelOption) store.Store {
	m := &Model{
		clock:    func() int64 { return time.Now().UnixMilli() },
		state:    store.NewState(),
		parts:    map[store.PartitionID]*modelPartition{},
		watchers: map[int]*watcher{},
	}
	for _, o := range opts {
		o(m)
	}
	return m
}

// start locks the model if it is open and ctx is not done; the caller unlocks it.
func (m *Model) start(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return store.ErrStopped
	}
	return nil
}

// View runs fn until no head it read has moved since the snapshot.
func (m *Model) View(ctx context.Context, fn func(store.ReadTx) error) error {
	for {
		snap, err := m.snapshot(ctx)
		if err != nil {
			return err
		}
		if err := store.RunView(snap, fn); !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
}

// Update runs fn some times on snapshots, then once alone.
func (m *Model) Update(ctx context.Context, fn func(store.Tx) error) (store.Commit, error) {
	for range modelTries {
		snap, err := m.snapshot(ctx)
		if err != nil {
			return store.Commit{}, err
		}
		req, err := store.RunTx(snap, fn)
		if errors.Is(err, store.ErrConflict) {
			continue
		}
		if err != nil {
			return store.Commit{}, err
		}
		c, err := m.commit(ctx, req)
		if !errors.Is(err, store.ErrConflict) {
			return c, err
		}
	}
	if err := m.start(ctx); err != nil {
		return store.Commit{}, err
	}
	defer m.mu.Unlock()
	req, err := store.RunTx(&snapshot{m: m, seq: m.state.Sequence(), now: m.tick(), locked: true}, fn)
	if err != nil {
		return store.Commit{}, err
	}
	return m.decide(req)
}

func (m *Model) snapshot(ctx context.Context) (*snapshot, error) {
	if err := m.start(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	return &snapshot{m: m, seq: m.state.Sequence(), now: m.tick()}, nil
}

func (m *Model) commit(ctx context.Context, req *store.Request) (store.Commit, error) {
	if err := m.start(ctx); err != nil {
		return store.Commit{}, err
	}
	defer m.mu.Unlock()
	return m.decide(req)
}

// decide makes a request a group of its own.
func (m *Model) decide(req *store.Request) (store.Commit, error) {
	if req.Empty() {
		return store.Commit{}, nil
	}
	g := m.state.Begin(m.tick())
	if err := m.state.Decide(req, g, &m.keys); err != nil {
		m.state.Undo(g)
		return store.Commit{}, err
	}
	m.apply(g)
	if g.Empty() {
		m.state.Undo(g)
		return store.Commit{}, nil
	}
	return store.Commit{Sequence: g.Seq, Time: g.Time}, nil
}

// Append decides all requests in one group.
func (m *Model) Append(ctx context.Context, req []store.AppendRequest) ([]store.AppendResult, error) {
	if _, err := store.CheckAppends(req); err != nil {
		return nil, err
	}
	if err := m.start(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	g := m.state.Begin(m.tick())
	res := make([]store.AppendResult, len(req))
	for i := range req {
		res[i] = m.state.DecideAppend(&req[i], g)
	}
	m.apply(g)
	m.state.Undo(g)
	return res, nil
}

// apply makes what the state has decided visible and tells the watchers.
func (m *Model) apply(g *store.Group) {
	m.keys.apply(g)
	for i := range g.Parts {
		if g.Parts[i].Kind == store.PartitionCreate {
			m.parts[g.Parts[i].Partition] = &modelPartition{}
		}
	}
	for i := range g.Appends {
		if p := m.parts[g.Appends[i].Partition]; p != nil {
			p.append(&g.Appends[i])
		}
	}
	for i := range g.Parts {
		m.applyPart(&g.Parts[i])
	}
	for _, e := range m.state.Events(g) {
		for _, w := range m.watchers {
			if w.ids[e.Partition] {
				w.fn(e)
			}
		}
	}
}

func (m *Model) applyPart(c *store.PartitionChange) {
	switch c.Kind {
	case store.PartitionTrim:
		if p, h := m.parts[c.Partition], m.head(c.Partition); p != nil {
			p.trim(h.Start)
		}
	case store.PartitionDelete:
		delete(m.parts, c.Partition)
	case store.PartitionCreate, store.PartitionClose, store.PartitionEpoch, store.PartitionRetention:
	}
}

func (m *Model) head(id store.PartitionID) store.Head {
	h, _ := m.state.Head(id)
	return h
}

// Head returns the head as it is now.
func (m *Model) Head(ctx context.Context, id store.PartitionID) (store.Head, error) {
	if err := m.start(ctx); err != nil {
		return store.Head{}, err
	}
	defer m.mu.Unlock()
	h, ok := m.state.Head(id)
	if !ok {
		return store.Head{}, store.ErrNoPartition
	}
	return h, nil
}

// Partitions lists ids upwards of from, which is one of them.
func (m *Model) Partitions(ctx context.Context, from store.PartitionID, limit int) ([]store.PartitionID, error) {
	if err := m.start(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	return m.state.Partitions(from, max(limit, 0)), nil
}

// Watch calls fn under the model's lock.
func (m *Model) Watch(ids []store.PartitionID, fn func(store.Event)) (cancel func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	w := &watcher{ids: map[store.PartitionID]bool{}, fn: fn}
	for _, id := range ids {
		w.ids[id] = true
	}
	m.nextID++
	n := m.nextID
	m.watchers[n] = w
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.watchers, n)
	}
}

// Now is the clock, or the largest time that was told before when it went back.
func (m *Model) Now() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.tick()
}

func (m *Model) tick() int64 {
	m.now = max(m.now, m.clock(), m.state.Time())
	return m.now
}

// Close makes all later calls fail.
func (m *Model) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	return nil
}

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

// modelPartition is the batches of a partition, oldest first.
type modelPartition struct {
	batches []modelBatch
}

type modelBatch struct {
	store.Batch
	maxTimestamp int64
}

func (p *modelPartition) append(a *store.Append) {
	sealed := a.AppendSealed(nil)
	a.Size = len(sealed)
	p.batches = append(p.batches, modelBatch{
		Batch:        store.Batch{Bytes: sealed, Base: a.Base, Next: a.Next(), AppendTime: a.AppendTime},
		maxTimestamp: a.MaxTimestamp,
	})
}

func (p *modelPartition) trim(start store.Offset) {
	p.batches = slices.DeleteFunc(p.batches, func(b modelBatch) bool { return b.Next <= start })
}

// Read returns copies of batches.
func (m *Model) Read(ctx context.Context, req store.ReadRequest) (store.ReadResult, error) {
	if err := m.start(ctx); err != nil {
		return store.ReadResult{}, err
	}
	defer m.mu.Unlock()
	h, ok := m.state.Head(req.Partition)
	switch {
	case !ok:
		return store.ReadResult{}, store.ErrNoPartition
	case req.From < h.Start:
		return store.ReadResult{}, &store.TrimmedError{Asked: req.From, First: h.Start}
	case req.From > h.Next:
		return store.ReadResult{}, store.ErrOffsetOutOfRange
	}
	end := h.Next
	if req.Isolation == store.ReadCommitted {
		end = h.LastStable
	}
	var found []store.Batch
	var aborted []store.Aborted
	size := 0
	for _, b := range m.parts[req.Partition].batches {
		if b.Next <= req.From {
			continue
		}
		if size += len(b.Bytes); b.Base >= end || len(found) > 0 && size > req.MaxBytes {
			break
		}
		b.Bytes = bytes.Clone(b.Bytes)
		found = append(found, b.Batch)
	}
	if len(found) > 0 && req.Isolation == store.ReadCommitted {
		aborted = m.state.Aborted(req.Partition, found[0].Base, found[len(found)-1].Next)
	}
	return store.NewReadResult(h, found, aborted, nil), nil
}

// Seek looks at every batch.
func (m *Model) Seek(ctx context.Context, id store.PartitionID, ms int64, by store.SeekBy) (store.Offset, bool, error) {
	if err := m.start(ctx); err != nil {
		return 0, false, err
	}
	defer m.mu.Unlock()
	h, ok := m.state.Head(id)
	if !ok {
		return 0, false, store.ErrNoPartition
	}
	for _, b := range m.parts[id].batches {
		if by == store.SeekAppendTime && b.AppendTime >= ms || by == store.SeekTimestamp && b.maxTimestamp >= ms {
			return max(b.Base, h.Start), true, nil
		}
	}
	return h.Next, false, nil
}

// Stat sums up every batch.
func (m *Model) Stat(ctx context.Context, id store.PartitionID) (store.Stat, error) {
	if err := m.start(ctx); err != nil {
		return store.Stat{}, err
	}
	defer m.mu.Unlock()
	h, ok := m.state.Head(id)
	if !ok {
		return store.Stat{}, store.ErrNoPartition
	}
	st := store.Stat{Head: h}
	for i, b := range m.parts[id].batches {
		if i == 0 {
			st.FirstAppend = b.AppendTime
		}
		st.Bytes += int64(len(b.Bytes))
		st.Batches++
	}
	return st, nil
}

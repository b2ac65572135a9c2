package storetest

import (
	"context"
	"errors"
	"math"
	"slices"
	"sync"
	"time"

	"millrace/internal/core/datakey"
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
	for _, a := range req.Appends {
		if !m.hasKey(a.Request.Key, req.Keys) {
			return store.Commit{}, store.ErrNoDataKey
		}
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
		if !m.hasKey(req[i].Key, nil) {
			res[i].Err = store.ErrNoDataKey
			continue
		}
		res[i] = m.state.DecideAppend(&req[i], g)
	}
	m.apply(g)
	m.state.Undo(g)
	return res, nil
}

// AppendAsync answers before it returns.
func (m *Model) AppendAsync(ctx context.Context, req []store.AppendRequest, done func([]store.AppendResult, error)) {
	done(m.Append(ctx, req))
}

// hasKey tells whether a data key is there, or made by changes. The model seals nothing.
func (m *Model) hasKey(id uint64, changes []store.KeyChange) bool {
	key := datakey.StoreKey(id)
	return id == 0 || m.keys.get(string(key), math.MaxUint64) != nil ||
		slices.ContainsFunc(changes, func(c store.KeyChange) bool { return string(c.Key) == string(key) && c.Value != nil })
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
	case store.PartitionCreate, store.PartitionClose, store.PartitionEpoch, store.PartitionRetention, store.PartitionCompaction, store.PartitionForget:
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

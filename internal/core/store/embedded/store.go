package embedded

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"golang.org/x/sync/semaphore"

	"millrace/internal/core/datakey"
	"millrace/internal/core/store"
)

// Store is the embedded driver. Open makes it.
type Store struct {
	opts Options
	log  *slog.Logger
	db   *pebble.DB
	lock io.Closer

	// The queue. qmu guards queue and stopping; wake has room for one signal.
	qmu      sync.Mutex
	queue    []*request
	stopping bool
	wake     chan struct{}
	queued   *semaphore.Weighted // of MaxQueuedBytes

	// The sequencer's own.
	decided *store.State
	locks   conflicts
	kept    keptKeys
	company company
	active  *journalFile
	jobs    chan *job      // to the applier; closed by the sequencer at the end
	behind  atomic.Int32   // jobs that the applier has not done; the sequencer adds
	rooms   chan groupRoom // from the applier

	pubMu   sync.RWMutex
	visible atomic.Uint64 // sequence of the last applied group

	// mu guards applied, idx, files, claims.
	mu      sync.RWMutex
	applied *store.State
	idx     index
	files   []*journalFile // unmoved, in order; the last one is active
	claims  claims

	cache    *tailCache
	keys     *datakey.Ring
	segments *fileCache
	watch    watchers
	gate     keyGate
	space    *space
	mover    *mover
	now      atomic.Int64 // the largest time that was told
	failed   atomic.Pointer[error]
	broken   chan struct{} // closed when failed is set
	metrics  Metrics

	stopOnce sync.Once
	stopErr  error
	stopped  chan struct{} // closed when Close begins
	life     sync.RWMutex  // held for reading by calls that read; Close waits for them before it closes files
	done     sync.WaitGroup
}

var _ store.Store = (*Store)(nil)

// Now implements store.Store: the clock, or what was told last when the clock is behind.
func (s *Store) Now() int64 {
	now := s.opts.Clock.Now().UnixMilli()
	for {
		last := s.now.Load()
		if now <= last {
			return last
		}
		if s.now.CompareAndSwap(last, now) {
			return now
		}
	}
}

// failure is what stopped the store, or nil.
func (s *Store) failure() error {
	if err := s.failed.Load(); err != nil {
		return *err
	}
	return nil
}

// fail stops the store for good: nobody knows what is on disk.
func (s *Store) fail(err error) {
	if s.failed.CompareAndSwap(nil, &err) {
		close(s.broken)
		s.opts.Fatal(err)
	}
}

// flush makes durable what Pebble has. Pebble itself tries for ever; a store that has failed does not wait, nor one
// that stops while flushes fail.
//
// Errors: errNotFlushed; why the store has failed.
func (s *Store) flush() error {
	done, err := s.db.AsyncFlush()
	if err != nil {
		return err
	}
	stopped, look := s.stopped, (<-chan time.Time)(nil)
	for {
		select {
		case <-done:
			return nil
		case <-s.broken:
			return s.failure()
		case <-stopped:
			look = time.Tick(lookAgain)
			stopped = nil
		case <-look:
			if s.gate.failing.Load() {
				return errNotFlushed
			}
		}
	}
}

// errNotFlushed: a stop does not wait for room on the disk. The next start replays what Pebble has not written.
var errNotFlushed = fmt.Errorf("store: keys are not flushed, the next start takes longer: %w", store.ErrFull)

// Append implements store.Store.
func (s *Store) Append(ctx context.Context, req []store.AppendRequest) ([]store.AppendResult, error) {
	n, err := store.CheckAppends(req)
	if err != nil {
		return nil, err
	}
	if len(req) == 0 {
		return nil, ctx.Err()
	}
	r := newRequest(ctx)
	defer r.free()
	r.setAppends(req, n)
	if err := s.submit(r); err != nil {
		return nil, err
	}
	if r.err != nil {
		return nil, r.err
	}
	return r.results, nil
}

// AppendAsync implements store.Store: who applies the group calls done, the applier or the sequencer.
func (s *Store) AppendAsync(ctx context.Context, req []store.AppendRequest, done func([]store.AppendResult, error)) {
	n, err := store.CheckAppends(req)
	if err != nil || len(req) == 0 {
		done(nil, cmp.Or(err, ctx.Err()))
		return
	}
	r := newRequest(ctx)
	r.setAppends(req, n)
	r.reply, r.room = done, s.queued
	if err := s.enqueue(r); err != nil {
		r.free()
		done(nil, err)
	}
}

// Update implements store.Store: optimistic first, then in the sequencer on top of a group.
func (s *Store) Update(ctx context.Context, fn func(store.Tx) error) (store.Commit, error) {
	r := newRequest(ctx)
	defer r.free()
	r.fn = fn
	req, err := s.runOptimistic(ctx, fn)
	switch {
	case errors.Is(err, store.ErrConflict):
		r.bytes = serialEstimate
	case err != nil:
		return store.Commit{}, err
	case req.Empty():
		return store.Commit{Time: s.Now()}, nil
	default:
		r.setTx(req)
	}
	if err := s.submit(r); err != nil {
		return store.Commit{}, err
	}
	if r.panicked != nil {
		panic(r.panicked)
	}
	return r.commit, r.err
}

func (s *Store) check(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case <-s.stopped:
		return store.ErrStopped
	default:
		return nil
	}
}

// enter begins a call that reads Pebble, the index or files; leave ends it.
func (s *Store) enter(ctx context.Context) error {
	s.life.RLock()
	if err := s.check(ctx); err != nil {
		s.life.RUnlock()
		return err
	}
	return nil
}

func (s *Store) leave() { s.life.RUnlock() }

func (s *Store) runOptimistic(ctx context.Context, fn func(store.Tx) error) (*store.Request, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	snap := s.snapshot()
	defer snap.close()
	return store.RunTx(snap, fn)
}

// View implements store.Store. A head that has moved since the snapshot cannot be told any more: then fn runs
// again on a new snapshot, with the heads that the last run asked for taken beside it.
func (s *Store) View(ctx context.Context, fn func(store.ReadTx) error) error {
	var want wanted
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	for {
		if err := s.check(ctx); err != nil {
			return err
		}
		if err := s.viewOnce(&want, fn); !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
}

func (s *Store) viewOnce(want *wanted, fn func(store.ReadTx) error) error {
	snap := s.viewSnapshot(want)
	defer snap.close()
	err := store.RunView(snap, fn)
	if err == nil && snap.tooOld() {
		return store.ErrSnapshotTooOld
	}
	return err
}

// Head implements store.Store.
func (s *Store) Head(ctx context.Context, id store.PartitionID) (store.Head, error) {
	if err := s.check(ctx); err != nil {
		return store.Head{}, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	h, ok := s.applied.Head(id)
	if !ok {
		return store.Head{}, store.ErrNoPartition
	}
	return h, nil
}

// Stat implements store.Store.
func (s *Store) Stat(ctx context.Context, id store.PartitionID) (store.Stat, error) {
	if err := s.check(ctx); err != nil {
		return store.Stat{}, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	h, ok := s.applied.Head(id)
	if !ok {
		return store.Stat{}, store.ErrNoPartition
	}
	st := store.Stat{Head: h}
	if p := s.idx.parts.Get(id); p != nil {
		st.Bytes, st.Batches, st.FirstAppend = p.stat()
	}
	return st, nil
}

// Partitions implements store.Store.
func (s *Store) Partitions(ctx context.Context, from store.PartitionID, limit int) ([]store.PartitionID, error) {
	if err := s.check(ctx); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.applied.Partitions(from, max(0, min(limit, math.MaxInt32))), nil
}

// Watch implements store.Store.
func (s *Store) Watch(ids []store.PartitionID, fn func(store.Event)) (cancel func()) {
	return s.watch.add(ids, fn)
}

// Shrink gives up memory that only speeds up what is not asked for at the moment.
func (s *Store) Shrink() { s.cache.shrink() }

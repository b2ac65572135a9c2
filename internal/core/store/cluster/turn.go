package cluster

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"millrace/internal/core/store"
)

// turnTime is how long the committer waits for whoever has a turn. Functions do no I/O of their own, so
// that this is far more than they need; one that takes longer goes on without its turn.
const turnTime = time.Second

const (
	turnOpen int32 = iota
	turnUsed
	turnOver
)

// turn lets one caller run while nothing is committed.
type turn struct {
	granted chan struct{} // closed by the committer
	state   atomic.Int32
	next    chan *item // of size 1: what to commit now, or nil
}

// alone runs fn while the committer stands still, and commits what it returns before anything else.
func (s *Store) alone(ctx context.Context, fn func() (*item, error)) answer {
	t := &turn{granted: make(chan struct{}), next: make(chan *item, 1)}
	it := &item{turn: t}
	if err := s.queue.put(it); err != nil {
		return answer{err: err}
	}
	select {
	case <-t.granted:
	case a := <-it.answer: // the store stops
		return a
	case <-ctx.Done():
		if it.state.CompareAndSwap(waiting, withdrawn) {
			return answer{err: ctx.Err()}
		}
		select {
		case <-t.granted:
		case a := <-it.answer:
			return a
		}
	}
	defer t.use(nil) // after an error or a panic of fn; does nothing when the turn is used
	next, err := fn()
	if err != nil || next == nil {
		return answer{err: err}
	}
	next.answer = make(chan answer, 1)
	next.state.Store(taken)
	if !t.use(next) {
		next.state.Store(waiting)
		return s.submit(ctx, next)
	}
	return <-next.answer
}

// use gives the turn back with what is to be committed; false when it is over.
func (t *turn) use(next *item) bool {
	if !t.state.CompareAndSwap(turnOpen, turnUsed) {
		return false
	}
	t.next <- next
	return true
}

// grant is the committer's side: it waits for what the caller wants committed.
func (t *turn) grant() *item {
	close(t.granted)
	limit := time.NewTimer(turnTime)
	defer limit.Stop()
	select {
	case next := <-t.next:
		return next
	case <-limit.C:
	}
	if t.state.CompareAndSwap(turnOpen, turnOver) {
		return nil
	}
	return <-t.next
}

// tries is how often Update runs fn in all, of which the first few beside others.
const (
	tries      = 10
	freeTries  = 4
	viewTries  = 3
	viewMaxAge = 10 * time.Second
)

// Update runs fn on snapshots until it commits.
func (s *Store) Update(ctx context.Context, fn func(store.Tx) error) (store.Commit, error) {
	for try := range tries {
		var a answer
		if try < freeTries {
			a = s.try(ctx, fn)
		} else {
			a = s.tryAlone(ctx, fn)
		}
		if !errors.Is(a.err, store.ErrConflict) {
			return a.commit, a.err
		}
	}
	return store.Commit{}, store.ErrContention
}

func (s *Store) try(ctx context.Context, fn func(store.Tx) error) answer {
	snap, err := s.snapshot(ctx)
	if err != nil {
		return answer{err: err}
	}
	defer s.forget(snap) // when it is decided: until then its conflicts must be found
	it, err := runTx(snap, fn)
	if err != nil || it == nil {
		return answer{err: err}
	}
	return s.submit(ctx, it)
}

func (s *Store) tryAlone(ctx context.Context, fn func(store.Tx) error) answer {
	return s.alone(ctx, func() (*item, error) {
		snap, err := s.snapshot(ctx)
		if err != nil {
			return nil, err
		}
		defer s.forget(snap)
		return runTx(snap, fn)
	})
}

// runTx runs fn and closes the snapshot. Nothing to write is a nil item.
func runTx(snap *snapshot, fn func(store.Tx) error) (*item, error) {
	defer snap.close()
	req, err := store.RunTx(snap, fn)
	if err != nil || req.Empty() {
		return nil, err
	}
	return &item{tx: req, bytes: req.Size()}, nil
}

// View runs fn on one snapshot, again when a head it asks for has moved since.
func (s *Store) View(ctx context.Context, fn func(store.ReadTx) error) error {
	view := func() error {
		snap, err := s.snapshot(ctx)
		if err != nil {
			return err
		}
		defer s.forget(snap)
		defer snap.close()
		return store.RunView(snap, fn)
	}
	for try := 0; ; try++ {
		var err error
		if try < viewTries {
			err = view()
		} else {
			err = s.alone(ctx, func() (*item, error) { return nil, view() }).err
		}
		if !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
}

// Append queues all requests as one item.
func (s *Store) Append(ctx context.Context, req []store.AppendRequest) ([]store.AppendResult, error) {
	n, err := store.CheckAppends(req)
	if err != nil {
		return nil, err
	}
	if err := s.check(ctx); err != nil || len(req) == 0 {
		return nil, err
	}
	a := s.submit(ctx, &item{appends: req, bytes: n})
	return a.results, a.err
}

// AppendAsync queues all requests as one item; a goroutine of its own waits for the answer, which takes a commit of
// the database.
func (s *Store) AppendAsync(ctx context.Context, req []store.AppendRequest, done func([]store.AppendResult, error)) {
	n, err := store.CheckAppends(req)
	if err == nil {
		err = s.check(ctx)
	}
	if err != nil || len(req) == 0 {
		done(nil, err)
		return
	}
	it := &item{appends: req, bytes: n}
	if err := s.put(ctx, it); err != nil {
		done(nil, err)
		return
	}
	go func() {
		a := s.wait(ctx, it)
		done(a.results, a.err)
	}()
}

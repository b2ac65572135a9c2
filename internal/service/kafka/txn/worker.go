package txn

import (
	"context"
	"errors"
	"sync"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/clock"
	"millrace/internal/core/store"
)

// checkers is how many transactions are aborted at the same time: their commits share a sync.
const checkers = 16

// runTimeouts looks at the open transactions again and again, at once the first time: there may be some that were decided
// before a restart.
func (c *Coordinator) runTimeouts() {
	for {
		c.check(c.ctx)
		if clock.Sleep(c.ctx, c.opts.Clock, c.opts.CheckInterval) != nil {
			return
		}
	}
}

// check reads again what is in doubt, writes out what is decided, and aborts what has timed out.
func (c *Coordinator) check(ctx context.Context) {
	c.mu.RLock()
	open := make([]*session, 0, len(c.open))
	for s := range c.open {
		open = append(open, s)
	}
	c.mu.RUnlock()
	now := c.opts.Store.Now()
	var wg sync.WaitGroup
	tokens := make(chan struct{}, checkers)
	for _, s := range open {
		work := c.workFor(s, now)
		if work == nil {
			continue
		}
		tokens <- struct{}{}
		wg.Go(func() {
			defer func() { <-tokens }()
			if err := work(ctx, s); err != nil && ctx.Err() == nil && !errors.Is(err, store.ErrStopped) {
				c.opts.Logger.Warn("a transaction cannot be ended now; it is tried again", "transactional_id", s.id, "error", err)
			}
		})
	}
	wg.Wait()
}

// workFor is what has to be done with an open transaction, nil for nothing.
func (c *Coordinator) workFor(s *session, now int64) func(context.Context, *session) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	open, since := s.openLocked()
	switch {
	case s.stale:
		return c.reload
	case s.rec.preparing():
		return c.resume
	case open && now-since >= int64(s.rec.timeout):
		return c.expire
	}
	return nil
}

// reload reads a record again after a commit with an unknown outcome.
func (c *Coordinator) reload(ctx context.Context, s *session) error {
	if err := s.acquire(ctx); err != nil {
		return err
	}
	defer s.release()
	s.gate.Lock()
	defer s.gate.Unlock()
	r, p, err := c.read(ctx, s.id)
	if err != nil {
		return err
	}
	if r == nil {
		r = &newSession(s.id).rec
	}
	s.mu.Lock()
	if s.appended = len(p.Open) > 0; s.appended && s.begun == 0 {
		s.begun = c.opts.Store.Now()
	}
	s.mu.Unlock()
	c.remember(s, r, false)
	return nil
}

// resume writes out a transaction whose end was decided.
func (c *Coordinator) resume(ctx context.Context, s *session) error {
	if err := s.acquire(ctx); err != nil {
		return err
	}
	defer s.release()
	return c.writeOut(ctx, s)
}

// expire aborts a transaction that is open for longer than its timeout. Its client is fenced.
func (c *Coordinator) expire(ctx context.Context, s *session) error {
	code := c.abort(ctx, s, func(r *record) error {
		if open, since := s.isOpen(); !open || c.opts.Store.Now()-since < int64(r.timeout) {
			return refusal(kafkaapi.None) // it ended meanwhile, and perhaps another one has begun
		}
		return nil
	})
	if code != kafkaapi.None && code != kafkaapi.ConcurrentTransactions {
		return refusal(code)
	}
	return nil
}

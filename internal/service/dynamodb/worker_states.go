package dynamodb

import (
	"context"
	"errors"
	"fmt"
	"time"

	"millrace/internal/core/store"
)

const (
	// statesIdle is how long the worker sleeps when nothing is due: another node may have made a table.
	statesIdle = 5 * time.Second
	// statesRetry is how long it waits after the store has refused.
	statesRetry = time.Second
	// statesPage bounds the tables of one look; the next follows at once.
	statesPage = 100
	// purgeSlice bounds the items of one transaction of the purge, so that it takes milliseconds.
	purgeSlice = 500
)

// poke tells the worker that a state was given a due time. It never blocks: one poke that was not heard yet stands for all.
func (s *Service) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// workStates ends states whose time has come and deletes the items of dropped tables and tokens that have ended, until ctx is done. All that is to be done
// stands in the store, so nothing is forgotten over restarts, and any node may do it.
func (s *Service) workStates(ctx context.Context) {
	timer := s.opts.Clock.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		case <-timer.C():
		}
		wait, err := s.step(ctx)
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, store.ErrStopped) {
				return
			}
			s.log.Error("tables could not be moved on", "err", err)
			wait = statesRetry
		}
		timer.Reset(wait)
	}
}

// step does some of what is to be done and returns how long until there is more.
func (s *Service) step(ctx context.Context) (time.Duration, error) {
	c, err := s.chores(ctx, statesPage)
	if err != nil {
		return 0, err
	}
	var failed error // one table that cannot be read must not hold up the others
	for _, p := range c.due {
		if err := s.finishState(ctx, p); err != nil {
			failed = errors.Join(failed, fmt.Errorf("table %s: %w", p.arn(), err))
		}
	}
	if c.purge {
		failed = errors.Join(failed, s.purge(ctx))
	}
	if c.tokens {
		failed = errors.Join(failed, s.forgetTokens(ctx))
	}
	switch {
	case failed != nil:
		return 0, failed
	case c.purge || c.tokens || len(c.due) > 0:
		return 0, nil // look again: there may be more
	case c.wait == 0:
		return statesIdle, nil
	}
	return min(time.Duration(c.wait)*time.Millisecond, statesIdle), nil
}

package dynamodb

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	// statesIdle is how long the worker sleeps when nothing is due: another node may have made a table.
	statesIdle = 5 * time.Second
	// statesPage bounds the tables of one look; the next follows at once.
	statesPage = 100
	// purgeSlice bounds the items of one transaction of the purge, so that it takes milliseconds.
	purgeSlice = 500
)

// step ends states whose time has come, deletes items of dropped tables and tokens that have ended, some of each, and returns how
// long until there is more. All that is to be done stands in the store, so nothing is forgotten over restarts, and any node may do it.
func (s *Service) step(ctx context.Context) (time.Duration, error) {
	c, err := s.chores(ctx, statesPage)
	if err != nil {
		return 0, err
	}
	var failed error // one table that cannot be moved on must not hold up the others
	for _, p := range c.due {
		if err := s.finishState(ctx, p); err != nil {
			failed = errors.Join(failed, fmt.Errorf("table %s: %w", p.arn(), err))
		}
	}
	if c.purge != 0 {
		failed = errors.Join(failed, s.purge(ctx, c.purge))
	}
	if c.tokens {
		failed = errors.Join(failed, s.forgetTokens(ctx))
	}
	switch {
	case failed != nil:
		return 0, failed
	case c.purge != 0 || c.tokens || len(c.due) > 0:
		return 0, nil // look again: there may be more
	case c.bad != nil:
		return 0, c.bad // when nothing else is left to do
	case c.wait == 0:
		return statesIdle, nil
	}
	return min(time.Duration(c.wait)*time.Millisecond, statesIdle), nil
}

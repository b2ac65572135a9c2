package dynamodb

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ttlIdle is how often the worker looks for items that have expired.
const ttlIdle = time.Second

// stepTTL deletes items that have expired, and makes and removes the rows by which they are found: one slice for every table that has
// something to do. It returns how long until there is more.
func (s *Service) stepTTL(ctx context.Context) (wait time.Duration, failed error) {
	wait = ttlIdle
	for after := uint64(0); ; {
		works, last, bad, err := s.ttlWorks(ctx, after)
		if failed = errors.Join(failed, bad); err != nil {
			return 0, errors.Join(failed, err)
		}
		for i := range works {
			w := &works[i]
			more, err := s.doTTL(ctx, w)
			if err != nil { // one table must not hold up the others
				failed = errors.Join(failed, fmt.Errorf("table %s: %w", w.place.arn(), err))
			}
			if more {
				wait = 0
			}
		}
		if last == 0 {
			return wait, failed
		}
		after = last
	}
}

// doTTL does one slice of one table, and says whether another may follow.
func (s *Service) doTTL(ctx context.Context, w *ttlWork) (bool, error) {
	switch w.table.ttl.state {
	case ttlEnabling:
		return true, s.backfill(ctx, w)
	case ttlDisabling:
		return true, s.dropExpiries(ctx, w)
	case ttlOn, ttlOff:
	}
	return len(w.rows) == sweepSlice, s.sweep(ctx, w, w.rows)
}

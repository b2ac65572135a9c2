package kinesis

import (
	"context"
	"errors"
	"fmt"
	"time"

	"millrace/internal/core/store"
)

const (
	// statesIdle is how long the worker sleeps when nothing is due: another node may have made a stream.
	statesIdle = 5 * time.Second
	// statesPage bounds the topics of one look; the next follows at once.
	statesPage = 100
)

// finishDue ends the states that are due and returns how long until the next one is. What is due stands in the store, so
// nothing is forgotten over restarts, and any node may do it.
func (s *Service) finishDue(ctx context.Context) (time.Duration, error) {
	var nums []uint64
	var now, next int64
	err := s.store.View(ctx, func(tx store.ReadTx) (err error) {
		now = tx.Now()
		nums, next, err = s.cat.Due(tx, now, statesPage)
		return err
	})
	if err != nil {
		return 0, err
	}
	var failed error // one topic that cannot be read must not hold up the others
	for _, num := range nums {
		p, err := s.finishState(ctx, num)
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("topic %d: %w", num, err))
			continue
		}
		s.refresh(ctx, p)
	}
	if failed != nil {
		return 0, failed
	}
	if len(nums) > 0 {
		return 0, nil // look again: what was put off is due later
	}
	if next == 0 {
		return statesIdle, nil
	}
	return min(time.Duration(next-now)*time.Millisecond, statesIdle), nil
}

// refresh has the copy of a stream, if there is one, follow what was done to it; the meters of its
// shards go on.
func (s *Service) refresh(ctx context.Context, p place) {
	if s.cache.get(p) == nil && !s.traffic.has(p) {
		return
	}
	if _, err := s.reload(ctx, p, s.nowNS()); err != nil {
		s.cache.drop(p) // the next call reads it
	}
}

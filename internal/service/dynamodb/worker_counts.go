package dynamodb

import (
	"context"
	"fmt"
	"time"

	"millrace/internal/core/store"
)

// stepCount does one run of a count and returns how long to rest: four times as long as the run took. A count that the
// process did not finish is begun anew when somebody asks; until then the one before is shown.
func (s *Service) stepCount(ctx context.Context) (time.Duration, error) {
	job := s.counter.next()
	if job == nil {
		return countIdle, nil
	}
	began := s.opts.Clock.Now()
	if job.began.IsZero() {
		job.began = began
	}
	step := *job // View may run it more than once
	more := false
	err := s.store.View(ctx, func(tx store.ReadTx) (err error) {
		step = *job
		more, err = step.run(tx, job.nextRun())
		return err
	})
	if err == nil && !more {
		err = s.keepCount(ctx, &step)
	}
	if err != nil || !more {
		s.counter.done(job)
	}
	if err != nil {
		return 0, fmt.Errorf("table %s: %w", job.place.arn(), err)
	}
	*job = step
	return 4 * s.opts.Clock.Now().Sub(began), nil
}

// keepCount writes a count that is done, if its table is still there.
func (s *Service) keepCount(ctx context.Context, job *counting) error {
	took := s.opts.Clock.Now().Sub(job.began).Milliseconds()
	_, err := s.store.Update(ctx, func(tx store.Tx) error {
		t, err := s.readTable(tx, job.place)
		if err != nil || t == nil || t.num != job.num {
			return err
		}
		c := count{job.tally, tx.Now(), max(took, 0)}
		return tx.Set(countKey(job.prefix), c.encode())
	})
	return err
}

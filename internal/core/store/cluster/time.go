package cluster

import (
	"context"
	"fmt"
	"time"
)

// timeAhead is how far ahead of what was told the database holds store time, so that Now seldom has
// to write. After a crash store time goes on there: it may stand still for so long.
const timeAhead = 3 * time.Second

// timeWait bounds how long Now waits for the database; then it tells the largest time that is safe.
const timeWait = 2 * time.Second

// Now is the clock, but never less than was told before, also by a node before this one.
func (s *Store) Now() int64 {
	s.timeMu.Lock()
	defer s.timeMu.Unlock()
	now := max(s.opts.Clock.Now().UnixMilli(), s.told)
	if now > s.limit && s.ctx.Err() == nil {
		s.reserve(now + timeAhead.Milliseconds())
	}
	s.told = max(s.told, min(now, s.limit))
	return s.told
}

// reserve makes the database remember that times up to limit may have been told.
func (s *Store) reserve(limit int64) {
	ctx, cancel := context.WithTimeout(s.ctx, timeWait)
	defer cancel()
	err := s.keepLock(ctx)
	if err != nil {
		s.opts.Logger.Warn("store time stands still: no connection to the database", "error", err)
		return
	}
	tag, err := s.lock.Exec(ctx, `UPDATE store_time SET told = greatest(told, $1)
		WHERE domain = 1 AND EXISTS (SELECT FROM store_commit WHERE domain = 1 AND epoch = $2)`, limit, s.epoch)
	if err != nil || tag.RowsAffected() != 1 {
		s.opts.Logger.Warn("store time stands still: the database does not take it", "error", err)
		return
	}
	s.limit = limit
}

// keepTime writes at Close what was really told, so that the next node begins there.
func (s *Store) keepTime() error {
	s.timeMu.Lock()
	defer s.timeMu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), timeWait)
	defer cancel()
	if err := s.keepLock(ctx); err != nil {
		return fmt.Errorf("keep store time: %w", err)
	}
	_, err := s.lock.Exec(ctx, `UPDATE store_time SET told = $1
		WHERE domain = 1 AND EXISTS (SELECT FROM store_commit WHERE domain = 1 AND epoch = $2)`, s.told, s.epoch)
	if err != nil {
		return fmt.Errorf("keep store time: %w", err)
	}
	s.limit = s.told
	return nil
}

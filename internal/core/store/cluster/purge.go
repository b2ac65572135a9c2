package cluster

import (
	"context"
	"errors"
	"fmt"
	"math"

	"millrace/internal/core/clock"
	"millrace/internal/core/store"
)

// purgeSlice is how many rows one statement of a purge deletes: a few milliseconds of work, so that
// no commit waits long for it.
const purgeSlice = 1000

// keptGroups is how many of the newest rows of store_groups stay. Only the last one is ever
// settled; some more tell a human what happened.
const keptGroups = 1000

// purgeLoop removes from time to time what nobody can see any more.
func (s *Store) purgeLoop() {
	if err := s.findDirty(s.ctx); err != nil && s.ctx.Err() == nil {
		s.opts.Logger.Warn("cannot look for rows to purge; they stay until the next start", "error", err)
	}
	for clock.Sleep(s.ctx, s.opts.Clock, s.opts.PurgeEvery) == nil {
		if err := s.purge(s.ctx); err != nil && !errors.Is(err, context.Canceled) {
			s.opts.Logger.Warn("purge failed; it is tried again", "error", err)
		}
	}
}

// findDirty marks all partitions that have rows: an earlier node may have left some behind.
func (s *Store) findDirty(ctx context.Context) error {
	for after := int64(-1); ; {
		var id *int64
		if err := s.pool.QueryRow(ctx, "SELECT min(partition) FROM store_batches WHERE domain = 1 AND partition > $1", after).Scan(&id); err != nil || id == nil {
			return err
		}
		s.mu.Lock()
		s.dirty[store.PartitionID(*id)] = true
		s.mu.Unlock()
		after = *id
	}
}

// purge deletes trimmed batches, those of deleted partitions, deleted keys that no snapshot can
// conflict with, and old group rows.
func (s *Store) purge(ctx context.Context) error {
	s.mu.Lock()
	dirty := s.dirty
	s.dirty = map[store.PartitionID]bool{}
	seq := s.applied.Sequence()
	oldest := seq
	for _, at := range s.oldest {
		oldest = min(oldest, at)
	}
	s.mu.Unlock()
	for id := range dirty {
		if err := s.purgeBatches(ctx, id); err != nil {
			s.mu.Lock()
			for left := range dirty {
				s.dirty[left] = true
			}
			s.mu.Unlock()
			return err
		}
		delete(dirty, id)
	}
	err := s.purgeRows(ctx, "store_keys", "domain = 1 AND value IS NULL AND seq <= $1", int64(oldest))
	if err != nil {
		return err
	}
	return s.purgeRows(ctx, "store_groups", "domain = 1 AND seq <= $1", int64(seq)-keptGroups)
}

func (s *Store) purgeBatches(ctx context.Context, id store.PartitionID) error {
	s.mu.Lock()
	h, ok := s.applied.Head(id)
	s.mu.Unlock()
	start := int64(h.Start)
	if !ok {
		start = math.MaxInt64
	}
	return s.purgeRows(ctx, "store_batches", "domain = 1 AND partition = $1 AND base < $2 AND next <= $2", int64(id), start)
}

// purgeRows deletes the rows of table that where names, a slice at a time.
func (s *Store) purgeRows(ctx context.Context, table, where string, args ...any) error {
	sql := fmt.Sprintf("DELETE FROM %[1]s WHERE ctid = ANY (ARRAY (SELECT ctid FROM %[1]s WHERE %[2]s LIMIT %[3]d))", table, where, purgeSlice)
	for {
		tag, err := s.pool.Exec(ctx, sql, args...)
		if err != nil {
			return fmt.Errorf("purge %s: %w", table, err)
		}
		if tag.RowsAffected() < purgeSlice {
			return nil
		}
	}
}

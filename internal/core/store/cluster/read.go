package cluster

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"millrace/internal/core/store"
)

// readRows is the most batches one Read returns: rows are looked at before their bytes are known
// to fit.
const readRows = 2000

// Read returns rows of store_batches below what is applied.
func (s *Store) Read(ctx context.Context, req store.ReadRequest) (store.ReadResult, error) {
	for {
		h, err := s.Head(ctx, req.Partition)
		switch {
		case err != nil:
			return store.ReadResult{}, err
		case req.From < h.Start:
			return store.ReadResult{}, &store.TrimmedError{Asked: req.From, First: h.Start}
		case req.From > h.Next:
			return store.ReadResult{}, store.ErrOffsetOutOfRange
		}
		end := h.Next
		if req.Isolation == store.ReadCommitted {
			end = h.LastStable
		}
		if req.From >= end {
			return store.NewReadResult(h, nil, nil, nil), nil
		}
		rows, err := s.readRows(ctx, &req, end)
		if err != nil {
			return store.ReadResult{}, s.readError(ctx, "read batches", err)
		}
		if len(rows) == 0 || rows[0].Base > req.From {
			if err := s.missing(ctx, &req); err != nil {
				return store.ReadResult{}, err
			}
			continue // trimmed while we read
		}
		found, err := s.unseal(ctx, req.Partition, rows)
		if err != nil {
			return store.ReadResult{}, s.readError(ctx, "open batches", err)
		}
		return store.NewReadResult(h, found, s.aborted(&req, found), nil), nil
	}
}

// missing is an error when a batch that should be there is not.
func (s *Store) missing(ctx context.Context, req *store.ReadRequest) error {
	h, err := s.Head(ctx, req.Partition)
	if err == nil && h.Start <= req.From {
		return &store.CorruptError{File: fmt.Sprintf("store_batches, partition %d", req.Partition), Offset: int64(req.From), Reason: "no row holds this offset"}
	}
	return err
}

func (s *Store) aborted(req *store.ReadRequest, found []store.Batch) []store.Aborted {
	if req.Isolation != store.ReadCommitted {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.applied.Aborted(req.Partition, found[0].Base, found[len(found)-1].Next)
}

// readRows reads from the batch that holds req.From up to end, as many as fit and at least one.
func (s *Store) readRows(ctx context.Context, req *store.ReadRequest, end store.Offset) ([]sealedRow, error) {
	rows, err := s.pool.Query(ctx, `SELECT base, next, append_time, bytes, key_id, nonce FROM (
			SELECT base, next, append_time, bytes, key_id, nonce, size, sum(size) OVER (ORDER BY base) AS total FROM store_batches
			WHERE domain = 1 AND partition = $1 AND base < $3 AND next > $2 AND base >= coalesce(
				(SELECT max(base) FROM store_batches WHERE domain = 1 AND partition = $1 AND base <= $2), $2)
			ORDER BY base LIMIT $5) x
		WHERE total <= $4 OR total = size ORDER BY base`,
		int64(req.Partition), int64(req.From), int64(end), int64(req.MaxBytes), readRows)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(r pgx.CollectableRow) (b sealedRow, err error) {
		var key int64
		err = r.Scan((*int64)(&b.Base), (*int64)(&b.Next), &b.AppendTime, &b.Bytes, &key, &b.nonce)
		b.Key = uint64(key)
		return b, err
	})
}

// The ways of Seek. Append times rise with offsets, so that the first in order of time is the first.
const (
	seekAppendTime = `SELECT base FROM store_batches WHERE domain = 1 AND partition = $1 AND next > $2 AND base < $3 AND append_time >= $4
		ORDER BY append_time, base LIMIT 1`
	seekTimestamp = `SELECT base FROM store_batches WHERE domain = 1 AND partition = $1 AND next > $2 AND base < $3 AND max_timestamp >= $4
		ORDER BY base LIMIT 1`
	// seekSize finds the first batch at which no more than $4 bytes are left.
	seekSize = `SELECT base FROM (
			SELECT base, sum(size) OVER (ORDER BY base DESC) AS rest FROM store_batches WHERE domain = 1 AND partition = $1 AND next > $2 AND base < $3) x
		WHERE rest <= $4 ORDER BY base LIMIT 1`
)

// Seek asks the database.
func (s *Store) Seek(ctx context.Context, id store.PartitionID, ms int64, by store.SeekBy) (store.Offset, bool, error) {
	sql := seekAppendTime
	if by == store.SeekTimestamp {
		sql = seekTimestamp
	}
	return s.seek(ctx, sql, id, ms)
}

// SeekSize asks the database: see store.SizeSeeker.
func (s *Store) SeekSize(ctx context.Context, id store.PartitionID, size int64) (store.Offset, error) {
	at, _, err := s.seek(ctx, seekSize, id, size)
	return at, err
}

func (s *Store) seek(ctx context.Context, sql string, id store.PartitionID, arg int64) (store.Offset, bool, error) {
	h, err := s.Head(ctx, id)
	if err != nil {
		return 0, false, err
	}
	var base int64
	err = s.pool.QueryRow(ctx, sql, int64(id), int64(h.Start), int64(h.Next), arg).Scan(&base)
	if errors.Is(err, pgx.ErrNoRows) {
		return h.Next, false, nil
	}
	if err != nil {
		return 0, false, s.readError(ctx, "seek", err)
	}
	return max(store.Offset(base), h.Start), true, nil
}

// Stat sums up rows.
func (s *Store) Stat(ctx context.Context, id store.PartitionID) (store.Stat, error) {
	h, err := s.Head(ctx, id)
	if err != nil {
		return store.Stat{}, err
	}
	st := store.Stat{Head: h}
	err = s.pool.QueryRow(ctx, `SELECT count(*), coalesce(sum(size), 0)::bigint, coalesce(min(append_time), 0) FROM store_batches
		WHERE domain = 1 AND partition = $1 AND next > $2 AND base < $3`, int64(id), int64(h.Start), int64(h.Next)).Scan(&st.Batches, &st.Bytes, &st.FirstAppend)
	if err != nil {
		return store.Stat{}, s.readError(ctx, "sum up batches", err)
	}
	return st, nil
}

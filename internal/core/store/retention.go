package store

import (
	"context"
	"errors"
	"time"

	"millrace/internal/core/clock"
)

// retentionPage is how many partitions one transaction of ApplyRetention trims: few enough that it
// seldom loses to others, and that a store of a million partitions is gone through in 1,000 commits.
const retentionPage = 1000

// SizeSeeker is a Store that can tell without reading batches where a partition has to be trimmed to
// hold less.
type SizeSeeker interface {
	// SeekSize returns the base offset of the first batch from which on the partition holds at most
	// size stored bytes, Next when that is none.
	//
	// Errors: ErrNoPartition, ErrStopped.
	SeekSize(ctx context.Context, id PartitionID, size int64) (Offset, error)
}

// RunRetention calls ApplyRetention again and again, every apart, until ctx is done. report gets the
// outcome of each round; its error is not final.
func RunRetention(ctx context.Context, s Store, c clock.Clock, every time.Duration, report func(trimmed int, err error)) {
	for clock.Sleep(ctx, c, every) == nil {
		trimmed, err := ApplyRetention(ctx, s)
		if ctx.Err() != nil || errors.Is(err, ErrStopped) {
			return
		}
		report(trimmed, err)
	}
}

// ApplyRetention trims each partition as its Retention allows: whole batches, oldest first, by age
// and by stored bytes. It returns how many partitions it has trimmed. Any number of them may run.
func ApplyRetention(ctx context.Context, s Store) (trimmed int, err error) {
	for from := PartitionID(0); ; {
		ids, err := s.Partitions(ctx, from, retentionPage)
		if err != nil || len(ids) == 0 {
			return trimmed, err
		}
		n, err := retainPage(ctx, s, ids)
		if trimmed += n; err != nil {
			return trimmed, err
		}
		from = ids[len(ids)-1] + 1
	}
}

// trimTo is where a partition may be trimmed, found under a retention.
type trimTo struct {
	id        PartitionID
	to        Offset
	retention Retention
}

func retainPage(ctx context.Context, s Store, ids []PartitionID) (int, error) {
	var due []trimTo
	for _, id := range ids {
		st, err := s.Stat(ctx, id)
		if errors.Is(err, ErrNoPartition) {
			continue
		}
		if err != nil {
			return 0, err
		}
		to, err := retainFrom(ctx, s, id, &st)
		if err != nil && !errors.Is(err, ErrNoPartition) {
			return 0, err
		}
		if to > st.Head.Start {
			due = append(due, trimTo{id, to, st.Head.Retention})
		}
	}
	if len(due) == 0 {
		return 0, nil
	}
	return trimAll(ctx, s, due)
}

// trimAll trims those whose retention is still what it was.
func trimAll(ctx context.Context, s Store, due []trimTo) (n int, err error) {
	_, err = s.Update(ctx, func(tx Tx) error {
		n = 0
		for _, d := range due {
			h, err := tx.Head(d.id, FieldRetention)
			if errors.Is(err, ErrNoPartition) || err == nil && h.Retention != d.retention {
				continue
			}
			if err != nil {
				return err
			}
			if err := tx.TrimPartition(d.id, d.to); err != nil {
				return err
			}
			n++
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// retainFrom is the first offset that has to stay.
func retainFrom(ctx context.Context, s Store, id PartitionID, st *Stat) (Offset, error) {
	to, r := st.Head.Start, st.Head.Retention
	if cutoff := s.Now() - r.Millis; r.Millis > 0 && st.Batches > 0 && st.FirstAppend < cutoff {
		at, _, err := s.Seek(ctx, id, cutoff, SeekAppendTime)
		if err != nil {
			return 0, err
		}
		to = max(to, at)
	}
	if r.Bytes > 0 && st.Bytes > r.Bytes {
		at, err := seekSize(ctx, s, id, st)
		if err != nil {
			return 0, err
		}
		to = max(to, at)
	}
	return to, nil
}

// seekSize goes through the batches that are too many when the store cannot tell by itself: it reads
// about as much as is trimmed.
func seekSize(ctx context.Context, s Store, id PartitionID, st *Stat) (Offset, error) {
	if sized, ok := s.(SizeSeeker); ok {
		return sized.SeekSize(ctx, id, st.Head.Retention.Bytes)
	}
	at, excess := st.Head.Start, st.Bytes-st.Head.Retention.Bytes
	for excess > 0 {
		res, err := s.Read(ctx, ReadRequest{Partition: id, From: at, MaxBytes: 1 << 20})
		if err != nil {
			return 0, err
		}
		if len(res.Batches) == 0 {
			res.Release()
			return at, nil
		}
		for i := 0; i < len(res.Batches) && excess > 0; i++ {
			excess -= int64(len(res.Batches[i].Bytes))
			at = res.Batches[i].Next
		}
		res.Release()
	}
	return at, nil
}

// Package position finds offsets: by the time of records, by the largest time, by leader epoch.
//
// Times are found by batch in the store's index (the largest timestamp in each header), and then by record: only the one
// batch that was found is opened. A batch that cannot be opened (its producer sent what no reader can unpack) is
// answered as a whole, with its first offset and largest time.
//
// Leader epochs stand in the headers of batches and never fall; where one ends is found by halving.
//
// Source: UnifiedLog.fetchOffsetByTimestamp, FileRecords.searchForTimestamp and LeaderEpochFileCache.endOffsetFor of
// Apache Kafka 4.1 (read 2026-11).
package position

import (
	"context"
	"math"

	"millrace/internal/core/batch"
	"millrace/internal/core/store"
)

// Found is one record's place and time.
type Found struct {
	Offset    store.Offset
	Timestamp int64 // ms since 1970
	Epoch     int32 // leader epoch of its batch
}

// ByTime returns the first record before end whose timestamp is at least ms, and whether there is one.
//
// Errors: those of Store.Seek and Store.Read.
func ByTime(ctx context.Context, s store.Store, id store.PartitionID, ms int64, end store.Offset) (Found, bool, error) {
	at, ok, err := s.Seek(ctx, id, ms, store.SeekTimestamp)
	for ok && err == nil && at < end {
		var found Found
		var in bool
		found, in, at, err = inBatch(ctx, s, id, at, ms)
		switch {
		case err != nil:
		case in && found.Offset < end:
			return found, true, nil
		case in:
			return Found{}, false, nil
		case at == noBatch:
			return Found{}, false, nil
		}
	}
	return Found{}, false, err
}

// noBatch: there is no batch any more.
const noBatch store.Offset = -1

// inBatch looks into the batch at or after an offset, and returns where to go on when the record is not in it: compaction
// may have taken the one that its header's time is of.
func inBatch(ctx context.Context, s store.Store, id store.PartitionID, from store.Offset, ms int64) (Found, bool, store.Offset, error) {
	res, err := s.Read(ctx, store.ReadRequest{Partition: id, From: from, MaxBytes: 1})
	if err != nil {
		return Found{}, false, 0, err
	}
	defer res.Release()
	if len(res.Batches) == 0 {
		return Found{}, false, noBatch, nil
	}
	b := &res.Batches[0]
	h, err := batch.ReadHeader(b.Bytes)
	if err != nil || h.MaxTimestamp < ms {
		return Found{}, false, b.Next, nil
	}
	start := max(from, res.Head.Start)
	for rec, err := range batch.Records(b.Bytes, batch.Limits{}) {
		if err != nil {
			return Found{max(b.Base, start), h.MaxTimestamp, h.LeaderEpoch}, true, 0, nil
		}
		if rec.Timestamp >= ms && store.Offset(rec.Offset) >= start {
			return Found{store.Offset(rec.Offset), rec.Timestamp, h.LeaderEpoch}, true, 0, nil
		}
	}
	return Found{}, false, b.Next, nil
}

// Latest returns the first record of those with the largest timestamp, and whether any record before end has one.
//
// Errors: those of ByTime.
func Latest(ctx context.Context, s store.Store, id store.PartitionID, end store.Offset) (Found, bool, error) {
	h, err := s.Head(ctx, id)
	if err != nil {
		return Found{}, false, err
	}
	ms, ok, err := largest(h.LastAppend, func(ms int64) (bool, error) {
		_, ok, err := s.Seek(ctx, id, ms, store.SeekTimestamp)
		return ok, err
	})
	if !ok || err != nil {
		return Found{}, false, err
	}
	return ByTime(ctx, s, id, ms, end)
}

// largest returns the largest number from 0 up for which there is one, and whether there is any. It looks around hint
// first, in steps that double: times of records are mostly close to the time of the last append.
func largest(hint int64, exists func(int64) (bool, error)) (int64, bool, error) {
	lo, hi := int64(-1), int64(math.MaxInt64) // there is one at lo, or lo is -1; there is none above hi
	try := max(hint, 0)
	for step := int64(1); lo < hi; {
		ok, err := exists(try)
		switch {
		case err != nil:
			return 0, false, err
		case ok:
			lo = try
		default:
			hi = try - 1
		}
		switch gap := hi - lo; {
		case lo >= hint && hi == math.MaxInt64: // still upwards
			try = lo + min(step, gap)
			step = double(step)
		case lo == -1 && hi < hint: // still downwards
			try = hi - min(step, hi)
			step = double(step)
		default:
			try = lo + (gap+1)/2
		}
	}
	return lo, lo >= 0, nil
}

func double(n int64) int64 {
	if n > math.MaxInt64/2 {
		return n
	}
	return 2 * n
}

// EpochEnd returns the largest leader epoch of the partition that is not above epoch, and where it ends: one more than
// its last offset. It returns -1 and -1 for an epoch above the partition's own.
//
// Errors: those of Store.Head and Store.Read.
func EpochEnd(ctx context.Context, s store.Store, id store.PartitionID, epoch int32) (int32, store.Offset, error) {
	h, err := s.Head(ctx, id)
	switch {
	case err != nil:
		return 0, 0, err
	case epoch < 0 || epoch > h.Epoch:
		return -1, -1, nil
	case epoch == h.Epoch:
		return epoch, h.Next, nil
	}
	found := epoch // if there is none as low, Kafka answers with what was asked
	lo, hi := h.Start, h.Next
	for lo < hi {
		mid := lo + (hi-lo)/2
		at, next, ok, err := epochAt(ctx, s, id, mid)
		switch {
		case err != nil:
			return 0, 0, err
		case !ok || at > epoch:
			hi = mid
		default:
			found, lo = at, next
		}
	}
	return found, lo, nil
}

// EpochAt is the leader epoch of the batch at or after an offset, -1 when there is none.
//
// Errors: those of Store.Read.
func EpochAt(ctx context.Context, s store.Store, id store.PartitionID, from store.Offset) (int32, error) {
	epoch, _, ok, err := epochAt(ctx, s, id, from)
	if !ok {
		epoch = -1
	}
	return epoch, err
}

// epochAt is the leader epoch of the batch at or after an offset, and where that batch ends.
func epochAt(ctx context.Context, s store.Store, id store.PartitionID, from store.Offset) (epoch int32, next store.Offset, ok bool, err error) {
	res, err := s.Read(ctx, store.ReadRequest{Partition: id, From: from, MaxBytes: 1})
	if err != nil {
		return 0, 0, false, err
	}
	defer res.Release()
	if len(res.Batches) == 0 {
		return 0, 0, false, nil
	}
	h, err := batch.ReadHeader(res.Batches[0].Bytes)
	return h.LeaderEpoch, res.Batches[0].Next, err == nil, err
}

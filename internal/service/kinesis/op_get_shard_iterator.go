package kinesis

import (
	"context"
	"strconv"

	"millrace/internal/api"
	"millrace/internal/api/kinesisapi"
	"millrace/internal/core/store"
)

// GetShardIterator: a place in a shard to read on from, good for five minutes.
//
// Behaviour
//   - TRIM_HORIZON is the oldest record there is when it is read; LATEST is fixed now
//   - AT_SEQUENCE_NUMBER and AFTER_SEQUENCE_NUMBER take any number of that shard, also one between two
//     records or the shard's first, and mean the next record
//   - AT_TIMESTAMP is the first record that arrived at that time or later
//   - works on closed shards; the shard's id may be any text with its number after the first hyphen
//   - five calls a second for each shard
//
// Errors: ResourceNotFoundException, InvalidArgumentException, ProvisionedThroughputExceededException,
// DryRunOperationException
// Source: Kinesis API reference, GetShardIterator; kinesalite, test/getShardIterator.js (read 2026-11)
func (s *Service) GetShardIterator(ctx context.Context, in *kinesisapi.GetShardIteratorInput) (*kinesisapi.GetShardIteratorOutput, error) {
	p, err := s.resolve(ctx, in.StreamName, in.StreamARN)
	if err != nil {
		return nil, err
	}
	index, ok := parseShardID(in.ShardId)
	if !ok {
		return nil, errBadShardID(p, in.ShardId)
	}
	ns := s.nowNS()
	st, err := s.stream(ctx, p, ns)
	if err != nil {
		return nil, notFoundAs(err, errNoShard(p, shardID(index)))
	}
	if int(index) >= len(st.shards) || !st.shows() {
		return nil, errNoShard(p, shardID(index))
	}
	sh := &st.shards[index]
	if sh.partition == 0 { // forgotten
		return nil, errNoShard(p, sh.id)
	}
	if st.metered && !s.rates.admit(rateKey{"GetShardIterator", p, index}, ns, s.opts.Quotas) {
		return nil, errShardRate(p, sh)
	}
	now := s.store.Now()
	at, err := s.startingAt(ctx, "GetShardIterator", st, sh, in, now)
	if err != nil {
		return nil, notFoundAs(err, errNoShard(p, sh.id))
	}
	if in.DryRun != nil && *in.DryRun {
		return nil, errDryRun()
	}
	text := s.sealIterator(p, sh, at, now)
	return &kinesisapi.GetShardIteratorOutput{ShardIterator: &text}, nil
}

// startingAt is the offset that a request of an operation means.
func (s *Service) startingAt(ctx context.Context, operation string, st *stream, sh *shard, in *kinesisapi.GetShardIteratorInput, now int64) (store.Offset, error) {
	kind := in.ShardIteratorType
	switch kind {
	case kinesisapi.ShardIteratorTypeTrimHorizon, kinesisapi.ShardIteratorTypeLatest:
		if in.StartingSequenceNumber != nil {
			return 0, errPosition(kind, "and also a StartingSequenceNumber.")
		}
		if kind == kinesisapi.ShardIteratorTypeTrimHorizon {
			return 0, nil
		}
		h, err := s.store.Head(ctx, sh.partition)
		return h.LastStable, err
	case kinesisapi.ShardIteratorTypeAtTimestamp:
		if in.Timestamp == nil {
			return 0, kinesisapi.InvalidArgumentException("Must specify timestampInMillis parameter for iterator of type AT_TIMESTAMP. Current request has no timestamp parameter.")
		}
		ms := millis(*in.Timestamp)
		if ms > now {
			return 0, errFuture(ms, now)
		}
		at, _, err := s.store.Seek(ctx, sh.partition, ms, store.SeekAppendTime)
		return at, err
	case kinesisapi.ShardIteratorTypeAtSequenceNumber, kinesisapi.ShardIteratorTypeAfterSequenceNumber:
	}
	if in.StartingSequenceNumber == nil {
		return 0, errPosition(kind, "and no StartingSequenceNumber.")
	}
	n, err := parseStarting(operation, st, sh, *in.StartingSequenceNumber)
	if err != nil {
		return 0, err
	}
	return n.positionAt(kind == kinesisapi.ShardIteratorTypeAfterSequenceNumber), nil
}

// positionAt is the offset of the first record at or after a number. The number a shard starts with is
// below that of the record at offset 0, and nothing is after the one it ends with.
func (n sequenceNumber) positionAt(after bool) store.Offset {
	if after && n.appended != 0 && n.offset != endOffset {
		return store.Offset(n.offset) + 1
	}
	return store.Offset(n.offset)
}

// parseStarting reads a number that must be one of the shard.
func parseStarting(operation string, st *stream, sh *shard, number string) (sequenceNumber, error) {
	n, err := parseSequence(number)
	used := func(end string) error {
		return kinesisapi.InvalidArgumentException("StartingSequenceNumber " + number + " used in " + operation + " on shard " + sh.id +
			" in stream " + st.place.stream + " under account " + st.place.account + " is invalid" + end)
	}
	switch {
	case err != nil:
		return n.sequenceNumber, used(".")
	case n.shard != sh.index:
		return n.sequenceNumber, kinesisapi.InvalidArgumentException("Invalid StartingSequenceNumber. It encodes " + shardID(n.shard) +
			", while it was used in a call to a shard with " + sh.id)
	case n.version == 0: // AWS has forgotten its oldest numbers and fails on them
		return n.sequenceNumber, api.ServerError(codeInternal, "")
	case n.version != 2, n.created != sh.created:
		return n.sequenceNumber, used(" because it did not come from this stream.")
	}
	return n.sequenceNumber, nil
}

func errPosition(kind kinesisapi.ShardIteratorType, what string) error {
	return kinesisapi.InvalidArgumentException("Must either specify (1) AT_SEQUENCE_NUMBER or AFTER_SEQUENCE_NUMBER and StartingSequenceNumber or " +
		"(2) TRIM_HORIZON or LATEST and no StartingSequenceNumber. Request specified " + string(kind) + " " + what)
}

func errFuture(ms, now int64) error {
	return kinesisapi.InvalidArgumentException("The timestampInMillis parameter cannot be greater than the currentTimestampInMillis. timestampInMillis: " +
		strconv.FormatInt(ms, 10) + ", currentTimestampInMillis: " + strconv.FormatInt(now, 10))
}

package dynamodb

import (
	"context"
	"time"

	"millrace/internal/api/dynamodbstreamsapi"
	"millrace/internal/core/store"
	"millrace/internal/service/dynamodb/capture"
)

// GetShardIterator: a place in a shard to read from, for 15 minutes.
//
// Behaviour
//   - TRIM_HORIZON is the oldest record that is not older than 24 hours, LATEST the end
//   - AT_ and AFTER_SEQUENCE_NUMBER take any number of the stream and mean the next record of the shard that there is
//   - a number that leads to a record older than 24 hours is refused
//
// Errors: ResourceNotFoundException, TrimmedDataAccessException, ValidationException
// Source: DynamoDB API reference, GetShardIterator (read 2026-11)
func (s *Service) GetShardIterator(ctx context.Context, in *dynamodbstreamsapi.GetShardIteratorInput) (*dynamodbstreamsapi.GetShardIteratorOutput, error) {
	if err := checkIteratorType(in); err != nil {
		return nil, err
	}
	v, err := s.openStream(ctx, in.StreamArn)
	if err != nil {
		return nil, streamsError(err)
	}
	sh := v.shards.Find(in.ShardId)
	if sh == nil {
		return nil, errNoShard()
	}
	at, err := s.position(ctx, v, sh, in)
	if err != nil {
		return nil, streamsError(err)
	}
	text := s.sealIterator(&iterator{created: v.now, stream: v.at, shard: sh.ID, at: at})
	return &dynamodbstreamsapi.GetShardIteratorOutput{ShardIterator: &text}, nil
}

// checkIteratorType holds the type against what has to go with it. Texts are our own.
func checkIteratorType(in *dynamodbstreamsapi.GetShardIteratorInput) error {
	number, moment := false, false
	switch in.ShardIteratorType {
	case dynamodbstreamsapi.ShardIteratorTypeAtSequenceNumber, dynamodbstreamsapi.ShardIteratorTypeAfterSequenceNumber:
		number = true
	case dynamodbstreamsapi.ShardIteratorTypeAtTimestamp:
		moment = true
	case dynamodbstreamsapi.ShardIteratorTypeTrimHorizon, dynamodbstreamsapi.ShardIteratorTypeLatest:
	}
	kind := string(in.ShardIteratorType)
	switch {
	case number && in.SequenceNumber == nil:
		return errInvalid("SequenceNumber is required for ShardIteratorType " + kind)
	case !number && in.SequenceNumber != nil:
		return errInvalid("SequenceNumber cannot be specified for ShardIteratorType " + kind)
	case moment && in.Timestamp == nil:
		return errInvalid("Timestamp is required for ShardIteratorType " + kind)
	case !moment && in.Timestamp != nil:
		return errInvalid("Timestamp cannot be specified for ShardIteratorType " + kind)
	}
	return nil
}

// position is the offset that is asked for.
func (s *Service) position(ctx context.Context, v *streamView, sh *capture.Shard, in *dynamodbstreamsapi.GetShardIteratorInput) (store.Offset, error) {
	first, end, err := s.bounds(ctx, v, sh)
	if err != nil {
		return 0, err
	}
	switch in.ShardIteratorType {
	case dynamodbstreamsapi.ShardIteratorTypeTrimHorizon:
		return first, nil
	case dynamodbstreamsapi.ShardIteratorTypeLatest:
		return end, nil
	case dynamodbstreamsapi.ShardIteratorTypeAtTimestamp:
		ms := in.Timestamp.Round(time.Millisecond).UnixMilli()
		at, _, err := s.store.Seek(ctx, v.parts[sh.Partition].ID, ms, store.SeekAppendTime)
		return min(max(at, first), end), err
	case dynamodbstreamsapi.ShardIteratorTypeAtSequenceNumber, dynamodbstreamsapi.ShardIteratorTypeAfterSequenceNumber:
	}
	at, exact, ok := capture.Position(*in.SequenceNumber, sh.Partition, v.slices[sh.Partition].Base)
	if !ok {
		return 0, errInvalid("Invalid SequenceNumber") // our own text
	}
	if exact && in.ShardIteratorType == dynamodbstreamsapi.ShardIteratorTypeAfterSequenceNumber {
		at++
	}
	if at = max(at, sh.From); at < first {
		return 0, errTrimmed()
	}
	return min(at, end), nil
}

package kinesis

import (
	"context"

	"millrace/internal/api/kinesisapi"
)

// PutRecords: up to 500 records, 10 MiB in all with partition keys; order is not promised.
//
// Behaviour
//   - a record that fails does not fail the call; its entry carries ErrorCode and ErrorMessage
//   - a malformed record (ExplicitHashKey too large, data over the stream's limit) fails the whole call
//   - the sequence number is assigned when the batch commits, not on arrival
//   - a stream in CREATING or DELETING is not found
//   - all shards are written in one commit
//
// Errors: ResourceNotFoundException, InvalidArgumentException, ValidationException, DryRunOperationException
// Source: Kinesis API reference, PutRecords (read 2026-11); limits in limits.go
func (s *Service) PutRecords(ctx context.Context, in *kinesisapi.PutRecordsInput) (*kinesisapi.PutRecordsOutput, error) {
	now := s.nowNS()
	st, err := s.target(ctx, in.StreamName, in.StreamARN, now)
	if err != nil {
		return nil, err
	}
	if err := checkRecords(st, in.Records, ofPutRecords); err != nil {
		return nil, err
	}
	x := s.takeScratch(len(in.Records))
	defer s.giveScratch(x)
	if in.DryRun != nil && *in.DryRun {
		if err := x.route(st, in.Records); err != nil {
			return nil, err
		}
		return nil, errDryRun()
	}
	if err := s.put(ctx, x, st, in.Records, now); err != nil {
		return nil, apiError(err)
	}
	return putAnswer(x.outcomes), nil
}

// target is the stream that a request puts records into.
func (s *Service) target(ctx context.Context, name, arn *string, now int64) (*stream, error) {
	p, err := s.resolve(ctx, name, arn)
	if err != nil {
		return nil, err
	}
	st, err := s.stream(ctx, p, now)
	if err != nil {
		return nil, apiError(err)
	}
	if !st.writable() {
		return nil, errNotFound(p)
	}
	return st, nil
}

// putAnswer makes the answer in a few allocations: all numbers stand in one buffer.
func putAnswer(outcomes []outcome) *kinesisapi.PutRecordsOutput {
	n := len(outcomes)
	failed := new(int32)
	entries := make([]kinesisapi.PutRecordsResultEntry, n)
	texts := make([]string, n)
	digits := make([]byte, 0, n*sequenceDigits)
	for i := range outcomes {
		o, e := &outcomes[i], &entries[i]
		if o.code != "" {
			*failed++
			code, text := o.code, o.text
			e.ErrorCode, e.ErrorMessage = &code, &text
			continue
		}
		number := o.shard.number(o.offset, o.appended)
		from := len(digits)
		digits = number.appendTo(digits)
		texts[i] = stringOf(digits[from:])
		e.SequenceNumber, e.ShardId = &texts[i], &o.shard.id
	}
	return &kinesisapi.PutRecordsOutput{FailedRecordCount: failed, Records: entries}
}

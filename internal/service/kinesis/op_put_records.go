package kinesis

import (
	"context"

	"millrace/internal/api"
	"millrace/internal/api/kinesisapi"
)

// PutRecords: up to 500 records, 10 MiB in all with partition keys; order is not promised.
//
// Behaviour
//   - a record that fails does not fail the call; its entry carries ErrorCode and ErrorMessage
//   - a malformed record (ExplicitHashKey too large, data and key together over the stream's limit) fails
//     the whole call
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
	api.CallFrom(ctx).OnSent(x.give)
	if in.DryRun != nil && *in.DryRun {
		if err := x.route(st, in.Records); err != nil {
			return nil, err
		}
		return nil, errDryRun()
	}
	err = s.put(ctx, x, st, in.Records, now)
	s.tally(st, x, false, len(in.Records), now)
	if err != nil {
		return nil, apiError(err)
	}
	return x.answer(), nil
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

// answer makes the answer in memory of the scratch, good until it is sent: all numbers stand in one
// buffer.
func (x *putScratch) answer() *kinesisapi.PutRecordsOutput {
	n := len(x.outcomes)
	x.failed = 0
	x.entries, x.texts = resize(x.entries, n), resize(x.texts, n)
	x.digits = resize(x.digits, n*sequenceDigits)[:0]
	x.warmShards()
	for i := range x.outcomes {
		o, e := &x.outcomes[i], &x.entries[i]
		if o.code != "" {
			x.failed++
			*e = kinesisapi.PutRecordsResultEntry{ErrorCode: &o.code, ErrorMessage: &o.text}
			continue
		}
		number := o.shard.number(o.offset, o.appended)
		from := len(x.digits)
		x.digits = number.appendTo(x.digits)
		x.texts[i] = stringOf(x.digits[from:])
		*e = kinesisapi.PutRecordsResultEntry{SequenceNumber: &x.texts[i], ShardId: &o.shard.id}
	}
	x.out = kinesisapi.PutRecordsOutput{FailedRecordCount: &x.failed, Records: x.entries, EncryptionType: written(x.dataKey)}
	return &x.out
}

// warmShards reads a word of each shard that the answer names, and of its id. Thousands of shards do not stay in the
// processor's memory; these loads do not depend on each other, and many are under way at once.
func (x *putScratch) warmShards() {
	for i := range x.outcomes {
		if sh := x.outcomes[i].shard; sh != nil {
			x.warmed += uint64(sh.index) + uint64(sh.id[len(sh.id)-1])
		}
	}
}

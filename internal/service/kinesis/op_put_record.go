package kinesis

import (
	"context"

	"millrace/internal/api"
	"millrace/internal/api/kinesisapi"
)

// PutRecord: one record, durable and numbered when the answer comes.
//
// Behaviour
//   - records of one shard are in the order of their answers; SequenceNumberForOrdering is checked and
//     adds nothing, since numbers only rise
//   - a shard over its quota refuses the record
//   - a stream in CREATING or DELETING is not found
//
// Errors: ResourceNotFoundException, InvalidArgumentException, ValidationException,
// ProvisionedThroughputExceededException, DryRunOperationException
// Source: Kinesis API reference, PutRecord; kinesalite, test/putRecord.js (read 2026-11)
func (s *Service) PutRecord(ctx context.Context, in *kinesisapi.PutRecordInput) (*kinesisapi.PutRecordOutput, error) {
	now := s.nowNS()
	st, err := s.target(ctx, in.StreamName, in.StreamARN, now)
	if err != nil {
		return nil, err
	}
	recs := [1]kinesisapi.PutRecordsRequestEntry{{Data: in.Data, ExplicitHashKey: in.ExplicitHashKey, PartitionKey: in.PartitionKey}}
	if err := checkRecords(st, recs[:], ofPutRecord); err != nil {
		return nil, err
	}
	if err := s.checkOrdering(st.place, in.SequenceNumberForOrdering); err != nil {
		return nil, err
	}
	x := s.takeScratch(1)
	defer x.give()
	if in.DryRun != nil && *in.DryRun {
		if err := x.route(st, recs[:]); err != nil {
			return nil, err
		}
		return nil, errDryRun()
	}
	err = s.put(ctx, x, st, recs[:], now)
	s.tally(st, x, true, 1, now)
	if err != nil {
		return nil, apiError(err)
	}
	o := &x.outcomes[0]
	switch o.code {
	case "":
		return &kinesisapi.PutRecordOutput{
			ShardId: o.shard.id, SequenceNumber: o.shard.number(o.offset, o.appended).String(), EncryptionType: written(x.dataKey),
		}, nil
	case codeThroughput:
		return nil, kinesisapi.ProvisionedThroughputExceededException(o.text)
	default:
		return nil, api.ServerError(codeInternal, "")
	}
}

// clockSkewSeconds is how far ahead the node may be that gave out a number; AWS takes none of 2 s ahead.
const clockSkewSeconds = 1

// checkOrdering refuses a number that AWS refuses: of an unknown form, or of the future.
func (s *Service) checkOrdering(p place, number *string) error {
	if number == nil {
		return nil
	}
	n, err := parseSequence(*number)
	if err != nil || n.appended > s.store.Now()/1000+clockSkewSeconds {
		return errOrdering(p, *number)
	}
	return nil
}

package kinesis

import (
	"context"

	"millrace/internal/api/kinesisapi"
)

// DecreaseStreamRetentionPeriod: records are kept for a shorter time, at least 24 hours.
//
// Behaviour
//   - older records are not answered from now on
//   - to what it is already is no change; to more is refused
//   - five calls a second for each stream
//
// Errors: ResourceNotFoundException, ResourceInUseException, InvalidArgumentException, LimitExceededException
// Source: Kinesis API reference; kinesalite, test/decreaseStreamRetentionPeriod.js (read 2026-11)
func (s *Service) DecreaseStreamRetentionPeriod(ctx context.Context, in *kinesisapi.DecreaseStreamRetentionPeriodInput) (*kinesisapi.DecreaseStreamRetentionPeriodOutput, error) {
	p, err := s.begin(ctx, "DecreaseStreamRetentionPeriod", in.StreamName, in.StreamARN)
	if err != nil {
		return nil, err
	}
	hours := in.RetentionPeriodHours
	err = s.changeRetention(ctx, p, hours, func(now int32) error {
		if hours > now {
			return errRetention(p, hours, now, "longer", "IncreaseRetentionPeriod")
		}
		return nil
	})
	if err != nil {
		return nil, apiError(err)
	}
	return &kinesisapi.DecreaseStreamRetentionPeriodOutput{}, nil
}

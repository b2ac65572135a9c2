package kinesis

import (
	"context"

	"millrace/internal/api/kinesisapi"
)

// IncreaseStreamRetentionPeriod: records are kept longer, up to 8760 hours.
//
// Behaviour
//   - to what it is already is no change; to less is refused
//   - five calls a second for each stream
//
// Errors: ResourceNotFoundException, ResourceInUseException, InvalidArgumentException, LimitExceededException
// Source: Kinesis API reference; kinesalite, test/increaseStreamRetentionPeriod.js (read 2026-11)
func (s *Service) IncreaseStreamRetentionPeriod(ctx context.Context, in *kinesisapi.IncreaseStreamRetentionPeriodInput) (*kinesisapi.IncreaseStreamRetentionPeriodOutput, error) {
	p, err := s.begin(ctx, "IncreaseStreamRetentionPeriod", in.StreamName, in.StreamARN)
	if err != nil {
		return nil, err
	}
	hours := in.RetentionPeriodHours
	err = s.changeRetention(ctx, p, hours, func(now int32) error {
		if hours < now {
			return errRetention(p, hours, now, "shorter", "DecreaseRetentionPeriod")
		}
		return nil
	})
	if err != nil {
		return nil, apiError(err)
	}
	return &kinesisapi.IncreaseStreamRetentionPeriodOutput{}, nil
}

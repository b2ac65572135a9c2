package kinesis

import (
	"context"

	"millrace/internal/api"
	"millrace/internal/api/kinesisapi"
)

// DescribeAccountSettings: the account's commitment to a minimum throughput, which nothing is billed for
// here: DISABLED, as of an account that never changed it.
//
// Errors: LimitExceededException
// Source: Kinesis API reference, DescribeAccountSettings (read 2026-11)
func (s *Service) DescribeAccountSettings(ctx context.Context, _ *kinesisapi.DescribeAccountSettingsInput) (*kinesisapi.DescribeAccountSettingsOutput, error) {
	call := api.CallFrom(ctx)
	if err := s.admit("DescribeAccountSettings", place{account: call.Account, region: call.Region}); err != nil {
		return nil, err
	}
	return &kinesisapi.DescribeAccountSettingsOutput{
		MinimumThroughputBillingCommitment: &kinesisapi.MinimumThroughputBillingCommitmentOutput{
			Status: kinesisapi.MinimumThroughputBillingCommitmentOutputStatusDisabled,
		},
	}, nil
}

package kinesis

import (
	"context"

	"millrace/internal/api"
	"millrace/internal/api/kinesisapi"
	"millrace/internal/core/store"
)

// DescribeAccountSettings: the account's commitment to a minimum throughput in the region, DISABLED unless
// UpdateAccountSettings has begun one. Nothing is billed for it.
//
// Behaviour
//   - a commitment whose end is fixed is ENABLED_UNTIL_EARLIEST_ALLOWED_END until then
//   - five calls a second for each account
//
// Errors: LimitExceededException
// Source: Kinesis API reference, DescribeAccountSettings (read 2026-11)
func (s *Service) DescribeAccountSettings(ctx context.Context, _ *kinesisapi.DescribeAccountSettingsInput) (*kinesisapi.DescribeAccountSettingsOutput, error) {
	call := api.CallFrom(ctx)
	if err := s.admit("DescribeAccountSettings", place{account: call.Account, region: call.Region}); err != nil {
		return nil, err
	}
	out := &kinesisapi.DescribeAccountSettingsOutput{}
	err := s.store.View(ctx, func(tx store.ReadTx) error {
		c, err := readCommitment(tx, call.Account, call.Region)
		out.MinimumThroughputBillingCommitment = c.answer(tx.Now())
		return err
	})
	if err != nil {
		return nil, apiError(err)
	}
	return out, nil
}

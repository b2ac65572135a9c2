package kinesis

import (
	"context"

	"millrace/internal/api"
	"millrace/internal/api/kinesisapi"
	"millrace/internal/core/store"
)

// UpdateAccountSettings: begins or ends the account's commitment to a minimum throughput in the region.
//
// Behaviour
//   - a commitment lasts 24 hours at least: one that is ended earlier holds until then, and is begun again
//     before then as if it had not been ended
//   - what is so already stays, with its times
//   - nothing is billed; UpdateStreamWarmThroughput needs a commitment
//   - five calls a second for each account
//
// Errors: InvalidArgumentException, ValidationException, LimitExceededException
// Source: Kinesis API reference, UpdateAccountSettings, MinimumThroughputBillingCommitmentInput (read 2026-11)
func (s *Service) UpdateAccountSettings(ctx context.Context, in *kinesisapi.UpdateAccountSettingsInput) (*kinesisapi.UpdateAccountSettingsOutput, error) {
	call := api.CallFrom(ctx)
	if err := s.admit("UpdateAccountSettings", place{account: call.Account, region: call.Region}); err != nil {
		return nil, err
	}
	enable := in.MinimumThroughputBillingCommitment.Status == kinesisapi.MinimumThroughputBillingCommitmentInputStatusEnabled
	out := &kinesisapi.UpdateAccountSettingsOutput{}
	_, err := s.store.Update(ctx, func(tx store.Tx) error {
		before, err := readCommitment(tx, call.Account, call.Region)
		if err != nil {
			return err
		}
		after := before.disable(tx.Now())
		if enable {
			after = before.enable(tx.Now())
		}
		out.MinimumThroughputBillingCommitment = after.answer(tx.Now())
		if after == before {
			return nil
		}
		return tx.Set(commitmentKey(call.Account, call.Region), encodeCommitment(after))
	})
	if err != nil {
		return nil, apiError(err)
	}
	return out, nil
}

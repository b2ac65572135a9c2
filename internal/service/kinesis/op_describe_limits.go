package kinesis

import (
	"context"

	"millrace/internal/api"
	"millrace/internal/api/kinesisapi"
	"millrace/internal/core/store"
)

// DescribeLimits: the account's quotas in the region, and what it uses of them.
//
// Behaviour
//   - shards of provisioned streams and on-demand streams are counted apart; topics made by Kafka are not
//   - without quotas the limits are the largest that can be said, 1,000,000
//   - one call a second for each account
//
// Errors: LimitExceededException
// Source: Kinesis API reference, DescribeLimits; kinesalite, test/describeLimits.js (read 2026-11)
func (s *Service) DescribeLimits(ctx context.Context, _ *kinesisapi.DescribeLimitsInput) (*kinesisapi.DescribeLimitsOutput, error) {
	call := api.CallFrom(ctx)
	p := place{account: call.Account, region: call.Region}
	if err := s.admit("DescribeLimits", p); err != nil {
		return nil, err
	}
	var u usage
	err := s.store.View(ctx, func(tx store.ReadTx) (err error) {
		u, err = readUsage(tx, p)
		return err
	})
	if err != nil {
		return nil, apiError(err)
	}
	return &kinesisapi.DescribeLimitsOutput{
		ShardLimit:               int32(s.opts.Quotas.shards(p.region)),
		OpenShardCount:           int32(min(u.shards, shardLimitUnlimited)),
		OnDemandStreamCount:      int32(min(u.onDemand, shardLimitUnlimited)),
		OnDemandStreamCountLimit: int32(s.opts.Quotas.of(onDemandLimit)),
	}, nil
}

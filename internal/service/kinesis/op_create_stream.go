package kinesis

import (
	"context"
	"slices"

	"millrace/internal/api"
	"millrace/internal/api/kinesisapi"
	"millrace/internal/core/catalog"
)

// CreateStream: a stream of even shards, which is CREATING for a short time.
//
// Behaviour
//   - PROVISIONED takes ShardCount; ON_DEMAND starts with 4 shards, or as many as its warm throughput needs. Without a mode a
//     ShardCount means PROVISIONED, and none ON_DEMAND
//   - at most 5 streams in CREATING, and as many shards and on-demand streams as the account's quotas
//   - tags as in AddTagsToStream; MaxRecordSizeInKiB 1024 to 10240
//   - RecordDistributionStrategy AUTO (on-demand only): partition keys and hash keys do not choose the shard
//
// Errors: ResourceInUseException, LimitExceededException, InvalidArgumentException, ValidationException
// Source: Kinesis API reference, CreateStream; kinesalite, test/createStream.js; localstack, the recorded
// answers of test_create_stream_without_shard_count (read 2026-11)
func (s *Service) CreateStream(ctx context.Context, in *kinesisapi.CreateStreamInput) (*kinesisapi.CreateStreamOutput, error) {
	call := api.CallFrom(ctx)
	p := place{call.Account, call.Region, in.StreamName}
	if err := s.admit("CreateStream", p); err != nil {
		return nil, err
	}
	c, shards, err := newSettings(in)
	if err != nil {
		return nil, err
	}
	tags, err := addTags(p, nil, in.Tags)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(tags, compareTags)
	// The names of the default account's streams depend on the default region, so the first one fixes it.
	if _, ok := s.cat.Region(); !ok && p.account == catalog.DefaultAccount {
		if err := s.fixRegion(ctx, p.region); err != nil {
			return nil, apiError(err)
		}
	}
	shards = max(shards, warmShards(c.warmMiBps, s.opts.Quotas))
	if err := s.createStream(ctx, p, c, shards, tags); err != nil {
		return nil, apiError(err)
	}
	s.states.Poke()
	return &kinesisapi.CreateStreamOutput{}, nil
}

// newSettings are a new stream's settings and how many shards it starts with.
func newSettings(in *kinesisapi.CreateStreamInput) (*settings, int, error) {
	c := &settings{mode: modeProvisioned, retentionHours: minRetentionHours, maxRecordKiB: defaultRecordKiB}
	if in.StreamModeDetails == nil && in.ShardCount == nil ||
		in.StreamModeDetails != nil && in.StreamModeDetails.StreamMode == kinesisapi.StreamModeOnDemand {
		c.mode = modeOnDemand
	}
	if in.MaxRecordSizeInKiB != nil {
		c.maxRecordKiB = *in.MaxRecordSizeInKiB
	}
	if in.RecordDistributionStrategy != nil {
		c.auto = *in.RecordDistributionStrategy == kinesisapi.RecordDistributionStrategyAuto
	}
	if c.mode == modeOnDemand {
		if in.WarmThroughputMiBps != nil {
			c.warmMiBps = *in.WarmThroughputMiBps
		}
		return c, onDemandShards, nil
	}
	switch {
	case c.auto:
		return nil, 0, errAutoProvisioned()
	case in.WarmThroughputMiBps != nil && *in.WarmThroughputMiBps > 0:
		return nil, 0, errWarmProvisioned()
	case in.ShardCount == nil:
		return nil, 0, kinesisapi.ValidationException("1 validation error detected: Value null at 'shardCount' failed to satisfy constraint: Member must not be null")
	}
	return c, int(*in.ShardCount), nil
}

package kinesis

import (
	"context"
	"time"

	"millrace/internal/api/kinesisapi"
)

// DescribeStream: a stream with its shards, at most 100 of them.
//
// Behaviour
//   - a stream in CREATING has no shards yet
//   - pages go on after ExclusiveStartShardId; HasMoreShards tells whether there is one
//   - closed shards are listed until all that they held is older than the retention
//   - ten calls a second for each account
//
// Errors: ResourceNotFoundException, InvalidArgumentException, LimitExceededException
// Source: Kinesis API reference, DescribeStream; kinesalite, test/describeStream.js (read 2026-11)
func (s *Service) DescribeStream(ctx context.Context, in *kinesisapi.DescribeStreamInput) (*kinesisapi.DescribeStreamOutput, error) {
	p, err := s.begin(ctx, "DescribeStream", in.StreamName, in.StreamARN)
	if err != nil {
		return nil, err
	}
	st, err := s.current(ctx, p)
	if err != nil {
		return nil, apiError(err)
	}
	limit := maxDescribed
	if in.Limit != nil {
		limit = min(limit, int(*in.Limit))
	}
	listed, err := shardsAfter(st.listed(s.store.Now()), in.ExclusiveStartShardId)
	if err != nil {
		return nil, err
	}
	encrypted, keyID := st.encryption.described()
	return &kinesisapi.DescribeStreamOutput{StreamDescription: &kinesisapi.StreamDescription{
		StreamName:              p.stream,
		StreamARN:               p.arn(),
		StreamStatus:            kinesisapi.StreamStatus(st.topic.State.String()),
		StreamModeDetails:       st.settings.modeDetails(),
		Shards:                  describeShards(listed[:min(limit, len(listed))]),
		HasMoreShards:           len(listed) > limit,
		RetentionPeriodHours:    st.settings.retentionHours,
		StreamCreationTimestamp: time.UnixMilli(st.topic.Created).UTC(),
		EnhancedMonitoring:      st.metrics.enhanced(),
		EncryptionType:          encrypted,
		KeyId:                   keyID,
	}}, nil
}

func (c *settings) modeDetails() *kinesisapi.StreamModeDetails {
	if c.mode == modeOnDemand {
		return &kinesisapi.StreamModeDetails{StreamMode: kinesisapi.StreamModeOnDemand}
	}
	return &kinesisapi.StreamModeDetails{StreamMode: kinesisapi.StreamModeProvisioned}
}

// shardsAfter drops the shards up to one, which need not be among them.
func shardsAfter(listed []*shard, id *string) ([]*shard, error) {
	if id == nil {
		return listed, nil
	}
	after, ok := parseShardID(*id)
	if !ok {
		return nil, kinesisapi.InvalidArgumentException("ExclusiveStartShardId " + *id + " is invalid.")
	}
	for i, sh := range listed {
		if sh.index > after {
			return listed[i:], nil
		}
	}
	return nil, nil
}

func describeShards(shards []*shard) []kinesisapi.Shard {
	out := make([]kinesisapi.Shard, len(shards))
	for i, sh := range shards {
		out[i] = kinesisapi.Shard{
			ShardId:             sh.id,
			HashKeyRange:        sh.hashRange(),
			SequenceNumberRange: &kinesisapi.SequenceNumberRange{StartingSequenceNumber: sh.first().String()},
		}
		if sh.parent != noShard {
			id := shardID(sh.parent)
			out[i].ParentShardId = &id
		}
		if sh.adjacent != noShard {
			id := shardID(sh.adjacent)
			out[i].AdjacentParentShardId = &id
		}
		if sh.closed {
			last := sh.last().String()
			out[i].SequenceNumberRange.EndingSequenceNumber = &last
		}
	}
	return out
}

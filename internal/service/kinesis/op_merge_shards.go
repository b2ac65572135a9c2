package kinesis

import (
	"context"

	"millrace/internal/api/kinesisapi"
	"millrace/internal/core/store"
)

// MergeShards: two shards whose hash ranges are neighbours become one.
//
// Behaviour
//   - ShardToMerge is the one with the lower hash keys; the child names it as ParentShardId and the
//     other as AdjacentParentShardId
//   - the stream is UPDATING and then ACTIVE, as with SplitShard
//   - only an active stream in provisioned mode, and not a topic made by Kafka
//   - five calls a second for each account
//
// Errors: ResourceNotFoundException, ResourceInUseException, InvalidArgumentException,
// LimitExceededException, ValidationException
// Source: Kinesis API reference, MergeShards; kinesalite, actions/mergeShards.js and its test (read 2026-11)
func (s *Service) MergeShards(ctx context.Context, in *kinesisapi.MergeShardsInput) (*kinesisapi.MergeShardsOutput, error) {
	p, err := s.begin(ctx, "MergeShards", in.StreamName, in.StreamARN)
	if err != nil {
		return nil, err
	}
	var pair [2]int32
	for i, id := range [...]string{in.ShardToMerge, in.AdjacentShardToMerge} {
		var ok bool
		if pair[i], ok = parseShardID(id); !ok {
			return nil, errBadShardID(p, id)
		}
	}
	err = s.startReshard(ctx, p, func(_ store.Tx, st *stream, r *reshard) error {
		if err := canReshard(st, pair[:]...); err != nil {
			return err
		}
		a, b := &st.shards[pair[0]], &st.shards[pair[1]]
		if a.end == maxHashKey || a.end.plus1() != b.start {
			return errNotAdjacent(p, a, b)
		}
		r.kind, r.a, r.b = reshardMerge, a.index, b.index
		return mayStart(st, a, b)
	})
	if err != nil {
		return nil, err
	}
	return &kinesisapi.MergeShardsOutput{}, nil
}

func errNotAdjacent(p place, a, b *shard) error {
	return kinesisapi.InvalidArgumentException("Shards " + a.id + " and " + b.id + " in stream " + p.stream +
		" under account " + p.account + " are not an adjacent pair of shards eligible for merging")
}

package kinesis

import (
	"context"

	"millrace/internal/api/kinesisapi"
	"millrace/internal/core/catalog"
	"millrace/internal/core/store"
)

// SplitShard: one shard becomes two, the second of which begins at a hash key.
//
// Behaviour
//   - the answer comes at once; the stream is UPDATING while the shard goes on taking records, and
//     ACTIVE when the children are there and the parent has ended
//   - the key must be inside of the shard's range, and not its second key: so AWS has it
//   - only an active stream in provisioned mode, and not a topic made by Kafka
//   - five calls a second for each account
//
// Errors: ResourceNotFoundException, ResourceInUseException, InvalidArgumentException,
// LimitExceededException, ValidationException
// Source: Kinesis API reference, SplitShard; kinesalite, actions/splitShard.js and its test; moto,
// its tests of split_shard (read 2026-11)
func (s *Service) SplitShard(ctx context.Context, in *kinesisapi.SplitShardInput) (*kinesisapi.SplitShardOutput, error) {
	p, err := s.begin(ctx, "SplitShard", in.StreamName, in.StreamARN)
	if err != nil {
		return nil, err
	}
	index, ok := parseShardID(in.ShardToSplit)
	if !ok {
		return nil, errBadShardID(p, in.ShardToSplit)
	}
	err = s.startReshard(ctx, p, func(tx store.Tx, st *stream, r *reshard) error {
		if err := canReshard(st, index); err != nil {
			return err
		}
		if err := s.checkShardLimit(tx, st, 1); err != nil {
			return err
		}
		sh := &st.shards[index]
		key, ok := parseHashKey(in.NewStartingHashKey)
		if !ok || key.cmp(sh.start.plus1()) <= 0 || key.cmp(sh.end) >= 0 {
			return errSplitKey(p, sh, in.NewStartingHashKey)
		}
		r.kind, r.a, r.b, r.key = reshardSplit, index, noShard, key
		return mayStart(st, sh)
	})
	if err != nil {
		return nil, err
	}
	return &kinesisapi.SplitShardOutput{}, nil
}

// canReshard tells whether a stream has shards of these indexes that may be split or merged at all.
func canReshard(st *stream, indexes ...int32) error {
	for _, i := range indexes {
		if int(i) >= len(st.shards) || !st.shows() {
			return errBadShardID(st.place, shardID(i))
		}
	}
	return provisioned(st)
}

// provisioned refuses what only streams in provisioned mode and made by Kinesis can do.
func provisioned(st *stream) error {
	if st.settings.mode == modeOnDemand {
		return errOnDemand(st.place)
	}
	if st.topic.Origin == catalog.OriginKafka {
		return errMadeByKafka(st.place)
	}
	return nil
}

// mayStart is what is checked last: that the shards are open, and the stream's state.
func mayStart(st *stream, shards ...*shard) error {
	for _, sh := range shards {
		if sh.closed {
			return errAlreadyClosed(st.place, sh)
		}
	}
	if st.topic.State != catalog.StateActive {
		return errNotActive(st.place, st.topic.State)
	}
	return nil
}

// checkShardLimit holds more shards against the account's quota.
func (s *Service) checkShardLimit(tx store.ReadTx, st *stream, more int) error {
	q := s.opts.Quotas
	if q.off() || more <= 0 {
		return nil
	}
	u, err := readUsage(tx, st.place)
	if err != nil {
		return err
	}
	if limit := q.shards(st.place.region); u.shards+uint64(more) > uint64(limit) {
		return errShardLimit(st.place, int(u.shards), limit, more)
	}
	return nil
}

func errSplitKey(p place, sh *shard, key string) error {
	return kinesisapi.InvalidArgumentException("NewStartingHashKey " + key + " used in SplitShard() on shard " + sh.id +
		" in stream " + p.stream + " under account " + p.account + " is not both greater than one plus the shard's StartingHashKey " +
		sh.start.String() + " and less than the shard's EndingHashKey " + sh.end.String() + ".")
}

// errAlreadyClosed and errOnDemand: AWS's texts as moto has them (tests of kinesis, read 2026-11).
func errAlreadyClosed(p place, sh *shard) error {
	return kinesisapi.InvalidArgumentException("Shard " + sh.id + " in stream " + p.stream + " under account " + p.account +
		" has already been merged or split, and thus is not eligible for merging or splitting.")
}

func errOnDemand(p place) error {
	return kinesisapi.ValidationException("Request is invalid. Stream " + p.stream + " under account " + p.account + " is in On-Demand mode.")
}

// errMadeByKafka has a text of our own: Kafka's clients cannot skip a closed partition.
func errMadeByKafka(p place) error {
	return kinesisapi.InvalidArgumentException("Stream " + p.stream + " under account " + p.account +
		" was made by Kafka: its shards cannot be split or merged, only added with UpdateShardCount.")
}

package kinesis

import (
	"context"
	"fmt"
	"slices"

	"millrace/internal/api/kinesisapi"
	"millrace/internal/core/catalog"
	"millrace/internal/core/store"
)

// UpdateShardCount: so many shards of even hash ranges, by splits and merges.
//
// Behaviour
//   - at most twice and at least half of the open shards, and at most 10,000
//   - doubling and halving make only the shards wanted. Other counts go over short-lived shards that
//     are made closed: they hold no records and lead readers on
//   - a shard whose range stays is not touched; when all stay the stream is UPDATING for a moment all the same
//   - the stream is UPDATING and then ACTIVE, as with SplitShard
//   - of a topic made by Kafka only upwards: it gets more partitions, and new hash ranges without lineage
//   - ten calls a second for each account, ten in 24 hours for each stream
//
// Errors: ResourceNotFoundException, ResourceInUseException, InvalidArgumentException,
// LimitExceededException, ValidationException
// Source: Kinesis API reference, UpdateShardCount; kinesalite, actions/updateShardCount.js and its test
// (read 2026-11)
func (s *Service) UpdateShardCount(ctx context.Context, in *kinesisapi.UpdateShardCountInput) (*kinesisapi.UpdateShardCountOutput, error) {
	p, err := s.begin(ctx, "UpdateShardCount", in.StreamName, in.StreamARN)
	if err != nil {
		return nil, err
	}
	open, target := 0, int(in.TargetShardCount)
	err = s.startReshard(ctx, p, func(tx store.Tx, st *stream, r *reshard) error {
		open = len(st.leaves())
		if err := s.checkCount(tx, st, open, target); err != nil {
			return err
		}
		if st.metered && !s.opts.Quotas.off() {
			if r.scaled = lately(r.scaled, tx.Now()); len(r.scaled) >= s.opts.Quotas.of(scalingsADay) {
				return kinesisapi.LimitExceededException(fmt.Sprintf(
					"UpdateShardCount cannot be called more than %d times in a rolling 24 hour period for stream %s under account %s.",
					s.opts.Quotas.of(scalingsADay), p.stream, p.account))
			}
			r.scaled = keepTime(r.scaled, tx.Now())
		}
		r.kind, r.count = reshardCount, in.TargetShardCount
		return nil
	})
	if err != nil {
		return nil, err
	}
	arn, current := p.arn(), int32(open)
	return &kinesisapi.UpdateShardCountOutput{
		StreamName: &p.stream, StreamARN: &arn, CurrentShardCount: &current, TargetShardCount: &in.TargetShardCount,
	}, nil
}

// checkCount holds a count against a stream and its account.
func (s *Service) checkCount(tx store.ReadTx, st *stream, open, target int) error {
	p := st.place
	if st.settings.mode == modeOnDemand {
		return errOnDemand(p)
	}
	if st.topic.State != catalog.StateActive {
		return errNotActive(p, st.topic.State)
	}
	counts := fmt.Sprintf("Current open shard count: %d, Target shard count: %d", open, target)
	switch {
	case target > catalog.MaxPartitions:
		return kinesisapi.LimitExceededException(fmt.Sprintf(
			"Target shard count or number of open shards cannot be greater than %d. %s", catalog.MaxPartitions, counts))
	case target > 2*open:
		return kinesisapi.LimitExceededException("UpdateShardCount cannot scale up over double your current open shard count. " + counts)
	case 2*target < open:
		return kinesisapi.LimitExceededException("UpdateShardCount cannot scale down below half your current open shard count. " + counts)
	case st.topic.Origin == catalog.OriginKafka && target < open:
		return kinesisapi.InvalidArgumentException("Stream " + p.stream + " under account " + p.account +
			" was made by Kafka: it cannot have fewer shards than now.")
	}
	if !st.metered {
		return nil
	}
	return s.checkShardLimit(tx, st, target-open)
}

// A stream's rare changes are counted over a day, by the times of the last of them.
const (
	scalingsADay = 10 // UpdateShardCount
	switchesADay = 2  // UpdateStreamMode
	dayMS        = 24 * 3_600_000
	// maxTimes bounds what is kept: quotas of more than 10 times AWS's count only the last 100.
	maxTimes = 100
)

// lately returns those of times that lie in the 24 hours before now.
func lately(times []int64, now int64) []int64 {
	return slices.DeleteFunc(times, func(t int64) bool { return t <= now-dayMS })
}

// keepTime adds now to times and forgets the oldest that are too many.
func keepTime(times []int64, now int64) []int64 {
	times = append(times, now)
	return times[max(0, len(times)-maxTimes):]
}

package kinesis

import (
	"context"

	"millrace/internal/api"
	"millrace/internal/api/kinesisapi"
	"millrace/internal/core/catalog"
	"millrace/internal/core/store"
)

// SubscribeToShard: the records of a shard, pushed to a consumer as they are committed, for five minutes.
//
// Behaviour
//   - an event comes at once, with every commit, and every five seconds on an idle shard; its
//     ContinuationSequenceNumber goes on where it ends, whether asked for AT or AFTER it
//   - at the end of a closed shard, and only there, the last event has ChildShards and no
//     ContinuationSequenceNumber
//   - LATEST is fixed by the call
//   - one call a second for each consumer and shard; within five seconds of a successful one it is refused,
//     later it takes over, and the stream of the earlier call ends with ResourceInUseException
//   - 2 MiB a second for each consumer and shard: events come later then, none is held meanwhile
//   - deleting the stream or the consumer ends it with ResourceNotFoundException
//
// Errors: ResourceNotFoundException, ResourceInUseException, InvalidArgumentException, LimitExceededException,
// DryRunOperationException
// Source: Kinesis API reference, SubscribeToShard (read 2026-11); texts in consumer.go and claim.go
func (s *Service) SubscribeToShard(ctx context.Context, in *kinesisapi.SubscribeToShardInput) (*kinesisapi.SubscribeToShardOutput, error) {
	call, ns := api.CallFrom(ctx), s.nowNS()
	n, err := addressConsumer(call, nil, nil, &in.ConsumerARN)
	if err != nil {
		return nil, err
	}
	index, ok := parseShardID(in.ShardId)
	if !ok {
		return nil, errBadShardID(n.place, in.ShardId)
	}
	c, err := s.activeConsumer(ctx, n)
	if err != nil {
		return nil, err
	}
	st, err := s.stream(ctx, n.place, ns)
	if err != nil {
		return nil, apiError(err)
	}
	if int(index) >= len(st.shards) || !st.shows() {
		return nil, errNoShard(n.place, shardID(index))
	}
	dry, traffic := in.DryRun != nil && *in.DryRun, st.traffic.consumer(c.name)
	if !dry {
		traffic.subscribe.count.Add(1)
	}
	held, ok := s.claims.call(claimKey{st.topic.Num, c.name, index}, ns, s.opts.Quotas)
	if !ok {
		s.counts.throttled.Add(1)
		traffic.rateExceeded.Add(1)
		return nil, errConsumerRate(n.place, &st.shards[index], c.name)
	}
	at, err := s.startingAt(ctx, "SubscribeToShard", st, &st.shards[index], &kinesisapi.GetShardIteratorInput{
		ShardIteratorType: in.StartingPosition.Type, StartingSequenceNumber: in.StartingPosition.SequenceNumber, Timestamp: in.StartingPosition.Timestamp,
	}, s.store.Now())
	if err != nil {
		return nil, notFoundAs(err, errNoShard(n.place, st.shards[index].id))
	}
	u := &subscription{
		svc: s, ctx: ctx, claim: held, stream: st, traffic: traffic, index: index, next: at, waker: waker{wake: make(chan struct{}, 1)},
	}
	taken := errSubscribed(n.place, st.shards[index].id, c.name)
	if dry {
		if !s.claims.take(held, nil, ns, nil) {
			return nil, taken
		}
		return nil, errDryRun()
	}
	if !s.claims.take(held, u, ns, taken) {
		traffic.rateExceeded.Add(1)
		return nil, taken
	}
	traffic.subscribe.success.Add(1)
	call.OnSent(func() { s.claims.leave(u) })
	return &kinesisapi.SubscribeToShardOutput{EventStream: u.run}, nil
}

// activeConsumer finds a consumer that can subscribe.
//
// Errors: errNotFound, errNoConsumer, errConsumerState, those of the store.
func (s *Service) activeConsumer(ctx context.Context, n consumerName) (c consumer, err error) {
	err = s.store.View(ctx, func(tx store.ReadTx) error {
		_, c, err = s.readConsumer(tx, n)
		return err
	})
	if err == nil && c.state != catalog.StateActive {
		err = errConsumerState(n.place, &c)
	}
	return c, apiError(err)
}

// errConsumerRate has a text of our own: no record of AWS's was found.
func errConsumerRate(p place, s *shard, consumer string) error {
	return kinesisapi.LimitExceededException("Rate exceeded for consumer " + consumer + " and shard " + s.id + " in stream " +
		p.stream + " under account " + p.account + ".")
}

package kinesis

import (
	"context"
	"fmt"

	"millrace/internal/api/kinesisapi"
	"millrace/internal/core/catalog"
	"millrace/internal/core/store"
)

// UpdateStreamWarmThroughput: how much an on-demand stream is to take at once, in MiB a second.
//
// Behaviour
//   - kept and shown by DescribeStreamSummary; the stream gets as many shards of even ranges at once, and never fewer
//     later (scale.go)
//   - peaks of the last 30 days are forgotten, so that a stream that a burst has made large becomes smaller in the
//     following hours
//   - the stream is UPDATING and then ACTIVE; the answer has the value before as CurrentMiBps
//   - only where the account has a commitment (UpdateAccountSettings); at most 10 GiB a second, times the quotas
//   - not a topic made by Kafka; five calls a second for each account
//
// Errors: ResourceNotFoundException, ResourceInUseException, InvalidArgumentException,
// ValidationException, LimitExceededException
// Source: Kinesis API reference, UpdateStreamWarmThroughput (read 2026-11)
func (s *Service) UpdateStreamWarmThroughput(ctx context.Context, in *kinesisapi.UpdateStreamWarmThroughputInput) (*kinesisapi.UpdateStreamWarmThroughputOutput, error) {
	p, err := s.begin(ctx, "UpdateStreamWarmThroughput", in.StreamName, in.StreamARN)
	if err != nil {
		return nil, err
	}
	target, current := in.WarmThroughputMiBps, int32(0)
	err = s.startReshard(ctx, p, func(tx store.Tx, st *stream, r *reshard) error {
		if err := s.checkWarm(tx, st, target); err != nil {
			return err
		}
		current, st.settings.warmMiBps = st.settings.warmMiBps, target
		s.warmUp(st, r)
		// What was carried before does not count any more: a stream that a burst has made large becomes smaller.
		if err := s.cat.SetAttribute(tx, st.topic, attrLoad, encodeHistory(&history{})); err != nil {
			return err
		}
		return s.cat.SetAttribute(tx, st.topic, attrSettings, encodeSettings(&st.settings))
	})
	if err != nil {
		return nil, err
	}
	arn := p.arn()
	return &kinesisapi.UpdateStreamWarmThroughputOutput{
		StreamARN: &arn, StreamName: &p.stream,
		WarmThroughput: &kinesisapi.WarmThroughputObject{TargetMiBps: &target, CurrentMiBps: &current},
	}, nil
}

// warmUp has a stream change to as many shards as its warm throughput needs; else it is only UPDATING.
func (s *Service) warmUp(st *stream, r *reshard) {
	r.kind = reshardMode
	if n := warmShards(st.settings.warmMiBps, s.opts.Quotas); n > len(st.leaves()) {
		r.kind, r.count = reshardCount, int32(n)
	}
}

// checkWarm tells whether a stream may have a warm throughput.
//
// Errors: errKafkaSettings, errWarmProvisioned, errNotActive, errNotCommitted, errWarmLimit, those of the store.
func (s *Service) checkWarm(tx store.ReadTx, st *stream, target int32) error {
	c, err := readCommitment(tx, st.place.account, st.place.region)
	limit := s.opts.Quotas.of(warmLimitMiBps)
	switch {
	case err != nil:
		return err
	case st.topic.Origin == catalog.OriginKafka:
		return errKafkaSettings(st.place)
	case st.settings.mode != modeOnDemand:
		return errWarmProvisioned()
	case st.topic.State != catalog.StateActive:
		return errNotActive(st.place, st.topic.State)
	case !c.on(tx.Now()):
		return errNotCommitted(st.place)
	case int(target) > limit:
		return errWarmLimit(st.place, limit)
	}
	return nil
}

// errNotCommitted and errWarmLimit have texts of our own: no record of AWS's was found.
func errNotCommitted(p place) error {
	return kinesisapi.InvalidArgumentException("WarmThroughputMiBps is only supported when the account " + p.account +
		" has MinimumThroughputBillingCommitment enabled in " + p.region + ".")
}

func errWarmLimit(p place, limit int) error {
	return kinesisapi.LimitExceededException(fmt.Sprintf("The warm throughput of stream %s under account %s cannot be more than %d MiB per second.",
		p.stream, p.account, limit))
}

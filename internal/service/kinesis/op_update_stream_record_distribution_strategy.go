package kinesis

import (
	"context"

	"millrace/internal/api/kinesisapi"
	"millrace/internal/core/catalog"
	"millrace/internal/core/store"
)

// UpdateStreamRecordDistributionStrategy: whether a stream spreads records evenly (AUTO) or by their keys
// (USER_PARTITION_KEY).
//
// Behaviour
//   - holds for puts that begin after the answer; other nodes follow within a second. Records stay where they are
//   - AUTO is for on-demand streams only; a provisioned one is told so, and has USER_PARTITION_KEY already
//   - the stream stays ACTIVE; a strategy that it has already changes nothing
//   - not a topic made by Kafka; five calls a second for each account, as none is published
//
// Errors: ResourceNotFoundException, ResourceInUseException, InvalidArgumentException,
// ValidationException, LimitExceededException
// Source: Kinesis API reference, UpdateStreamRecordDistributionStrategy (read 2026-11)
func (s *Service) UpdateStreamRecordDistributionStrategy(ctx context.Context, in *kinesisapi.UpdateStreamRecordDistributionStrategyInput) (*kinesisapi.UpdateStreamRecordDistributionStrategyOutput, error) {
	p, err := s.begin(ctx, "UpdateStreamRecordDistributionStrategy", nil, &in.StreamARN)
	if err != nil {
		return nil, err
	}
	auto := in.RecordDistributionStrategy == kinesisapi.RecordDistributionStrategyAuto
	_, err = s.store.Update(ctx, func(tx store.Tx) error {
		st, err := s.readStream(tx, p)
		switch {
		case err != nil:
			return err
		case st.topic.Origin == catalog.OriginKafka:
			return errKafkaSettings(p)
		case auto && st.settings.mode != modeOnDemand:
			return errAutoProvisioned()
		case st.topic.State != catalog.StateActive:
			return errNotActive(p, st.topic.State)
		case st.settings.auto == auto:
			return nil
		}
		st.settings.auto = auto
		if err := s.cat.SetAttribute(tx, st.topic, attrSettings, encodeSettings(&st.settings)); err != nil {
			return err
		}
		return s.cat.Save(tx, st.topic)
	})
	if err != nil {
		return nil, apiError(err)
	}
	s.cache.expire(p)
	return &kinesisapi.UpdateStreamRecordDistributionStrategyOutput{}, nil
}

// strategy is what descriptions show of a stream: nothing of a provisioned one, which can have only one. "This field is only present for
// streams that use the on-demand capacity mode" (API reference, StreamDescriptionSummary).
func (c *settings) strategy() *kinesisapi.RecordDistributionStrategy {
	if c.mode != modeOnDemand {
		return nil
	}
	shown := kinesisapi.RecordDistributionStrategyUserPartitionKey
	if c.auto {
		shown = kinesisapi.RecordDistributionStrategyAuto
	}
	return &shown
}

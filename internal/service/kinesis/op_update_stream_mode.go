package kinesis

import (
	"context"
	"fmt"

	"millrace/internal/api/kinesisapi"
	"millrace/internal/core/catalog"
	"millrace/internal/core/store"
)

// UpdateStreamMode: from provisioned to on-demand or back.
//
// Behaviour
//   - the shards stay, unless a warm throughput needs more; quotas of the account count by the new mode from the
//     answer on
//   - the stream is UPDATING and then ACTIVE; a mode that it has already changes nothing
//   - on the way to provisioned no warm throughput is asked for, and AUTO is switched off before
//   - twice in 24 hours for each stream; not a topic made by Kafka
//
// Errors: ResourceNotFoundException, ResourceInUseException, InvalidArgumentException, LimitExceededException
// Source: Kinesis API reference, UpdateStreamMode; developer guide, "Choose the right mode" (read 2026-11)
func (s *Service) UpdateStreamMode(ctx context.Context, in *kinesisapi.UpdateStreamModeInput) (*kinesisapi.UpdateStreamModeOutput, error) {
	p, err := s.begin(ctx, "UpdateStreamMode", nil, &in.StreamARN)
	if err != nil {
		return nil, err
	}
	mode, warm := uint8(modeProvisioned), int32(0)
	if in.StreamModeDetails != nil && in.StreamModeDetails.StreamMode == kinesisapi.StreamModeOnDemand {
		mode = modeOnDemand
	}
	if in.WarmThroughputMiBps != nil {
		warm = *in.WarmThroughputMiBps
	}
	if warm > 0 && mode == modeProvisioned {
		return nil, errWarmProvisioned()
	}
	err = s.startReshard(ctx, p, func(tx store.Tx, st *stream, r *reshard) error {
		switch {
		case st.topic.State != catalog.StateActive:
			return errNotActive(p, st.topic.State)
		case st.topic.Origin == catalog.OriginKafka:
			return errKafkaSettings(p)
		case st.settings.auto && mode == modeProvisioned:
			return errAutoProvisioned()
		}
		if st.settings.mode != mode {
			if err := s.countSwitch(tx, st, r); err != nil {
				return err
			}
			if err := s.moveUsage(tx, st, mode); err != nil {
				return err
			}
			// What it carried when it was on-demand before says nothing: it keeps the shards it has.
			if err := s.cat.DeleteAttribute(tx, st.topic, attrLoad); err != nil {
				return err
			}
		}
		st.settings.mode, st.settings.warmMiBps = mode, warm
		s.warmUp(st, r)
		return s.cat.SetAttribute(tx, st.topic, attrSettings, encodeSettings(&st.settings))
	})
	if err != nil {
		return nil, err
	}
	return &kinesisapi.UpdateStreamModeOutput{}, nil
}

// countSwitch counts a change of mode against the day's.
func (s *Service) countSwitch(tx store.ReadTx, st *stream, r *reshard) error {
	if s.opts.Quotas.off() {
		return nil
	}
	limit := s.opts.Quotas.of(switchesADay)
	if r.switched = lately(r.switched, tx.Now()); len(r.switched) >= limit {
		return kinesisapi.LimitExceededException(fmt.Sprintf(
			"The mode of stream %s under account %s cannot be changed more than %d times in a rolling 24 hour period.",
			st.place.stream, st.place.account, limit))
	}
	r.switched = keepTime(r.switched, tx.Now())
	return nil
}

// moveUsage counts a stream in another mode.
func (s *Service) moveUsage(tx store.Tx, st *stream, mode uint8) error {
	u, err := readUsage(tx, st.place)
	if err != nil {
		return err
	}
	open, next := len(st.leaves()), settings{mode: mode}
	u.sub(&st.settings, open)
	if err := s.checkMode(st.place, u, &next, open); err != nil {
		return err
	}
	u.add(&next, open)
	return u.write(tx, st.place)
}

// checkMode holds a stream that was not counted against the account's quotas.
func (s *Service) checkMode(p place, u usage, c *settings, open int) error {
	u.creating = 0 // it is none of them
	return s.checkUsage(p, u, c, open)
}

// errWarmProvisioned, errAutoProvisioned and errKafkaSettings have texts of our own.
func errWarmProvisioned() error {
	return kinesisapi.InvalidArgumentException("WarmThroughputMiBps is only supported for streams in ON_DEMAND mode.")
}

func errAutoProvisioned() error {
	return kinesisapi.InvalidArgumentException("RecordDistributionStrategy AUTO is only supported for streams in ON_DEMAND mode.")
}

func errKafkaSettings(p place) error {
	return kinesisapi.InvalidArgumentException("Stream " + p.stream + " under account " + p.account +
		" was made by Kafka: its settings are those of its topic.")
}

package kinesis

import (
	"context"

	"millrace/internal/api/kinesisapi"
	"millrace/internal/core/catalog"
	"millrace/internal/core/store"
)

// UpdateMaxRecordSize: how large a record of a stream may be, 1024 to 10240 KiB with its partition key.
//
// Behaviour
//   - holds for puts that begin after the answer; other nodes follow within a second
//   - records that are there already stay and are read, whatever their size
//   - only an active stream; not a topic made by Kafka, whose records may have 10 MiB
//   - five calls a second for each account
//
// Errors: ResourceNotFoundException, ResourceInUseException, InvalidArgumentException,
// ValidationException, LimitExceededException
// Source: Kinesis API reference, UpdateMaxRecordSize (read 2026-11)
func (s *Service) UpdateMaxRecordSize(ctx context.Context, in *kinesisapi.UpdateMaxRecordSizeInput) (*kinesisapi.UpdateMaxRecordSizeOutput, error) {
	p, err := s.begin(ctx, "UpdateMaxRecordSize", nil, in.StreamARN)
	if err != nil {
		return nil, err
	}
	_, err = s.store.Update(ctx, func(tx store.Tx) error {
		st, err := s.readStream(tx, p)
		switch {
		case err != nil:
			return err
		case st.topic.Origin == catalog.OriginKafka:
			return errKafkaSettings(p)
		case st.topic.State != catalog.StateActive:
			return errNotActive(p, st.topic.State)
		}
		st.settings.maxRecordKiB = in.MaxRecordSizeInKiB
		if err := s.cat.SetAttribute(tx, st.topic, attrSettings, encodeSettings(&st.settings)); err != nil {
			return err
		}
		return s.cat.Save(tx, st.topic)
	})
	if err != nil {
		return nil, apiError(err)
	}
	s.cache.expire(p)
	return &kinesisapi.UpdateMaxRecordSizeOutput{}, nil
}

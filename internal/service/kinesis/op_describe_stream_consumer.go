package kinesis

import (
	"context"

	"millrace/internal/api/kinesisapi"
	"millrace/internal/core/store"
)

// DescribeStreamConsumer: a consumer and its state.
//
// Behaviour
//   - by ARN, or by name and the stream's ARN
//   - twenty calls a second for each stream
//
// Errors: ResourceNotFoundException, InvalidArgumentException, LimitExceededException
// Source: Kinesis API reference, DescribeStreamConsumer (read 2026-11)
func (s *Service) DescribeStreamConsumer(ctx context.Context, in *kinesisapi.DescribeStreamConsumerInput) (*kinesisapi.DescribeStreamConsumerOutput, error) {
	n, err := s.beginConsumer(ctx, "DescribeStreamConsumer", in.StreamARN, in.ConsumerName, in.ConsumerARN)
	if err != nil {
		return nil, err
	}
	var c consumer
	err = s.store.View(ctx, func(tx store.ReadTx) error {
		_, c, err = s.readConsumer(tx, n)
		return err
	})
	if err != nil {
		return nil, apiError(err)
	}
	a := c.answer(n.place)
	return &kinesisapi.DescribeStreamConsumerOutput{ConsumerDescription: &kinesisapi.ConsumerDescription{
		ConsumerName: a.ConsumerName, ConsumerARN: a.ConsumerARN, ConsumerStatus: a.ConsumerStatus,
		ConsumerCreationTimestamp: a.ConsumerCreationTimestamp, StreamARN: n.place.arn(),
	}}, nil
}

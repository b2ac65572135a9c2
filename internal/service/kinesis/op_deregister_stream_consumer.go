package kinesis

import (
	"context"

	"millrace/internal/api"
	"millrace/internal/api/kinesisapi"
)

// DeregisterStreamConsumer: the consumer is DELETING from now on and gone a short time later.
//
// Behaviour
//   - by ARN, or by name and the stream's ARN
//   - its subscriptions on this node end at once with ResourceNotFoundException
//   - five calls a second for each stream
//
// Errors: ResourceNotFoundException, InvalidArgumentException, LimitExceededException
// Source: Kinesis API reference, DeregisterStreamConsumer (read 2026-11)
func (s *Service) DeregisterStreamConsumer(ctx context.Context, in *kinesisapi.DeregisterStreamConsumerInput) (*kinesisapi.DeregisterStreamConsumerOutput, error) {
	n, err := s.beginConsumer(ctx, "DeregisterStreamConsumer", in.StreamARN, in.ConsumerName, in.ConsumerARN)
	if err != nil {
		return nil, err
	}
	num, c, err := s.deregisterConsumer(ctx, n)
	if err != nil {
		return nil, apiError(err)
	}
	s.claims.end(func(k claimKey) bool { return k.topic == num && k.consumer == c.name }, errNoConsumer(n))
	s.traffic.forget(n.place, c.name)
	return &kinesisapi.DeregisterStreamConsumerOutput{}, nil
}

// beginConsumer is begin for operations on a consumer.
func (s *Service) beginConsumer(ctx context.Context, operation string, streamARN, name, arn *string) (consumerName, error) {
	call := api.CallFrom(ctx)
	n, err := addressConsumer(call, streamARN, name, arn)
	if err != nil {
		return n, err
	}
	if err := s.settle(ctx, call); err != nil {
		return n, err
	}
	return n, s.admit(operation, n.place)
}

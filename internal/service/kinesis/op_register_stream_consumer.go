package kinesis

import (
	"context"
	"slices"

	"millrace/internal/api/kinesisapi"
)

// RegisterStreamConsumer: a name under which applications subscribe to shards, each with a throughput of its own.
//
// Behaviour
//   - the consumer is CREATING for a moment, then ACTIVE
//   - its ARN holds the second of its creation, so one that is registered anew has another ARN
//   - 20 for each stream, at most 5 of them CREATING; five calls a second for each stream
//   - tags as at CreateStream, at most 50
//
// Errors: ResourceNotFoundException, ResourceInUseException, LimitExceededException, InvalidArgumentException
// Source: Kinesis API reference, RegisterStreamConsumer (read 2026-11)
func (s *Service) RegisterStreamConsumer(ctx context.Context, in *kinesisapi.RegisterStreamConsumerInput) (*kinesisapi.RegisterStreamConsumerOutput, error) {
	p, err := s.begin(ctx, "RegisterStreamConsumer", nil, &in.StreamARN)
	if err != nil {
		return nil, err
	}
	tags, err := addTags(p, nil, in.Tags)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(tags, compareTags)
	c, err := s.registerConsumer(ctx, p, in.ConsumerName, tags)
	if err != nil {
		return nil, apiError(err)
	}
	answer := c.answer(p)
	return &kinesisapi.RegisterStreamConsumerOutput{Consumer: &answer}, nil
}

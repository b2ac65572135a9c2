package kinesis

import (
	"context"

	"millrace/internal/api/kinesisapi"
)

// DeleteStream: the stream takes no more records from now on and is gone a short time later.
//
// Behaviour
//   - also while it is being created, and then it never shows shards; a stream that is being deleted
//     stays so
//   - DELETING lasts until store time has left the second of the newest record, so that a new stream of
//     the name has higher sequence numbers
//   - refused while consumers are registered, unless EnforceConsumerDeletion: then they go at once
//   - subscriptions to its shards end with ResourceNotFoundException
//
// Errors: ResourceNotFoundException, ResourceInUseException, InvalidArgumentException, LimitExceededException
// Source: Kinesis API reference, DeleteStream; kinesalite, test/deleteStream.js (read 2026-11)
func (s *Service) DeleteStream(ctx context.Context, in *kinesisapi.DeleteStreamInput) (*kinesisapi.DeleteStreamOutput, error) {
	p, err := s.begin(ctx, "DeleteStream", in.StreamName, in.StreamARN)
	if err != nil {
		return nil, err
	}
	if err := s.deleteStream(ctx, p, in.EnforceConsumerDeletion != nil && *in.EnforceConsumerDeletion); err != nil {
		return nil, apiError(err)
	}
	s.cache.drop(p)
	s.states.Poke()
	return &kinesisapi.DeleteStreamOutput{}, nil
}

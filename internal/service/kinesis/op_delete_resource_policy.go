package kinesis

import (
	"context"

	"millrace/internal/api/kinesisapi"
)

// DeleteResourcePolicy: removes the resource policy of a stream or a consumer.
//
// Behaviour
//   - only an active stream or consumer; one without a policy is refused
//   - five calls a second for each stream
//
// Errors: ResourceNotFoundException, ResourceInUseException, InvalidArgumentException, LimitExceededException
// Source: Kinesis API reference, DeleteResourcePolicy (read 2026-11)
func (s *Service) DeleteResourcePolicy(ctx context.Context, in *kinesisapi.DeleteResourcePolicyInput) (*kinesisapi.DeleteResourcePolicyOutput, error) {
	r, err := s.beginResource(ctx, "DeleteResourcePolicy", in.ResourceARN)
	if err != nil {
		return nil, err
	}
	ok, err := s.deletePolicy(ctx, r)
	switch {
	case err != nil:
		return nil, apiError(err)
	case !ok:
		return nil, errNoPolicy(in.ResourceARN)
	}
	return &kinesisapi.DeleteResourcePolicyOutput{}, nil
}

package kinesis

import (
	"context"

	"millrace/internal/api/kinesisapi"
)

// GetResourcePolicy: the resource policy of a stream or a consumer, byte for byte as it was given.
//
// Behaviour
//   - in any state of the stream or consumer
//   - without a policy it is "{}", as localstack's snapshots of AWS have it
//   - five calls a second for each stream
//
// Errors: ResourceNotFoundException, InvalidArgumentException, LimitExceededException
// Source: Kinesis API reference, GetResourcePolicy (read 2026-11)
func (s *Service) GetResourcePolicy(ctx context.Context, in *kinesisapi.GetResourcePolicyInput) (*kinesisapi.GetResourcePolicyOutput, error) {
	r, err := s.beginResource(ctx, "GetResourcePolicy", in.ResourceARN)
	if err != nil {
		return nil, err
	}
	text, ok, err := s.policy(ctx, r)
	switch {
	case err != nil:
		return nil, apiError(err)
	case !ok:
		text = "{}"
	}
	return &kinesisapi.GetResourcePolicyOutput{Policy: text}, nil
}

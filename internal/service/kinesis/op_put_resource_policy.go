package kinesis

import (
	"context"

	"millrace/internal/api/kinesisapi"
)

// PutResourcePolicy: attaches a resource policy to a stream or a consumer, in place of the one it has.
//
// Behaviour
//   - the text is kept as it is, at most 20 KiB; its outline must be IAM's, what it says is not judged
//   - policies are kept and answered, never enforced: other accounts reach no stream of this one
//   - only an active stream or consumer; a policy goes with its consumer or stream
//   - five calls a second for each stream
//
// Errors: ResourceNotFoundException, ResourceInUseException, InvalidArgumentException, LimitExceededException
// Source: Kinesis API reference, PutResourcePolicy; AWS's answer for a consumer that is not active in
// cloudformation-coverage-roadmap, issue 2442 (read 2026-11)
func (s *Service) PutResourcePolicy(ctx context.Context, in *kinesisapi.PutResourcePolicyInput) (*kinesisapi.PutResourcePolicyOutput, error) {
	r, err := s.beginResource(ctx, "PutResourcePolicy", in.ResourceARN)
	if err != nil {
		return nil, err
	}
	if err := checkPolicy(in.Policy); err != nil {
		return nil, err
	}
	if err := s.setPolicy(ctx, r, in.Policy); err != nil {
		return nil, apiError(err)
	}
	return &kinesisapi.PutResourcePolicyOutput{}, nil
}

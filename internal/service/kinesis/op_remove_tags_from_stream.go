package kinesis

import (
	"context"
	"slices"

	"millrace/internal/api/kinesisapi"
)

// RemoveTagsFromStream: removes tags; those that are not there do not matter.
//
// Behaviour
//   - five calls a second for each stream
//
// Errors: ResourceNotFoundException, InvalidArgumentException, LimitExceededException
// Source: Kinesis API reference, RemoveTagsFromStream; kinesalite, test/removeTagsFromStream.js (read 2026-11)
func (s *Service) RemoveTagsFromStream(ctx context.Context, in *kinesisapi.RemoveTagsFromStreamInput) (*kinesisapi.RemoveTagsFromStreamOutput, error) {
	p, err := s.begin(ctx, "RemoveTagsFromStream", in.StreamName, in.StreamARN)
	if err != nil {
		return nil, err
	}
	err = s.changeTags(ctx, p, func(tags []tag) ([]tag, error) {
		if err := checkTagTexts(p, "remove tags from", in.TagKeys); err != nil {
			return nil, err
		}
		return slices.DeleteFunc(tags, func(t tag) bool { return slices.Contains(in.TagKeys, t.key) }), nil
	})
	if err != nil {
		return nil, apiError(err)
	}
	return &kinesisapi.RemoveTagsFromStreamOutput{}, nil
}

package kinesis

import (
	"context"

	"millrace/internal/api/kinesisapi"
)

// AddTagsToStream: adds tags or gives them new values; a stream has at most 50.
//
// Behaviour
//   - all or nothing; in any state of the stream
//   - five calls a second for each stream
//
// Errors: ResourceNotFoundException, InvalidArgumentException, LimitExceededException
// Source: Kinesis API reference, AddTagsToStream; kinesalite, test/addTagsToStream.js (read 2026-11)
func (s *Service) AddTagsToStream(ctx context.Context, in *kinesisapi.AddTagsToStreamInput) (*kinesisapi.AddTagsToStreamOutput, error) {
	p, err := s.begin(ctx, "AddTagsToStream", in.StreamName, in.StreamARN)
	if err != nil {
		return nil, err
	}
	err = s.changeTags(ctx, p, func(tags []tag) ([]tag, error) { return addTags(p, tags, in.Tags) })
	if err != nil {
		return nil, apiError(err)
	}
	return &kinesisapi.AddTagsToStreamOutput{}, nil
}

package kinesis

import (
	"context"

	"millrace/internal/api/kinesisapi"
	"millrace/internal/core/store"
)

// ListTagsForStream: tags in order of keys, 50 a page unless Limit is less.
//
// Behaviour
//   - pages go on after ExclusiveStartTagKey; HasMoreTags tells whether there is one
//   - five calls a second for each stream
//
// Errors: ResourceNotFoundException, InvalidArgumentException, LimitExceededException
// Source: Kinesis API reference, ListTagsForStream (read 2026-11)
func (s *Service) ListTagsForStream(ctx context.Context, in *kinesisapi.ListTagsForStreamInput) (*kinesisapi.ListTagsForStreamOutput, error) {
	p, err := s.begin(ctx, "ListTagsForStream", in.StreamName, in.StreamARN)
	if err != nil {
		return nil, err
	}
	var tags []tag
	err = s.store.View(ctx, func(tx store.ReadTx) error {
		t, err := s.lookup(tx, p)
		if err != nil {
			return err
		}
		tags, err = s.readTags(tx, t)
		return err
	})
	if err != nil {
		return nil, apiError(err)
	}
	limit := maxTags
	if in.Limit != nil {
		limit = int(*in.Limit)
	}
	out := &kinesisapi.ListTagsForStreamOutput{Tags: []kinesisapi.Tag{}}
	for i := range tags {
		if in.ExclusiveStartTagKey != nil && tags[i].key <= *in.ExclusiveStartTagKey {
			continue
		}
		if len(out.Tags) == limit {
			out.HasMoreTags = true
			break
		}
		out.Tags = append(out.Tags, kinesisapi.Tag{Key: tags[i].key, Value: &tags[i].value})
	}
	return out, nil
}

package kinesis

import (
	"context"
	"slices"

	"millrace/internal/api"
	"millrace/internal/api/kinesisapi"
	"millrace/internal/core/store"
)

// resource is what the ARN of a tag operation means: a stream, or one of its consumers.
type resource struct {
	place    place
	consumer *consumerName // nil: the stream
}

// beginResource finds it and counts the call.
//
// Errors: errBadARN, errNotFound, errNoConsumer, errRate.
func (s *Service) beginResource(ctx context.Context, operation, arn string) (resource, error) {
	call := api.CallFrom(ctx)
	n, isConsumer := parseConsumerARN(arn)
	if !isConsumer {
		p, err := s.begin(ctx, operation, nil, &arn)
		return resource{place: p}, err
	}
	n, err := addressConsumer(call, nil, nil, &arn)
	if err != nil {
		return resource{}, err
	}
	if err := s.settle(ctx, call); err != nil {
		return resource{}, err
	}
	return resource{n.place, &n}, s.admit(operation, n.place)
}

// changeResource gives the tags of a resource to change and keeps what it returns.
func (s *Service) changeResource(ctx context.Context, r resource, change func([]tag) ([]tag, error)) error {
	if r.consumer == nil {
		return s.changeTags(ctx, r.place, change)
	}
	_, err := s.store.Update(ctx, func(tx store.Tx) error {
		t, c, err := s.readConsumer(tx, *r.consumer)
		if err != nil {
			return err
		}
		if c.tags, err = change(c.tags); err != nil {
			return err
		}
		slices.SortFunc(c.tags, compareTags)
		return s.cat.SetAttribute(tx, t, attrConsumer+c.name, encodeConsumer(&c))
	})
	return err
}

// TagResource: adds tags to a stream or a consumer, or gives them new values; at most 50.
//
// Behaviour
//   - as AddTagsToStream, by ARN
//   - five calls a second for each stream
//
// Errors: ResourceNotFoundException, InvalidArgumentException, LimitExceededException
// Source: Kinesis API reference, TagResource (read 2026-11)
func (s *Service) TagResource(ctx context.Context, in *kinesisapi.TagResourceInput) (*kinesisapi.TagResourceOutput, error) {
	r, err := s.beginResource(ctx, "TagResource", in.ResourceARN)
	if err != nil {
		return nil, err
	}
	err = s.changeResource(ctx, r, func(tags []tag) ([]tag, error) { return addTags(r.place, tags, in.Tags) })
	if err != nil {
		return nil, apiError(err)
	}
	return &kinesisapi.TagResourceOutput{}, nil
}

// UntagResource: removes tags of a stream or a consumer; those that are not there do not matter.
//
// Errors: as TagResource
// Source: Kinesis API reference, UntagResource (read 2026-11)
func (s *Service) UntagResource(ctx context.Context, in *kinesisapi.UntagResourceInput) (*kinesisapi.UntagResourceOutput, error) {
	r, err := s.beginResource(ctx, "UntagResource", in.ResourceARN)
	if err != nil {
		return nil, err
	}
	err = s.changeResource(ctx, r, func(tags []tag) ([]tag, error) {
		if err := checkTagTexts(r.place, "remove tags from", in.TagKeys); err != nil {
			return nil, err
		}
		return slices.DeleteFunc(tags, func(t tag) bool { return slices.Contains(in.TagKeys, t.key) }), nil
	})
	if err != nil {
		return nil, apiError(err)
	}
	return &kinesisapi.UntagResourceOutput{}, nil
}

// ListTagsForResource: the tags of a stream or a consumer, in order of keys.
//
// Errors: as TagResource
// Source: Kinesis API reference, ListTagsForResource (read 2026-11)
func (s *Service) ListTagsForResource(ctx context.Context, in *kinesisapi.ListTagsForResourceInput) (*kinesisapi.ListTagsForResourceOutput, error) {
	r, err := s.beginResource(ctx, "ListTagsForResource", in.ResourceARN)
	if err != nil {
		return nil, err
	}
	var tags []tag
	err = s.store.View(ctx, func(tx store.ReadTx) error {
		tags, err = s.resourceTags(tx, r)
		return err
	})
	if err != nil {
		return nil, apiError(err)
	}
	out := &kinesisapi.ListTagsForResourceOutput{Tags: []kinesisapi.Tag{}}
	for i := range tags {
		out.Tags = append(out.Tags, kinesisapi.Tag{Key: tags[i].key, Value: &tags[i].value})
	}
	return out, nil
}

func (s *Service) resourceTags(tx store.ReadTx, r resource) ([]tag, error) {
	if r.consumer != nil {
		_, c, err := s.readConsumer(tx, *r.consumer)
		return c.tags, err
	}
	t, err := s.lookup(tx, r.place)
	if err != nil {
		return nil, err
	}
	return s.readTags(tx, t)
}

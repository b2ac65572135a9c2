package dynamodb

import (
	"cmp"
	"context"
	"encoding/base64"
	"slices"
	"strings"

	"millrace/internal/api"
	"millrace/internal/api/dynamodbapi"
)

// resource finds the table that an ARN names.
//
// An ARN of another region is one that the caller may not name, unlike where an ARN is given for the name of a table.
//
// Errors: ValidationException, AccessDeniedException.
func (s *Service) resource(ctx context.Context, arn string) (place, error) {
	if !strings.HasPrefix(arn, "arn:") {
		return place{}, errParameter("ARNs must start with 'arn:': " + api.Clip(arn))
	}
	call := api.CallFrom(ctx)
	if at, ok := tableARN(arn); ok && at.region != home(call).region {
		return at, errNotAllowed(call.Operation, arn)
	}
	return s.resolve(ctx, arn)
}

// byARN names the ARN in the error of a table that is not there.
func byARN(err error, arn string) error {
	if e := api.AsError(err); e != nil && e.Code == "ResourceNotFoundException" {
		return errARNNotFound(arn)
	}
	return apiError(err)
}

// changeTags gives the tags of a table to change and keeps what it returns; bad is what is wrong with the request beside its ARN. Tags can
// be changed in every state but DELETING.
func (s *Service) changeTags(ctx context.Context, arn string, bad error, change func([]tag) ([]tag, error)) error {
	p, err := s.resource(ctx, arn)
	if err = cmp.Or(err, bad); err != nil {
		return err
	}
	_, err = s.changeTable(ctx, p, func(t *table, _ int64) error {
		if t.state == stateDeleting {
			return errInUse(t, p)
		}
		t.tags, err = change(t.tags)
		return err
	})
	return byARN(err, arn)
}

// TagResource: adds tags to a table, or gives them new values; at most 50.
//
// Errors: ResourceNotFoundException, ResourceInUseException, ValidationException
// Source: DynamoDB API reference, TagResource (read 2026-11)
func (s *Service) TagResource(ctx context.Context, in *dynamodbapi.TagResourceInput) (*dynamodbapi.TagResourceOutput, error) {
	err := s.changeTags(ctx, in.ResourceArn, checkTags(in.Tags), func(tags []tag) ([]tag, error) { return addTags(tags, in.Tags) })
	if err != nil {
		return nil, err
	}
	return &dynamodbapi.TagResourceOutput{}, nil
}

// UntagResource: removes tags of a table; those that are not there do not matter.
//
// Errors: as TagResource
// Source: DynamoDB API reference, UntagResource (read 2026-11)
func (s *Service) UntagResource(ctx context.Context, in *dynamodbapi.UntagResourceInput) (*dynamodbapi.UntagResourceOutput, error) {
	err := s.changeTags(ctx, in.ResourceArn, checkTagKeys(in.TagKeys), func(tags []tag) ([]tag, error) {
		return slices.DeleteFunc(tags, func(t tag) bool { return slices.Contains(in.TagKeys, t.key) }), nil
	})
	if err != nil {
		return nil, err
	}
	return &dynamodbapi.UntagResourceOutput{}, nil
}

// ListTagsOfResource: the tags of a table in order of keys, ten on a page.
//
// Errors: ResourceNotFoundException, ValidationException
// Source: DynamoDB API reference, ListTagsOfResource (read 2026-11)
func (s *Service) ListTagsOfResource(ctx context.Context, in *dynamodbapi.ListTagsOfResourceInput) (*dynamodbapi.ListTagsOfResourceOutput, error) {
	p, err := s.resource(ctx, in.ResourceArn)
	if err != nil {
		return nil, err
	}
	t, _, err := s.describe(ctx, p)
	if err != nil {
		return nil, byARN(err, in.ResourceArn)
	}
	out := &dynamodbapi.ListTagsOfResourceOutput{Tags: []dynamodbapi.Tag{}}
	from, err := tagsAfter(t.tags, in.NextToken)
	if err != nil {
		return nil, err
	}
	for _, tag := range t.tags[from:min(from+tagsPage, len(t.tags))] {
		out.Tags = append(out.Tags, dynamodbapi.Tag{Key: tag.key, Value: tag.value})
	}
	if from+tagsPage < len(t.tags) {
		out.NextToken = new(base64.URLEncoding.EncodeToString([]byte(t.tags[from+tagsPage-1].key)))
	}
	return out, nil
}

// tagsAfter is where the page begins that a token asks for, which is the key of the tag before it.
//
// Errors: ValidationException. Its text is our own.
func tagsAfter(tags []tag, token *string) (int, error) {
	if token == nil {
		return 0, nil
	}
	key, err := base64.URLEncoding.DecodeString(*token)
	if err != nil {
		return 0, errInvalid("Invalid NextToken")
	}
	at, found := slices.BinarySearchFunc(tags, string(key), func(t tag, key string) int { return strings.Compare(t.key, key) })
	if found {
		at++
	}
	return at, nil
}

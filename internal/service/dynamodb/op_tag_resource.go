package dynamodb

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"millrace/internal/api"
	"millrace/internal/api/dynamodbapi"
)

// resource finds the table that an ARN names; it may not exist. Streams have no tags: they are not found.
//
// Errors: ValidationException, AccessDeniedException, ResourceNotFoundException.
// Source: AWS Controllers for Kubernetes, findings about DynamoDB, recorded 2026-10; ExtendDB, which compared itself with the service in
// 2026, for the order.
func (s *Service) resource(ctx context.Context, text string) (place, error) {
	call := api.CallFrom(ctx)
	p := home(call)
	if !strings.HasPrefix(text, "arn:") {
		return p, errParameter("ARNs must start with 'arn:': " + api.Clip(text))
	}
	a, ok := parseARN(text)
	path := strings.Split(a.resource, "/")
	switch {
	case !ok || a.account != p.account && path[0] == "table":
		return p, errDenied()
	case path[0] != "table" || len(path) > 2 && path[2] != "index" && path[2] != "stream":
		return p, errParameter("Provided Arn is not a DynamoDB resource arn: " + api.Clip(text))
	case a.region != p.region:
		return p, errInvalid("Invalid TableArn: Invalid ResourceArn provided as input " + api.Clip(text))
	case len(path) > 2 && path[2] == "index":
		return p, errParameter("Invalid resource arn provided, only table or stream is accepted. Provided resource arn: " + api.Clip(text))
	case len(path) > 2:
		return p, errARNNotFound(api.Clip(text))
	case len(path) < 2 || checkTableName(path[1]) != nil:
		return p, errInvalid("Invalid TableArn: Invalid ResourceArn provided as input " + api.Clip(text))
	}
	p.table, p.named = path[1], text
	return p, s.settle(ctx, call)
}

// byARN names the ARN in the error of a table that is not there.
func byARN(err error, arn string) error {
	if e := api.AsError(err); e != nil && e.Code == "ResourceNotFoundException" {
		return errARNNotFound(arn)
	}
	return apiError(err)
}

// changeTags gives the tags of a table to change and keeps what it returns; bad is what is wrong with the request beside its ARN. A table
// that is CREATING is not found, one that is DELETING in use.
func (s *Service) changeTags(ctx context.Context, arn string, bad error, change func([]tag) ([]tag, error)) error {
	p, err := s.resource(ctx, arn)
	if err = cmp.Or(err, bad); err != nil {
		return err
	}
	_, err = s.changeTable(ctx, p, func(t *table, _ int64) error {
		switch t.state {
		case stateCreating:
			return errTableNotFound(p)
		case stateDeleting:
			return errInUse(t, p)
		case stateActive, stateUpdating:
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

// ListTagsOfResource: the tags of a table in order of keys, all at once; NextToken is not looked at.
//
// Errors: ResourceNotFoundException, ValidationException
// Source: DynamoDB API reference, ListTagsOfResource; AWS Controllers for Kubernetes, findings about DynamoDB, recorded 2026-10
func (s *Service) ListTagsOfResource(ctx context.Context, in *dynamodbapi.ListTagsOfResourceInput) (*dynamodbapi.ListTagsOfResourceOutput, error) {
	p, err := s.resource(ctx, in.ResourceArn)
	if err != nil {
		return nil, err
	}
	t, _, err := s.describe(ctx, p)
	if err == nil && t.state == stateCreating {
		err = errTableNotFound(p)
	}
	if err != nil {
		return nil, byARN(err, in.ResourceArn)
	}
	out := &dynamodbapi.ListTagsOfResourceOutput{Tags: make([]dynamodbapi.Tag, 0, len(t.tags))}
	for _, tag := range t.tags {
		out.Tags = append(out.Tags, dynamodbapi.Tag{Key: tag.key, Value: tag.value})
	}
	return out, nil
}

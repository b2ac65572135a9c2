package dynamodb

import (
	"context"

	"millrace/internal/api/dynamodbapi"
)

// DescribeTimeToLive: whether items of a table expire, and by which attribute. One that is switched off has forgotten it.
//
// Errors: ResourceNotFoundException, ValidationException
// Source: DynamoDB API reference, DescribeTimeToLive (read 2026-11)
func (s *Service) DescribeTimeToLive(ctx context.Context, in *dynamodbapi.DescribeTimeToLiveInput) (*dynamodbapi.DescribeTimeToLiveOutput, error) {
	p, err := s.resolve(ctx, in.TableName)
	if err != nil {
		return nil, err
	}
	t, _, err := s.describe(ctx, p)
	if err != nil {
		return nil, apiError(err)
	}
	if !t.serves() {
		state := string(t.status())
		return nil, errInvalid("Cannot describe time to live while table is in " + state + " state: Current table state is " + state)
	}
	status := t.ttl.status()
	d := &dynamodbapi.TimeToLiveDescription{TimeToLiveStatus: &status}
	if t.ttl.attribute != "" {
		d.AttributeName = &t.ttl.attribute
	}
	return &dynamodbapi.DescribeTimeToLiveOutput{TimeToLiveDescription: d}, nil
}

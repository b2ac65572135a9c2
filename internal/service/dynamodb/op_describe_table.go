package dynamodb

import (
	"context"

	"millrace/internal/api/dynamodbapi"
)

// DescribeTable: a table in any state.
//
// Behaviour
//   - ItemCount and TableSizeBytes are exact for small tables; for others a recent count is shown (counts.go)
//
// Errors: ResourceNotFoundException, ValidationException
// Source: DynamoDB API reference, DescribeTable (read 2026-11)
func (s *Service) DescribeTable(ctx context.Context, in *dynamodbapi.DescribeTableInput) (*dynamodbapi.DescribeTableOutput, error) {
	p, err := s.resolve(ctx, in.TableName)
	if err != nil {
		return nil, err
	}
	t, now, err := s.describe(ctx, p)
	if err != nil {
		return nil, apiError(err)
	}
	d := t.description(p, now)
	if err := s.describeCounts(ctx, p, t, d); err != nil {
		return nil, apiError(err)
	}
	return &dynamodbapi.DescribeTableOutput{Table: d}, nil
}

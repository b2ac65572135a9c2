package dynamodb

import (
	"context"

	"millrace/internal/api"
	"millrace/internal/api/dynamodbapi"
)

// ListTables: the names of the account's tables in the region, in order, in pages of up to 100.
//
// Behaviour
//   - tables in all states are listed
//   - ExclusiveStartTableName need not exist
//
// Source: DynamoDB API reference, ListTables (read 2026-11)
func (s *Service) ListTables(ctx context.Context, in *dynamodbapi.ListTablesInput) (*dynamodbapi.ListTablesOutput, error) {
	call := api.CallFrom(ctx)
	if err := s.settle(ctx, call); err != nil {
		return nil, err
	}
	p := home(call)
	if in.ExclusiveStartTableName != nil {
		p.table = *in.ExclusiveStartTableName
	}
	limit := maxListTables
	if in.Limit != nil {
		limit = int(*in.Limit)
	}
	names, more, err := s.listTables(ctx, p, limit)
	if err != nil {
		return nil, apiError(err)
	}
	out := &dynamodbapi.ListTablesOutput{TableNames: names}
	if names == nil {
		out.TableNames = []string{}
	}
	if more {
		out.LastEvaluatedTableName = &names[len(names)-1]
	}
	return out, nil
}

package dynamodb

import (
	"context"

	"millrace/internal/api/dynamodbapi"
)

// DescribeLimits: AWS's default quotas, which are not enforced.
//
// Source: DynamoDB API reference, DescribeLimits (read 2026-11)
func (s *Service) DescribeLimits(context.Context, *dynamodbapi.DescribeLimitsInput) (*dynamodbapi.DescribeLimitsOutput, error) {
	return &dynamodbapi.DescribeLimitsOutput{
		AccountMaxReadCapacityUnits: new(int64(accountUnits)), AccountMaxWriteCapacityUnits: new(int64(accountUnits)),
		TableMaxReadCapacityUnits: new(int64(tableUnits)), TableMaxWriteCapacityUnits: new(int64(tableUnits)),
	}, nil
}

// DescribeEndpoints: this server, so that a client that follows it stays here.
//
// Source: DynamoDB API reference, DescribeEndpoints (read 2026-11)
func (s *Service) DescribeEndpoints(context.Context, *dynamodbapi.DescribeEndpointsInput) (*dynamodbapi.DescribeEndpointsOutput, error) {
	return &dynamodbapi.DescribeEndpointsOutput{Endpoints: []dynamodbapi.Endpoint{
		{Address: s.opts.Endpoint(), CachePeriodInMinutes: 1440},
	}}, nil
}

package dynamodb

import (
	"context"
	"strings"

	"millrace/internal/api/dynamodbapi"
)

// UpdateTimeToLive: switches on that items expire, by a Number that is a time in seconds since 1970, or switches it off.
//
// Behaviour
//   - ENABLING while items that are there are looked through, DISABLING while what was noted of them is removed, both in the background
//   - a second change within half an hour is refused
//   - any attribute will do, also one of the key
//
// Errors: ResourceNotFoundException, ResourceInUseException, ValidationException
// Source: DynamoDB API reference, UpdateTimeToLive (read 2026-11); texts as ttl.go says
func (s *Service) UpdateTimeToLive(ctx context.Context, in *dynamodbapi.UpdateTimeToLiveInput) (*dynamodbapi.UpdateTimeToLiveOutput, error) {
	p, err := s.resolve(ctx, in.TableName)
	if err != nil {
		return nil, err
	}
	spec := in.TimeToLiveSpecification
	_, err = s.changeTable(ctx, p, func(t *table, now int64) error {
		switch t.state {
		case stateDeleting:
			return errTableNotFound(p)
		case stateCreating:
			return errInUse(t, p)
		case stateActive, stateUpdating:
		}
		return t.ttl.set(spec.Enabled, strings.Clone(spec.AttributeName), now)
	})
	if err != nil {
		return nil, apiError(err)
	}
	s.expiry.Poke()
	return &dynamodbapi.UpdateTimeToLiveOutput{TimeToLiveSpecification: spec}, nil
}

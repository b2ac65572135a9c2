package dynamodb

import (
	"context"

	"millrace/internal/api/dynamodbapi"
)

// DeleteTable: a table is DELETING, then gone with all its items.
//
// Behaviour
//   - its items are out of reach at once; they are deleted in slices after it
//   - the answer has no schema, indexes, stream or date
//   - a table that is CREATING, UPDATING or DELETING is not deleted, nor one that is protected; the API reference says that one which is
//     DELETING answers as it is, but that is not so
//
// Errors: ResourceNotFoundException, ResourceInUseException, LimitExceededException, ValidationException
// Source: DynamoDB API reference, DeleteTable; ScyllaDB, test/alternator/test_table.py, which ran against the service (read 2026-11);
// AWS Controllers for Kubernetes, findings about DynamoDB, recorded 2026-10
func (s *Service) DeleteTable(ctx context.Context, in *dynamodbapi.DeleteTableInput) (*dynamodbapi.DeleteTableOutput, error) {
	p, err := s.resolve(ctx, in.TableName)
	if err != nil {
		return nil, err
	}
	if err := s.admitControl(ctx, p, false); err != nil {
		return nil, apiError(err)
	}
	var now int64
	t, err := s.changeTable(ctx, p, func(t *table, at int64) error {
		now = at
		switch {
		case t.state != stateCreating && t.state != stateDeleting && !t.indexesIdle():
			return errStillInUse("Cannot delete table while indexes are being created, updated, or deleted.")
		case t.state != stateActive:
			return errInUse(t, p)
		case t.protected:
			return errProtected()
		}
		t.stream = nil // its old one can be read for a day
		t.state, t.due = stateDeleting, now+s.opts.StateDelay.Milliseconds()
		return nil
	})
	if err != nil {
		return nil, apiError(err)
	}
	return &dynamodbapi.DeleteTableOutput{TableDescription: t.farewell(p, now)}, nil
}

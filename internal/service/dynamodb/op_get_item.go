package dynamodb

import (
	"context"

	"millrace/internal/api"
	"millrace/internal/api/dynamodbapi"
	"millrace/internal/core/store"
	"millrace/internal/service/dynamodb/expr"
	"millrace/internal/service/dynamodb/value"
	"millrace/internal/service/dynamodb/wirejson"
)

// GetItem: an item by its key, or parts of it.
//
// Behaviour
//   - every read is as fresh as a consistent one; ConsistentRead decides only what it costs
//   - an item that is there but of which nothing is shown answers an empty Item
//
// Errors: ResourceNotFoundException, ValidationException
// Source: DynamoDB API reference, GetItem (read 2026-11); texts as errors.go says
func (s *Service) GetItem(ctx context.Context, in *dynamodbapi.GetItemInput) (*dynamodbapi.GetItemOutput, error) {
	p, err := s.resolve(ctx, in.TableName)
	if err != nil {
		return nil, err
	}
	var r reader
	key := r.item(in.Key)
	plan := s.compile(&r, &expr.Request{
		Op: expr.OpGet, Names: names(in.ExpressionAttributeNames), Projection: in.ProjectionExpression,
		Legacy: expr.Legacy{AttributesToGet: in.AttributesToGet},
	}, nil)
	if r.err != nil {
		return nil, apiError(r.err)
	}
	var stored []byte
	var t *table
	err = s.store.View(ctx, func(tx store.ReadTx) error {
		t, stored, err = s.read(tx, p, key, &plan)
		return err
	})
	if err != nil {
		return nil, apiError(err)
	}
	units := readUnits(sizeOf(stored), isTrue(in.ConsistentRead))
	s.spend(t, p, false, units, nil)
	out := &dynamodbapi.GetItemOutput{ConsumedCapacity: consumed(p, in.ReturnConsumedCapacity, units)}
	out.Item, err = shown(api.CallFrom(ctx).Form, plan.Projection, stored)
	return out, apiError(err)
}

// read finds an item by its key; nil when there is none.
//
// Errors: ResourceNotFoundException, ValidationException, those of throttle.admit and of the store.
func (s *Service) read(tx store.ReadTx, p place, key value.Item, plan *expr.Plan) (*table, []byte, error) {
	t, err := s.live(tx, p)
	if err != nil {
		return nil, nil, err
	}
	if err := plan.CheckScalars(false, t.keyNames()...); err != nil {
		return nil, nil, err
	}
	at, bad := t.keyOf(key)
	if bad != nil {
		return nil, nil, bad
	}
	if err := s.throttle.admit(t.gauge(p, nil, false), 0); err != nil {
		return nil, nil, err
	}
	stored, err := s.vault.get(tx, at)
	return t, stored, err
}

// shown is what a projection shows of a stored item; nil when there is no item. With form a whole item stays as it is.
func shown(form bool, projection expr.Projection, stored []byte) (api.JSON, error) {
	if stored == nil || projection.IsZero() {
		return imageFor(form, stored)
	}
	view, err := value.Open(stored)
	if err != nil {
		return nil, err
	}
	src := expr.NewStored(view)
	item := projection.Of(src)
	if err := src.Err(); err != nil {
		return nil, err
	}
	return wirejson.AppendItemValue(nil, item), nil
}

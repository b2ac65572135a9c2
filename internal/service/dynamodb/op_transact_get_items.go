package dynamodb

import (
	"context"

	"millrace/internal/api"
	"millrace/internal/api/dynamodbapi"
	"millrace/internal/core/store"
	"millrace/internal/service/dynamodb/expr"
	"millrace/internal/service/dynamodb/value"
)

// transactGet is one Get of a transaction.
type transactGet struct {
	place place
	key   value.Item
	plan  expr.Plan
	gauge gauge
}

// TransactGetItems: up to 100 items of any tables as they were at one moment.
//
// Behaviour
//   - serializable with every write and transaction
//   - an item of which the projection shows nothing is left out
//   - a key that does not fit its table cancels, with one reason for each Get in their order
//
// Errors: TransactionCanceledException, ResourceNotFoundException, ValidationException
// Source: DynamoDB API reference, TransactGetItems (read 2026-11); texts as errors.go says
func (s *Service) TransactGetItems(ctx context.Context, in *dynamodbapi.TransactGetItemsInput) (*dynamodbapi.TransactGetItemsOutput, error) {
	gets := make([]transactGet, len(in.TransactItems))
	for i := range in.TransactItems {
		g := in.TransactItems[i].Get
		p, err := s.resolve(ctx, g.TableName)
		if err != nil {
			return nil, err
		}
		var r reader
		key := r.item(g.Key)
		plan := s.compileOlder(&r, &expr.Request{Op: expr.OpGet, Names: names(g.ExpressionAttributeNames), Projection: g.ProjectionExpression}, nil)
		if r.err != nil {
			return nil, apiError(older(r.err))
		}
		gets[i] = transactGet{place: p, key: key, plan: plan}
	}
	var found [][]byte
	err := s.store.View(ctx, func(tx store.ReadTx) (err error) {
		found, err = s.readTransact(tx, gets)
		return err
	})
	if err != nil {
		return nil, apiError(err)
	}
	out := &dynamodbapi.TransactGetItemsOutput{Responses: make([]dynamodbapi.ItemResponse, len(gets))}
	units, form := costs{}, api.CallFrom(ctx).Form
	for i := range gets {
		used := 2 * readUnits(sizeOf(found[i]), true)
		units.add(gets[i].place.named, used)
		s.spendOn(gets[i].gauge, used)
		item, err := shown(form, gets[i].plan.Projection, found[i])
		if err != nil {
			return nil, apiError(err)
		}
		if string(item) != "{}" {
			out.Responses[i].Item = item
		}
	}
	out.ConsumedCapacity = units.reads(in.ReturnConsumedCapacity)
	return out, nil
}

// readTransact reads all items, nil for those that are not there.
func (s *Service) readTransact(tx store.ReadTx, gets []transactGet) ([][]byte, error) {
	r := newReasons(len(gets))
	keys := make([][]byte, len(gets))
	seen := make(map[string]bool, len(gets))
	for i := range gets {
		at, err := s.locateGet(tx, &gets[i])
		if err != nil {
			if err := r.invalid(i, err); err != nil {
				return nil, err
			}
			continue
		}
		if seen[string(at)] {
			return nil, errInvalid(textManyOnOne)
		}
		seen[string(at)], keys[i] = true, at
	}
	if err := r.cancelled(); err != nil {
		return nil, err
	}
	return s.vault.getMany(tx, keys)
}

func (s *Service) locateGet(tx store.ReadTx, g *transactGet) ([]byte, error) {
	t, err := s.live(tx, g.place)
	if err != nil {
		return nil, err
	}
	if err := g.plan.CheckScalars(false, t.keyNames()...); err != nil {
		return nil, err
	}
	at, bad := t.keyOf(g.key)
	if bad != nil {
		return nil, bad
	}
	g.gauge = t.gauge(g.place, nil, false)
	return at, s.throttle.admit(g.gauge, 0)
}

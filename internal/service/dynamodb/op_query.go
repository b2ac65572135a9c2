package dynamodb

import (
	"bytes"
	"context"

	"millrace/internal/api/dynamodbapi"
	"millrace/internal/core/store"
	"millrace/internal/service/dynamodb/expr"
	"millrace/internal/service/dynamodb/value"
)

// Query: the items of one partition key in the order of their sort keys, or against it.
//
// Behaviour
//   - a page ends at Limit items, or with the item that passes 1 MB, before filter and projection
//   - LastEvaluatedKey is there whenever the page ended by one of these, also when nothing follows
//   - a page is one snapshot; pages are each of their own
//
// Errors: ResourceNotFoundException, ValidationException
// Source: DynamoDB API reference, Query (read 2026-11); texts as errors.go says
func (s *Service) Query(ctx context.Context, in *dynamodbapi.QueryInput) (*dynamodbapi.QueryOutput, error) {
	p, err := s.resolve(ctx, in.TableName)
	if err != nil {
		return nil, err
	}
	var r reader
	sel := selection{in.Select, in.AttributesToGet, in.ProjectionExpression, in.IndexName}
	start := r.item(in.ExclusiveStartKey)
	plan := s.compile(&r, &expr.Request{
		Op: expr.OpQuery, Names: names(in.ExpressionAttributeNames), KeyCondition: in.KeyConditionExpression, Filter: in.FilterExpression,
		Projection: in.ProjectionExpression,
		Legacy: expr.Legacy{
			KeyConditions: r.comparisons(in.KeyConditions), QueryFilter: r.comparisons(in.QueryFilter), AttributesToGet: in.AttributesToGet,
			ConditionalOperator: text(in.ConditionalOperator),
		},
	}, in.ExpressionAttributeValues)
	if r.err == nil {
		r.err = sel.check()
	}
	if r.err != nil {
		return nil, apiError(r.err)
	}
	pg := &page{reverse: in.ScanIndexForward != nil && !*in.ScanIndexForward, filter: plan.Filter, show: plan.Projection, count: sel.counts()}
	if in.Limit != nil {
		pg.limit = int(*in.Limit)
	}
	var t *table
	err = s.store.View(ctx, func(tx store.ReadTx) error {
		if t, err = s.live(tx, p); err != nil {
			return err
		}
		if err := sel.checkIndex(); err != nil {
			return err
		}
		if err := t.aim(pg, &plan, start); err != nil {
			return err
		}
		return pg.read(tx)
	})
	if err != nil {
		return nil, apiError(err)
	}
	out := &dynamodbapi.QueryOutput{
		Items: pg.items, Count: &pg.matched, ScannedCount: &pg.scanned,
		ConsumedCapacity: consumed(p, in.ReturnConsumedCapacity, readUnits(pg.size, isTrue(in.ConsistentRead))),
	}
	if out.Items == nil && !pg.count {
		out.Items = emptyItems
	}
	out.LastEvaluatedKey, err = pg.lastKey(t)
	return out, apiError(err)
}

// live reads a table for its items.
//
// Errors: ResourceNotFoundException, those of the store.
func (s *Service) live(tx store.ReadTx, p place) (*table, error) {
	t, err := s.readTable(tx, p)
	if err == nil && (t == nil || !t.serves()) {
		err = errNoTable()
	}
	return t, err
}

// aim points a page at the keys that a query means.
func (t *table) aim(pg *page, plan *expr.Plan, start value.Item) error {
	keys, err := plan.Key.Plan(t.schema())
	if err != nil {
		return err
	}
	if err := plan.CheckScalars(false, t.keyNames()...); err != nil {
		return err
	}
	if err := plan.Filter.CheckFilterKeys(t.keyNames()...); err != nil {
		return err
	}
	var ok bool
	if pg.from, pg.to, ok = t.queryRange(&keys); !ok {
		return errKeySchema()
	}
	if start == nil {
		return nil
	}
	at, err := t.start(start, true)
	if err != nil {
		return err
	}
	if bytes.Compare(at, pg.from) < 0 || bytes.Compare(at, pg.to) >= 0 {
		if keys.Op != expr.RangeAll || len(keys.Prefix) > 0 {
			return errInvalid("The provided starting key does not match the range key predicate")
		}
		return errInvalid("The provided starting key is outside query boundaries based on provided conditions")
	}
	pg.startAfter(at)
	return nil
}

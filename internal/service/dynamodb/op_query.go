package dynamodb

import (
	"context"
	"slices"

	"millrace/internal/api"
	"millrace/internal/api/dynamodbapi"
	"millrace/internal/core/store"
	"millrace/internal/service/dynamodb/expr"
	"millrace/internal/service/dynamodb/value"
)

// Query: the items of one partition key of a table or index in the order of their sort keys, or against it.
//
// Behaviour
//   - a page ends at Limit items, or with the item that passes 1 MB, before filter and projection
//   - LastEvaluatedKey is there whenever the page ended by one of these, also when nothing follows
//   - a page is one snapshot; pages are each of their own
//   - what a local index does not have is read from the table, which costs a read for each item
//
// Errors: ResourceNotFoundException, ValidationException
// Source: DynamoDB API reference, Query (read 2026-11); texts as errors.go says
func (s *Service) Query(ctx context.Context, in *dynamodbapi.QueryInput) (*dynamodbapi.QueryOutput, error) {
	p, err := s.resolve(ctx, in.TableName)
	if err != nil {
		return nil, err
	}
	var r reader
	sel := selection{in.Select, in.AttributesToGet, in.ProjectionExpression, in.IndexName, isTrue(in.ConsistentRead)}
	var own reader
	start := own.item(in.ExclusiveStartKey)
	plan := s.compile(&r, &expr.Request{
		Op: expr.OpQuery, Other: r.later(own.err), Names: names(in.ExpressionAttributeNames), KeyCondition: in.KeyConditionExpression, Filter: in.FilterExpression,
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
	pg := &page{vault: s.vault, form: api.CallFrom(ctx).Form, reverse: in.ScanIndexForward != nil && !*in.ScanIndexForward, filter: plan.Filter, show: plan.Projection, count: sel.counts()}
	if in.Limit != nil {
		pg.limit = int(*in.Limit)
	}
	g, used, err := s.readPage(ctx, p, sel, pg, func(g target) error { return g.aim(pg, &sel, &plan, start) })
	if err != nil {
		return nil, apiError(err)
	}
	out := &dynamodbapi.QueryOutput{
		Items: pg.items, Count: &pg.matched, ScannedCount: &pg.scanned,
		ConsumedCapacity: consumed(p, in.ReturnConsumedCapacity, used.units, used.arms...),
	}
	out.LastEvaluatedKey, err = pg.lastKey(g)
	return out, apiError(err)
}

// readPage reads a page of what a request selects, to which aim points it, and counts and returns what that has cost.
//
// Errors: ResourceNotFoundException, those of aim, of throttle.admit and of page.read.
func (s *Service) readPage(ctx context.Context, p place, sel selection, pg *page, aim func(g target) error) (g target, used cost, err error) {
	err = s.store.View(ctx, func(tx store.ReadTx) error {
		t, err := s.live(tx, p)
		if err != nil {
			return err
		}
		if g, err = sel.target(t); err != nil {
			return err
		}
		if err := aim(g); err != nil {
			return err
		}
		if err := s.throttle.admit(t.gauge(p, g.index, false), 0); err != nil {
			return err
		}
		if err := s.delay(tx, g, pg); err != nil {
			return err
		}
		return pg.read(tx)
	})
	if err != nil {
		return g, used, err
	}
	used = g.cost(pg, sel.consistent)
	s.spend(g.table, p, false, used.units, used.arms)
	return g, used, nil
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
func (g target) aim(pg *page, sel *selection, plan *expr.Plan, start value.Item) error {
	if err := g.checkStart(start); err != nil {
		return err
	}
	keys, err := plan.Key.Plan(g.schema())
	if err != nil {
		return err
	}
	if err := plan.Filter.CheckFilterKeys(g.keyNames()...); err != nil {
		return err
	}
	if start != nil {
		if err := g.checkStartKeys(start, g.sortNames()); err != nil {
			return err
		}
	}
	if err := g.show(pg, sel, plan); err != nil {
		return err
	}
	if err := g.table.checkScalars(plan); err != nil {
		return err
	}
	var ok bool
	if pg.from, pg.to, ok = g.queryRange(&keys); !ok {
		return errKeySchema()
	}
	if start == nil {
		return nil
	}
	at, err := g.start(start, true)
	if err != nil {
		return err
	}
	if !pg.within(at) {
		return g.outside(pg, &keys, start)
	}
	pg.startAfter(at)
	return nil
}

// outside says why a starting key is none that the query has: of another partition when nothing is said of the sort key; else the sort
// key is held against what is said of it, as if it were of the partition, and if it fits AWS takes the query for one of a single item.
//
// Source: dynalite, test/query.js, recorded against AWS (read 2026-11)
func (g target) outside(pg *page, keys *expr.KeyPlan, start value.Item) error {
	if keys.Op == expr.RangeAll && len(keys.Prefix) == 0 {
		return errInvalid("The provided starting key is outside query boundaries based on provided conditions")
	}
	attrs := slices.Clone(start)
	for i, name := range g.hashNames() {
		at := slices.IndexFunc(attrs, func(a value.Attr) bool { return a.Name == name })
		attrs[at].Value = keys.Partition[i]
	}
	if at, err := g.start(attrs, true); err != nil || !pg.within(at) {
		return errInvalid("The provided starting key does not match the range key predicate")
	}
	return errInvalid("The query can return at most one row and cannot be restarted")
}

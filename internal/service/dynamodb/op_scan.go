package dynamodb

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"millrace/internal/api"
	"millrace/internal/api/dynamodbapi"
	"millrace/internal/service/dynamodb/expr"
	"millrace/internal/service/dynamodb/keyenc"
	"millrace/internal/service/dynamodb/value"
)

// Scan: the items of a table or index, or of one of its segments.
//
// Behaviour
//   - in the order of hashes of partition keys, under each in that of sort keys; segments are ranges of hashes
//   - pages end as those of a Query
//
// Errors: ResourceNotFoundException, ValidationException
// Source: DynamoDB API reference, Scan (read 2026-11); texts as errors.go says
func (s *Service) Scan(ctx context.Context, in *dynamodbapi.ScanInput) (*dynamodbapi.ScanOutput, error) {
	p, err := s.resolve(ctx, in.TableName)
	if err != nil {
		return nil, err
	}
	var r reader
	sel := selection{in.Select, in.AttributesToGet, in.ProjectionExpression, in.IndexName, isTrue(in.ConsistentRead)}
	var own reader
	start := own.item(in.ExclusiveStartKey)
	other := startError(r.later(own.err))
	if other == nil {
		other = checkSegments(in.Segment, in.TotalSegments)
	}
	plan := s.compileOlder(&r, &expr.Request{
		Op: expr.OpScan, Other: other, Names: names(in.ExpressionAttributeNames), Filter: in.FilterExpression, Projection: in.ProjectionExpression,
		Legacy: expr.Legacy{
			ScanFilter: r.comparisons(in.ScanFilter), AttributesToGet: in.AttributesToGet, ConditionalOperator: text(in.ConditionalOperator),
		},
	}, in.ExpressionAttributeValues)
	if r.err == nil {
		r.err = sel.check()
	}
	if r.err != nil {
		return nil, apiError(older(r.err))
	}
	pg := &page{vault: s.vault, form: api.CallFrom(ctx).Form, filter: plan.Filter, show: plan.Projection, count: sel.counts()}
	if in.Limit != nil {
		pg.limit = int(*in.Limit)
	}
	g, used, err := s.readPage(ctx, p, sel, pg, func(g target) error {
		if g.index != nil && start != nil {
			if err := g.checkStartWhole(start); err != nil {
				return err
			}
		}
		if err := g.show(pg, &sel, &plan); err != nil {
			return err
		}
		if err := g.aimScan(pg, in.Segment, in.TotalSegments, start); err != nil {
			return err
		}
		return g.table.checkScalars(&plan)
	})
	if err != nil {
		return nil, apiError(err)
	}
	out := &dynamodbapi.ScanOutput{
		Items: pg.items, Count: &pg.matched, ScannedCount: &pg.scanned,
		ConsumedCapacity: consumed(p, in.ReturnConsumedCapacity, used.units, used.arms...),
	}
	out.LastEvaluatedKey, err = pg.lastKey(g)
	return out, apiError(err)
}

// startError is what Scan says of a wrong value in ExclusiveStartKey: some errors have words before them (dynalite, test/scan.js).
func startError(err error) error {
	for _, worded := range []error{value.ErrNoKind, value.ErrManyKinds, value.ErrNotNull, value.ErrEmptyStringSet, value.ErrEmptyBinarySet} {
		if errors.Is(err, worded) {
			return errInvalid(textStart + ": " + err.Error())
		}
	}
	return err
}

func checkSegments(segment, total *int32) error {
	switch {
	case segment == nil && total == nil:
		return nil
	case total == nil:
		return errInvalid("The TotalSegments parameter is required but was not present in the request when Segment parameter is present")
	case segment == nil:
		return errInvalid("The Segment parameter is required but was not present in the request when parameter TotalSegments is present")
	case *segment >= *total:
		return errInvalid(fmt.Sprintf("The Segment parameter is zero-based and must be less than parameter TotalSegments: "+
			"Segment: %d is not less than TotalSegments: %d", *segment, *total))
	}
	return nil
}

// aimScan points a page at a table, an index or a segment of it.
func (g target) aimScan(pg *page, segment, total *int32, start value.Item) error {
	prefix, end := g.bounds()
	pg.from, pg.to = prefix, end
	if segment != nil {
		first, next := keyenc.SegmentOf(int(*segment), int(*total))
		pg.from = append(bytes.Clone(prefix), byte(first>>8), byte(first))
		if next < 1<<16 {
			pg.to = append(bytes.Clone(prefix), byte(next>>8), byte(next))
		}
		if first == next {
			pg.to = pg.from
		}
	}
	if start == nil {
		return nil
	}
	at, err := g.start(start, false)
	if err != nil {
		return err
	}
	if !pg.within(at) {
		return errInvalid(fmt.Sprintf(textStart+": Invalid ExclusiveStartKey. Please use ExclusiveStartKey with correct Segment. "+
			"TotalSegments: %d Segment: %d", *total, *segment))
	}
	pg.startAfter(at)
	return nil
}

// compileOlder is compile for operations of the older layer, which words wrong values of expressions in their turn.
func (s *Service) compileOlder(r *reader, req *expr.Request, values []byte) expr.Plan {
	var bad *value.Error
	req.Older = true
	if req.Values, req.BadKey, bad = r.named(values); bad != nil {
		req.BadValue = bad
	}
	if r.err != nil {
		return expr.Plan{}
	}
	plan, err := s.expr.Compile(req)
	if err != nil {
		r.fail(err)
	}
	return plan
}

// older takes the wording of the older layer.
func older(err error) error {
	if v, ok := errors.AsType[*value.Error](err); ok {
		return errInvalid(v.Older())
	}
	return err
}

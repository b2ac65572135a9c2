package dynamodb

import (
	"context"
	"maps"
	"slices"

	"millrace/internal/api"
	"millrace/internal/api/dynamodbapi"
	"millrace/internal/core/store"
	"millrace/internal/service/dynamodb/expr"
	"millrace/internal/service/dynamodb/value"
	"millrace/internal/service/dynamodb/wirejson"
)

// batchGet is what a BatchGetItem wants of one table.
type batchGet struct {
	place place
	in    dynamodbapi.KeysAndAttributes
	keys  []value.Item
	plan  expr.Plan
	form  bool // items are answered in their stored form

	gauge gauge
	units float64 // that were used
	over  error   // throttled: not all keys were read
}

// BatchGetItem: up to 100 items of any tables by their keys.
//
// Behaviour
//   - all are of one snapshot, which is more than AWS promises
//   - keys past 16 MB of items, or past the units of a table, come back as UnprocessedKeys; when none was read the call fails
//
// Errors: ResourceNotFoundException, ValidationException, ProvisionedThroughputExceededException, ThrottlingException
// Source: DynamoDB API reference, BatchGetItem (read 2026-11); texts as errors.go says
func (s *Service) BatchGetItem(ctx context.Context, in *dynamodbapi.BatchGetItemInput) (*dynamodbapi.BatchGetItemOutput, error) {
	gets, err := s.batchGets(ctx, in)
	if err != nil {
		return nil, err
	}
	var out *dynamodbapi.BatchGetItemOutput
	units := costs{}
	err = s.store.View(ctx, func(tx store.ReadTx) error {
		out = &dynamodbapi.BatchGetItemOutput{
			Responses: map[string][]api.JSON{}, UnprocessedKeys: map[string]dynamodbapi.KeysAndAttributes{},
		}
		clear(units)
		size := 0
		for i := range gets {
			if err := gets[i].run(s, tx, out, units, &size); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, apiError(err)
	}
	if err := s.spendGets(gets); err != nil {
		return nil, err
	}
	out.ConsumedCapacity = units.list(in.ReturnConsumedCapacity)
	return out, nil
}

// spendGets counts what was read. It is the error of the call when nothing was, because of throttling.
func (s *Service) spendGets(gets []batchGet) (over error) {
	used := 0.0
	for i := range gets {
		g := &gets[i]
		if g.over != nil {
			over = g.over
		}
		s.spendOn(g.gauge, g.units)
		used += g.units
	}
	if used > 0 {
		return nil
	}
	return over
}

// batchGets reads the request, tables in the order of names.
func (s *Service) batchGets(ctx context.Context, in *dynamodbapi.BatchGetItemInput) ([]batchGet, error) {
	var gets []batchGet
	total, legacy, expressions := 0, false, false
	for _, name := range slices.Sorted(maps.Keys(in.RequestItems)) {
		k := in.RequestItems[name]
		p, err := s.resolve(ctx, name)
		if err != nil {
			return nil, err
		}
		var r reader
		g := batchGet{place: p, in: k, form: api.CallFrom(ctx).Form}
		for _, key := range k.Keys {
			g.keys = append(g.keys, r.item(key))
		}
		g.plan = s.compile(&r, &expr.Request{
			Op: expr.OpGet, Names: names(k.ExpressionAttributeNames), Projection: k.ProjectionExpression,
			Legacy: expr.Legacy{AttributesToGet: k.AttributesToGet},
		}, nil)
		if r.err == nil && sameKeys(g.keys) {
			r.fail(errDuplicateKeys())
		}
		if r.err != nil {
			return nil, apiError(r.err)
		}
		total += len(k.Keys)
		legacy, expressions = legacy || k.AttributesToGet != nil, expressions || k.ProjectionExpression != nil
		gets = append(gets, g)
	}
	switch {
	case total > maxBatchGet:
		return nil, errInvalid("Too many items requested for the BatchGetItem call")
	case legacy && expressions:
		return nil, errInvalid("Can not use both expression and non-expression parameters in the same request: " +
			"Non-expression parameters: {AttributesToGet} Expression parameters: {ProjectionExpression}")
	}
	return gets, nil
}

// run reads the items of one table; size is that of all items so far.
func (g *batchGet) run(s *Service, tx store.ReadTx, out *dynamodbapi.BatchGetItemOutput, units costs, size *int) error {
	t, err := s.live(tx, g.place)
	if err != nil {
		return err
	}
	if err := g.plan.CheckScalars(false, t.keyNames()...); err != nil {
		return err
	}
	at, err := g.locate(t)
	if err != nil {
		return err
	}
	g.gauge = t.gauge(g.place, nil, false)
	items, done, err := g.read(s, tx, at, size)
	units.add(g.place.named, g.units)
	if done < len(at) {
		rest := g.in
		rest.Keys = g.in.Keys[done:]
		out.UnprocessedKeys[g.place.named] = rest
	}
	out.Responses[g.place.named] = items
	return err
}

// read reads items in runs, each one round trip, until all are done or the next does not fit into the answer.
//
// Source: dynalite, test/batchGetItem.js (read 2026-11).
func (g *batchGet) read(s *Service, tx store.ReadTx, at [][]byte, size *int) (items []api.JSON, done int, err error) {
	items, g.units = []api.JSON{}, 0
	var found [][]byte
	for i := range at {
		if g.over = s.throttle.admit(g.gauge, g.units); g.over != nil {
			return items, i, nil //nolint:nilerr // the rest is unprocessed; the call fails only when that is all
		}
		if i%firstRun == 0 {
			if found, err = s.vault.getMany(tx, at[i:min(i+firstRun, len(at))]); err != nil {
				return nil, i, err
			}
		}
		stored := found[i%firstRun]
		n := sizeOf(stored)
		if *size+n > maxBatchBytes { // the item costs as much as one that is not there
			g.units += readUnits(0, isTrue(g.in.ConsistentRead))
			return items, i, nil
		}
		*size += n
		g.units += readUnits(n, isTrue(g.in.ConsistentRead))
		if stored == nil {
			continue
		}
		item, err := shown(g.form, g.plan.Projection, stored)
		if err != nil {
			return nil, i, err
		}
		items = append(items, item)
	}
	return items, len(at), nil
}

// locate finds where the items are.
func (g *batchGet) locate(t *table) ([][]byte, error) {
	at := make([][]byte, len(g.keys))
	seen := make(map[string]bool, len(g.keys))
	for i, key := range g.keys {
		k, bad := t.keyOf(key)
		if bad != nil {
			return nil, bad
		}
		if seen[string(k)] {
			return nil, errDuplicateKeys()
		}
		seen[string(k)], at[i] = true, k
	}
	return at, nil
}

// sameKeys says whether two keys are the same, attributes in any order: BatchGetItem looks at that before it looks for the table
// (dynalite, test/batchGetItem.js), and once more when it knows which numbers are equal.
func sameKeys(keys []value.Item) bool {
	seen := make(map[string]bool, len(keys))
	for _, key := range keys {
		k := string(wirejson.AppendItemValue(nil, key))
		if seen[k] {
			return true
		}
		seen[k] = true
	}
	return false
}

func errDuplicateKeys() error { return errInvalid("Provided list of item keys contains duplicates") }

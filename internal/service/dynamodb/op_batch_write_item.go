package dynamodb

import (
	"context"
	"maps"
	"slices"

	"millrace/internal/api/dynamodbapi"
	"millrace/internal/core/store"
	"millrace/internal/service/dynamodb/value"
)

// BatchWriteItem: up to 25 puts and deletes in any tables.
//
// Behaviour
//   - all are one commit, which is more than AWS promises; only those past the units of a table are left unprocessed, and when
//     that is all the call fails
//
// Errors: ResourceNotFoundException, ValidationException, ProvisionedThroughputExceededException, ThrottlingException
// Source: DynamoDB API reference, BatchWriteItem (read 2026-11); texts as errors.go says
func (s *Service) BatchWriteItem(ctx context.Context, in *dynamodbapi.BatchWriteItemInput) (*dynamodbapi.BatchWriteItemOutput, error) {
	var writes []*write
	for _, name := range slices.Sorted(maps.Keys(in.RequestItems)) {
		p, err := s.resolve(ctx, name)
		if err != nil {
			return nil, err
		}
		for i := range in.RequestItems[name] {
			w, err := batchWrite(p, &in.RequestItems[name][i])
			if err != nil {
				return nil, apiError(older(err))
			}
			w.measured = measured(in.ReturnItemCollectionMetrics)
			w.request = &in.RequestItems[name][i]
			writes = append(writes, w)
		}
	}
	if len(writes) > maxBatchWrite {
		return nil, errInvalid("Too many items requested for the BatchWriteItem call")
	}
	_, err := s.store.Update(ctx, func(tx store.Tx) error { return s.writeAll(tx, writes) })
	if err != nil {
		return nil, apiError(err)
	}
	units := costs{}
	left := map[string][]dynamodbapi.WriteRequest{}
	for _, w := range writes {
		if w.over {
			left[w.place.named] = append(left[w.place.named], *w.request)
			continue
		}
		units.add(w.place.named, w.units(), w.arms...)
		s.spend(w.table, w.place, true, w.units(), w.arms)
	}
	return &dynamodbapi.BatchWriteItemOutput{
		UnprocessedItems: left, ConsumedCapacity: units.list(in.ReturnConsumedCapacity),
		ItemCollectionMetrics: collections(writes),
	}, nil
}

// batchWrite reads one request.
func batchWrite(p place, in *dynamodbapi.WriteRequest) (*write, error) {
	var r reader
	switch {
	case in.PutRequest == nil && in.DeleteRequest == nil:
		return nil, value.ErrNoKind // the text speaks of AttributeValue, as AWS's does
	case in.PutRequest != nil && in.DeleteRequest != nil:
		return nil, value.ErrManyKinds
	case in.DeleteRequest != nil:
		return &write{place: p, verb: verbDelete, item: r.item(in.DeleteRequest.Key)}, r.err
	}
	w := &write{place: p, verb: verbPut, batch: true}
	w.readItem(&r, in.PutRequest.Item)
	return w, r.err
}

// readItem reads the item of a put.
func (w *write) readItem(r *reader, body []byte) {
	if w.stored = r.stored(body); r.err == nil && sizeOf(w.stored) > maxItemSize {
		r.fail(errItemSize())
	}
}

// writeAll locates all items before it writes one.
func (s *Service) writeAll(tx store.Tx, writes []*write) error {
	seen := make(map[string]bool, len(writes))
	var before *write
	for _, w := range writes {
		if err := w.locate(s, tx, before); err != nil {
			return err
		}
		before = w
		if seen[string(w.at)] {
			return errDuplicateKeys()
		}
		seen[string(w.at)] = true
	}
	writes, err := s.admitted(writes)
	if err != nil {
		return err
	}
	if err := s.readAll(tx, writes); err != nil {
		return err
	}
	over, done := error(nil), 0
	for _, w := range writes {
		err := w.perform(s, tx)
		if w.over = throttled(err) != ""; w.over {
			over = err
			continue
		}
		if err != nil {
			return err
		}
		done++
	}
	if done == 0 {
		return over
	}
	return nil
}

// admitted are the writes for which there are units, by what their requests cost at least. It fails when there are none.
func (s *Service) admitted(writes []*write) (found []*write, over error) {
	if !s.throttle.on {
		return writes, nil
	}
	pending := map[uint64]float64{}
	for _, w := range writes {
		err := s.admitWrite(w, pending[w.table.num])
		if w.over = err != nil; w.over {
			over = err
			continue
		}
		pending[w.table.num] += writeUnits(sizeOf(w.stored))
		found = append(found, w)
	}
	if len(found) > 0 {
		over = nil
	}
	return found, over
}

// readAll reads the items of writes that were located, in one round trip.
func (s *Service) readAll(tx store.ReadTx, writes []*write) error {
	keys := make([][]byte, len(writes))
	for i, w := range writes {
		keys[i] = w.at
	}
	found, err := s.vault.getMany(tx, keys)
	if err != nil {
		return err
	}
	for i, w := range writes {
		w.old = found[i]
	}
	return nil
}

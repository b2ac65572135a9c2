package dynamodb

import (
	"bytes"
	"context"

	"millrace/internal/api"
	"millrace/internal/api/dynamodbapi"
	"millrace/internal/core/store"
	"millrace/internal/service/dynamodb/expr"
	"millrace/internal/service/dynamodb/value"
	"millrace/internal/service/dynamodb/wirejson"
)

// verb is what a write does to its item.
type verb uint8

const (
	verbPut verb = iota
	verbUpdate
	verbDelete
	verbCheck // only the condition counts
)

// write is one change of one item. Its request is fixed; run fills the rest, each time anew.
type write struct {
	place    place
	verb     verb
	item     value.Item // the key; nil of a put
	stored   []byte     // of a put: the item
	plan     expr.Plan
	measured bool // the size of the item's collection is asked for
	over     bool // of a batch: there were no units for it

	request *dynamodbapi.WriteRequest // of a batch

	batch bool // BatchWriteItem words a put's key that does not fit as that of a delete

	table    *table     // as the transaction sees it
	at       []byte     // key of the store
	old, new []byte     // stored images; nil: no item
	oldItem  value.Item // of an update: decoded
	newItem  value.Item
	arms     []arm // what it has cost the indexes

	collection *dynamodbapi.ItemCollectionMetrics
}

// run makes the change in a transaction.
//
// Errors: ResourceNotFoundException, ValidationException, errCondition, those of the store.
func (w *write) run(s *Service, tx store.Tx) error {
	if err := w.locate(s, tx, nil); err != nil {
		return err
	}
	if err := s.admitWrite(w, 0); err != nil {
		return err
	}
	var err error
	if w.old, err = s.vault.get(tx, w.at); err != nil {
		return err
	}
	return w.perform(s, tx)
}

// locate finds where the item is. before is what was located just before in the same run, if anything: most batches are for one table.
func (w *write) locate(s *Service, tx store.Tx, before *write) error {
	if before != nil && before.place == w.place {
		w.table = before.table
	} else {
		t, err := s.live(tx, w.place)
		if err != nil {
			return err
		}
		w.table = t
	}
	var err error
	w.at, err = w.key(w.table)
	return err
}

// perform makes the change of an item that was located and read. It writes nothing when an index that it changes has no units.
func (w *write) perform(s *Service, tx store.Tx) error {
	if err := w.check(); err != nil {
		return err
	}
	if err := w.change(); err != nil {
		return err
	}
	if w.arms = nil; !bytes.Equal(w.old, w.new) { // also equal: no item before and after
		if err := w.table.checkIndexKeys(w.old, w.new, w.verb == verbUpdate); err != nil {
			return err
		}
		if err := s.admitRows(w); err != nil {
			return err
		}
		c := change{table: w.table, at: w.at, old: w.old, new: w.new}
		if err := c.commit(tx); err != nil {
			return err
		}
		w.arms = c.arms
	}
	return w.metrics(tx)
}

// key holds the request against the table's schema and finds the item.
func (w *write) key(t *table) ([]byte, error) {
	keys := t.keyNames()
	if err := t.checkScalars(&w.plan); err != nil {
		return nil, err
	}
	var key []byte
	var bad *api.Error
	if w.verb != verbPut {
		key, bad = t.keyOf(w.item)
	} else {
		view, err := value.Open(w.stored)
		if err != nil {
			return nil, err
		}
		if item := expr.NewStored(view); w.batch {
			key, bad = t.keyOfBatch(item)
		} else {
			key, bad = t.keyOfItem(item)
		}
	}
	if bad != nil {
		return nil, bad
	}
	return key, w.plan.Update.CheckKeys(keys...)
}

// check evaluates the condition on the item as it was.
func (w *write) check() error {
	if w.plan.Condition.IsZero() {
		return nil
	}
	holds, err := holds(w.plan.Condition, w.old)
	if err == nil && !holds {
		return errCondition
	}
	return err
}

// holds says whether a condition is true of a stored item, or of none.
func holds(c expr.Condition, stored []byte) (bool, error) {
	if c.IsZero() {
		return true, nil
	}
	if stored == nil {
		return c.Holds(value.Item(nil)), nil
	}
	view, err := value.Open(stored)
	if err != nil {
		return false, err
	}
	src := expr.NewStored(view)
	is := c.Holds(src)
	return is, src.Err()
}

// change makes the image after the write.
func (w *write) change() error {
	switch w.verb {
	case verbPut:
		w.new = w.stored
	case verbDelete:
		w.new = nil
	case verbCheck:
		w.new = w.old
	case verbUpdate:
		return w.update()
	}
	return nil
}

// update applies the update to the item, or to its key when there is none. An update that only takes away makes no item, and its
// paths need not be there then: AWS refuses REMOVE x.y for an item without x, but takes it for none (ScyllaDB's
// test/alternator/test_update_expression.py, which passes there; read 2026-11).
func (w *write) update() error {
	w.oldItem = nil
	base := w.item
	if w.old != nil {
		item, err := value.Decode(w.old)
		if err != nil {
			return err
		}
		w.oldItem, base = item, item
	} else if w.plan.Update.OnlyRemoves() {
		w.new, w.newItem = nil, base
		return nil
	}
	var err error
	if w.newItem, err = w.plan.Update.Apply(base); err != nil {
		return err
	}
	for _, p := range w.plan.Update.Touched() {
		if v, ok := w.newItem.Get(p.Root()); ok && v.Depth() > value.MaxDepth {
			return value.ErrNesting
		}
	}
	if w.newItem.Size() > maxItemSize {
		return errUpdateSize
	}
	w.new = value.AppendItem(nil, w.newItem)
	return nil
}

var errUpdateSize = value.NewError("Item size to update has exceeded the maximum allowed size")

// units is what the write has cost.
func (w *write) units() float64 { return writeUnits(max(sizeOf(w.old), sizeOf(w.new))) }

// sizeOf is a stored item's size as AWS counts it; 0 for none.
func sizeOf(stored []byte) int {
	if stored == nil {
		return 0
	}
	view, err := value.Open(stored)
	if err != nil {
		return 0
	}
	return view.Size()
}

// attributes is what ReturnValues asks for; nil when that is nothing.
func (w *write) attributes(ctx context.Context, asked *dynamodbapi.ReturnValue) (api.JSON, error) {
	switch text(asked) {
	case "", string(dynamodbapi.ReturnValueNone):
		return nil, nil
	case string(dynamodbapi.ReturnValueAllOld):
		return answered(ctx, w.old)
	case string(dynamodbapi.ReturnValueAllNew):
		return answered(ctx, w.new)
	case string(dynamodbapi.ReturnValueUpdatedOld):
		return partOf(w.plan.Update.Old(w.oldItem)), nil
	case string(dynamodbapi.ReturnValueUpdatedNew):
		return partOf(w.plan.Update.New(w.newItem)), nil
	}
	return nil, nil
}

// answered is a stored item for an answer: as it is, where the codec of the call writes it from there.
func answered(ctx context.Context, stored []byte) (api.JSON, error) {
	return imageFor(api.CallFrom(ctx).Form, stored)
}

func imageFor(form bool, stored []byte) (api.JSON, error) {
	if !form || stored == nil {
		return imageOf(stored)
	}
	_, err := value.Open(stored)
	return stored, err
}

func imageOf(stored []byte) (api.JSON, error) {
	if stored == nil {
		return nil, nil
	}
	return wirejson.AppendItem(nil, stored)
}

func partOf(item value.Item) api.JSON {
	if len(item) == 0 {
		return nil
	}
	return wirejson.AppendItemValue(nil, item)
}

// apply runs one write in a transaction of its own.
//
// Errors: as clients see them.
func (s *Service) apply(ctx context.Context, w *write, onFailure *dynamodbapi.ReturnValuesOnConditionCheckFailure) error {
	_, err := s.store.Update(ctx, func(tx store.Tx) error { return w.run(s, tx) })
	failed := err == errCondition //nolint:errorlint // run returns it as it is
	if err == nil || failed {
		s.spend(w.table, w.place, true, w.units(), w.arms)
	}
	if failed {
		return conditionFailed(w.old, onFailure)
	}
	return apiError(err)
}

// conditionFailed is the client's error, with the item when it was asked for and is there.
func conditionFailed(old []byte, onFailure *dynamodbapi.ReturnValuesOnConditionCheckFailure) error {
	fields := &dynamodbapi.ConditionalCheckFailedExceptionFields{}
	if text(onFailure) == string(dynamodbapi.ReturnValuesOnConditionCheckFailureAllOld) {
		image, err := imageOf(old)
		if err != nil {
			return apiError(err)
		}
		fields.Item = image
	}
	return dynamodbapi.ConditionalCheckFailedException(textCondition, fields)
}

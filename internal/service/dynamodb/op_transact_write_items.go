package dynamodb

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"millrace/internal/api"
	"millrace/internal/api/dynamodbapi"
	"millrace/internal/core/store"
	"millrace/internal/service/dynamodb/expr"
	"millrace/internal/service/dynamodb/value"
)

// action is one action of a transaction with what its failure shows.
type action struct {
	write
	onFailure *dynamodbapi.ReturnValuesOnConditionCheckFailure
}

// TransactWriteItems: up to 100 actions on items of any tables, all or none.
//
// Behaviour
//   - serializable with every other write and transaction
//   - what is wrong with the request alone, and an empty key, is a ValidationException; what depends on the table or the item
//     cancels, with one reason for each action in their order
//   - a token stands for its transaction for ten minutes after the commit: the same request again changes nothing and costs reads
//
// Errors: TransactionCanceledException, IdempotentParameterMismatchException, ResourceNotFoundException, ValidationException
// Source: DynamoDB API reference, TransactWriteItems (read 2026-11); texts as errors.go says
func (s *Service) TransactWriteItems(ctx context.Context, in *dynamodbapi.TransactWriteItemsInput) (*dynamodbapi.TransactWriteItemsOutput, error) {
	actions, sum, err := s.actions(ctx, in.TransactItems, in.ClientRequestToken != nil)
	if err != nil {
		return nil, err
	}
	for _, a := range actions {
		a.measured = measured(in.ReturnItemCollectionMetrics)
	}
	var token []byte
	if in.ClientRequestToken != nil {
		token = tokenKey(home(api.CallFrom(ctx)), *in.ClientRequestToken)
	}
	again := false
	_, err = s.store.Update(ctx, func(tx store.Tx) error {
		again = false
		if err := s.locateAll(tx, actions); err != nil {
			return err
		}
		if token == nil {
			return s.performAll(tx, actions)
		}
		is, same, err := repeated(tx, token, sum)
		switch {
		case err != nil:
			return err
		case is && !same:
			return errMismatch()
		case is:
			again = true
			return s.readAll(tx, writesOf(actions))
		}
		if err := s.performAll(tx, actions); err != nil {
			return err
		}
		return remember(tx, token, sum)
	})
	if errors.Is(err, store.ErrContention) {
		r := newReasons(len(actions))
		for i := range r {
			r.set(i, reasonConflict, textConflict)
		}
		err = r.cancelled()
	}
	if err != nil {
		return nil, apiError(err)
	}
	s.spendActions(actions, again)
	return &dynamodbapi.TransactWriteItemsOutput{
		ConsumedCapacity: transactCosts(actions, again, in.ReturnConsumedCapacity), ItemCollectionMetrics: collections(writesOf(actions)),
	}, nil
}

// spendActions counts what a transaction has used.
func (s *Service) spendActions(actions []*action, again bool) {
	for _, a := range actions {
		if again {
			s.spend(a.table, a.place, false, 2*readUnits(sizeOf(a.old), true), nil)
		} else {
			s.spend(a.table, a.place, true, 2*a.units(), a.arms)
		}
	}
}

// transactCosts are twice those of single calls; those of a repeat are reads.
func transactCosts(actions []*action, again bool, asked *dynamodbapi.ReturnConsumedCapacity) []dynamodbapi.ConsumedCapacity {
	units := costs{}
	for _, a := range actions {
		if again {
			units.add(a.place.named, 2*readUnits(sizeOf(a.old), true))
		} else {
			units.add(a.place.named, 2*a.units(), a.arms...)
		}
	}
	if again {
		return units.reads(asked)
	}
	return units.writes(asked)
}

// actions reads a request, and makes the digest that a token stands for, if there is one.
func (s *Service) actions(ctx context.Context, in []dynamodbapi.TransactWriteItem, token bool) ([]*action, [sha256.Size]byte, error) {
	var none [sha256.Size]byte
	var d digest
	if token {
		d = newDigest()
	}
	actions := make([]*action, len(in))
	size := 0
	for i := range in {
		r := reader{deep: true}
		a, err := s.action(ctx, &r, d, &in[i])
		if err == nil {
			err = r.err
		}
		if err != nil {
			return nil, none, apiError(older(err))
		}
		actions[i] = a
		size += sizeOf(a.stored) + a.item.Size() // an action has one of them
	}
	if size > maxTransact {
		return nil, none, errPayload(size)
	}
	return actions, d.sum(), nil
}

// errPayload says itself twice at AWS. Source: movogo-io, tests of a driver after what AWS answered it in eu-north-1 (read 2026-11).
func errPayload(size int) error {
	const text = "Transaction payload size cannot exceed 4MB. Payload Size: "
	return errInvalid(fmt.Sprint(text, ": ", text, size))
}

// common is what the four kinds of actions have.
type common struct {
	table     string
	item      api.JSON
	condition *string
	update    *string
	names     map[string]string
	values    api.JSON
	onFailure *dynamodbapi.ReturnValuesOnConditionCheckFailure
}

// open finds which kind an action is.
func open(in *dynamodbapi.TransactWriteItem) (v verb, c common, kinds int) {
	if a := in.ConditionCheck; a != nil {
		v, kinds = verbCheck, kinds+1
		c = common{a.TableName, a.Key, &a.ConditionExpression, nil, a.ExpressionAttributeNames, a.ExpressionAttributeValues, a.ReturnValuesOnConditionCheckFailure}
	}
	if a := in.Put; a != nil {
		v, kinds = verbPut, kinds+1
		c = common{a.TableName, a.Item, a.ConditionExpression, nil, a.ExpressionAttributeNames, a.ExpressionAttributeValues, a.ReturnValuesOnConditionCheckFailure}
	}
	if a := in.Delete; a != nil {
		v, kinds = verbDelete, kinds+1
		c = common{a.TableName, a.Key, a.ConditionExpression, nil, a.ExpressionAttributeNames, a.ExpressionAttributeValues, a.ReturnValuesOnConditionCheckFailure}
	}
	if a := in.Update; a != nil {
		v, kinds = verbUpdate, kinds+1
		c = common{a.TableName, a.Key, a.ConditionExpression, &a.UpdateExpression, a.ExpressionAttributeNames, a.ExpressionAttributeValues, a.ReturnValuesOnConditionCheckFailure}
	}
	return v, c, kinds
}

func (s *Service) action(ctx context.Context, r *reader, d digest, in *dynamodbapi.TransactWriteItem) (*action, error) {
	verb, c, kinds := open(in)
	if kinds != 1 {
		return nil, errInvalid("TransactItems can only contain one of Check, Put, Update or Delete")
	}
	p, err := s.resolve(ctx, c.table)
	if err != nil {
		return nil, err
	}
	a := &action{write: write{place: p, verb: verb}, onFailure: c.onFailure}
	if verb == verbPut {
		a.readItem(r, c.item)
	}
	req := &expr.Request{Op: expr.OpPut, Names: names(c.names), Condition: c.condition, Update: c.update}
	if verb == verbUpdate {
		req.Op = expr.OpTransactUpdate
	}
	a.plan = s.compileOlder(r, req, c.values)
	if verb != verbPut {
		a.item = r.item(c.item) // a key comes behind its expressions
	}
	if r.err != nil {
		return nil, r.err
	}
	if d.h == nil {
		return a, nil
	}
	d.add([]byte{byte(verb)}, []byte(p.arn()), a.image(), value.AppendItem(nil, req.Values))
	d.text(c.condition)
	d.text(c.update)
	d.names(c.names)
	d.add([]byte(text(c.onFailure)))
	return a, nil
}

// image is the item of a put, else the key, in stored form.
func (a *action) image() []byte {
	if a.verb == verbPut {
		return a.stored
	}
	return value.AppendItem(nil, a.item)
}

// locateAll finds the items of all actions.
//
// Errors: those of the call; TransactionCanceledException when the keys of one do not fit its table, behind which none is looked at. Source:
// ScyllaDB, test/alternator/test_transact.py, which ran against the service (read 2026-11).
func (s *Service) locateAll(tx store.Tx, actions []*action) error {
	r := newReasons(len(actions))
	seen := make(map[string]bool, len(actions))
	var before *write
	for i, a := range actions {
		a.at, a.table = nil, nil
		err := a.locate(s, tx, before)
		if before = nil; a.table != nil {
			before = &a.write
		}
		if err == nil {
			err = s.admitWrite(&a.write, 0)
		}
		if err != nil {
			if err := r.invalid(i, err); err != nil {
				return err
			}
			if *r[i].Code == reasonInvalid {
				break
			}
			continue
		}
		if seen[string(a.at)] {
			return errInvalid(textManyOnOne)
		}
		seen[string(a.at)] = true
	}
	return r.cancelled()
}

// performAll makes all changes, or none.
func (s *Service) performAll(tx store.Tx, actions []*action) error {
	if err := s.readAll(tx, writesOf(actions)); err != nil {
		return err
	}
	r := newReasons(len(actions))
	for i, a := range actions {
		err := a.perform(s, tx)
		switch {
		case err == nil:
		case errors.Is(err, errCondition):
			r.set(i, reasonCondition, textCondition)
			if text(a.onFailure) == string(dynamodbapi.ReturnValuesOnConditionCheckFailureAllOld) {
				if r[i].Item, err = imageOf(a.old); err != nil {
					return err
				}
			}
		default:
			if err := r.invalid(i, err); err != nil {
				return err
			}
		}
	}
	return r.cancelled()
}

// writesOf are the writes of actions.
func writesOf(actions []*action) []*write {
	writes := make([]*write, len(actions))
	for i, a := range actions {
		writes[i] = &a.write
	}
	return writes
}

package dynamodb

import (
	"context"

	"millrace/internal/api/dynamodbapi"
	"millrace/internal/service/dynamodb/expr"
)

// UpdateItem: changes attributes of an item, or makes it, if a condition holds.
//
// Behaviour
//   - without any update an item that is not there is made of its key; with one that only takes away it is not made
//   - the item after the update is held against 400 KB as a whole, as in the regions named in docs/dynamodb.md
//   - UPDATED_OLD and UPDATED_NEW show what lies at the paths of the update
//
// Errors: ConditionalCheckFailedException, ResourceNotFoundException, ValidationException
// Source: DynamoDB API reference, UpdateItem (read 2026-11); texts as errors.go says
func (s *Service) UpdateItem(ctx context.Context, in *dynamodbapi.UpdateItemInput) (*dynamodbapi.UpdateItemOutput, error) {
	p, err := s.resolve(ctx, in.TableName)
	if err != nil {
		return nil, err
	}
	var r reader
	w := &write{place: p, verb: verbUpdate, item: r.item(in.Key), measured: measured(in.ReturnItemCollectionMetrics)}
	w.plan = s.compile(&r, &expr.Request{
		Op: expr.OpUpdate, Names: names(in.ExpressionAttributeNames), Condition: in.ConditionExpression, Update: in.UpdateExpression,
		Legacy: expr.Legacy{
			Expected: r.expected(in.Expected), AttributeUpdates: r.updates(in.AttributeUpdates), ConditionalOperator: text(in.ConditionalOperator),
		},
	}, in.ExpressionAttributeValues)
	if r.err != nil {
		return nil, apiError(enveloped(r.err))
	}
	if err := s.apply(ctx, w, in.ReturnValuesOnConditionCheckFailure); err != nil {
		return nil, err
	}
	out := &dynamodbapi.UpdateItemOutput{ConsumedCapacity: consumed(p, in.ReturnConsumedCapacity, w.units(), w.arms...), ItemCollectionMetrics: w.collection}
	out.Attributes, err = w.attributes(ctx, in.ReturnValues)
	return out, apiError(err)
}

package dynamodb

import (
	"context"

	"millrace/internal/api/dynamodbapi"
	"millrace/internal/service/dynamodb/expr"
)

// DeleteItem: deletes an item, if a condition holds. One that is not there is deleted too.
//
// Errors: ConditionalCheckFailedException, ResourceNotFoundException, ValidationException
// Source: DynamoDB API reference, DeleteItem (read 2026-11); texts as errors.go says
func (s *Service) DeleteItem(ctx context.Context, in *dynamodbapi.DeleteItemInput) (*dynamodbapi.DeleteItemOutput, error) {
	p, err := s.resolve(ctx, in.TableName)
	if err != nil {
		return nil, err
	}
	var r reader
	w := &write{place: p, verb: verbDelete, item: r.item(in.Key), measured: measured(in.ReturnItemCollectionMetrics)}
	if text(in.ReturnValues) != "" && *in.ReturnValues != dynamodbapi.ReturnValueNone && *in.ReturnValues != dynamodbapi.ReturnValueAllOld {
		r.fail(bare(errReturnValues, in))
	}
	w.plan = s.compile(&r, &expr.Request{
		Op: expr.OpPut, Names: names(in.ExpressionAttributeNames), Condition: in.ConditionExpression,
		Legacy: expr.Legacy{Expected: r.expected(in.Expected), ConditionalOperator: text(in.ConditionalOperator)},
	}, in.ExpressionAttributeValues)
	if r.err != nil {
		return nil, apiError(enveloped(r.err))
	}
	if err := s.apply(ctx, w, in.ReturnValuesOnConditionCheckFailure); err != nil {
		return nil, err
	}
	out := &dynamodbapi.DeleteItemOutput{ConsumedCapacity: consumed(p, in.ReturnConsumedCapacity, w.units(), w.arms...), ItemCollectionMetrics: w.collection}
	out.Attributes, err = w.attributes(ctx, in.ReturnValues)
	return out, apiError(err)
}

package dynamodb

import (
	"context"

	"millrace/internal/api/dynamodbapi"
	"millrace/internal/service/dynamodb/expr"
	"millrace/internal/service/dynamodb/value"
)

// PutItem: replaces or adds an item, if a condition holds.
//
// Behaviour
//   - durable when it answers
//   - a put that changes nothing writes nothing, but answers and costs as any other
//
// Errors: ConditionalCheckFailedException, ResourceNotFoundException, ValidationException
// Source: DynamoDB API reference, PutItem (read 2026-11); texts as errors.go says
func (s *Service) PutItem(ctx context.Context, in *dynamodbapi.PutItemInput) (*dynamodbapi.PutItemOutput, error) {
	p, err := s.resolve(ctx, in.TableName)
	if err != nil {
		return nil, err
	}
	var r reader
	w := &write{place: p, verb: verbPut, measured: measured(in.ReturnItemCollectionMetrics)}
	w.readItem(&r, in.Item)
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
	out := &dynamodbapi.PutItemOutput{ConsumedCapacity: consumed(p, in.ReturnConsumedCapacity, w.units(), w.arms...), ItemCollectionMetrics: w.collection}
	out.Attributes, err = w.attributes(ctx, in.ReturnValues)
	return out, apiError(err)
}

// compile adds the values to a request and makes its plan. Values that are wrong come first, in the wording of the current layer.
func (s *Service) compile(r *reader, req *expr.Request, values []byte) expr.Plan {
	var bad *value.Error
	if req.Values, _, bad = r.named(values); bad != nil {
		r.fail(bad)
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

package hot

import (
	"math"

	"millrace/internal/api/dynamodbapi"
)

// whole reads a body, which is one object with the given members.
func (r *reading) whole(member func(name []byte) bool) bool { return r.members(member) && r.end() }

func (t *tables) putItem(body []byte) *dynamodbapi.PutItemInput {
	in := &t.put
	r := &reading{scanner{data: body}, t}
	ok := r.whole(func(name []byte) bool {
		switch string(name) {
		case "TableName":
			return r.table(&in.TableName)
		case "Item":
			return r.value(&in.Item)
		case "ConditionExpression":
			return r.expression(&in.ConditionExpression)
		case "ExpressionAttributeNames":
			return r.aliases(&in.ExpressionAttributeNames)
		case "ExpressionAttributeValues":
			return r.value(&in.ExpressionAttributeValues)
		case "ReturnValues":
			return oneOf(r, &in.ReturnValues, returnValues)
		case "ReturnConsumedCapacity":
			return oneOf(r, &in.ReturnConsumedCapacity, capacities)
		case "ReturnItemCollectionMetrics":
			return oneOf(r, &in.ReturnItemCollectionMetrics, collections)
		case "ReturnValuesOnConditionCheckFailure":
			return oneOf(r, &in.ReturnValuesOnConditionCheckFailure, onFailures)
		}
		return false
	})
	if !ok || in.TableName == "" || in.Item == nil {
		return nil
	}
	return in
}

func (t *tables) getItem(body []byte) *dynamodbapi.GetItemInput {
	in := &t.get
	r := &reading{scanner{data: body}, t}
	ok := r.whole(func(name []byte) bool {
		switch string(name) {
		case "TableName":
			return r.table(&in.TableName)
		case "Key":
			return r.value(&in.Key)
		case "ConsistentRead":
			return r.flag(&in.ConsistentRead)
		case "ProjectionExpression":
			return r.expression(&in.ProjectionExpression)
		case "ExpressionAttributeNames":
			return r.aliases(&in.ExpressionAttributeNames)
		case "ReturnConsumedCapacity":
			return oneOf(r, &in.ReturnConsumedCapacity, capacities)
		}
		return false
	})
	if !ok || in.TableName == "" || in.Key == nil {
		return nil
	}
	return in
}

func (t *tables) updateItem(body []byte) *dynamodbapi.UpdateItemInput {
	in := &t.update
	r := &reading{scanner{data: body}, t}
	ok := r.whole(func(name []byte) bool {
		switch string(name) {
		case "TableName":
			return r.table(&in.TableName)
		case "Key":
			return r.value(&in.Key)
		case "UpdateExpression":
			return r.expression(&in.UpdateExpression)
		case "ConditionExpression":
			return r.expression(&in.ConditionExpression)
		case "ExpressionAttributeNames":
			return r.aliases(&in.ExpressionAttributeNames)
		case "ExpressionAttributeValues":
			return r.value(&in.ExpressionAttributeValues)
		case "ReturnValues":
			return oneOf(r, &in.ReturnValues, returnValues)
		case "ReturnConsumedCapacity":
			return oneOf(r, &in.ReturnConsumedCapacity, capacities)
		case "ReturnItemCollectionMetrics":
			return oneOf(r, &in.ReturnItemCollectionMetrics, collections)
		case "ReturnValuesOnConditionCheckFailure":
			return oneOf(r, &in.ReturnValuesOnConditionCheckFailure, onFailures)
		}
		return false
	})
	if !ok || in.TableName == "" || in.Key == nil {
		return nil
	}
	return in
}

func (t *tables) deleteItem(body []byte) *dynamodbapi.DeleteItemInput {
	in := &t.del
	r := &reading{scanner{data: body}, t}
	ok := r.whole(func(name []byte) bool {
		switch string(name) {
		case "TableName":
			return r.table(&in.TableName)
		case "Key":
			return r.value(&in.Key)
		case "ConditionExpression":
			return r.expression(&in.ConditionExpression)
		case "ExpressionAttributeNames":
			return r.aliases(&in.ExpressionAttributeNames)
		case "ExpressionAttributeValues":
			return r.value(&in.ExpressionAttributeValues)
		case "ReturnValues":
			return oneOf(r, &in.ReturnValues, returnValues)
		case "ReturnConsumedCapacity":
			return oneOf(r, &in.ReturnConsumedCapacity, capacities)
		case "ReturnItemCollectionMetrics":
			return oneOf(r, &in.ReturnItemCollectionMetrics, collections)
		case "ReturnValuesOnConditionCheckFailure":
			return oneOf(r, &in.ReturnValuesOnConditionCheckFailure, onFailures)
		}
		return false
	})
	if !ok || in.TableName == "" || in.Key == nil {
		return nil
	}
	return in
}

func (t *tables) queryTable(body []byte) *dynamodbapi.QueryInput {
	in := &t.query
	r := &reading{scanner{data: body}, t}
	ok := r.whole(func(name []byte) bool {
		switch string(name) {
		case "TableName":
			return r.table(&in.TableName)
		case "IndexName":
			return r.index(&in.IndexName)
		case "KeyConditionExpression":
			return r.expression(&in.KeyConditionExpression)
		case "FilterExpression":
			return r.expression(&in.FilterExpression)
		case "ProjectionExpression":
			return r.expression(&in.ProjectionExpression)
		case "ExpressionAttributeNames":
			return r.aliases(&in.ExpressionAttributeNames)
		case "ExpressionAttributeValues":
			return r.value(&in.ExpressionAttributeValues)
		case "ExclusiveStartKey":
			return r.value(&in.ExclusiveStartKey)
		case "Limit":
			return r.number(&in.Limit, 1, math.MaxInt32)
		case "ScanIndexForward":
			return r.flag(&in.ScanIndexForward)
		case "ConsistentRead":
			return r.flag(&in.ConsistentRead)
		case "Select":
			return oneOf(r, &in.Select, selects)
		case "ReturnConsumedCapacity":
			return oneOf(r, &in.ReturnConsumedCapacity, capacities)
		}
		return false
	})
	if !ok || in.TableName == "" {
		return nil
	}
	return in
}

func (t *tables) scanTable(body []byte) *dynamodbapi.ScanInput {
	in := &t.scan
	r := &reading{scanner{data: body}, t}
	ok := r.whole(func(name []byte) bool {
		switch string(name) {
		case "TableName":
			return r.table(&in.TableName)
		case "IndexName":
			return r.index(&in.IndexName)
		case "FilterExpression":
			return r.expression(&in.FilterExpression)
		case "ProjectionExpression":
			return r.expression(&in.ProjectionExpression)
		case "ExpressionAttributeNames":
			return r.aliases(&in.ExpressionAttributeNames)
		case "ExpressionAttributeValues":
			return r.value(&in.ExpressionAttributeValues)
		case "ExclusiveStartKey":
			return r.value(&in.ExclusiveStartKey)
		case "Limit":
			return r.number(&in.Limit, 1, math.MaxInt32)
		case "Segment":
			return r.number(&in.Segment, 0, 999_999)
		case "TotalSegments":
			return r.number(&in.TotalSegments, 1, 1_000_000)
		case "ConsistentRead":
			return r.flag(&in.ConsistentRead)
		case "Select":
			return oneOf(r, &in.Select, selects)
		case "ReturnConsumedCapacity":
			return oneOf(r, &in.ReturnConsumedCapacity, capacities)
		}
		return false
	})
	if !ok || in.TableName == "" {
		return nil
	}
	return in
}

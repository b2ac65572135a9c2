package hot

import "millrace/internal/api/dynamodbapi"

// Limits of the model.
const (
	maxBatchKeys   = 100
	maxBatchWrites = 25
	maxActions     = 100
	maxToken       = 36
)

// list calls element before each element of a list of 1 to limit, until it gives false.
func (r *reading) list(limit int, element func() bool) bool {
	if !r.take('[') {
		return false
	}
	for range limit {
		if !element() {
			return false
		}
		more, ok := r.more(']')
		if !ok || !more {
			return ok
		}
	}
	return false
}

// grow makes room for one more. Who points to an element keeps the array that it was in.
func grow[T any](s *[]T) *T {
	var zero T
	*s = append(*s, zero)
	return &(*s)[len(*s)-1]
}

func (t *tables) batchGetItem(body []byte) *dynamodbapi.BatchGetItemInput {
	in := &t.batchGet
	r := &reading{scanner{data: body}, t}
	ok := r.whole(func(name []byte) bool {
		switch string(name) {
		case "RequestItems":
			if in.RequestItems != nil {
				return false
			}
			if t.gets == nil {
				t.gets = map[string]dynamodbapi.KeysAndAttributes{}
			}
			in.RequestItems = t.gets
			return r.members(r.keysOf) && len(t.gets) > 0
		case "ReturnConsumedCapacity":
			return oneOf(r, &in.ReturnConsumedCapacity, capacities)
		}
		return false
	})
	if !ok || in.RequestItems == nil {
		return nil
	}
	return in
}

// keysOf reads what is asked of one table.
func (r *reading) keysOf(table []byte) bool {
	if _, twice := r.gets[string(table)]; twice || len(r.gets) == maxBatchKeys || !isTable(table) {
		return false
	}
	own := *r.own(table)
	var k dynamodbapi.KeysAndAttributes
	from := len(r.keys)
	ok := r.members(func(name []byte) bool {
		switch string(name) {
		case "Keys":
			if k.Keys != nil {
				return false
			}
			ok := r.list(maxBatchKeys, func() bool { return r.value(grow(&r.keys)) })
			k.Keys = r.keys[from:len(r.keys):len(r.keys)]
			return ok
		case "ConsistentRead":
			return r.flag(&k.ConsistentRead)
		case "ProjectionExpression":
			return r.expression(&k.ProjectionExpression)
		case "ExpressionAttributeNames":
			return r.aliases(&k.ExpressionAttributeNames)
		}
		return false
	})
	r.gets[own] = k
	return ok && k.Keys != nil
}

func (t *tables) batchWriteItem(body []byte) *dynamodbapi.BatchWriteItemInput {
	in := &t.batchWrite
	r := &reading{scanner{data: body}, t}
	ok := r.whole(func(name []byte) bool {
		switch string(name) {
		case "RequestItems":
			if in.RequestItems != nil {
				return false
			}
			if t.writes == nil {
				t.writes = map[string][]dynamodbapi.WriteRequest{}
			}
			in.RequestItems = t.writes
			return r.members(r.requestsOf) && len(t.writes) > 0
		case "ReturnConsumedCapacity":
			return oneOf(r, &in.ReturnConsumedCapacity, capacities)
		case "ReturnItemCollectionMetrics":
			return oneOf(r, &in.ReturnItemCollectionMetrics, collections)
		}
		return false
	})
	if !ok || in.RequestItems == nil {
		return nil
	}
	return in
}

// requestsOf reads what is written to one table.
func (r *reading) requestsOf(table []byte) bool {
	if _, twice := r.writes[string(table)]; twice || len(r.writes) == maxBatchWrites || !isTable(table) {
		return false
	}
	own := *r.own(table)
	from := len(r.requests)
	ok := r.list(maxBatchWrites, r.request)
	r.writes[own] = r.requests[from:len(r.requests):len(r.requests)]
	return ok
}

func (r *reading) request() bool {
	w := grow(&r.requests)
	return r.members(func(name []byte) bool {
		switch string(name) {
		case "PutRequest":
			if w.PutRequest != nil {
				return false
			}
			w.PutRequest = grow(&r.puts)
			return r.only("Item", func() bool { return r.value(&w.PutRequest.Item) })
		case "DeleteRequest":
			if w.DeleteRequest != nil {
				return false
			}
			w.DeleteRequest = grow(&r.deletes)
			return r.only("Key", func() bool { return r.value(&w.DeleteRequest.Key) })
		}
		return false
	})
}

// only reads an object of one member.
func (r *reading) only(member string, value func() bool) bool {
	return r.take('{') && r.is(member) && value() && r.take('}')
}

func (r *reading) is(member string) bool {
	name, ok := r.key()
	return ok && string(name) == member
}

func (t *tables) transactGetItems(body []byte) *dynamodbapi.TransactGetItemsInput {
	in := &t.readTx
	r := &reading{scanner{data: body}, t}
	ok := r.whole(func(name []byte) bool {
		switch string(name) {
		case "TransactItems":
			if in.TransactItems != nil {
				return false
			}
			ok := r.list(maxActions, func() bool { return r.only("Get", r.getOf) })
			in.TransactItems = t.reads
			return ok
		case "ReturnConsumedCapacity":
			return oneOf(r, &in.ReturnConsumedCapacity, capacities)
		}
		return false
	})
	if !ok || in.TransactItems == nil {
		return nil
	}
	return in
}

func (r *reading) getOf() bool {
	g := grow(&r.readOf)
	grow(&r.reads).Get = g
	ok := r.members(func(name []byte) bool {
		switch string(name) {
		case "TableName":
			return r.table(&g.TableName)
		case "Key":
			return r.value(&g.Key)
		case "ProjectionExpression":
			return r.expression(&g.ProjectionExpression)
		case "ExpressionAttributeNames":
			return r.aliases(&g.ExpressionAttributeNames)
		}
		return false
	})
	return ok && g.TableName != "" && g.Key != nil
}

func (t *tables) transactWriteItems(body []byte) *dynamodbapi.TransactWriteItemsInput {
	in := &t.writeTx
	r := &reading{scanner{data: body}, t}
	ok := r.whole(func(name []byte) bool {
		switch string(name) {
		case "TransactItems":
			if in.TransactItems != nil {
				return false
			}
			ok := r.list(maxActions, r.action)
			in.TransactItems = t.actions
			return ok
		case "ClientRequestToken":
			return r.expression(&in.ClientRequestToken) && len(*in.ClientRequestToken) >= 1 && len(*in.ClientRequestToken) <= maxToken
		case "ReturnConsumedCapacity":
			return oneOf(r, &in.ReturnConsumedCapacity, capacities)
		case "ReturnItemCollectionMetrics":
			return oneOf(r, &in.ReturnItemCollectionMetrics, collections)
		}
		return false
	})
	if !ok || in.TransactItems == nil {
		return nil
	}
	return in
}

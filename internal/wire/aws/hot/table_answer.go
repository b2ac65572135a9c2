package hot

import (
	"strconv"

	"millrace/internal/api"
	"millrace/internal/api/dynamodbapi"
	"millrace/internal/wire/aws/codec"
)

// Answers of calls with one item or one page.

func (a answers) write(b []byte, attributes api.JSON, c *dynamodbapi.ConsumedCapacity, m *dynamodbapi.ItemCollectionMetrics) []byte {
	o := a.begin(b)
	o.value(`"Attributes":`, attributes)
	o.capacity(c)
	o.collection(m)
	return o.end()
}

func (a answers) sizeOfPut(out *dynamodbapi.PutItemOutput) int {
	return a.size(out.Attributes) + around
}

func (a answers) put(b []byte, out *dynamodbapi.PutItemOutput) []byte {
	return a.write(b, out.Attributes, out.ConsumedCapacity, out.ItemCollectionMetrics)
}

func (a answers) sizeOfUpdate(out *dynamodbapi.UpdateItemOutput) int {
	return a.size(out.Attributes) + around
}

func (a answers) update(b []byte, out *dynamodbapi.UpdateItemOutput) []byte {
	return a.write(b, out.Attributes, out.ConsumedCapacity, out.ItemCollectionMetrics)
}

func (a answers) sizeOfDelete(out *dynamodbapi.DeleteItemOutput) int {
	return a.size(out.Attributes) + around
}

func (a answers) del(b []byte, out *dynamodbapi.DeleteItemOutput) []byte {
	return a.write(b, out.Attributes, out.ConsumedCapacity, out.ItemCollectionMetrics)
}

func (a answers) sizeOfGet(out *dynamodbapi.GetItemOutput) int { return a.size(out.Item) + around }
func (a answers) get(b []byte, out *dynamodbapi.GetItemOutput) []byte {
	o := a.begin(b)
	o.value(`"Item":`, out.Item)
	o.capacity(out.ConsumedCapacity)
	return o.end()
}

func (a answers) sizeOfItems(items []api.JSON) int {
	n := around
	for _, item := range items {
		n += a.size(item) + 1
	}
	return n
}

func (a answers) sizeOfQuery(out *dynamodbapi.QueryOutput) int {
	return a.sizeOfItems(out.Items) + a.size(out.LastEvaluatedKey)
}

func (a answers) query(b []byte, out *dynamodbapi.QueryOutput) []byte {
	return a.page(b, out.Items, out.Count, out.ScannedCount, out.LastEvaluatedKey, out.ConsumedCapacity)
}

func (a answers) sizeOfScan(out *dynamodbapi.ScanOutput) int {
	return a.sizeOfItems(out.Items) + a.size(out.LastEvaluatedKey)
}

func (a answers) scan(b []byte, out *dynamodbapi.ScanOutput) []byte {
	return a.page(b, out.Items, out.Count, out.ScannedCount, out.LastEvaluatedKey, out.ConsumedCapacity)
}

func (a answers) page(b []byte, items []api.JSON, count, scanned *int32, last api.JSON, c *dynamodbapi.ConsumedCapacity) []byte {
	o := a.begin(b)
	o.items(`"Items":`, items)
	o.count(`"Count":`, count)
	o.count(`"ScannedCount":`, scanned)
	o.value(`"LastEvaluatedKey":`, last)
	o.capacity(c)
	return o.end()
}

// Answers of batches and transactions.

func (a answers) sizeOfBatchGet(out *dynamodbapi.BatchGetItemOutput) int {
	n := around
	for name, items := range out.Responses {
		n += len(name) + a.sizeOfItems(items)
	}
	for name := range out.UnprocessedKeys {
		n += around + len(name) + a.sizeOfItems(out.UnprocessedKeys[name].Keys)
	}
	return n
}

func (a answers) batchGet(b []byte, out *dynamodbapi.BatchGetItemOutput) []byte {
	o := a.begin(b)
	entries(&o, `"Responses":`, out.Responses, a.appendItems)
	entries(&o, `"UnprocessedKeys":`, out.UnprocessedKeys, a.unread)
	o.capacities(out.ConsumedCapacity)
	return o.end()
}

func (a answers) unread(b []byte, k dynamodbapi.KeysAndAttributes) []byte {
	o := a.begin(b)
	o.items(`"Keys":`, k.Keys)
	o.strings(`"AttributesToGet":`, k.AttributesToGet)
	if k.ConsistentRead != nil {
		o.member(`"ConsistentRead":`)
		o.b = strconv.AppendBool(o.b, *k.ConsistentRead)
	}
	o.text(`"ProjectionExpression":`, k.ProjectionExpression)
	entries(&o, `"ExpressionAttributeNames":`, k.ExpressionAttributeNames, appendString)
	return o.end()
}

func (a answers) sizeOfTransactGet(out *dynamodbapi.TransactGetItemsOutput) int {
	n := around
	for i := range out.Responses {
		n += a.size(out.Responses[i].Item) + len(`{"Item":},`)
	}
	return n
}

func (a answers) transactGet(b []byte, out *dynamodbapi.TransactGetItemsOutput) []byte {
	o := a.begin(b)
	o.capacities(out.ConsumedCapacity)
	if out.Responses != nil {
		o.member(`"Responses":[`)
		for i := range out.Responses {
			if i > 0 {
				o.b = append(o.b, ',')
			}
			item := a.begin(o.b)
			item.value(`"Item":`, out.Responses[i].Item)
			o.b = item.end()
		}
		o.b = append(o.b, ']')
	}
	return o.end()
}

func (a answers) sizeOfBatchWrite(out *dynamodbapi.BatchWriteItemOutput) int {
	n := around
	for name, left := range out.UnprocessedItems {
		n += len(name) + around
		for i := range left {
			n += len(`{"DeleteRequest":{"Item":}},`)
			if put := left[i].PutRequest; put != nil {
				n += a.size(put.Item)
			}
			if del := left[i].DeleteRequest; del != nil {
				n += a.size(del.Key)
			}
		}
	}
	return n
}

func (a answers) batchWrite(b []byte, out *dynamodbapi.BatchWriteItemOutput) []byte {
	o := a.begin(b)
	entries(&o, `"UnprocessedItems":`, out.UnprocessedItems, a.unwritten)
	o.collections(out.ItemCollectionMetrics)
	o.capacities(out.ConsumedCapacity)
	return o.end()
}

// unwritten appends what was not written of one table.
func (a answers) unwritten(b []byte, left []dynamodbapi.WriteRequest) []byte {
	b = append(b, '[')
	for i := range left {
		if i > 0 {
			b = append(b, ',')
		}
		o := a.begin(b)
		if put := left[i].PutRequest; put != nil {
			o.within(`"PutRequest":`, `"Item":`, put.Item)
		}
		if del := left[i].DeleteRequest; del != nil {
			o.within(`"DeleteRequest":`, `"Key":`, del.Key)
		}
		b = o.end()
	}
	return append(b, ']')
}

// within writes a member that is an object of one value.
func (o *object) within(name, inner string, v api.JSON) {
	o.member(name)
	in := o.begin(o.b)
	in.member(inner)
	in.b = in.append(in.b, v)
	o.b = in.end()
}

func (a answers) sizeOfTransactWrite(*dynamodbapi.TransactWriteItemsOutput) int { return around }

func (a answers) transactWrite(b []byte, out *dynamodbapi.TransactWriteItemsOutput) []byte {
	o := a.begin(b)
	o.capacities(out.ConsumedCapacity)
	o.collections(out.ItemCollectionMetrics)
	return o.end()
}

// collections are the collections of several tables.
func (o *object) collections(m map[string][]dynamodbapi.ItemCollectionMetrics) {
	entries(o, `"ItemCollectionMetrics":`, m, func(b []byte, of []dynamodbapi.ItemCollectionMetrics) []byte {
		b = append(b, '[')
		for i := range of {
			if i > 0 {
				b = append(b, ',')
			}
			b = codec.AppendJSON(b, collectionShape, &of[i])
		}
		return append(b, ']')
	})
}

package hot

import (
	"maps"
	"slices"
	"strconv"

	"millrace/internal/api"
	"millrace/internal/api/dynamodbapi"
	"millrace/internal/wire/aws/codec"
)

// Values are JSON already; what is around them is small and, but for names and counts, written by the general codec.

// around is room for what stands around one value.
const around = 256

var shapes = dynamodbapi.Bind(dynamodbapi.Unimplemented{}).Operations

// shapeOf is the shape of a member of an operation's output.
func shapeOf(operation, member string) *api.Shape {
	for _, m := range shapes[operation].Output.Members {
		if m.Name == member {
			return m.Shape
		}
	}
	panic("hot: " + operation + " has no " + member)
}

var (
	capacityShape   = shapeOf("PutItem", "ConsumedCapacity")
	collectionShape = shapeOf("PutItem", "ItemCollectionMetrics")
	unreadShape     = shapeOf("BatchGetItem", "UnprocessedKeys").Elem
)

// object is the writer of one; each member method writes nothing for what is absent.
type object struct {
	b    []byte
	some bool
}

func begin(b []byte) object { return object{b: append(b, '{')} }

func (o *object) end() []byte { return append(o.b, '}') }

// member begins a member; its name comes with quotes and colon.
func (o *object) member(name string) {
	if o.some {
		o.b = append(o.b, ',')
	}
	o.some = true
	o.b = append(o.b, name...)
}

func (o *object) raw(name string, v api.JSON) {
	if v != nil {
		o.member(name)
		o.b = appendImage(o.b, v)
	}
}

func appendImage(b []byte, v api.JSON) []byte {
	if len(v) == 0 {
		return append(b, "{}"...)
	}
	return append(b, v...)
}

func (o *object) items(name string, items []api.JSON) {
	if items != nil {
		o.member(name)
		o.b = appendItems(o.b, items)
	}
}

func appendItems(b []byte, items []api.JSON) []byte {
	b = append(b, '[')
	for i, item := range items {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendImage(b, item)
	}
	return append(b, ']')
}

func (o *object) count(name string, n *int32) {
	if n != nil {
		o.member(name)
		o.b = strconv.AppendInt(o.b, int64(*n), 10)
	}
}

func (o *object) capacity(c *dynamodbapi.ConsumedCapacity) {
	if c != nil {
		o.member(`"ConsumedCapacity":`)
		o.b = codec.AppendJSON(o.b, capacityShape, c)
	}
}

func (o *object) capacities(cs []dynamodbapi.ConsumedCapacity) {
	if cs == nil {
		return
	}
	o.member(`"ConsumedCapacity":[`)
	for i := range cs {
		if i > 0 {
			o.b = append(o.b, ',')
		}
		o.b = codec.AppendJSON(o.b, capacityShape, &cs[i])
	}
	o.b = append(o.b, ']')
}

func (o *object) collection(m *dynamodbapi.ItemCollectionMetrics) {
	if m != nil {
		o.member(`"ItemCollectionMetrics":`)
		o.b = codec.AppendJSON(o.b, collectionShape, m)
	}
}

func appendWrite(b []byte, attributes api.JSON, c *dynamodbapi.ConsumedCapacity, m *dynamodbapi.ItemCollectionMetrics) []byte {
	o := begin(b)
	o.raw(`"Attributes":`, attributes)
	o.capacity(c)
	o.collection(m)
	return o.end()
}

func sizeOfPut(out *dynamodbapi.PutItemOutput) int { return len(out.Attributes) + around }
func appendPut(b []byte, out *dynamodbapi.PutItemOutput) []byte {
	return appendWrite(b, out.Attributes, out.ConsumedCapacity, out.ItemCollectionMetrics)
}

func sizeOfUpdate(out *dynamodbapi.UpdateItemOutput) int { return len(out.Attributes) + around }
func appendUpdate(b []byte, out *dynamodbapi.UpdateItemOutput) []byte {
	return appendWrite(b, out.Attributes, out.ConsumedCapacity, out.ItemCollectionMetrics)
}

func sizeOfDelete(out *dynamodbapi.DeleteItemOutput) int { return len(out.Attributes) + around }
func appendDelete(b []byte, out *dynamodbapi.DeleteItemOutput) []byte {
	return appendWrite(b, out.Attributes, out.ConsumedCapacity, out.ItemCollectionMetrics)
}

func sizeOfGet(out *dynamodbapi.GetItemOutput) int { return len(out.Item) + around }
func appendGet(b []byte, out *dynamodbapi.GetItemOutput) []byte {
	o := begin(b)
	o.raw(`"Item":`, out.Item)
	o.capacity(out.ConsumedCapacity)
	return o.end()
}

func sizeOfItems(items []api.JSON) int {
	n := around
	for _, item := range items {
		n += len(item) + 1
	}
	return n
}

func sizeOfQuery(out *dynamodbapi.QueryOutput) int {
	return sizeOfItems(out.Items) + len(out.LastEvaluatedKey)
}

func appendQuery(b []byte, out *dynamodbapi.QueryOutput) []byte {
	return appendPage(b, out.Items, out.Count, out.ScannedCount, out.LastEvaluatedKey, out.ConsumedCapacity)
}

func sizeOfScan(out *dynamodbapi.ScanOutput) int {
	return sizeOfItems(out.Items) + len(out.LastEvaluatedKey)
}

func appendScan(b []byte, out *dynamodbapi.ScanOutput) []byte {
	return appendPage(b, out.Items, out.Count, out.ScannedCount, out.LastEvaluatedKey, out.ConsumedCapacity)
}

func appendPage(b []byte, items []api.JSON, count, scanned *int32, last api.JSON, c *dynamodbapi.ConsumedCapacity) []byte {
	o := begin(b)
	o.items(`"Items":`, items)
	o.count(`"Count":`, count)
	o.count(`"ScannedCount":`, scanned)
	o.raw(`"LastEvaluatedKey":`, last)
	o.capacity(c)
	return o.end()
}

func sizeOfBatchGet(out *dynamodbapi.BatchGetItemOutput) int {
	n := around
	for name, items := range out.Responses {
		n += len(name) + sizeOfItems(items)
	}
	return n
}

func appendBatchGet(b []byte, out *dynamodbapi.BatchGetItemOutput) []byte {
	o := begin(b)
	if out.Responses != nil {
		o.member(`"Responses":{`)
		for i, name := range slices.Sorted(maps.Keys(out.Responses)) {
			if i > 0 {
				o.b = append(o.b, ',')
			}
			o.b = append(appendString(o.b, name), ':')
			o.b = appendItems(o.b, out.Responses[name])
		}
		o.b = append(o.b, '}')
	}
	if out.UnprocessedKeys != nil {
		o.member(`"UnprocessedKeys":{`)
		for i, name := range slices.Sorted(maps.Keys(out.UnprocessedKeys)) {
			if i > 0 {
				o.b = append(o.b, ',')
			}
			o.b = append(appendString(o.b, name), ':')
			o.b = codec.AppendJSON(o.b, unreadShape, new(out.UnprocessedKeys[name]))
		}
		o.b = append(o.b, '}')
	}
	o.capacities(out.ConsumedCapacity)
	return o.end()
}

func sizeOfTransactGet(out *dynamodbapi.TransactGetItemsOutput) int {
	n := around
	for i := range out.Responses {
		n += len(out.Responses[i].Item) + len(`{"Item":},`)
	}
	return n
}

func appendTransactGet(b []byte, out *dynamodbapi.TransactGetItemsOutput) []byte {
	o := begin(b)
	o.capacities(out.ConsumedCapacity)
	if out.Responses != nil {
		o.member(`"Responses":[`)
		for i := range out.Responses {
			if i > 0 {
				o.b = append(o.b, ',')
			}
			item := begin(o.b)
			item.raw(`"Item":`, out.Responses[i].Item)
			o.b = item.end()
		}
		o.b = append(o.b, ']')
	}
	return o.end()
}

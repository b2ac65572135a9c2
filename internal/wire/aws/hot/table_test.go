package hot

import (
	"bytes"
	"encoding/json"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"millrace/internal/api"
	"millrace/internal/api/dynamodbapi"
	"millrace/internal/wire/aws/codec"
)

// textual are the codecs of a service whose values stay text.
var textual = func() map[string]*Codec {
	all := map[string]*Codec{}
	for op, codec := range dynamodb {
		all[op] = codec(nil)
	}
	return all
}()

// generalTables decodes as the front does without a codec of its own; nil when that is refused.
func generalTables(op string, body []byte) any {
	o := shapes[op]
	in := o.New()
	if codec.DecodeDynamoDB(body, o.Input, in) != nil || api.Validate(o.Input, in) != nil {
		return nil
	}
	return in
}

const (
	item       = `{"pk":{"S":"a"},"n":{"N":"1.5"},"l":{"L":[{"BOOL":true},{"NULL":true},{"M":{}}]},"text":{"S":"line\n\"quoted\" \u00e9 é"}}`
	expression = `"ConditionExpression":"attribute_not_exists(#pk) OR #n < :n","ExpressionAttributeNames":{"#pk":"pk","#n":"n"},"ExpressionAttributeValues":{":n":{"N":"1"}}`
)

var usualTables = map[string][]string{
	"PutItem": {
		`{"TableName":"t","Item":` + item + `}`,
		` { "Item" : {} , "TableName":"arn:aws:dynamodb:us-east-1:000000000000:table/t",` + expression + `,"ReturnValues":"ALL_OLD","ReturnConsumedCapacity":"INDEXES",` +
			`"ReturnItemCollectionMetrics":"SIZE","ReturnValuesOnConditionCheckFailure":"ALL_OLD"} `,
	},
	"GetItem": {
		`{"TableName":"t","Key":{"pk":{"S":"a"}}}`,
		`{"Key":{},"TableName":"t","ConsistentRead":true,"ProjectionExpression":"a, #b[0]","ExpressionAttributeNames":{"#b":"b"},"ReturnConsumedCapacity":"TOTAL"}`,
	},
	"UpdateItem": {`{"TableName":"t","Key":{"pk":{"S":"a"}},"UpdateExpression":"ADD #n :n",` + expression + `,"ReturnValues":"UPDATED_NEW"}`},
	"DeleteItem": {`{"TableName":"t","Key":{"pk":{"S":"a"}},` + expression + `,"ReturnValues":"NONE","ReturnItemCollectionMetrics":"NONE"}`},
	"Query": {
		`{"TableName":"t","IndexName":"by-n","KeyConditionExpression":"pk = :pk","FilterExpression":"n > :n","ProjectionExpression":"pk","ExpressionAttributeValues":{":pk":{"S":"a"}},` +
			`"ExpressionAttributeNames":{},"ExclusiveStartKey":{"pk":{"S":"a"}},"Limit":100,"ScanIndexForward":false,"ConsistentRead":false,"Select":"COUNT","ReturnConsumedCapacity":"NONE"}`,
	},
	"Scan": {
		`{"TableName":"t"}`,
		`{"TableName":"t","IndexName":"by_n","FilterExpression":"n > :n","ProjectionExpression":"","Limit":1,"Segment":0,"TotalSegments":4,"Select":"ALL_ATTRIBUTES","ConsistentRead":true,` +
			`"ExclusiveStartKey":{},"ExpressionAttributeNames":{"#a":"b"},"ExpressionAttributeValues":{},"ReturnConsumedCapacity":"TOTAL"}`,
	},
	"BatchGetItem": {
		`{"RequestItems":{"tab":{"Keys":[{"pk":{"S":"a"}},{}]},"tub":{"ConsistentRead":true,"ProjectionExpression":"a","ExpressionAttributeNames":{"#a":"b"},"Keys":[{}]}},"ReturnConsumedCapacity":"TOTAL"}`,
	},
	"BatchWriteItem": {
		`{"RequestItems":{"tab":[{"PutRequest":{"Item":` + item + `}},{"DeleteRequest":{"Key":{}}},{}],"tub":[{"DeleteRequest":{"Key":{}},"PutRequest":{"Item":{}}}]},"ReturnItemCollectionMetrics":"SIZE"}`,
	},
	"TransactGetItems": {
		`{"TransactItems":[{"Get":{"TableName":"t","Key":{}}},{"Get":{"Key":{},"TableName":"u","ProjectionExpression":"#a","ExpressionAttributeNames":{"#a":"b"}}}],"ReturnConsumedCapacity":"TOTAL"}`,
	},
	"TransactWriteItems": {
		`{"TransactItems":[{"Put":{"TableName":"t","Item":` + item + `,` + expression + `}},{"Delete":{"TableName":"t","Key":{}}},{"Update":{"TableName":"t","Key":{},"UpdateExpression":"SET a = :a",` + expression +
			`}},{"ConditionCheck":{"TableName":"t","Key":{},"ReturnValuesOnConditionCheckFailure":"NONE",` + expression + `}}],"ClientRequestToken":"0123456789abcdef0123456789abcdef0123","ReturnConsumedCapacity":"INDEXES"}`,
	},
}

func TestUsualBodiesOfTablesAreKnown(t *testing.T) {
	for range 2 { // the second time with what is kept of the first
		for op, bodies := range usualTables {
			for _, body := range bodies {
				s := Get()
				got, want := textual[op].Decode([]byte(body), s), generalTables(op, []byte(body))
				if got == nil || !reflect.DeepEqual(got, want) {
					t.Errorf("%s %s\n got %+v\nwant %+v", op, body, got, want)
				}
				s.Put()
			}
		}
	}
}

func TestEveryOperationOfTablesIsKnownAlsoWhenItIsLarge(t *testing.T) {
	many := func(elem string, n int) string { return strings.TrimSuffix(strings.Repeat(elem+",", n), ",") }
	for op, body := range map[string]string{
		"BatchGetItem":       `{"RequestItems":{"tab":{"Keys":[` + many(`{"pk":{"S":"a"}}`, 100) + `]}}}`,
		"BatchWriteItem":     `{"RequestItems":{"tab":[` + many(`{"PutRequest":{"Item":`+item+`}}`, 25) + `]}}`,
		"TransactGetItems":   `{"TransactItems":[` + many(`{"Get":{"TableName":"t","Key":{}}}`, 100) + `]}`,
		"TransactWriteItems": `{"TransactItems":[` + many(`{"Put":{"TableName":"t","Item":`+item+`,`+expression+`}}`, 100) + `]}`,
	} {
		s := Get()
		if got, want := textual[op].Decode([]byte(body), s), generalTables(op, []byte(body)); got == nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, want %+v", op, got, want)
		}
		s.Put()
	}
}

func TestUnusualBodiesOfTablesAreLeftToTheGeneralCodec(t *testing.T) {
	deep := strings.Repeat(`{"a":`, deepest+1) + `{}` + strings.Repeat(`}`, deepest+1)
	for op, bodies := range map[string][]string{
		"PutItem": {
			``, `{}`, `{"TableName":"t"}`, `{"Item":{}}`, `{"TableName":"","Item":{}}`, `{"TableName":"t","Item":null}`, `{"TableName":"t","Item":[]}`, `{"TableName":"t","Item":{}}x`,
			`{"TableName":"t","Item":{"a":1}}`, `{"TableName":"t","Item":{"a"}}`, `{"TableName":"t","Item":{"a":{},}}`, `{"TableName":"t","Item":{"a":"\x"}}`, `{"TableName":"t","Item":{"a":"\u12"}}`,
			"{\"TableName\":\"t\",\"Item\":{\"a\":\"\xff\"}}", "{\"TableName\":\"t\",\"Item\":{\"a\":\"\n\"}}", `{"TableName":"t","Item":{"a":tru}}`, `{"TableName":"t","Item":{"a":[}}`, `{"TableName":"t","Item":` + deep + `}`,
			`{"TableName":"t","Item":{},"Item":{}}`, `{"TableName":"t","TableName":"t","Item":{}}`, `{"TableName":"t","Item":{},"Expected":{}}`, `{"TableName":"t","Item":{},"ReturnValues":"SOME"}`,
			`{"TableName":"t","Item":{},"ConditionExpression":"a\u0020b"}`, `{"TableName":"t","Item":{},"ExpressionAttributeNames":{"#a":"b","#a":"c"}}`, `{"TableName":"t","Item":{},"ExpressionAttributeNames":{"#a":1}}`,
			`{"TableName":"` + strings.Repeat("t", 1025) + `","Item":{}}`, `{"TableName":"t","Item":{},"ExpressionAttributeNames":{"#a":"` + strings.Repeat("n", 65536) + `"}}`,
		},
		"Query":              {`{"TableName":"t","IndexName":"ab"}`, `{"TableName":"t","IndexName":"a b"}`, `{"TableName":"t","Limit":0}`, `{"TableName":"t","Limit":1.5}`, `{"TableName":"t","ConsistentRead":"true"}`},
		"Scan":               {`{"TableName":"t","Segment":1000000}`, `{"TableName":"t","TotalSegments":0}`, `{"TableName":"t","TotalSegments":1000001}`},
		"BatchGetItem":       {`{"RequestItems":{}}`, `{"RequestItems":{"tab":{}}}`, `{"RequestItems":{"tab":{"Keys":[]}}}`, `{"RequestItems":{"tab":{"Keys":[{}]},"tab":{"Keys":[{}]}}}`, `{"RequestItems":{"":{"Keys":[{}]}}}`, `{"RequestItems":{"t b":{"Keys":[{}]}}}`, `{"RequestItems":{"ta":{"Keys":[{}]}}}`},
		"BatchWriteItem":     {`{"RequestItems":{"tab":[]}}`, `{"RequestItems":{"tab":[{"PutRequest":{}}]}}`, `{"RequestItems":{"tab":[null]}}`},
		"TransactGetItems":   {`{"TransactItems":[]}`, `{"TransactItems":[{}]}`, `{"TransactItems":[{"Get":{"TableName":"t"}}]}`},
		"TransactWriteItems": {`{"TransactItems":[{}]}`, `{"TransactItems":[{"Put":{"TableName":"t","Item":{}},"Delete":{"TableName":"t","Key":{}}}]}`, `{"TransactItems":[{"Update":{"TableName":"t","Key":{}}}]}`, `{"TransactItems":[{"Put":{"TableName":"t","Item":{}}}],"ClientRequestToken":""}`},
	} {
		for _, body := range bodies {
			s := Get()
			if got := textual[op].Decode([]byte(body), s); got != nil {
				t.Errorf("%s %.200s: got %+v, want nil", op, body, got)
			}
			s.Put()
		}
	}
}

// allocated runs f and gives the bytes it allocated.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// FuzzTables: what a decoder here accepts, the general one accepts with the same result, and memory is bounded.
func FuzzTables(f *testing.F) {
	for _, bodies := range usualTables {
		for _, body := range bodies {
			f.Add([]byte(body))
		}
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for op, c := range textual {
			s := Get()
			own := slices.Clone(body)
			var got any
			// Once for an operation a scratch takes room for its largest form, about 100 KiB, which is kept.
			if used, limit := allocated(func() { got = c.Decode(own, s) }), uint64(16*len(body)+512<<10); used > limit {
				t.Fatalf("%s: decoding %d bytes allocated %d, want at most %d\nbody %q", op, len(body), used, limit, body)
			}
			if got != nil {
				if want := generalTables(op, body); !reflect.DeepEqual(got, want) {
					t.Fatalf("%s %q\n got %+v\nwant %+v", op, body, got, want)
				}
			}
			s.Put()
		}
	})
}

// FuzzObject: what is passed over is JSON, with nothing left out.
func FuzzObject(f *testing.F) {
	for _, s := range []string{item, `{"a":[true,false,null,{},[],[[]]]}`, `{"\u12":"\"}"} `, `{"a":{"b":"c"},}`, "{\"a\":\"\xc3\\u00a9\"}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		c := &scanner{data: body}
		b, ok := c.object()
		if !ok {
			return
		}
		if !json.Valid(b) || !bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), b) {
			t.Fatalf("%q: passed over %q", body, b)
		}
	})
}

func TestAnswersOfTablesAreThoseOfTheGeneralCodec(t *testing.T) {
	const (
		costs = `{"TableName":"t\n","CapacityUnits":1.5,"Table":{"CapacityUnits":1},"GlobalSecondaryIndexes":{"g":{"CapacityUnits":2}}}`
		size  = `{"ItemCollectionKey":{"pk":{"S":"a"}},"SizeEstimateRangeGB":[0,1]}`
	)
	for op, bodies := range map[string][]string{
		"PutItem":      {`{}`, `{"Attributes":` + item + `}`, `{"Attributes":{},"ConsumedCapacity":` + costs + `,"ItemCollectionMetrics":` + size + `}`, `{"ItemCollectionMetrics":` + size + `}`},
		"UpdateItem":   {`{}`, `{"Attributes":{},"ConsumedCapacity":` + costs + `,"ItemCollectionMetrics":` + size + `}`},
		"DeleteItem":   {`{}`, `{"Attributes":{},"ConsumedCapacity":` + costs + `,"ItemCollectionMetrics":` + size + `}`},
		"GetItem":      {`{}`, `{"Item":{}}`, `{"Item":` + item + `,"ConsumedCapacity":` + costs + `}`, `{"ConsumedCapacity":` + costs + `}`},
		"Query":        {`{}`, `{"Items":[]}`, `{"Items":[` + item + `,{}],"Count":2,"ScannedCount":-3,"LastEvaluatedKey":{"pk":{"S":"a"}},"ConsumedCapacity":` + costs + `}`, `{"Count":0,"ScannedCount":0}`},
		"Scan":         {`{}`, `{"Items":[{}],"Count":1,"ScannedCount":1,"LastEvaluatedKey":{},"ConsumedCapacity":` + costs + `}`},
		"BatchGetItem": {`{}`, `{"Responses":{"u":[],"t":[{},` + item + `]},"UnprocessedKeys":{"u":{"Keys":[{}]},"t":{"Keys":[{},{}],"ConsistentRead":true,"AttributesToGet":["a","\n"],"ProjectionExpression":"#b","ExpressionAttributeNames":{"#b":"b","#a":""}}},"ConsumedCapacity":[` + costs + `,{}]}`, `{"Responses":{},"UnprocessedKeys":{},"ConsumedCapacity":[]}`},
		"BatchWriteItem": {
			`{}`, `{"UnprocessedItems":{},"ItemCollectionMetrics":{},"ConsumedCapacity":[]}`,
			`{"UnprocessedItems":{"u":[{"DeleteRequest":{"Key":{}}}],"t":[{"PutRequest":{"Item":` + item + `}},{}]},"ItemCollectionMetrics":{"u":[],"t":[` + size + `,{}]},"ConsumedCapacity":[` + costs + `]}`,
		},
		"TransactWriteItems": {`{}`, `{"ConsumedCapacity":[` + costs + `,{}],"ItemCollectionMetrics":{"u":[` + size + `],"t":[]}}`},
		"TransactGetItems":   {`{}`, `{"Responses":[{},{"Item":{}},{"Item":` + item + `}],"ConsumedCapacity":[` + costs + `]}`, `{"Responses":[]}`},
	} {
		for _, body := range bodies {
			o := shapes[op].Output
			out := reflect.New(o.Type).Interface()
			if err := codec.DecodeDynamoDB([]byte(body), o, out); err != nil {
				t.Fatalf("%s %s: %v", op, body, err)
			}
			got, want := textual[op].Append(nil, out), codec.AppendJSON(nil, o, out)
			if !bytes.Equal(got, want) {
				t.Errorf("%s\n got %s\nwant %s", op, got, want)
			}
			if room := textual[op].Size(out); !strings.Contains(body, "TableName") && !strings.Contains(body, "Keys") && room < len(want) {
				t.Errorf("%s: room for %d bytes, want %d", op, room, len(want))
			}
		}
	}
}

func TestCallsThatRepeatTheirTextsNeedNoAllocation(t *testing.T) {
	for _, op := range []string{"PutItem", "GetItem", "UpdateItem", "DeleteItem", "Query", "Scan", "BatchGetItem", "BatchWriteItem", "TransactGetItems", "TransactWriteItems"} {
		body := []byte(usualTables[op][0])
		s := new(Scratch)
		textual[op].Decode(body, s)
		s.tables.release()
		if n := testing.AllocsPerRun(100, func() {
			if textual[op].Decode(body, s) == nil {
				t.Fatal("the body is not known")
			}
			s.tables.release()
		}); n > 0 {
			t.Errorf("%s: %v allocations, want none", op, n)
		}
	}
}

func BenchmarkPutItem(b *testing.B) {
	body := []byte(`{"TableName":"orders","Item":{"pk":{"S":"customer#0123456789"},"sk":{"N":"42"},"text":{"S":"` + strings.Repeat("The quick brown fox. ", 50) + `"}}}`)
	s := Get()
	defer s.Put()
	b.Run("hot", func(b *testing.B) {
		b.SetBytes(int64(len(body)))
		b.ReportAllocs()
		for b.Loop() {
			if textual["PutItem"].Decode(body, s) == nil {
				b.Fatal("body is not known")
			}
			s.tables.release()
		}
	})
	b.Run("general", func(b *testing.B) {
		b.SetBytes(int64(len(body)))
		b.ReportAllocs()
		for b.Loop() {
			if generalTables("PutItem", body) == nil {
				b.Fatal("body was refused")
			}
		}
	})
}

// quoted is a form that is the text behind a byte 1; it leaves empty objects to be read as text.
var quoted = &api.Form{
	NewReader: func() api.FormReader { return new(quotedReader) },
	Size:      func(form api.JSON) int { return len(form) - 1 },
	Append:    func(b []byte, form api.JSON) []byte { return append(b, form[1:]...) },
}

type quotedReader struct{ forms [][]byte }

func (r *quotedReader) Read(body []byte, at int) (api.JSON, int, bool) {
	c := &scanner{data: body, pos: at}
	text, ok := c.object()
	if !ok || len(text) == len("{}") {
		return nil, 0, false
	}
	r.forms = append(r.forms, append([]byte{1}, text...))
	return r.forms[len(r.forms)-1], c.pos, true
}

func (r *quotedReader) Reset() {
	for _, form := range r.forms {
		clear(form)
	}
	r.forms = nil
}

func TestValuesGoThroughTheFormOfTheirService(t *testing.T) {
	s := new(Scratch)
	write, get := dynamodb["BatchWriteItem"](quoted), dynamodb["GetItem"](quoted)
	in, ok := write.Decode([]byte(`{"RequestItems":{"tab":[{"PutRequest":{"Item": `+item+`}},{"DeleteRequest":{"Key":{}}}]}}`), s).(*dynamodbapi.BatchWriteItemInput)
	if !ok {
		t.Fatal("the body is not known")
	}
	put, del := in.RequestItems["tab"][0].PutRequest.Item, in.RequestItems["tab"][1].DeleteRequest.Key
	if string(put) != "\x01"+item || !put.IsForm() || string(del) != "{}" || del.IsForm() {
		t.Errorf("got %q and %q, want a form and a text", put, del)
	}
	out := &dynamodbapi.BatchWriteItemOutput{UnprocessedItems: in.RequestItems}
	const left = `{"UnprocessedItems":{"tab":[{"PutRequest":{"Item":` + item + `}},{"DeleteRequest":{"Key":{}}}]}}`
	if got := write.Append(nil, out); string(got) != left || write.Size(out) < len(left) {
		t.Errorf("got %s, room for %d bytes\nwant %s", got, write.Size(out), left)
	}
	s.tables.release()
	if put[0] != 0 {
		t.Errorf("the form %.20q is still there after the call", put)
	}
	if got := get.Append(nil, &dynamodbapi.GetItemOutput{Item: api.JSON("\x01{}")}); string(got) != `{"Item":{}}` {
		t.Errorf("got %s", got)
	}
	if in, ok := textual["GetItem"].Decode([]byte(`{"TableName":"t","Key":{"a":{}}}`), s).(*dynamodbapi.GetItemInput); !ok || in.Key.IsForm() {
		t.Errorf("with the same memory, a service without a form: got %+v", in)
	}
}

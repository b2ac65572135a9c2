package codec

import (
	"bytes"
	"encoding/json"
	"reflect"
	"runtime"
	"testing"

	"github.com/fxamacker/cbor/v2"

	"millrace/internal/api"
	"millrace/internal/api/dynamodbapi"
)

// allocated runs f and gives the bytes it allocated. Other goroutines of the test binary count too;
// they are idle while a fuzz function runs.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

var fuzzOps = []string{"PutRecord", "PutRecords", "GetShardIterator", "AddTagsToStream", "CreateStream", "ListShards", "UpdateChannel"}

// FuzzJSON: what we read must be JSON; what we write of it reads back the same; memory is bounded.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{
		`{"StreamName":"s","Records":[{"PartitionKey":"a","Data":"aGVsbG8=","ExplicitHashKey":"1"}]}`,
		`{"Timestamp":1.5e9,"ShardId":"\u00e9\ud83d\ude00","Tags":{"a":"b"},"x":[1,null,{"y":true}]}`,
		`{"ShardFilter":{"Type":"AT_TIMESTAMP","Timestamp":1},"MaxResults":-0.5,"Records":[null,{}]}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, name := range fuzzOps {
			fuzzOne(t, kinesis.Operations[name], body, DecodeJSON, AppendJSON, json.Valid)
		}
	})
}

// FuzzCBOR is FuzzJSON for the other encoding.
func FuzzCBOR(f *testing.F) {
	for _, name := range fuzzOps {
		op := kinesis.Operations[name]
		in := reflect.New(op.Input.Type)
		fill(op.Input, in.Elem(), 1)
		f.Add(AppendCBOR(nil, op.Input, in.Interface()))
	}
	f.Add([]byte("\xbf\x69Timestamp\xc1\x1b\x00\x00\x01\x90\x3c\x8e\x6c\x7b\x61a\x9f\xf9\x3c\x00\xff\xff"))
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, name := range fuzzOps {
			fuzzOne(t, kinesis.Operations[name], body, DecodeCBOR, AppendCBOR, func(b []byte) bool { return cbor.Wellformed(b) == nil })
		}
	})
}

// FuzzDynamoDB: the other reader takes the same bodies, with the same result.
func FuzzDynamoDB(f *testing.F) {
	ops := dynamodbapi.Bind(dynamodbapi.Unimplemented{}).Operations
	names := []string{"PutItem", "BatchWriteItem", "TransactWriteItems", "CreateTable", "Query"}
	for _, s := range []string{
		`{"TableName":"t","Item":{"a":{"S":"b"}},"Expected":{"a":{"Exists":"no","Value":{"N":1}}},"ReturnValues":null}`,
		`{"RequestItems":{"t":[{"PutRequest":{"Item":[]}},null]},"Limit":1.5e3,"Select":23}`,
		`{"TransactItems":[{"Put":{"TableName":"t","Item":{}},"Check":0}],"KeySchema":[[]]}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, name := range names {
			op := ops[name]
			fuzzOne(t, op, body, DecodeDynamoDB, AppendJSON, json.Valid)
			got, want := op.New(), op.New()
			gotErr, wantErr := DecodeDynamoDB(body, op.Input, got), DecodeJSON(body, op.Input, want)
			if (gotErr == nil) != (wantErr == nil) {
				t.Fatalf("%s: got %v, want %v\nbody %q", name, gotErr, wantErr, body)
			}
			if gotErr == nil && !reflect.DeepEqual(got, want) {
				t.Fatalf("%s: got %+v, want %+v\nbody %q", name, got, want, body)
			}
		}
	})
}

func fuzzOne(t *testing.T, op *api.Operation, body []byte,
	decode func([]byte, *api.Shape, any) *api.Error, encode func([]byte, *api.Shape, any) []byte, valid func([]byte) bool,
) {
	in := op.New()
	var err *api.Error
	used := allocated(func() { err = decode(body, op.Input, in) })
	if limit := uint64(2*(len(body)*budgetFactor+budgetBase) + 64<<10); used > limit {
		t.Fatalf("%s: decoding %d bytes allocated %d, want at most %d\nbody %q", op.Name, len(body), used, limit, body)
	}
	if err != nil {
		return
	}
	if !valid(body) {
		t.Fatalf("%s: accepted a malformed body %q", op.Name, body)
	}
	api.Validate(op.Input, in)
	first := encode(nil, op.Input, in)
	again := op.New()
	if err := decode(first, op.Input, again); err != nil {
		t.Fatalf("%s: own encoding refused: %v\nbody %q\nencoded %q", op.Name, err, body, first)
	}
	if second := encode(nil, op.Input, again); !bytes.Equal(first, second) {
		t.Fatalf("%s: encoding changed\nfirst  %q\nsecond %q", op.Name, first, second)
	}
}

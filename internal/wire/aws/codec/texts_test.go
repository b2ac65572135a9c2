package codec

import (
	"context"
	"strings"
	"testing"

	"millrace/internal/api"
	"millrace/internal/api/kinesisapi"
)

var kinesis = kinesisapi.Bind(kinesisapi.Unimplemented{})

// check decodes body as the input of op and validates it, as the front does.
func check(t *testing.T, op, body string) (any, *api.Error) {
	t.Helper()
	o := kinesis.Operations[op]
	in := o.New()
	if err := DecodeJSON([]byte(body), o.Input, in); err != nil {
		return in, err
	}
	return in, api.Validate(o.Input, in)
}

// The texts below were recorded against AWS by kinesalite (test/*.js of its releases 1 to 3); members
// that AWS added since take part in the order only.
func TestViolationsReadAsAWSWritesThem(t *testing.T) {
	long := strings.Repeat("a", 129)
	const (
		null    = " failed to satisfy constraint: Member must not be null"
		pattern = " failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+"
		min1    = " failed to satisfy constraint: Member must have length greater than or equal to 1"
		max128  = " failed to satisfy constraint: Member must have length less than or equal to 128"
	)
	for _, c := range []struct{ op, body, want string }{
		{"PutRecord", `{}`, "1 validation error detected: Value null at 'data'" + null},
		{
			"PutRecord", `{"PartitionKey":"","StreamName":"s"}`,
			"2 validation errors detected: Value '' at 'partitionKey'" + min1 + "; Value null at 'data'" + null,
		},
		{
			"SplitShard", `{}`,
			"2 validation errors detected: Value null at 'newStartingHashKey'" + null + "; Value null at 'shardToSplit'" + null,
		},
		{
			"PutRecord", `{"PartitionKey":"a","Data":"","StreamName":""}`,
			"2 validation errors detected: Value '' at 'streamName'" + pattern + "; Value '' at 'streamName'" + min1,
		},
		{
			"PutRecord", `{"PartitionKey":"a","Data":"","StreamName":"` + long + `"}`,
			"1 validation error detected: Value '" + long + "' at 'streamName'" + max128,
		},
		{"PutRecords", `{}`, "1 validation error detected: Value null at 'records'" + null},
		{"PutRecords", `{"Records":[]}`, "1 validation error detected: Value '[]' at 'records'" + min1},
		{
			"PutRecords", `{"Records":[{"PartitionKey":"","Data":""},{"PartitionKey":null}]}`,
			"2 validation errors detected: Value '' at 'records.1.member.partitionKey'" + min1 +
				"; Value null at 'records.2.member.data'" + null,
		},
		{
			"PutRecords", `{"Records":[null]}`,
			"1 validation error detected: Value null at 'records.1.member.data'" + null,
		},
		{
			"AddTagsToStream", `{"StreamName":"","Tags":{}}`,
			"3 validation errors detected: Value '{}' at 'tags'" + min1 + "; Value '' at 'streamName'" + pattern +
				"; Value '' at 'streamName'" + min1,
		},
		{
			"AddTagsToStream", `{"StreamName":"s","Tags":{"":"b"}}`,
			"1 validation error detected: Value '{=b}' at 'tags' failed to satisfy constraint: Map keys must satisfy constraint: " +
				"[Member must have length less than or equal to 128, Member must have length greater than or equal to 1]",
		},
		{
			"AddTagsToStream", `{"StreamName":"s","Tags":{"a":"` + long + long + `"}}`,
			"1 validation error detected: Value '{a=" + long + long + "}' at 'tags' failed to satisfy constraint: Map value must satisfy constraint: " +
				"[Member must have length less than or equal to 256, Member must have length greater than or equal to 0]",
		},
		{
			"RemoveTagsFromStream", `{"StreamName":"s","TagKeys":["a","` + long + `","b"]}`,
			"1 validation error detected: Value '[a, " + long + ", b]' at 'tagKeys' failed to satisfy constraint: Member must satisfy constraint: " +
				"[Member must have length less than or equal to 128, Member must have length greater than or equal to 1]",
		},
		{
			"GetShardIterator", `{"ShardId":"","ShardIteratorType":"","StreamName":""}`,
			"5 validation errors detected: Value '' at 'shardId'" + pattern + "; Value '' at 'shardId'" + min1 +
				"; Value '' at 'shardIteratorType' failed to satisfy constraint: Member must satisfy enum value set: " +
				"[AFTER_SEQUENCE_NUMBER, LATEST, AT_TIMESTAMP, AT_SEQUENCE_NUMBER, TRIM_HORIZON]" +
				"; Value '' at 'streamName'" + pattern + "; Value '' at 'streamName'" + min1,
		},
		{
			"GetRecords", `{"Limit":0,"ShardIterator":""}`,
			"2 validation errors detected: Value '0' at 'limit' failed to satisfy constraint: Member must have value greater than or equal to 1" +
				"; Value '' at 'shardIterator'" + min1,
		},
		{
			"GetRecords", `{"Limit":100000,"ShardIterator":"a"}`,
			"1 validation error detected: Value '100000' at 'limit' failed to satisfy constraint: Member must have value less than or equal to 10000",
		},
		{"PutRecord", `{"PartitionKey":"a","Data":"","StreamName":"s"}`, ""},
	} {
		_, err := check(t, c.op, c.body)
		got := ""
		if err != nil {
			got = err.Message
			if err.Code != "ValidationException" {
				t.Errorf("%s %s: code %q, want ValidationException", c.op, c.body, err.Code)
			}
		}
		if got != c.want {
			t.Errorf("%s %s\n got %q\nwant %q", c.op, c.body, got, c.want)
		}
	}
}

func TestViolationsStopAfterTheTenth(t *testing.T) {
	_, err := check(t, "PutRecords", `{"Records":[`+strings.Repeat(`{},`, 20)+`{}]}`)
	if err == nil || !strings.HasPrefix(err.Message, "10 validation errors detected: ") || strings.Count(err.Message, "; ") != 9 {
		t.Errorf("got %v, want ten violations", err)
	}
}

func TestLongListIsKeptOnlyPastItsLimit(t *testing.T) {
	in, err := check(t, "PutRecords", `{"Records":[`+strings.Repeat(`{"PartitionKey":"a","Data":""},`, 2000)+`{"PartitionKey":"a","Data":""}]}`)
	if got := len(in.(*kinesisapi.PutRecordsInput).Records); got != 501 {
		t.Errorf("kept %d records, want 501", got)
	}
	if err == nil || !strings.HasSuffix(err.Message, "at 'records' failed to satisfy constraint: Member must have length less than or equal to 500") {
		t.Errorf("got %.200v, want the violation of records", err)
	}
}

func TestWrongTypesReadAsAWSWritesThem(t *testing.T) {
	const (
		big  = "class com.amazon.coral.value.json.numbers.TruncatingBigNumber can not be converted to "
		list = "Start of list found where not expected"
		dict = "Start of structure or map found where not expected."
	)
	for _, c := range []struct{ op, body, want string }{
		{"PutRecord", `{"StreamName":true}`, "class java.lang.Boolean can not be converted to an String"},
		{"PutRecord", `{"StreamName":23}`, big + "an String"},
		{"PutRecord", `{"StreamName":[]}`, list},
		{"PutRecord", `{"StreamName":{}}`, dict},
		{"PutRecord", `{"Data":true}`, "class java.lang.Boolean can not be converted to a Blob"},
		{"PutRecord", `{"Data":34.56}`, big + "a Blob"},
		{"PutRecord", `{"Data":[]}`, list},
		{"PutRecord", `{"Data":"23456"}`, "'23456' can not be converted to a Blob: Base64 encoded length is expected a multiple of 4 bytes but found: 5"},
		{"PutRecord", `{"Data":"=+/="}`, "'=+/=' can not be converted to a Blob: Invalid Base64 character: '='"},
		{"PutRecord", `{"Data":"+/+="}`, "'+/+=' can not be converted to a Blob: Invalid last non-pad Base64 character dectected"},
		{"GetRecords", `{"Limit":"23"}`, "class java.lang.String can not be converted to an Integer"},
		{"GetRecords", `{"Limit":true}`, "class java.lang.Boolean can not be converted to an Integer"},
		{"GetRecords", `{"Limit":[]}`, list},
		{"GetRecords", `{"Limit":{}}`, dict},
		{"PutRecords", `{"Records":true}`, "Expected list or null"},
		{"PutRecords", `{"Records":{}}`, dict},
		{"PutRecords", `{"Records":[true]}`, "Expected null"},
		{"PutRecords", `{"Records":[[]]}`, list},
		{"AddTagsToStream", `{"Tags":1}`, "Expected map or null"},
		{"AddTagsToStream", `{"Tags":[]}`, list},
		{"GetRecords", `{"DryRun":"hello"}`, "'HELLO' can not be converted to an Boolean"},
		{"GetRecords", `{"DryRun":1}`, big + "an Boolean"},
		{"GetShardIterator", `{"Timestamp":true}`, "class java.lang.Boolean can not be converted to milliseconds since epoch"},
		{"GetShardIterator", `{"Timestamp":"x"}`, "class java.lang.String can not be converted to milliseconds since epoch"},
	} {
		_, err := check(t, c.op, c.body)
		if err == nil || err.Code != "SerializationException" || err.Message != c.want || err.MessageKey != "Message" {
			t.Errorf("%s %s\n got %v\nwant SerializationException: %s", c.op, c.body, err, c.want)
		}
	}
}

func TestMalformedBodiesHaveNoText(t *testing.T) {
	deep := strings.Repeat(`[`, maxDepth+1)
	for _, body := range []string{
		"", " ", "hello", "null", "1", `"a"`, "[]", "{", "{}x", "{} {}", `{"a"}`, `{"a":}`, `{"a":1,}`, `{,}`, `{"a":1 "b":2}`,
		`{"a":[1,]}`, `{"a":[,1]}`, `{"a":01}`, `{"a":1.}`, `{"a":-}`, `{"a":1e}`, `{"a":+1}`, `{"a":tru}`, `{"a":"\x"}`,
		`{"a":"\u12"}`, "{\"a\":\"\n\"}", "{\"a\":\"\xff\"}", `{"StreamName":"abc`, `{"a":` + deep, `{a:1}`, `{"a":nul}`,
	} {
		_, err := check(t, "PutRecord", body)
		if err == nil || err.Code != "SerializationException" || err.Message != "" {
			t.Errorf("%q: got %v, want a bare SerializationException", body, err)
		}
	}
}

func TestUnimplementedAnswersUnknownOperation(t *testing.T) {
	for name, op := range kinesis.Operations {
		if _, err := op.Invoke(context.Background(), op.New()); api.AsError(err).Code != "UnknownOperationException" {
			t.Errorf("%s: got %v, want UnknownOperationException", name, err)
		}
	}
}

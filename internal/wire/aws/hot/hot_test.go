package hot

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"millrace/internal/api"
	"millrace/internal/api/kinesisapi"
	"millrace/internal/wire/aws/codec"
)

var binding = kinesisapi.Bind(kinesisapi.Unimplemented{})

// collect is a Sink that keeps what it is given.
type collect struct{ bytes.Buffer }

func (c *collect) Flush(b []byte) []byte {
	c.Write(b)
	return b[:0]
}

func encode(op string, out any) []byte {
	var c collect
	c.Write(kinesis[op].Encode(make([]byte, 0, Room), out, &c))
	return c.Bytes()
}

// general decodes as the front does without a codec of its own; nil when that is refused.
func general(op string, body []byte) any {
	o := binding.Operations[op]
	in := o.New()
	if codec.DecodeJSON(body, o.Input, in) != nil || api.Validate(o.Input, in) != nil {
		return nil
	}
	return in
}

var usual = map[string][]string{
	"PutRecord": {
		`{"StreamName":"s","Data":"aGVsbG8=","PartitionKey":"k"}`,
		` { "Data" : "" , "PartitionKey":"é" ,"StreamARN":"arn:aws:kinesis:eu-west-1:123456789012:stream/a.b-c_d","ExplicitHashKey":"0"} `,
		`{"Data":"AA==","SequenceNumberForOrdering":"49590338271490256608559692538361571095921575989136588898","DryRun":true}`,
	},
	"PutRecords": {
		`{"Records":[{"Data":"aGVsbG8=","PartitionKey":"k"}],"StreamName":"s"}`,
		`{"StreamName":"s","Records":[{"PartitionKey":"a","Data":"` + strings.Repeat("QUJD", 100) + `","ExplicitHashKey":"340282366920938463463374607431768211455"},{"Data":"AA=="}],"DryRun":false}`,
	},
	"GetRecords": {
		`{"ShardIterator":"AAAA+/=="}`,
		`{"Limit":10000,"ShardIterator":"x","StreamARN":"arn:aws-cn:kinesis::000000000000:stream/s"}`,
	},
}

func TestUsualBodiesAreKnown(t *testing.T) {
	for op, bodies := range usual {
		for _, body := range bodies {
			s := Get()
			got, want := kinesis[op].Decode([]byte(body), s), general(op, []byte(body))
			if got == nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%s %s\n got %+v\nwant %+v", op, body, got, want)
			}
			s.Put()
		}
	}
}

func TestUnusualBodiesAreLeftToTheGeneralCodec(t *testing.T) {
	records := func(n int) string {
		return `{"StreamName":"s","Records":[` + strings.Repeat(`{"Data":"","PartitionKey":"k"},`, n-1) + `{"Data":"","PartitionKey":"k"}]}`
	}
	for op, bodies := range map[string][]string{
		"PutRecord": {
			``, `{}`, `[]`, `{"Data":""`, `{"Data":""}x`, `{"Data":"","Data":""}`, `{"Data":null}`, `{"Data":"a"}`, `{"Data":"AA\n=="}`, `{"Data":"AB=="}`,
			`{"Data":"\u0041AAA"}`, `{"Data":"","PartitionKey":""}`, `{"Data":"","PartitionKey":"a\nb"}`, "{\"Data\":\"\",\"PartitionKey\":\"\xff\"}",
			`{"Data":"","PartitionKey":"` + strings.Repeat("k", 257) + `"}`, `{"Data":"","ExplicitHashKey":"01"}`, `{"Data":"","StreamName":"a b"}`,
			`{"Data":"","StreamARN":"arn:aws:kinesis:r:1:stream/s"}`, `{"Data":"","Other":1}`, `{"Data":"","DryRun":"true"}`, `{"Data":"",}`,
		},
		"PutRecords": {`{"Records":[]}`, `{"Records":[{}]}`, `{"Records":[{"Data":"","Data":""}]}`, `{"Records":[{"Data":""},]}`, `{"Records":null}`, records(501)},
		"GetRecords": {`{}`, `{"ShardIterator":"a","Limit":0}`, `{"ShardIterator":"a","Limit":01}`, `{"ShardIterator":"a","Limit":1.5}`, `{"ShardIterator":"a","Limit":10001}`, `{"ShardIterator":"a","StreamName":"s"}`},
	} {
		for _, body := range bodies {
			s := Get()
			if got := kinesis[op].Decode([]byte(body), s); got != nil {
				t.Errorf("%s %s: got %+v, want nil", op, body, got)
			}
			s.Put()
		}
	}
	s := Get()
	defer s.Put()
	if in := s.putRecords([]byte(records(500))); in == nil || len(in.Records) != 500 {
		t.Errorf("500 records were not known")
	}
}

// FuzzDecode: what a decoder here accepts, the general one accepts with the same result.
func FuzzDecode(f *testing.F) {
	for _, bodies := range usual {
		for _, body := range bodies {
			f.Add([]byte(body))
		}
	}
	f.Add([]byte(`{"Records":[{"Data":"AAA=` + "\n\n\n\n" + `"}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		for op, c := range kinesis {
			s := Get()
			if got := c.Decode(slices.Clone(body), s); got != nil {
				if want := general(op, body); !reflect.DeepEqual(got, want) {
					t.Fatalf("%s %q\n got %+v\nwant %+v", op, body, got, want)
				}
			}
			s.Put()
		}
	})
}

// FuzzEncode: both codecs write the same bytes.
func FuzzEncode(f *testing.F) {
	f.Add("shardId-000000000000", "49590338", []byte("data"), int64(5), uint8(7))
	f.Add("a\"b\\c\n\xff\u00e9", "", bytes.Repeat([]byte("x"), 70_000), int64(-1), uint8(255))
	f.Fuzz(func(t *testing.T, a, b string, data []byte, n int64, set uint8) {
		opt := func(bit uint8, v string) *string {
			if set>>bit&1 == 0 {
				return nil
			}
			return &v
		}
		var enc *kinesisapi.EncryptionType
		if set&1 != 0 {
			enc = new(kinesisapi.EncryptionTypeKms)
		}
		var at *time.Time
		if set&2 != 0 {
			at = new(time.UnixMilli(n % (1 << 45)))
		}
		get := &kinesisapi.GetRecordsOutput{NextShardIterator: opt(2, b)}
		if set&4 != 0 {
			get.MillisBehindLatest = &n
			get.ChildShards = []kinesisapi.ChildShard{{ShardId: a}}
		}
		put := &kinesisapi.PutRecordsOutput{EncryptionType: enc}
		if set&8 != 0 {
			put.FailedRecordCount = new(int32(n))
		}
		for range int(set) {
			get.Records = append(get.Records, kinesisapi.Record{SequenceNumber: a, Data: data, PartitionKey: opt(3, b), EncryptionType: enc, ApproximateArrivalTimestamp: at})
			put.Records = append(put.Records, kinesisapi.PutRecordsResultEntry{SequenceNumber: opt(4, a), ShardId: opt(5, b), ErrorCode: opt(6, a), ErrorMessage: opt(7, b)})
		}
		for op, out := range map[string]any{
			"PutRecord": &kinesisapi.PutRecordOutput{ShardId: a, SequenceNumber: b, EncryptionType: enc}, "PutRecords": put, "GetRecords": get,
		} {
			got, want := encode(op, out), codec.AppendJSON(nil, binding.Operations[op].Output, out)
			if !bytes.Equal(got, want) {
				t.Fatalf("%s\n got %.500q\nwant %.500q", op, got, want)
			}
			if c := kinesis[op]; c.EncodeCBOR != nil {
				var sink collect
				sink.Write(c.EncodeCBOR(make([]byte, 0, Room), out, &sink))
				if want := codec.AppendCBOR(nil, binding.Operations[op].Output, out); !bytes.Equal(sink.Bytes(), want) {
					t.Fatalf("%s in CBOR\n got %.500x\nwant %.500x", op, sink.Bytes(), want)
				}
			}
			if !json.Valid(got) {
				t.Fatalf("%s: not JSON: %.500q", op, got)
			}
		}
	})
}

// putRecordsBody is a body as the SDK for Go writes it.
func putRecordsBody(records, size int) []byte {
	var b bytes.Buffer
	b.WriteString(`{"Records":[`)
	for i := range records {
		if i > 0 {
			b.WriteByte(',')
		}
		data := bytes.Repeat([]byte{byte(i), 200, 17}, size/3+1)[:size]
		fmt.Fprintf(&b, `{"Data":"%s","PartitionKey":"partition-%06d"}`, base64.StdEncoding.EncodeToString(data), i)
	}
	b.WriteString(`],"StreamName":"bench"}`)
	return b.Bytes()
}

// The budget for both halves of PutRecords with 100 records of 1 KiB is 25 us and two allocations.
func BenchmarkPutRecords(b *testing.B) {
	body := putRecordsBody(100, 1024)
	out := &kinesisapi.PutRecordsOutput{FailedRecordCount: new(int32)}
	for range 100 {
		out.Records = append(out.Records, kinesisapi.PutRecordsResultEntry{
			SequenceNumber: new("49590338271490256608559692538361571095921575989136588898"), ShardId: new("shardId-000000000000"),
		})
	}
	buf := make([]byte, 0, Room)
	var sink collect
	b.Run("decode", func(b *testing.B) {
		b.SetBytes(int64(len(body)))
		b.ReportAllocs()
		for b.Loop() {
			s := Get()
			if s.putRecords(body) == nil {
				b.Fatal("body is not known")
			}
			s.Put()
		}
	})
	b.Run("encode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			buf = kinesis["PutRecords"].Encode(buf[:0], out, &sink)
		}
	})
	b.Run("general decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if general("PutRecords", body) == nil {
				b.Fatal("body was refused")
			}
		}
	})
}

type discard struct{}

func (discard) Flush(b []byte) []byte { return b[:0] }

// The budget of a record read is 0.2 us, without allocations.
func BenchmarkGetRecords(b *testing.B) {
	out := &kinesisapi.GetRecordsOutput{NextShardIterator: new("AAAA"), MillisBehindLatest: new(int64)}
	data, at := bytes.Repeat([]byte("x"), 1024), time.UnixMilli(1_763_600_000_123)
	for range 1000 {
		out.Records = append(out.Records, kinesisapi.Record{
			SequenceNumber: "49590338271490256608559692538361571095921575989136588898", Data: data, PartitionKey: new("partition-000001"), ApproximateArrivalTimestamp: &at,
		})
	}
	for name, encode := range map[string]func([]byte, any, Sink) []byte{"json": kinesis["GetRecords"].Encode, "cbor": kinesis["GetRecords"].EncodeCBOR} {
		b.Run(name, func(b *testing.B) {
			buf := make([]byte, 0, Room)
			b.ReportAllocs()
			for b.Loop() {
				buf = encode(buf[:0], out, discard{})
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(out.Records)), "ns/record")
		})
	}
}

func BenchmarkPutRecord(b *testing.B) {
	body := []byte(`{"Data":"` + base64.StdEncoding.EncodeToString(make([]byte, 1024)) + `","PartitionKey":"partition-000001","StreamName":"bench"}`)
	b.ReportAllocs()
	for b.Loop() {
		s := Get()
		if s.putRecord(body) == nil {
			b.Fatal("body is not known")
		}
		s.Put()
	}
}

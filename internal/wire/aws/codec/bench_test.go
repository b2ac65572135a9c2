package codec

import (
	"fmt"
	"testing"

	"millrace/internal/api"
	"millrace/internal/api/kinesisapi"
)

// BenchmarkPutRecords is what a Java client's call costs: 100 records of 1 KiB in CBOR.
func BenchmarkPutRecords(b *testing.B) {
	op := kinesis.Operations["PutRecords"]
	in := &kinesisapi.PutRecordsInput{StreamName: new("bench")}
	for i := range 100 {
		in.Records = append(in.Records, kinesisapi.PutRecordsRequestEntry{Data: make([]byte, 1024), PartitionKey: new(fmt.Sprintf("partition-%06d", i))})
	}
	body := AppendCBOR(nil, op.Input, in)
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := DecodeCBOR(body, op.Input, op.New()); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("validate", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := api.Validate(op.Input, in); err != nil {
				b.Fatal(err)
			}
		}
	})
	out := &kinesisapi.PutRecordsOutput{FailedRecordCount: new(int32)}
	for range 100 {
		out.Records = append(out.Records, kinesisapi.PutRecordsResultEntry{SequenceNumber: new("49590338271490256608559692538361571095921575989136588898"), ShardId: new("shardId-000000000000")})
	}
	b.Run("encode", func(b *testing.B) {
		b.ReportAllocs()
		buf := make([]byte, 0, 64<<10)
		for b.Loop() {
			buf = AppendCBOR(buf[:0], op.Output, out)
		}
	})
}

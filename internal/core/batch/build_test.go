package batch

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// oracleRead decodes b with kmsg, an implementation that shares nothing with this package.
func oracleRead(t *testing.T, b []byte) (kmsg.RecordBatch, []kmsg.Record) {
	t.Helper()
	var rb kmsg.RecordBatch
	if err := rb.ReadFrom(b); err != nil {
		t.Fatalf("kmsg refuses the batch: %v\n% x", err, b)
	}
	recs := make([]kmsg.Record, 0, rb.NumRecords)
	raw := rb.Records
	for range rb.NumRecords {
		size, n := kmsgVarint(raw)
		var r kmsg.Record
		if err := r.ReadFrom(raw[:n+size]); err != nil {
			t.Fatalf("kmsg refuses record %d: %v", len(recs), err)
		}
		recs = append(recs, r)
		raw = raw[n+size:]
	}
	if len(raw) > 0 {
		t.Fatalf("%d bytes after the last record", len(raw))
	}
	return rb, recs
}

func kmsgVarint(b []byte) (v, n int) {
	x, rest, _ := takeVarint(b)
	return int(x), len(b) - len(rest)
}

// oracleWrite builds an uncompressed batch with kmsg.
func oracleWrite(rb kmsg.RecordBatch, recs []kmsg.Record) []byte {
	for i := range recs {
		recs[i].Length = 0
		body := recs[i].AppendTo(nil)
		recs[i].Length = int32(len(body) - 1) // a zero length takes one byte
		rb.Records = recs[i].AppendTo(rb.Records)
	}
	rb.Magic = Magic
	rb.NumRecords = int32(len(recs))
	rb.Length = int32(HeaderSize - lengthPrefix + len(rb.Records))
	b := rb.AppendTo(nil)
	rb.CRC = int32(crc32.Checksum(b[crcStart:], castagnoli))
	return rb.AppendTo(nil)
}

func randBytes(rng *rand.Rand, most int) []byte {
	switch rng.IntN(5) {
	case 0:
		return nil
	case 1:
		return []byte{}
	}
	b := make([]byte, rng.IntN(most+1))
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

func randRecords(rng *rand.Rand, n int, base int64) []Record {
	recs := make([]Record, n)
	for i := range recs {
		recs[i] = Record{
			Key:       randBytes(rng, 70),
			Value:     randBytes(rng, 300),
			Timestamp: base + rng.Int64N(1<<rng.IntN(40)+1) - rng.Int64N(1000),
		}
		for range rng.IntN(3) {
			key := randBytes(rng, 9)
			if key == nil {
				key = []byte{}
			}
			recs[i].Headers = append(recs[i].Headers, RecordHeader{Key: key, Value: randBytes(rng, 200)})
		}
	}
	return recs
}

func build(dst []byte, recs []Record, f Fields) []byte {
	var b Builder
	b.Start(dst, f.FirstTimestamp)
	for i := range recs {
		b.Add(&recs[i])
	}
	return b.Finish(f)
}

func sameBytes(a, b []byte) bool { return (a == nil) == (b == nil) && bytes.Equal(a, b) }

func TestBuilderWritesWhatKmsgReads(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 1))
		f := Fields{
			BaseOffset: rng.Int64(), LeaderEpoch: rng.Int32(), Attributes: AttrTransactional,
			FirstTimestamp: rng.Int64N(1 << 45), MaxTimestamp: rng.Int64(),
			ProducerID: rng.Int64(), ProducerEpoch: int16(rng.Uint32()), BaseSequence: rng.Int32(),
		}
		recs := randRecords(rng, 1+rng.IntN(40), f.FirstTimestamp)
		b := build([]byte("before"), recs, f)[len("before"):]
		if _, err := Verify(b); err != nil {
			t.Fatalf("seed %d: Verify: %v", seed, err)
		}
		rb, got := oracleRead(t, b)
		head := [...]any{rb.FirstOffset, rb.PartitionLeaderEpoch, rb.Attributes, rb.FirstTimestamp, rb.MaxTimestamp, rb.ProducerID, rb.ProducerEpoch, rb.FirstSequence, rb.LastOffsetDelta}
		want := [...]any{f.BaseOffset, f.LeaderEpoch, f.Attributes, f.FirstTimestamp, f.MaxTimestamp, f.ProducerID, f.ProducerEpoch, f.BaseSequence, int32(len(recs) - 1)}
		if head != want {
			t.Fatalf("seed %d: header got %v, want %v", seed, head, want)
		}
		for i, r := range got {
			w := recs[i]
			if !sameBytes(r.Key, w.Key) || !sameBytes(r.Value, w.Value) || r.TimestampDelta64 != w.Timestamp-f.FirstTimestamp || int(r.OffsetDelta) != i || len(r.Headers) != len(w.Headers) {
				t.Fatalf("seed %d, record %d: got %+v, want %+v", seed, i, r, w)
			}
			for j, h := range r.Headers {
				if h.Key != string(w.Headers[j].Key) || !sameBytes(h.Value, w.Headers[j].Value) {
					t.Fatalf("seed %d, record %d, header %d: got %+v, want %+v", seed, i, j, h, w.Headers[j])
				}
			}
		}
	}
}

func TestRecordsReadsWhatKmsgWrites(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 2))
		want := randRecords(rng, 1+rng.IntN(20), 1000)
		rb := kmsg.RecordBatch{FirstOffset: rng.Int64N(1 << 50), LastOffsetDelta: int32(len(want) - 1), FirstTimestamp: 1000, ProducerID: -1, ProducerEpoch: -1, FirstSequence: -1}
		var recs []kmsg.Record
		for i := range want {
			want[i].Offset = rb.FirstOffset + int64(i)
			r := kmsg.Record{TimestampDelta64: want[i].Timestamp - 1000, OffsetDelta: int32(i), Key: want[i].Key, Value: want[i].Value}
			for _, h := range want[i].Headers {
				r.Headers = append(r.Headers, kmsg.Header{Key: string(h.Key), Value: h.Value})
			}
			recs = append(recs, r)
		}
		b := oracleWrite(rb, recs)
		if _, err := Check(b); err != nil {
			t.Fatalf("seed %d: Check: %v", seed, err)
		}
		i := 0
		for r, err := range Records(b, Limits{}) {
			if err != nil {
				t.Fatalf("seed %d: record %d: %v", seed, i, err)
			}
			if got, w := fmt.Sprintf("%#v", clean(r)), fmt.Sprintf("%#v", clean(want[i])); got != w {
				t.Fatalf("seed %d, record %d:\n got %s\nwant %s", seed, i, got, w)
			}
			i++
		}
		if i != len(want) {
			t.Fatalf("seed %d: got %d records, want %d", seed, i, len(want))
		}
	}
}

func clean(r Record) Record {
	if len(r.Headers) == 0 {
		r.Headers = nil
	}
	return r
}

func TestRecordSizeIsWhatAddWrites(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	for _, r := range randRecords(rng, 300, 0) {
		var b Builder
		b.Start(nil, 0)
		before := b.Size()
		b.Add(&r)
		if got, want := RecordSize(&r, 0, r.Timestamp), b.Size()-before; got != want {
			t.Fatalf("RecordSize(%+v) = %d, Add wrote %d", r, got, want)
		}
	}
}

func TestFinishMovesTimestampsToFirstTimestamp(t *testing.T) {
	var b Builder
	b.Start(nil, 0)
	b.Add(&Record{Timestamp: 0})
	b.Add(&Record{Timestamp: 5})
	batch := b.Finish(Fields{FirstTimestamp: 1_000, MaxTimestamp: 1_005, ProducerID: NoProducer})
	var got []int64
	for r, err := range Records(batch, Limits{}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, r.Timestamp)
	}
	if want := []int64{1_000, 1_005}; !reflect.DeepEqual(got, want) {
		t.Fatalf("got timestamps %v, want %v", got, want)
	}
}

func TestControlBatchesNameTheirMarker(t *testing.T) {
	for _, commit := range []bool{false, true} {
		b := Control(nil, 77, 1234, 9, 3, commit, 5)
		if len(b) != ControlSize {
			t.Fatalf("control batch of %d bytes, ControlSize is %d", len(b), ControlSize)
		}
		h, err := Verify(b)
		if err != nil || !h.Control() || !h.Transactional() || h.BaseOffset != 77 || h.NextOffset() != 78 || h.ProducerID != 9 || h.ProducerEpoch != 3 || h.MaxTimestamp != 1234 {
			t.Fatalf("Verify: %+v, %v", h, err)
		}
		want := MarkerAbort
		if commit {
			want = MarkerCommit
		}
		if got, err := MarkerType(b); got != want || err != nil {
			t.Fatalf("MarkerType = %v, %v, want %v", got, err, want)
		}
		_, recs := oracleRead(t, b)
		var key kmsg.ControlRecordKey
		if err := key.ReadFrom(recs[0].Key); err != nil || key.Type == 1 != commit {
			t.Fatalf("kmsg reads control key %+v, %v", key, err)
		}
		var end kmsg.EndTxnMarker
		if err := end.ReadFrom(recs[0].Value); err != nil || end.CoordinatorEpoch != 5 {
			t.Fatalf("kmsg reads marker %+v, %v", end, err)
		}
	}
	plain := build(nil, []Record{{}}, Fields{ProducerID: NoProducer})
	if got, err := MarkerType(plain); got != MarkerNone || err != nil {
		t.Fatalf("MarkerType of a plain batch = %v, %v", got, err)
	}
}

func TestBuilderAllocatesNothing(t *testing.T) {
	buf := make([]byte, 0, 128<<10)
	rec := Record{Key: []byte("key"), Value: make([]byte, 1024)}
	var b Builder
	n := testing.AllocsPerRun(100, func() {
		b.Start(buf[:0], 0)
		for range 100 {
			b.Add(&rec)
		}
		b.Finish(Fields{ProducerID: NoProducer})
	})
	if n != 0 {
		t.Fatalf("%v allocations for a batch of 100 records, want 0", n)
	}
}

// Budget: under 8 us, that is about the copy and the CRC.
func BenchmarkBuild100x1KiB(b *testing.B) {
	buf := make([]byte, 0, 128<<10)
	rec := Record{Key: []byte("partition-key"), Value: make([]byte, 1024)}
	var bl Builder
	b.SetBytes(100 << 10)
	b.ReportAllocs()
	for b.Loop() {
		bl.Start(buf[:0], 0)
		for range 100 {
			bl.Add(&rec)
		}
		bl.Finish(Fields{ProducerID: NoProducer})
	}
}

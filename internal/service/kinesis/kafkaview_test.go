package kinesis

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"

	"millrace/internal/api/kinesisapi"
	"millrace/internal/core/batch"
	"millrace/internal/core/catalog"
	"millrace/internal/core/store"
)

// kafkaTopic makes a topic as Kafka does, without anything of Kinesis.
func (c *caller) kafkaTopic(partitions int, retentionMS int64) []store.PartitionID {
	c.t.Helper()
	var ids []store.PartitionID
	_, err := c.svc.store.Update(c.t.Context(), func(tx store.Tx) error {
		ids = nil
		parts := make([]catalog.Partition, partitions)
		for i := range parts {
			parts[i].Created = tx.Now()
		}
		t := &catalog.Topic{
			ID: catalog.ID{1}, Account: catalog.DefaultAccount, Name: "topic", Origin: catalog.OriginKafka,
			State: catalog.StateActive, Created: tx.Now(),
		}
		if err := c.svc.cat.Create(tx, t, parts, store.Retention{Millis: retentionMS}); err != nil {
			return err
		}
		for i := range parts {
			ids = append(ids, parts[i].ID)
		}
		return nil
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return ids
}

// produce appends one batch as Kafka's Produce does.
func (c *caller) produce(id store.PartitionID, f batch.Fields, pack batch.Compression, records ...batch.Record) {
	c.t.Helper()
	var b batch.Builder
	b.Start(nil, 0)
	for i := range records {
		b.Add(&records[i])
	}
	finished := b.Finish(f)
	if pack == batch.Gzip {
		finished = c.gzip(finished)
	}
	res, err := c.svc.store.Append(c.t.Context(), []store.AppendRequest{{Partition: id, Batch: finished}})
	if err != nil || res[0].Err != nil {
		c.t.Fatalf("append: %v, %v", err, res)
	}
}

// gzip packs the records of a batch; its CRC is not needed to read it.
func (c *caller) gzip(plain []byte) []byte {
	c.t.Helper()
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write(plain[batch.HeaderSize:]); err != nil {
		c.t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		c.t.Fatal(err)
	}
	b := append(bytes.Clone(plain[:batch.HeaderSize]), packed.Bytes()...)
	const posLength, posAttributes = 8, 21
	n := len(b) - posLength - 4
	b[posLength], b[posLength+1], b[posLength+2], b[posLength+3] = byte(n>>24), byte(n>>16), byte(n>>8), byte(n)
	b[posAttributes+1] |= byte(batch.Gzip)
	return b
}

var plainFields = batch.Fields{ProducerID: batch.NoProducer, ProducerEpoch: batch.NoProducer, BaseSequence: batch.NoProducer}

func TestRecordsOfKafkaAreShown(t *testing.T) {
	for _, pack := range []batch.Compression{batch.None, batch.Gzip} {
		c := start(t)
		id := c.kafkaTopic(2, 0)[1]
		c.produce(id, plainFields, pack,
			batch.Record{Key: []byte("text"), Value: []byte("a"), Headers: []batch.RecordHeader{{Key: []byte("h")}}},
			batch.Record{Value: []byte("no key")},
			batch.Record{Key: []byte{}, Value: []byte("empty key")},
			batch.Record{Key: []byte{0xff, 0xfe}, Value: []byte("binary key")},
			batch.Record{Key: []byte("deleted")},
			batch.Record{Key: bytes.Repeat([]byte("ü"), 256), Value: []byte("256 characters")},
		)
		out := c.get(c.oldest("topic", "shardId-000000000001"), 0)
		var got []string
		for _, r := range out.Records {
			got = append(got, *r.PartitionKey+"="+string(r.Data))
		}
		want := []string{"text=a", "1=no key", "2=empty key", "b64://4==binary key", "deleted=", strings.Repeat("ü", 256) + "=256 characters"}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: got  %q\nwant %q", pack, got, want)
		}
		if out := c.get(c.oldest("topic", "shardId-000000000001"), 4); len(out.Records) != 4 || *out.MillisBehindLatest == 0 {
			t.Errorf("%s: a page of 4: %d records, %d ms behind", pack, len(out.Records), *out.MillisBehindLatest)
		} else if out = c.get(*out.NextShardIterator, 4); len(out.Records) != 2 || string(out.Records[0].Data) != "" {
			t.Errorf("%s: the rest: %+v", pack, out.Records)
		}
	}
}

func TestLongBinaryKeysAreCutAndStayDifferent(t *testing.T) {
	seen := map[string]int{}
	for _, n := range []int{1, 189, 190, 400, 401, 5000} {
		key := bytes.Repeat([]byte{0xfe}, n)
		got := partitionKey(&batch.Record{Key: key})
		if len(got) > maxKeyChars || !strings.HasPrefix(got, "b64:") {
			t.Errorf("key of %d bytes: %q", n, got)
		}
		if before, ok := seen[got]; ok {
			t.Errorf("keys of %d and %d bytes are shown alike: %q", before, n, got)
		}
		seen[got] = n
		if n == 189 && got != "b64:"+base64.StdEncoding.EncodeToString(key) {
			t.Errorf("the longest that fits: got %q", got)
		}
	}
	long := partitionKey(&batch.Record{Key: bytes.Repeat([]byte("t"), 257)})
	if !strings.HasPrefix(long, "b64:dHR0") || len(long) != maxKeyChars {
		t.Errorf("257 characters of text: %q", long)
	}
}

func TestOnlyCommittedTransactionsAreShown(t *testing.T) {
	c := start(t)
	id := c.kafkaTopic(1, 0)[0]
	if _, err := c.svc.store.Update(t.Context(), func(tx store.Tx) error { return tx.InitProducer(7, 0) }); err != nil {
		t.Fatal(err)
	}
	sequence := int32(0)
	write := func(value string) {
		f := batch.Fields{ProducerID: 7, BaseSequence: sequence, Attributes: batch.AttrTransactional}
		c.produce(id, f, batch.None, batch.Record{Key: []byte("k"), Value: []byte(value)})
		sequence++
	}
	end := func(commit bool) {
		t.Helper()
		if _, err := c.svc.store.Update(t.Context(), func(tx store.Tx) error {
			_, err := tx.EndTransaction(7, 0, commit, store.NoLimit)
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	values := func(out *kinesisapi.GetRecordsOutput) (all []string) {
		for _, r := range out.Records {
			all = append(all, string(r.Data))
		}
		return all
	}
	write("aborted")
	end(false)
	write("committed")
	latest := c.iterator(&kinesisapi.GetShardIteratorInput{StreamName: new("topic"), ShardId: "0", ShardIteratorType: kinesisapi.ShardIteratorTypeLatest})
	out := c.get(c.oldest("topic", "0"), 0)
	if got := values(out); len(got) != 0 || *out.MillisBehindLatest != 0 {
		t.Errorf("while the transaction is open: got %v, %d ms behind, want nothing", got, *out.MillisBehindLatest)
	}
	end(true)
	c.produce(id, plainFields, batch.None, batch.Record{Value: []byte("plain")})
	for how, it := range map[string]string{"on from there": *out.NextShardIterator, "from the start": c.oldest("topic", "0"), "from LATEST": latest} {
		if got := values(c.get(it, 0)); fmt.Sprint(got) != "[committed plain]" {
			t.Errorf("%s: got %v, want [committed plain]", how, got)
		}
	}
}

func TestRecordOverTenMebibytesIsSkippedAndCounted(t *testing.T) {
	c := start(t)
	id := c.kafkaTopic(1, 0)[0]
	c.produce(id, plainFields, batch.None, batch.Record{Value: []byte("before")})
	c.produce(id, plainFields, batch.None, batch.Record{Value: make([]byte, 10<<20+1)})
	c.produce(id, plainFields, batch.Gzip, batch.Record{Value: make([]byte, 15<<20)}, batch.Record{Value: make([]byte, 16<<20)})
	c.produce(id, plainFields, batch.None, batch.Record{Value: []byte("after")})
	var got []string
	it := c.oldest("topic", "0")
	for range 4 {
		out := c.get(it, 0)
		for _, r := range out.Records {
			got = append(got, string(r.Data))
		}
		it = *out.NextShardIterator
	}
	if fmt.Sprint(got) != "[before after]" {
		t.Errorf("got %d records %.40q, want before and after", len(got), got)
	}
	if n := c.svc.Metrics().RecordsSkipped; n != 2 {
		t.Errorf("%d were counted as skipped, want a record and a batch", n)
	}
}

func TestTopicOfKafkaIsAStreamWithEqualHashRanges(t *testing.T) {
	c := start(t)
	c.kafkaTopic(3, 25*3_600_000-1)
	out, err := c.svc.DescribeStream(c.ctx(), &kinesisapi.DescribeStreamInput{StreamName: new("topic")})
	if err != nil {
		t.Fatal(err)
	}
	d := out.StreamDescription
	if d.RetentionPeriodHours != 25 || d.StreamModeDetails.StreamMode != kinesisapi.StreamModeProvisioned || len(d.Shards) != 3 ||
		d.Shards[1].HashKeyRange.StartingHashKey != "113427455640312821154458202477256070485" {
		t.Errorf("got %+v", d)
	}
	put := c.put("topic", "a", "data")
	got := c.get(c.oldest("topic", put.ShardId), 0)
	if len(got.Records) != 1 || got.Records[0].SequenceNumber != put.SequenceNumber {
		t.Errorf("got %+v, want the record %s", got.Records, put.SequenceNumber)
	}
}

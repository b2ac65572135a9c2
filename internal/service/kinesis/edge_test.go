package kinesis

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"millrace/internal/api"
	"millrace/internal/api/kinesisapi"
	"millrace/internal/core/catalog"
	"millrace/internal/core/store"
	"millrace/internal/core/store/embedded"
	"millrace/internal/core/store/storetest"
)

// shardsOf reads a stream past the cache.
func (c *caller) shardsOf(name string) []shard {
	c.t.Helper()
	st, err := c.svc.fetch(c.t.Context(), place{c.account, c.region, name})
	if err != nil {
		c.t.Fatal(err)
	}
	return st.shards
}

func (c *caller) update(fn func(tx store.Tx) error) {
	c.t.Helper()
	if _, err := c.svc.store.Update(c.t.Context(), fn); err != nil {
		c.t.Fatal(err)
	}
}

func TestRecordsOfAShardThatStaysClosedFailAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := start(t)
		defer func() { _ = c.svc.Close() }()
		c.create("s", 2)
		shards := c.shardsOf("s")
		c.update(func(tx store.Tx) error { return tx.ClosePartition(shards[1].partition) })
		first, second := "0", shards[1].start.String()
		in := &kinesisapi.PutRecordsInput{StreamName: new("s"), Records: []kinesisapi.PutRecordsRequestEntry{
			{PartitionKey: new("a"), ExplicitHashKey: &second, Data: []byte("lost")},
			{PartitionKey: new("b"), ExplicitHashKey: &first, Data: []byte("kept")},
		}}
		out, err := c.svc.PutRecords(c.ctx(), in)
		if err != nil || *out.FailedRecordCount != 1 || out.Records[0].ErrorCode == nil || *out.Records[0].ErrorCode != "InternalFailure" ||
			*out.Records[0].ErrorMessage != "Internal service failure." || out.Records[1].SequenceNumber == nil {
			t.Fatalf("got %+v, %v", out, err)
		}
		_, err = c.svc.PutRecord(c.ctx(), &kinesisapi.PutRecordInput{StreamName: new("s"), PartitionKey: new("a"), ExplicitHashKey: &second, Data: []byte("x")})
		wantError(t, err, "InternalFailure", "")
		if got := c.get(c.oldest("s", "0"), 0).Records; len(got) != 1 || string(got[0].Data) != "kept" {
			t.Errorf("got %+v, want the record that was kept", got)
		}
	})
}

// Between the two commits of a split no shard takes the parent's keys: a put waits for the second.
func TestPutWaitsForTheChildrenOfAClosedShard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := start(t)
		defer func() { _ = c.svc.Close() }()
		c.create("s", 2)
		p := place{c.account, c.region, "s"}
		c.closeShard(p, 1)
		go func() {
			time.Sleep(200 * time.Millisecond)
			c.openChildren(p, 1)
		}()
		begun := time.Now()
		out, err := c.svc.PutRecord(c.ctx(), &kinesisapi.PutRecordInput{StreamName: new("s"), PartitionKey: new("a"), ExplicitHashKey: new(maxHashKey.String()), Data: []byte("x")})
		if err != nil || out.ShardId != "shardId-000000000003" {
			t.Errorf("got %+v, %v, want the right child", out, err)
		}
		if waited := time.Since(begun); waited < 200*time.Millisecond || waited > 400*time.Millisecond {
			t.Errorf("waited %v, the children were there after 200ms", waited)
		}
	})
}

func TestPutThatWaitsObeysItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := start(t)
		defer func() { _ = c.svc.Close() }()
		c.create("s", 1)
		c.closeShard(place{c.account, c.region, "s"}, 0)
		ctx, cancel := context.WithTimeout(c.ctx(), 50*time.Millisecond)
		defer cancel()
		_, err := c.svc.PutRecord(ctx, &kinesisapi.PutRecordInput{StreamName: new("s"), PartitionKey: new("a"), Data: []byte("x")})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want %v as its cause", err, context.DeadlineExceeded)
		}
	})
}

func TestIteratorBeforeTheOldestRecordGoesOnFromThat(t *testing.T) {
	c := start(t)
	c.create("s", 1)
	var numbers []string
	for i := range 10 {
		numbers = append(numbers, c.put("s", "k", fmt.Sprint(i)).SequenceNumber)
	}
	id := c.shardsOf("s")[0].partition
	before := c.oldest("s", "0")
	c.update(func(tx store.Tx) error { return tx.TrimPartition(id, 7) })
	at := c.iterator(&kinesisapi.GetShardIteratorInput{
		StreamName: new("s"), ShardId: "0", ShardIteratorType: kinesisapi.ShardIteratorTypeAfterSequenceNumber, StartingSequenceNumber: &numbers[2],
	})
	for how, it := range map[string]string{"taken before": before, "by a trimmed number": at, "from the horizon": c.oldest("s", "0")} {
		var got strings.Builder
		for _, r := range c.get(it, 0).Records {
			got.Write(r.Data)
		}
		if got.String() != "789" {
			t.Errorf("%s: got %q, want 789", how, got.String())
		}
	}
}

func TestNumberBeyondTheEndWaitsForTheRecordsAfterIt(t *testing.T) {
	c := start(t)
	c.create("s", 1)
	c.put("s", "k", "0")
	sh := c.shardsOf("s")[0]
	beyond := sh.number(3, c.svc.store.Now()).String()
	it := c.iterator(&kinesisapi.GetShardIteratorInput{
		StreamName: new("s"), ShardId: "0", ShardIteratorType: kinesisapi.ShardIteratorTypeAtSequenceNumber, StartingSequenceNumber: &beyond,
	})
	for i := 1; i <= 3; i++ {
		out := c.get(it, 0)
		if len(out.Records) != 0 || out.NextShardIterator == nil || *out.MillisBehindLatest != 0 {
			t.Fatalf("with %d records: got %+v, want an empty answer", i, out)
		}
		it = *out.NextShardIterator
		c.put("s", "k", fmt.Sprint(i))
	}
	if got := c.get(it, 0).Records; len(got) != 1 || string(got[0].Data) != "3" {
		t.Errorf("with 4 records: got %+v, want the last", got)
	}
	end := sequenceNumber{created: sh.created, offset: endOffset, appended: 1 << 35}.String()
	it = c.iterator(&kinesisapi.GetShardIteratorInput{
		StreamName: new("s"), ShardId: "0", ShardIteratorType: kinesisapi.ShardIteratorTypeAfterSequenceNumber, StartingSequenceNumber: &end,
	})
	if out := c.get(it, 0); len(out.Records) != 0 || out.NextShardIterator == nil {
		t.Errorf("after the largest number: got %+v", out)
	}
}

func TestFirstSignedRequestFixesTheDefaultRegion(t *testing.T) {
	st := storetest.NewModel()
	c := startOn(t, st, nil)
	c.region = "eu-west-1"
	if _, err := c.svc.ListStreams(c.ctx(), &kinesisapi.ListStreamsInput{}); err != nil {
		t.Fatal(err)
	}
	c.region = "us-east-1"
	c.create("s", 1)
	c.region = "eu-west-1"
	c.create("s", 1)
	again := startOn(t, st, nil)
	for kafka, region := range map[string]string{"s": "", "000000000000.us-east-1.s": "us-east-1"} {
		again.update(func(tx store.Tx) error {
			topic, err := again.svc.cat.LookupKafka(tx, kafka)
			if err != nil || topic.Region != region {
				t.Errorf("Kafka name %s: got %+v, %v, want region %q", kafka, topic, err, region)
			}
			return nil
		})
	}
}

func TestRequestWithoutCredentialsDoesNotFixTheDefaultRegion(t *testing.T) {
	c := start(t)
	ctx := api.WithCall(t.Context(), &api.Call{Account: c.account, Region: "eu-west-1"})
	_, err := c.svc.DescribeStreamSummary(ctx, &kinesisapi.DescribeStreamSummaryInput{StreamName: new("s")})
	wantError(t, err, "ResourceNotFoundException", "Stream s under account 000000000000 not found.")
	if got, ok := c.svc.cat.Region(); ok {
		t.Errorf("the default region is %q", got)
	}
}

func TestKeptDefaultRegionWinsOverTheOption(t *testing.T) {
	st := storetest.NewModel()
	var log bytes.Buffer
	with := func(region string) *caller {
		return startOn(t, st, func(o *Options) {
			o.DefaultRegion, o.Logger = region, slog.New(slog.NewTextHandler(&log, nil))
		})
	}
	for _, region := range []string{"eu-west-1", "us-east-1"} {
		if got, ok := with(region).svc.cat.Region(); got != "eu-west-1" || !ok {
			t.Errorf("with option %s: got %q, %v, want the first one", region, got, ok)
		}
	}
	if !strings.Contains(log.String(), "asked=us-east-1") {
		t.Errorf("the log does not say so: %s", log.String())
	}
}

func TestServiceNeedsAStoreAndClosesTwice(t *testing.T) {
	if _, err := New(Options{}); err == nil {
		t.Error("New without a store: no error")
	}
	c := start(t)
	for range 2 {
		if err := c.svc.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
}

func TestNewOnAStoppedStoreFails(t *testing.T) {
	st := storetest.NewModel()
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := New(Options{Store: st, DefaultRegion: "us-east-1"}); err == nil {
		t.Error("no error")
	}
}

func TestCopiesInMemoryStayBounded(t *testing.T) {
	var c cache
	for i := range maxCached + 100 {
		c.put(&stream{place: place{stream: fmt.Sprint(i)}, topic: &catalog.Topic{Num: uint64(i)}, shards: []shard{{partition: store.PartitionID(i)}}})
	}
	if len(c.streams) > maxCached || len(c.meters) > maxCached {
		t.Errorf("%d copies and %d meters in memory, at most %d", len(c.streams), len(c.meters), maxCached)
	}
	old := &stream{place: place{stream: "x"}, topic: &catalog.Topic{Num: 1, Revision: 4}}
	c.put(&stream{place: place{stream: "x"}, topic: &catalog.Topic{Num: 1, Revision: 5}})
	if got := c.put(old); got.topic.Revision != 5 {
		t.Errorf("an older copy took the place of a newer one")
	}
}

func TestMetricsCountWhatGoesInAndOut(t *testing.T) {
	c := start(t)
	c.create("s", 2)
	for i := range 10 {
		c.put("s", fmt.Sprint(i), "four")
	}
	for _, id := range []string{"0", "1"} {
		c.get(c.oldest("s", id), 0)
	}
	want := Metrics{RecordsPut: 10, BytesPut: 50, RecordsRead: 10, BytesRead: 50}
	if got := c.svc.Metrics(); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestStreamOfTheMostShardsIsMadeReadAndDeleted(t *testing.T) {
	fs := vfs.NewMem()
	st, err := embedded.Open(embedded.Options{Dir: "data", FS: fs, BallastBytes: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = st.Close() }()
	c := startOn(t, st, nil)
	defer func() { _ = c.svc.Close() }()
	c.create("s", catalog.MaxPartitions)
	in := &kinesisapi.PutRecordsInput{StreamName: new("s")}
	for i := range 500 {
		in.Records = append(in.Records, kinesisapi.PutRecordsRequestEntry{PartitionKey: new(fmt.Sprint(i)), Data: []byte("x")})
	}
	if out, err := c.svc.PutRecords(c.ctx(), in); err != nil || *out.FailedRecordCount != 0 {
		t.Fatalf("PutRecords: %+v, %v", out, err)
	}
	listed, token := 0, (*string)(nil)
	for {
		in := &kinesisapi.ListShardsInput{StreamName: new("s")}
		if token != nil {
			in = &kinesisapi.ListShardsInput{NextToken: token}
		}
		out, err := c.svc.ListShards(c.ctx(), in)
		if err != nil {
			t.Fatal(err)
		}
		listed += len(out.Shards)
		if token = out.NextToken; token == nil {
			break
		}
	}
	if listed != catalog.MaxPartitions {
		t.Errorf("%d shards are listed, want %d", listed, catalog.MaxPartitions)
	}
	if _, err := c.svc.DeleteStream(c.ctx(), &kinesisapi.DeleteStreamInput{StreamName: new("s")}); err != nil {
		t.Fatal(err)
	}
	c.await("s", "")
	if left, err := st.Partitions(t.Context(), 0, 10); err != nil || len(left) != 0 {
		t.Errorf("partitions %v are left, %v", left, err)
	}
}

func TestDamagedStreamDoesNotHoldUpOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		c := startOn(t, storetest.NewModel(), func(o *Options) {
			o.StateDelay, o.Logger = time.Second, slog.New(slog.NewTextHandler(&log, nil))
		})
		for _, name := range []string{"damaged", "sound"} {
			if _, err := c.svc.CreateStream(c.ctx(), &kinesisapi.CreateStreamInput{StreamName: name, ShardCount: new(int32(1))}); err != nil {
				t.Fatal(err)
			}
		}
		// The first topic of a store has number 1; its value stands under 10 01 and the number.
		damaged := []byte{byte(store.FamilyTopic), 1, 0, 0, 0, 0, 0, 0, 0, 1}
		c.update(func(tx store.Tx) error {
			if _, ok, err := tx.Get(damaged); !ok || err != nil {
				t.Errorf("no topic under its key: %v", err)
			}
			return tx.Set(damaged, []byte("?"))
		})
		c.await("sound", kinesisapi.StreamStatusActive)
		_ = c.svc.Close()
		if !strings.Contains(log.String(), "topic 1") {
			t.Errorf("the log does not name the damaged topic: %s", log.String())
		}
	})
}

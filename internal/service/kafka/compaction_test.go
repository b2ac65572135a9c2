package kafka

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/store"
	"millrace/internal/core/store/embedded"
	"millrace/internal/core/store/storetest"
)

// compactionOf is how the store compacts a topic's partitions, which all have to be the same.
func compactionOf(t *testing.T, b *Broker, name string) store.Compaction {
	t.Helper()
	topic, code := b.topic(t.Context(), name)
	if code != kafkaapi.None {
		t.Fatalf("%s: %s", name, code)
	}
	var first store.Head
	for i, p := range topic.partitions {
		h, err := b.store.Head(t.Context(), p.id)
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			first = h
		}
		if h.Compaction != first.Compaction {
			t.Errorf("%s: partition %d has %+v, the first %+v", name, i, h.Compaction, first.Compaction)
		}
	}
	return first.Compaction
}

func TestCompactionFollowsTheConfigsOfTopicAndBroker(t *testing.T) {
	s := storetest.NewModel()
	b := open(t, s)
	mustCreate(t, b, topicOf("plain", 2), topicOf("both", 3, "cleanup.policy", "compact,delete"),
		topicOf("own", 2, "cleanup.policy", "compact", "delete.retention.ms", "1", "min.compaction.lag.ms", "2", "max.compaction.lag.ms", "3",
			"min.cleanable.dirty.ratio", "0.25", "segment.ms", "4", "segment.bytes", "1048576"))
	standard := store.Compaction{Enabled: true, DeleteMillis: 86_400_000, DirtyMin: 500_000, RollMillis: 604_800_000, RollBytes: 1 << 30}
	own := store.Compaction{Enabled: true, DeleteMillis: 1, MinLagMillis: 2, MaxLagMillis: 3, DirtyMin: 250_000, RollMillis: 4, RollBytes: 1 << 20}
	check := func(when string, plain, both, own store.Compaction) {
		t.Helper()
		for name, want := range map[string]store.Compaction{"plain": plain, "both": both, "own": own} {
			if got := compactionOf(t, b, name); got != want {
				t.Errorf("%s: %s has %+v, want %+v", when, name, got, want)
			}
		}
	}
	alter := func(kind int8, name, key, value string) {
		t.Helper()
		if got := alterOne(t, b, kind, name, 0, key, value); got != "" {
			t.Fatal(got)
		}
	}
	check("as made", store.Compaction{}, standard, own)
	alter(resourceTopic, "own", "cleanup.policy", "delete")
	check("after the policy was set back", store.Compaction{}, standard, store.Compaction{})
	alter(resourceTopic, "own", "cleanup.policy", "compact")
	alter(resourceBroker, "", "log.cleaner.delete.retention.ms", "77")
	standard.DeleteMillis = 77
	check("after the broker's was set", store.Compaction{}, standard, own)
	r := ask[*kafkaapi.CreatePartitionsResponse](t, b, 3, &kafkaapi.CreatePartitionsRequest{
		Topics: []kafkaapi.CreatePartitionsRequestCreatePartitionsTopic{{Name: "own", Count: 5}},
	})
	if r.Results[0].ErrorCode != kafkaapi.None {
		t.Fatal(r.Results)
	}
	check("with more partitions", store.Compaction{}, standard, own)

	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	var err error
	if b, err = New(Options{Store: s, Configs: map[string]string{"log.cleanup.policy": "compact"}}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	check("after a start with another policy", standard, standard, own)
}

func TestStreamMadeByKinesisIsNotCompacted(t *testing.T) {
	s := storetest.NewModel()
	stream(t, s, "000000000000", "us-east-1", "orders", 1)
	b := open(t, s)
	for _, policy := range []string{"compact,delete", "compact"} {
		if got := alterOne(t, b, resourceTopic, "orders", 0, "cleanup.policy", policy); !strings.HasPrefix(got, "POLICY_VIOLATION: ") {
			t.Errorf("%s: got %q, want a refusal", policy, got)
		}
	}
	if got := compactionOf(t, b, "orders"); got != (store.Compaction{}) {
		t.Errorf("it has %+v", got)
	}
}

// TestConsumerOfACompactedTopicSeesTheLastRecordOfEachKey goes from producer to consumer: a topic with small segments is
// compacted within seconds, though next to nothing is written.
func TestConsumerOfACompactedTopicSeesTheLastRecordOfEachKey(t *testing.T) {
	s, err := embedded.Open(embedded.Options{Dir: "m", FS: vfs.NewMem(), BallastBytes: -1, JournalFileBytes: 8 << 20, FirstFileBytes: 256 << 10})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	b := open(t, s)
	addr := listen(t, b)
	mustCreate(t, b, topicOf("t", 1, "cleanup.policy", "compact", "segment.ms", "1", "delete.retention.ms", "0", "min.cleanable.dirty.ratio", "0.01"))
	p := client(t, addr, kgo.DefaultProduceTopic("t"), kgo.TransactionalID("x"), kgo.ProducerBatchCompression(kgo.ZstdCompression()))
	const keys, rounds = 10, 20
	for round := range rounds {
		if err := p.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		for key := range keys {
			r := &kgo.Record{Key: fmt.Append(nil, key), Value: fmt.Append(nil, round)}
			if key == 0 && round >= rounds-2 {
				r.Value = nil
			}
			p.Produce(t.Context(), r, nil)
		}
		if err := p.Flush(deadline(t)); err != nil {
			t.Fatal(err)
		}
		if err := p.EndTransaction(deadline(t), kgo.TransactionEndTry(round != rounds-1)); err != nil {
			t.Fatal(err)
		}
	}
	want := map[string]string{}
	for key := 1; key < keys; key++ {
		want[fmt.Sprint(key)] = fmt.Sprint(rounds - 2)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	for {
		got, n := readAll(ctx, t, addr)
		if fmt.Sprint(got) == fmt.Sprint(want) && n == len(want) {
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("got %d records, last of each key: %v; want %v", n, got, want)
		}
	}
}

// readAll reads a topic's committed records up to its end: the last value of each key, and the number of records.
func readAll(ctx context.Context, t *testing.T, addr string) (last map[string]string, n int) {
	t.Helper()
	c := client(t, addr, kgo.ConsumeTopics("t"), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())
	defer c.Close()
	last = map[string]string{}
	for ctx.Err() == nil {
		f := c.PollFetches(ctx)
		high := int64(0)
		next := int64(-1)
		f.EachPartition(func(p kgo.FetchTopicPartition) { high = p.HighWatermark })
		for _, r := range f.Records() {
			next = r.Offset + 1
			if r.Attrs.IsControl() {
				continue
			}
			n++
			if r.Value == nil {
				delete(last, string(r.Key))
				continue
			}
			last[string(r.Key)] = string(r.Value)
		}
		if next >= high && high > 0 {
			break
		}
	}
	return last, n
}

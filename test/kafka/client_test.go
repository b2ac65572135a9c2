//go:build system

package kafka

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// connect makes a client of franz-go that ends with t.
func connect(t *testing.T, bootstrap string, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	c, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(bootstrap), kgo.AllowAutoTopicCreation(), kgo.FetchMaxWait(250 * time.Millisecond),
	}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func toFranz(t *testing.T, topic string, r record) *kgo.Record {
	t.Helper()
	out := &kgo.Record{Topic: topic, Key: []byte(r.key), Value: []byte(r.value), Timestamp: time.UnixMilli(r.time)}
	for _, h := range r.parseHeaders(t) {
		out.Headers = append(out.Headers, kgo.RecordHeader{Key: h.name, Value: h.value})
	}
	return out
}

func fromFranz(r *kgo.Record) record {
	var all []header
	for _, h := range r.Headers {
		all = append(all, header{h.Key, h.Value})
	}
	return record{key: string(r.Key), value: string(r.Value), headers: headers(all...), time: r.Timestamp.UnixMilli()}
}

// sendAll produces records and returns where each is.
func sendAll(t *testing.T, c *kgo.Client, topic string, records []record) map[place]record {
	t.Helper()
	out := make([]*kgo.Record, len(records))
	for i, r := range records {
		out[i] = toFranz(t, topic, r)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	acked := map[place]record{}
	for _, result := range c.ProduceSync(ctx, out...) { // in the order of their answers
		if result.Err != nil {
			t.Fatalf("produce %s to %s: %v", result.Record.Key, topic, result.Err)
		}
		acked[place{result.Record.Partition, result.Record.Offset}] = fromFranz(result.Record)
	}
	return acked
}

// takeInto polls once and adds what comes to got.
func takeInto(ctx context.Context, c *kgo.Client, got map[place]record) error {
	ctx, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
	defer cancel()
	fetches := c.PollFetches(ctx)
	fetches.EachRecord(func(r *kgo.Record) { got[place{r.Partition, r.Offset}] = fromFranz(r) })
	for _, e := range fetches.Errors() {
		if !errors.Is(e.Err, context.DeadlineExceeded) {
			return fmt.Errorf("fetch %s/%d: %w", e.Topic, e.Partition, e.Err)
		}
	}
	return nil
}

// take reads until there are count records.
func take(t *testing.T, c *kgo.Client, count int) map[place]record {
	t.Helper()
	got := map[place]record{}
	until(t, fmt.Sprint(count, " records"), func(ctx context.Context) (bool, error) {
		err := takeInto(ctx, c, got)
		if err != nil {
			t.Fatal(err)
		}
		return len(got) >= count, fmt.Errorf("got %d", len(got))
	})
	return got
}

// codecsIn counts the records of topic by the codec of their batch.
func codecsIn(t *testing.T, bootstrap, topic string) map[string]int {
	t.Helper()
	admin := kadm.NewClient(connect(t, bootstrap))
	starts, err := admin.ListStartOffsets(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	ends, err := admin.ListEndOffsets(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	want := int64(0)
	ends.Each(func(o kadm.ListedOffset) { want += o.Offset })
	starts.Each(func(o kadm.ListedOffset) { want -= o.Offset })
	c := connect(t, bootstrap, kgo.ConsumeTopics(topic))
	codecs := map[string]int{}
	read := int64(0)
	until(t, fmt.Sprint("all of ", topic), func(ctx context.Context) (bool, error) {
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		c.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
			codecs[[]string{"none", "gzip", "snappy", "lz4", "zstd"}[r.Attrs.CompressionType()]]++
			read++
		})
		return read >= want, fmt.Errorf("got %d of %d", read, want)
	})
	return codecs
}

// endOf sends records in one transaction of id and commits or aborts it.
func endOf(t *testing.T, bootstrap, topic, id string, records []record, commit bool) map[place]record {
	t.Helper()
	c := connect(t, bootstrap, kgo.TransactionalID(id))
	if err := c.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	sent := sendAll(t, c, topic, records)
	if err := c.EndTransaction(t.Context(), kgo.TransactionEndTry(commit)); err != nil {
		t.Fatal(err)
	}
	return sent
}

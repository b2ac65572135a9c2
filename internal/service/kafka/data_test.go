package kafka

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/catalog"
	"millrace/internal/core/store"
	"millrace/internal/core/store/storetest"
	"millrace/internal/service/kafka/logtest"
	"millrace/internal/service/kafka/produce"
	wire "millrace/internal/wire/kafka"
)

// listen serves a broker on a port of its own and returns the address.
func listen(tb testing.TB, b *Broker) string {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	s := wire.NewServer(b, wire.Options{})
	done := make(chan error, 1)
	go func() { done <- s.Serve(l, wire.ListenerOptions{}) }()
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			tb.Errorf("shutdown: %v", err)
		}
		<-done
	})
	return l.Addr().String()
}

func client(tb testing.TB, addr string, opts ...kgo.Opt) *kgo.Client {
	tb.Helper()
	c, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(addr), kgo.FetchMaxWait(200 * time.Millisecond)}, opts...)...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(c.Close)
	return c
}

// deadline is how long a test waits for what comes in milliseconds.
func deadline(tb testing.TB) context.Context {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 20*time.Second)
	tb.Cleanup(cancel)
	return ctx
}

// consume reads n records.
func consume(tb testing.TB, c *kgo.Client, n int) []*kgo.Record {
	tb.Helper()
	ctx := deadline(tb)
	var got []*kgo.Record
	for len(got) < n {
		f := c.PollFetches(ctx)
		for _, e := range f.Errors() {
			tb.Fatalf("after %d of %d records: %+v", len(got), n, e)
		}
		got = append(got, f.Records()...)
	}
	if len(got) > n {
		tb.Fatalf("records: got %d, want %d", len(got), n)
	}
	return got
}

func TestClientsOfAllReleasesProduceAndConsume(t *testing.T) {
	logtest.EachStore(t, func(t *testing.T, s store.Store) {
		b := open(t, s)
		addr := listen(t, b)
		codecs := map[string]kgo.CompressionCodec{
			"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(), "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
		}
		for release, versions := range map[string]*kversion.Versions{
			"1.0": kversion.V1_0_0(), "2.0": kversion.V2_0_0(), "2.4": kversion.V2_4_0(), "2.8": kversion.V2_8_0(), "3.5": kversion.V3_5_0(), "4.0": kversion.V4_0_0(), "newest": kversion.Stable(),
		} {
			for codec, compression := range codecs {
				t.Run(release+"/"+codec, func(t *testing.T) {
					topic := "t" + release + codec
					mustCreate(t, b, topicOf(topic, 3))
					c := client(t, addr, kgo.MaxVersions(versions), kgo.DefaultProduceTopic(topic), kgo.ConsumeTopics(topic), kgo.ProducerBatchCompression(compression))
					const n = 300
					for i := range n {
						c.Produce(t.Context(), &kgo.Record{
							Key: fmt.Append(nil, "k", i), Value: fmt.Append(nil, "v", i), Headers: []kgo.RecordHeader{{Key: "h", Value: []byte{byte(i)}}},
						}, nil)
					}
					if err := c.Flush(deadline(t)); err != nil {
						t.Fatal(err)
					}
					seen := map[string]bool{}
					for _, r := range consume(t, c, n) {
						i := strings.TrimPrefix(string(r.Key), "k")
						header, err := strconv.Atoi(i)
						if err != nil || string(r.Value) != "v"+i || r.Headers[0].Value[0] != byte(header) {
							t.Fatalf("record: got %q = %q, %v", r.Key, r.Value, r.Headers)
						}
						seen[i] = true
					}
					if len(seen) != n {
						t.Fatalf("keys: got %d, want %d", len(seen), n)
					}
				})
			}
		}
	})
}

func TestReaderOfCommittedRecordsSeesWholeTransactions(t *testing.T) {
	logtest.EachStore(t, func(t *testing.T, s store.Store) {
		b := open(t, s)
		addr := listen(t, b)
		for release, versions := range map[string]*kversion.Versions{"3.5": kversion.V3_5_0(), "newest": kversion.Stable()} {
			t.Run(release, func(t *testing.T) {
				topic := "tx" + release
				mustCreate(t, b, topicOf(topic, 2))
				p := client(t, addr, kgo.MaxVersions(versions), kgo.DefaultProduceTopic(topic), kgo.TransactionalID(topic))
				for i := range 6 {
					if err := p.BeginTransaction(); err != nil {
						t.Fatal(err)
					}
					for j := range 10 {
						p.Produce(t.Context(), kgo.StringRecord(fmt.Sprint(i, ".", j)), nil)
					}
					if err := p.Flush(deadline(t)); err != nil {
						t.Fatal(err)
					}
					if err := p.EndTransaction(deadline(t), kgo.TransactionEndTry(i%2 == 0)); err != nil {
						t.Fatal(err)
					}
				}
				c := client(t, addr, kgo.MaxVersions(versions), kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
				for _, r := range consume(t, c, 30) {
					if i := r.Value[0] - '0'; i%2 != 0 {
						t.Fatalf("got record %q of an aborted transaction", r.Value)
					}
				}
				all := client(t, addr, kgo.MaxVersions(versions), kgo.ConsumeTopics(topic))
				consume(t, all, 60)
			})
		}
	})
}

func TestWaitingIsNotThrottling(t *testing.T) {
	b := open(t, storetest.NewModel())
	mustCreate(t, b, topicOf("t", 1))
	c := client(t, listen(t, b))
	req := kmsg.NewPtrFetchRequest()
	req.MaxWaitMillis, req.MinBytes, req.MaxBytes, req.SessionEpoch = 30, 1, 1<<20, -1
	topic, part := kmsg.NewFetchRequestTopic(), kmsg.NewFetchRequestTopicPartition()
	found, _ := b.topic(t.Context(), "t")
	topic.Topic, topic.TopicID, part.PartitionMaxBytes = "t", found.id, 1<<20
	topic.Partitions = append(topic.Partitions, part)
	req.Topics = append(req.Topics, topic)
	res, err := req.RequestWith(deadline(t), c)
	if err != nil || res.ThrottleMillis != 0 || res.Topics[0].Partitions[0].ErrorCode != 0 {
		t.Fatalf("fetch that waited: got %+v, %v; want throttle time 0", res, err)
	}
}

func TestConsumerGoesOnAfterRecordsWereDeleted(t *testing.T) {
	logtest.EachStore(t, func(t *testing.T, s store.Store) {
		b := open(t, s)
		mustCreate(t, b, topicOf("t", 1))
		addr := listen(t, b)
		p := client(t, addr, kgo.DefaultProduceTopic("t"))
		send := func(from, to int) {
			for i := from; i < to; i++ {
				if err := p.ProduceSync(deadline(t), kgo.StringRecord(fmt.Sprint(i))).FirstErr(); err != nil {
					t.Fatal(err)
				}
			}
		}
		send(0, 5)
		c := client(t, addr, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{"t": {0: kgo.NewOffset().At(2)}}))
		consume(t, c, 3)
		send(5, 10)
		if got := deleteBefore(t, b, "t", 8); got != "8 NONE" {
			t.Fatalf("delete records: got %s", got)
		}
		late := client(t, addr, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{"t": {0: kgo.NewOffset().At(2)}}))
		for i, r := range consume(t, late, 2) { // its offset is out of range, and it begins anew
			if r.Offset != int64(8+i) {
				t.Fatalf("record %d: got offset %d, want %d", i, r.Offset, 8+i)
			}
		}
	})
}

func TestProduceVersionsThatNobodyUsesAreRefused(t *testing.T) {
	b := open(t, storetest.NewModel())
	mustCreate(t, b, topicOf("t", 1))
	c := client(t, listen(t, b), kgo.MaxVersions(kversion.V0_8_0()), kgo.MinVersions(kversion.V0_8_0()))
	req := kmsg.NewPtrProduceRequest()
	req.Acks, req.TimeoutMillis = 1, 1000
	rt, rp := kmsg.NewProduceRequestTopic(), kmsg.NewProduceRequestTopicPartition()
	rt.Topic, rp.Records = "t", []byte("old")
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	res, err := req.RequestWith(deadline(t), c)
	if err != nil || res.Topics[0].Partitions[0].ErrorCode != kerr.UnsupportedVersion.Code {
		t.Fatalf("produce version 0: got %+v, %v", res, err)
	}
}

func TestStreamWithAClosedShardRefusesKafkaInAllItsPartitions(t *testing.T) {
	s := storetest.NewModel()
	made := stream(t, s, catalog.DefaultAccount, "", "stream", 3)
	b := open(t, s)
	c := client(t, listen(t, b), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	send := func(part int32) error {
		return c.ProduceSync(deadline(t), &kgo.Record{Topic: "stream", Partition: part, Value: []byte("v")}).FirstErr()
	}
	for part := range int32(3) {
		if err := send(part); err != nil {
			t.Fatalf("before: partition %d: %v", part, err)
		}
	}
	logtest.Update(t, s, func(tx store.Tx) error {
		found, err := b.topics.cat.Get(tx, made.Num)
		if err != nil {
			return err
		}
		parts, err := b.topics.cat.Partitions(tx, found)
		if err != nil {
			return err
		}
		return errors.Join(tx.ClosePartition(parts[1].ID), b.topics.cat.Save(tx, found))
	})
	if err := send(1); !errors.Is(err, kerr.PolicyViolation) {
		t.Fatalf("closed partition: got %v, want POLICY_VIOLATION", err)
	}
	for part := range int32(3) {
		if err := send(part); !errors.Is(err, kerr.PolicyViolation) {
			t.Errorf("after: partition %d: got %v, want POLICY_VIOLATION", part, err)
		}
	}
	topic, _ := b.topic(t.Context(), "stream")
	if rules := b.rulesOf(topic); rules.RefusedText != produce.ClosedText {
		t.Errorf("text: got %q", rules.RefusedText)
	}
}

func TestStreamKeepsThatKafkaHasProducedToIt(t *testing.T) {
	s := storetest.NewModel()
	made := stream(t, s, catalog.DefaultAccount, "", "stream", 1)
	b := open(t, s)
	since := func() (is bool) {
		err := s.View(t.Context(), func(tx store.ReadTx) (err error) {
			is, err = catalog.KafkaProducedSince(tx, made.Num, tx.Now()-1000)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return is
	}
	if since() {
		t.Fatal("before: produced to by Kafka")
	}
	c := client(t, listen(t, b), kgo.DefaultProduceTopic("stream"))
	if err := c.ProduceSync(deadline(t), kgo.StringRecord("v")).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if !since() {
		t.Fatal("after: not produced to by Kafka")
	}
}

func TestRecordsOfKinesisAreConsumedByKafka(t *testing.T) {
	logtest.EachStore(t, func(t *testing.T, s store.Store) {
		stream(t, s, catalog.DefaultAccount, "", "stream", 1)
		b := open(t, s)
		topic, _ := b.topic(t.Context(), "stream")
		for i := range 5 {
			_, err := s.Append(t.Context(), []store.AppendRequest{{
				Partition: topic.partitions[0].id, Records: []store.Record{{Key: []byte("k"), Value: fmt.Append(nil, "v", i)}},
			}})
			if err != nil {
				t.Fatal(err)
			}
		}
		for i, r := range consume(t, client(t, listen(t, b), kgo.ConsumeTopics("stream")), 5) {
			if string(r.Value) != fmt.Sprint("v", i) || r.Offset != int64(i) || r.Timestamp.Before(time.Now().Add(-time.Hour)) {
				t.Fatalf("record %d: got %+v", i, r)
			}
		}
	})
}

// offsetAt asks ListOffsets of version v for one partition and shows the answer.
func offsetAt(t *testing.T, b *Broker, v int16, topic string, ms int64, isolation int8) string {
	t.Helper()
	p := kafkaapi.NewListOffsetsRequestListOffsetsPartition()
	p.Timestamp = ms
	a := ask[*kafkaapi.ListOffsetsResponse](t, b, v, &kafkaapi.ListOffsetsRequest{
		ReplicaID: -1, IsolationLevel: isolation,
		Topics: []kafkaapi.ListOffsetsRequestListOffsetsTopic{{Name: topic, Partitions: []kafkaapi.ListOffsetsRequestListOffsetsPartition{p}}},
	}).Topics[0].Partitions[0]
	if a.ErrorCode != kafkaapi.None {
		return a.ErrorCode.Name()
	}
	return fmt.Sprintf("%d at %d", a.Offset, a.Timestamp)
}

func TestOffsetsAreListedByTimeAndBySpecialTimestamps(t *testing.T) {
	logtest.EachStore(t, func(t *testing.T, s store.Store) {
		b := open(t, s)
		mustCreate(t, b, topicOf("t", 1))
		topic, _ := b.topic(t.Context(), "t")
		id := topic.partitions[0].id
		logtest.Producer(t, s, 7, 0)
		logtest.Append(t, s, id, logtest.Values(logtest.Fields{}, 10, "a", "b"))
		logtest.Append(t, s, id, logtest.Values(logtest.Fields{}, 30, "c"))
		logtest.Append(t, s, id, logtest.Values(logtest.Fields{}, 20, "d"))
		logtest.Append(t, s, id, logtest.Values(logtest.Fields{Producer: 7, Transactional: true}, 40, "e"))
		logtest.Update(t, s, func(tx store.Tx) error { return tx.TrimPartition(id, 1) })
		for _, c := range []struct {
			v         int16
			ms        int64
			isolation int8
			want      string
		}{
			{1, -1, 0, "5 at -1"},
			{11, -1, 1, "4 at -1"},
			{1, -2, 0, "1 at -1"},
			{7, -3, 0, "4 at 40"},
			{6, -3, 0, "UNSUPPORTED_VERSION"},
			{8, -4, 0, "1 at -1"},
			{7, -4, 0, "UNSUPPORTED_VERSION"},
			{9, -5, 0, "-1 at -1"},
			{8, -5, 0, "UNSUPPORTED_VERSION"},
			{11, -6, 0, "-1 at -1"},
			{10, -6, 0, "UNSUPPORTED_VERSION"},
			{11, -7, 0, "UNSUPPORTED_VERSION"},
			{11, -1 << 63, 0, "UNSUPPORTED_VERSION"},
			{5, 0, 0, "1 at 10"},
			{5, 11, 0, "2 at 30"},
			{5, 31, 0, "4 at 40"},
			{5, 31, 1, "-1 at -1"},
			{5, 41, 0, "-1 at -1"},
		} {
			if got := offsetAt(t, b, c.v, "t", c.ms, c.isolation); got != c.want {
				t.Errorf("version %d, timestamp %d, isolation %d: got %s, want %s", c.v, c.ms, c.isolation, got, c.want)
			}
		}
		if got := offsetAt(t, b, 5, "nothing", -1, 0); got != "UNKNOWN_TOPIC_OR_PARTITION" {
			t.Errorf("unknown topic: got %s", got)
		}
	})
}

func TestPartitionNamedTwiceIsAnInvalidRequest(t *testing.T) {
	b := open(t, storetest.NewModel())
	mustCreate(t, b, topicOf("t", 1))
	one := kafkaapi.NewListOffsetsRequestListOffsetsPartition()
	one.Timestamp = -1
	a := ask[*kafkaapi.ListOffsetsResponse](t, b, 5, &kafkaapi.ListOffsetsRequest{
		Topics: []kafkaapi.ListOffsetsRequestListOffsetsTopic{{Name: "t", Partitions: []kafkaapi.ListOffsetsRequestListOffsetsPartition{one, one}}},
	})
	for i, p := range a.Topics[0].Partitions {
		if p.ErrorCode != kafkaapi.InvalidRequest {
			t.Errorf("answer %d: got %v, want INVALID_REQUEST", i, p.ErrorCode)
		}
	}
}

// deleteBefore asks DeleteRecords for partition 0 of a topic and shows the answer.
func deleteBefore(t *testing.T, b *Broker, topic string, offset int64) string {
	t.Helper()
	a := ask[*kafkaapi.DeleteRecordsResponse](t, b, 2, &kafkaapi.DeleteRecordsRequest{
		TimeoutMs: 1000,
		Topics: []kafkaapi.DeleteRecordsRequestDeleteRecordsTopic{{
			Name: topic, Partitions: []kafkaapi.DeleteRecordsRequestDeleteRecordsPartition{{Offset: offset}},
		}},
	}).Topics[0].Partitions[0]
	return fmt.Sprint(a.LowWatermark, " ", a.ErrorCode)
}

func TestRecordsAreDeletedUpToTheHighWatermark(t *testing.T) {
	logtest.EachStore(t, func(t *testing.T, s store.Store) {
		b := open(t, s)
		mustCreate(t, b, topicOf("t", 1), topicOf("compacted", 1, "cleanup.policy", "compact"))
		topic, _ := b.topic(t.Context(), "t")
		for range 5 {
			logtest.Append(t, s, topic.partitions[0].id, logtest.Values(logtest.Fields{}, 0, "a"))
		}
		for _, c := range []struct {
			topic  string
			offset int64
			want   string
		}{
			{"t", 2, "2 NONE"},
			{"t", 1, "2 NONE"},
			{"t", 6, "-1 OFFSET_OUT_OF_RANGE"},
			{"t", -2, "-1 OFFSET_OUT_OF_RANGE"},
			{"t", -1, "5 NONE"},
			{"compacted", 0, "-1 POLICY_VIOLATION"},
			{"nothing", 0, "-1 UNKNOWN_TOPIC_OR_PARTITION"},
		} {
			if got := deleteBefore(t, b, c.topic, c.offset); got != c.want {
				t.Errorf("delete before %d of %s: got %s, want %s", c.offset, c.topic, got, c.want)
			}
		}
	})
}

func TestEndOfALeaderEpochIsTold(t *testing.T) {
	b := open(t, storetest.NewModel())
	mustCreate(t, b, topicOf("t", 1))
	topic, _ := b.topic(t.Context(), "t")
	logtest.Append(t, b.store, topic.partitions[0].id, logtest.Values(logtest.Fields{}, 0, "a"))
	logtest.Update(t, b.store, func(tx store.Tx) error { return tx.SetEpoch(topic.partitions[0].id, 3) })
	for _, c := range []struct {
		current, asked int32
		want           string
	}{
		{-1, 0, "NONE 0 1"}, {3, 3, "NONE 3 1"}, {-1, 4, "NONE -1 -1"}, {2, 0, "FENCED_LEADER_EPOCH -1 -1"}, {4, 0, "UNKNOWN_LEADER_EPOCH -1 -1"},
	} {
		p := kafkaapi.NewOffsetForLeaderEpochRequestOffsetForLeaderPartition()
		p.CurrentLeaderEpoch, p.LeaderEpoch = c.current, c.asked
		a := ask[*kafkaapi.OffsetForLeaderEpochResponse](t, b, 4, &kafkaapi.OffsetForLeaderEpochRequest{
			Topics: []kafkaapi.OffsetForLeaderEpochRequestOffsetForLeaderTopic{{Topic: "t", Partitions: []kafkaapi.OffsetForLeaderEpochRequestOffsetForLeaderPartition{p}}},
		}).Topics[0].Partitions[0]
		if got := fmt.Sprint(a.ErrorCode, " ", a.LeaderEpoch, " ", a.EndOffset); got != c.want {
			t.Errorf("epoch %d under %d: got %s, want %s", c.asked, c.current, got, c.want)
		}
	}
}

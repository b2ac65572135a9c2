//go:build system

package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/test/process"
)

// Each of these has bitten a real broker.
func TestWhatHasBittenRealBrokers(t *testing.T) {
	t.Parallel()
	b := start(t, process.Options{}).Ready.Kafka
	for name, test := range map[string]func(t *testing.T, bootstrap string){
		"a consumer behind a trimmed range goes on":                trimmedRange,
		"a compacted range never makes a consumer loop":            compactedRange,
		"only aborted records let a reader reach the end":          onlyAborted,
		"a batch above the limits of a fetch is returned":          largeBatch,
		"an offset inside of a batch is found":                     insideOfABatch,
		"a transaction that its client left is aborted in time":    leftTransaction,
		"concurrent joins lose no member":                          concurrentJoins,
		"a static member fences the one before it":                 fencedInstance,
		"offsets of an unknown group are none, and no error":       unknownGroup,
		"an offset commit in a transaction shows at its end alone": offsetsInTransaction,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, b)
		})
	}
}

// create makes a topic of one partition and returns an administration.
func create(t *testing.T, bootstrap, topic string, configs map[string]*string) *kadm.Client {
	t.Helper()
	admin := kadm.NewClient(connect(t, bootstrap))
	if _, err := admin.CreateTopic(t.Context(), 1, 1, configs, topic); err != nil {
		t.Fatal(err)
	}
	return admin
}

func trimmedRange(t *testing.T, bootstrap string) {
	const topic = "trimmed"
	admin := create(t, bootstrap, topic, nil)
	sendAll(t, connect(t, bootstrap), topic, makeRecords("r", 100))
	var to kadm.Offsets
	to.Add(kadm.Offset{Topic: topic, At: 60})
	if _, err := admin.DeleteRecords(t.Context(), to); err != nil {
		t.Fatal(err)
	}
	out := kcat(t, bootstrap, "", "-C", "-q", "-e", "-t", topic, "-p", "0", "-o", "10", "-f", "%o\n", "-X", "auto.offset.reset=earliest")
	if lines := strings.Fields(out); len(lines) != 40 || lines[0] != "60" {
		t.Errorf("kcat from 10: got %d records, %.60q, want the 40 from 60", len(lines), out)
	}
	c := connect(t, bootstrap, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().At(10)}}))
	if got := take(t, c, 40); got[place{0, 60}].key != "r-60" {
		t.Errorf("franz-go from 10: got %d records without that at 60", len(got))
	}
}

// compactedRange writes few keys often, in transactions and without, until compaction has left holes everywhere.
func compactedRange(t *testing.T, bootstrap string) {
	const topic, keys, rounds = "compacted", 20, 30
	configs := map[string]*string{}
	for name, value := range map[string]string{
		"cleanup.policy": "compact", "segment.ms": "100", "min.cleanable.dirty.ratio": "0.01", "delete.retention.ms": "100",
	} {
		configs[name] = &value
	}
	create(t, bootstrap, topic, configs)
	plain := connect(t, bootstrap)
	want := map[string]string{}
	for round := range rounds {
		all := make([]record, keys)
		for i := range all {
			all[i] = record{key: fmt.Sprint("k", i), value: fmt.Sprintf("%d of %d", i, round), time: time.Now().UnixMilli()}
		}
		switch round % 3 {
		case 0:
			sendAll(t, plain, topic, all)
		case 1:
			endOf(t, bootstrap, topic, "compacted", all, true)
		default:
			endOf(t, bootstrap, topic, "compacted", all, false)
			continue
		}
		for _, r := range all {
			want[r.key] = r.value
		}
	}
	for i := range 5 { // tombstones
		key := fmt.Sprint("k", i)
		if err := plain.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Key: []byte(key)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
		delete(want, key)
	}
	until(t, "compaction", func(context.Context) (bool, error) {
		// Also the end of a segment is an event that needs a record after it.
		if err := plain.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Key: []byte("tick"), Value: []byte("tock")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
		lines := strings.Count(kcat(t, bootstrap, "", "-C", "-q", "-e", "-t", topic, "-o", "beginning", "-f", "%k\n", "-X", "isolation.level=read_committed"), "\n")
		return lines < 3*keys, fmt.Errorf("%d records are left", lines)
	})
	got := map[string]string{}
	out := kcat(t, bootstrap, "", "-C", "-q", "-e", "-t", topic, "-o", "beginning", "-f", "%k|%S|%s\n", "-X", "isolation.level=read_committed")
	for line := range strings.Lines(out) {
		fields := strings.SplitN(strings.TrimSpace(line), "|", 3)
		if fields[1] == "-1" {
			delete(got, fields[0])
		} else {
			got[fields[0]] = fields[2]
		}
	}
	delete(got, "tick")
	if !maps.Equal(got, want) {
		t.Errorf("after compaction: got %v, want %v", got, want)
	}
}

func onlyAborted(t *testing.T, bootstrap string) {
	const topic = "aborted"
	create(t, bootstrap, topic, nil)
	for range 5 {
		endOf(t, bootstrap, topic, "aborter", makeRecords("never", 200), false)
	}
	out := kcat(t, bootstrap, "", "-C", "-q", "-e", "-t", topic, "-o", "beginning", "-f", "%k\n", "-X", "isolation.level=read_committed", "-X", "fetch.message.max.bytes=1000")
	if out != "" {
		t.Errorf("kcat: got %.200q, want nothing", out)
	}
	want := sendAll(t, connect(t, bootstrap), topic, makeRecords("after", 1))
	c := connect(t, bootstrap, kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxPartitionBytes(1000))
	expectRecords(t, "franz-go", take(t, c, 1), want)
}

func largeBatch(t *testing.T, bootstrap string) {
	const topic = "large"
	create(t, bootstrap, topic, nil)
	p := connect(t, bootstrap, kgo.ProducerBatchCompression(kgo.NoCompression()))
	large := []record{{key: "large", value: strings.Repeat("x", 500_000)}, {key: "next", value: strings.Repeat("y", 300_000)}}
	for i := range large {
		large[i].time = firstTime.UnixMilli()
	}
	want := sendAll(t, p, topic, large)
	c := connect(t, bootstrap, kgo.ConsumeTopics(topic), kgo.FetchMaxBytes(1), kgo.FetchMaxPartitionBytes(1))
	got := take(t, c, len(want))
	for at, r := range want {
		if got[at].value != r.value {
			t.Errorf("at %v: got %d bytes, want %d", at, len(got[at].value), len(r.value))
		}
	}
}

func insideOfABatch(t *testing.T, bootstrap string) {
	const topic = "batched"
	create(t, bootstrap, topic, nil)
	want := sendAll(t, connect(t, bootstrap, kgo.ProducerLinger(50*time.Millisecond)), topic, makeRecords("r", 50))
	for _, from := range []int64{1, 25, 49} {
		c := connect(t, bootstrap, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().At(from)}}))
		got := take(t, c, 50-int(from))
		if got[place{0, from}] != want[place{0, from}] || len(got) != 50-int(from) {
			t.Errorf("from %d: got %d records, want %d", from, len(got), 50-from)
		}
	}
}

func leftTransaction(t *testing.T, bootstrap string) {
	const topic = "left-open"
	create(t, bootstrap, topic, nil)
	gone := connect(t, bootstrap, kgo.TransactionalID("gone"), kgo.TransactionTimeout(2*time.Second))
	if err := gone.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	sendAll(t, gone, topic, makeRecords("never", 10))
	gone.Close()
	want := sendAll(t, connect(t, bootstrap), topic, makeRecords("after", 1))
	c := connect(t, bootstrap, kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	expectRecords(t, "read_committed, once the time of the transaction is over", take(t, c, 1), want)
}

func concurrentJoins(t *testing.T, bootstrap string) {
	const group, members = "crowd", 20
	admin := kadm.NewClient(connect(t, bootstrap))
	if _, err := admin.CreateTopic(t.Context(), members, 1, nil, group); err != nil {
		t.Fatal(err)
	}
	for range members {
		c := connect(t, bootstrap, kgo.ConsumerGroup(group), kgo.ConsumeTopics(group), kgo.HeartbeatInterval(200*time.Millisecond))
		go func() {
			for ctx := t.Context(); ctx.Err() == nil; {
				c.PollFetches(ctx)
			}
		}()
	}
	until(t, "each member has one partition", func(ctx context.Context) (bool, error) {
		described, err := admin.DescribeGroups(ctx, group)
		if err != nil {
			return false, err
		}
		var counts []int
		for _, m := range described[group].Members {
			assigned, _ := m.Assigned.AsConsumer()
			for _, in := range assigned.Topics {
				counts = append(counts, len(in.Partitions))
			}
		}
		return described[group].State == "Stable" && slices.Equal(counts, slices.Repeat([]int{1}, members)), fmt.Errorf("%s %v", described[group].State, counts)
	})
}

func fencedInstance(t *testing.T, bootstrap string) {
	const topic = "instances"
	create(t, bootstrap, topic, nil)
	member := func() *kgo.Client {
		return connect(t, bootstrap, kgo.ConsumerGroup(topic), kgo.InstanceID("one"), kgo.ConsumeTopics(topic),
			kgo.HeartbeatInterval(100*time.Millisecond), kgo.DisableAutoCommit())
	}
	first := member()
	sendAll(t, connect(t, bootstrap), topic, makeRecords("r", 5))
	take(t, first, 5)
	take(t, member(), 5) // nothing was committed
	until(t, "the first is told", func(ctx context.Context) (bool, error) {
		ctx, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
		defer cancel()
		err := first.PollFetches(ctx).Err()
		if errors.Is(err, kerr.FencedInstanceID) {
			return true, nil
		}
		committed := first.CommitRecords(ctx, &kgo.Record{Topic: topic, Offset: 1})
		return errors.Is(committed, kerr.FencedInstanceID), errors.Join(err, committed)
	})
}

func unknownGroup(t *testing.T, bootstrap string) {
	admin := create(t, bootstrap, "unread", nil)
	offsets, err := admin.FetchOffsetsForTopics(t.Context(), "nobody", "unread")
	if err != nil {
		t.Fatal(err)
	}
	if o, found := offsets.Lookup("unread", 0); !found || o.Err != nil || o.At != -1 {
		t.Errorf("got %+v, want -1 without an error", o)
	}
}

func offsetsInTransaction(t *testing.T, bootstrap string) {
	const topic = "copied"
	admin := create(t, bootstrap, topic, nil)
	sendAll(t, connect(t, bootstrap), topic, makeRecords("r", 10))
	s, err := kgo.NewGroupTransactSession(kgo.SeedBrokers(bootstrap), kgo.TransactionalID(topic), kgo.ConsumerGroup(topic), kgo.ConsumeTopics(topic),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for _, step := range []struct {
		end  kgo.TransactionEndTry
		want int64
	}{{kgo.TryAbort, -1}, {kgo.TryCommit, 10}} {
		s.PollFetches(ctx) // after an abort the session goes back to what is committed
		if err := s.Begin(); err != nil {
			t.Fatal(err)
		}
		if _, err := s.End(ctx, step.end); err != nil {
			t.Fatal(err)
		}
		offsets, err := admin.FetchOffsetsForTopics(ctx, topic, topic)
		if o, _ := offsets.Lookup(topic, 0); err != nil || o.At != step.want {
			t.Errorf("after a commit %v: got offset %d (%v), want %d", bool(step.end), o.At, err, step.want)
		}
	}
}

// A group is what its members are, its generation and its offsets, all of which outlive the process of the broker.
func TestAGroupOutlivesTheBrokersProcess(t *testing.T) {
	t.Parallel()
	bootstrap, group := fixedAddress(t), "lasting"
	o := process.Options{Data: filepath.Join(t.TempDir(), "data"), KafkaListen: []string{bootstrap}}
	s := startToKill(t, o)
	create(t, bootstrap, group, nil)
	c := connect(t, bootstrap, append(hasty(bootstrap), kgo.ConsumerGroup(group), kgo.ConsumeTopics(group), kgo.DisableAutoCommit(),
		kgo.HeartbeatInterval(100*time.Millisecond), kgo.SessionTimeout(10*time.Second))...)
	want := sendAll(t, connect(t, bootstrap), group, makeRecords("before", 20))
	got := take(t, c, 20)
	if err := c.CommitUncommittedOffsets(t.Context()); err != nil {
		t.Fatal(err)
	}
	member, generation := c.GroupMetadata()
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
	start(t, o)
	maps.Copy(want, sendAll(t, connect(t, bootstrap), group, makeRecords("after", 20)))
	until(t, "20 more records", func(ctx context.Context) (bool, error) {
		err := takeInto(ctx, c, got) // it may tell first that the server was away
		return len(got) >= 40, err
	})
	expectRecords(t, "through the kill", got, want)
	if m, g := c.GroupMetadata(); m != member || g != generation {
		t.Errorf("after the kill: got member %s of generation %d, want %s of %d", m, g, member, generation)
	}
	if err := c.CommitUncommittedOffsets(t.Context()); err != nil {
		t.Errorf("commit after the kill: %v", err)
	}
}

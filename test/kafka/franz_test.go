//go:build system

package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// franz plays the scenario through franz-go.
type franz struct {
	bootstrap, prefix string
	admin             *kadm.Client
}

func playFranz(t *testing.T, bootstrap, prefix string) {
	t.Helper()
	f := franz{bootstrap: bootstrap, prefix: prefix, admin: kadm.NewClient(connect(t, bootstrap))}
	for _, step := range []struct {
		name string
		play func(t *testing.T)
	}{
		{"auto", f.auto},
		{"topic", f.topic},
		{"produce", f.produce},
		{"timestamps", f.timestamps},
		{"group", f.group},
		{"idempotent", f.idempotent},
		{"transaction", f.transaction},
		{"delete-records", f.deleteRecords},
		{"groups", f.groups},
		{"delete-topic", f.deleteTopic},
	} {
		t.Run(step.name, step.play)
	}
}

func (f franz) auto(t *testing.T) {
	sendAll(t, connect(t, f.bootstrap), f.prefix+"-auto", makeRecords("auto", 3))
}

func (f franz) topic(t *testing.T) {
	ctx, name := t.Context(), f.prefix+"-topic"
	hour := "3600000"
	made, err := f.admin.CreateTopic(ctx, 2, 3, map[string]*string{"retention.ms": &hour}, name)
	if err != nil || made.ReplicationFactor != 3 {
		t.Fatalf("got replication factor %d (%v), want the 3 that was asked for", made.ReplicationFactor, err)
	}
	if _, err := f.admin.CreateTopic(ctx, 2, 1, nil, name); !errors.Is(err, kerr.TopicAlreadyExists) {
		t.Errorf("creating it again: got %v, want %v", err, kerr.TopicAlreadyExists)
	}
	if grown, err := f.admin.UpdatePartitions(ctx, 5, name); err != nil || grown[name].Err != nil {
		t.Fatalf("add partitions: %v, %v", err, grown[name].Err)
	}
	details, err := f.admin.ListTopics(ctx, name)
	if err != nil || len(details[name].Partitions) != 5 {
		t.Errorf("got %d partitions (%v), want 5", len(details[name].Partitions), err)
	}
	limit := "2000"
	if _, err := f.admin.AlterTopicConfigs(ctx, []kadm.AlterConfig{{Name: "max.message.bytes", Value: &limit}}, name); err != nil {
		t.Fatal(err)
	}
	configs, err := f.admin.DescribeTopicConfigs(ctx, name)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, c := range configs[0].Configs {
		got[c.Key] = c.MaybeValue()
	}
	if got["retention.ms"] != hour || got["max.message.bytes"] != limit || got["cleanup.policy"] != "delete" {
		t.Errorf("got configs %v", got)
	}
	plain := connect(t, f.bootstrap, kgo.ProducerBatchCompression(kgo.NoCompression()))
	result := plain.ProduceSync(ctx, &kgo.Record{Topic: name, Value: make([]byte, 5000)})
	if err := result.FirstErr(); !errors.Is(err, kerr.MessageTooLarge) {
		t.Errorf("a record above max.message.bytes: got %v, want %v", err, kerr.MessageTooLarge)
	}
}

func (f franz) produce(t *testing.T) {
	topic := f.prefix + "-log"
	if _, err := f.admin.CreateTopic(t.Context(), 3, 1, nil, topic); err != nil {
		t.Fatal(err)
	}
	acked := map[place]record{}
	for name, codec := range map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	} {
		c := connect(t, f.bootstrap, kgo.ProducerBatchCompression(codec), kgo.ProducerLinger(20*time.Millisecond))
		maps.Copy(acked, sendAll(t, c, topic, makeRecords(name, 30)))
	}
	expectRecords(t, "read back", take(t, connect(t, f.bootstrap, kgo.ConsumeTopics(topic)), len(acked)), acked)
}

func (f franz) timestamps(t *testing.T) {
	topic, middle := f.prefix+"-log", firstTime.Add(15*time.Second).UnixMilli()
	found, err := f.admin.ListOffsetsAfterMilli(t.Context(), middle, topic)
	if err != nil {
		t.Fatal(err)
	}
	want := map[int32]int64{}
	for at, r := range take(t, connect(t, f.bootstrap, kgo.ConsumeTopics(topic)), 150) {
		if first, seen := want[at.partition]; r.time >= middle && (!seen || at.offset < first) {
			want[at.partition] = at.offset
		}
	}
	found.Each(func(o kadm.ListedOffset) {
		if o.Offset != want[o.Partition] {
			t.Errorf("offset of partition %d for time %d: got %d, want %d", o.Partition, middle, o.Offset, want[o.Partition])
		}
	})
}

func (f franz) member(t *testing.T) *kgo.Client {
	t.Helper()
	return connect(t, f.bootstrap, kgo.ConsumerGroup(f.prefix+"-group"), kgo.ConsumeTopics(f.prefix+"-log"),
		kgo.DisableAutoCommit(), kgo.SessionTimeout(6*time.Second), kgo.HeartbeatInterval(300*time.Millisecond))
}

func (f franz) group(t *testing.T) {
	topic, group := f.prefix+"-log", f.prefix+"-group"
	a := f.member(t)
	take(t, a, 150)
	if err := a.CommitUncommittedOffsets(t.Context()); err != nil {
		t.Fatal(err)
	}
	b, got := f.member(t), map[place]record{}
	both := func(ctx context.Context) error {
		return errors.Join(takeInto(ctx, a, got), takeInto(ctx, b, got))
	}
	until(t, "both members have partitions", func(ctx context.Context) (bool, error) {
		if err := both(ctx); err != nil {
			t.Fatal(err)
		}
		described, err := f.admin.DescribeGroups(ctx, group)
		if err != nil || described[group].State != "Stable" || len(described[group].Members) != 2 {
			return false, fmt.Errorf("group %+v: %w", described[group], err)
		}
		counts := []int{}
		for _, m := range described[group].Members {
			assigned, _ := m.Assigned.AsConsumer()
			for _, in := range assigned.Topics {
				counts = append(counts, len(in.Partitions))
			}
		}
		slices.Sort(counts)
		return slices.Equal(counts, []int{1, 2}), fmt.Errorf("partitions %v", counts)
	})
	more := sendAll(t, connect(t, f.bootstrap), topic, makeRecords("second", 30))
	until(t, "30 more records", func(ctx context.Context) (bool, error) {
		err := both(ctx)
		return len(got) >= len(more), err
	})
	expectRecords(t, "after the rebalance", got, more)
	for _, c := range []*kgo.Client{a, b} {
		if err := c.CommitUncommittedOffsets(t.Context()); err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
	last := sendAll(t, connect(t, f.bootstrap), topic, makeRecords("third", 10))
	c := f.member(t)
	expectRecords(t, "from the committed offsets", take(t, c, len(last)), last)
	c.Close()
}

func (f franz) idempotent(t *testing.T) {
	sendAll(t, connect(t, f.bootstrap, kgo.ProducerBatchCompression(kgo.Lz4Compression())), f.prefix+"-idempotent", makeRecords("idempotent", 500))
}

func (f franz) transaction(t *testing.T) {
	ctx, topic := t.Context(), f.prefix+"-txn"
	if _, err := f.admin.CreateTopic(ctx, 2, 1, nil, topic); err != nil {
		t.Fatal(err)
	}
	p := connect(t, f.bootstrap, kgo.TransactionalID(f.prefix+"-id"))
	run := func(name string, end kgo.TransactionEndTry) map[place]record {
		if err := p.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		sent := sendAll(t, p, topic, makeRecords(name, 20))
		if err := p.EndTransaction(ctx, end); err != nil {
			t.Fatalf("end of %s: %v", name, err)
		}
		return sent
	}
	all := run("committed", kgo.TryCommit)
	committed := maps.Clone(all)
	maps.Copy(all, run("aborted", kgo.TryAbort))
	again := run("committed-too", kgo.TryCommit)
	maps.Copy(all, again)
	maps.Copy(committed, again)
	c := connect(t, f.bootstrap, kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	expectRecords(t, "read_committed", take(t, c, len(committed)), committed)
	expectRecords(t, "read_uncommitted", take(t, connect(t, f.bootstrap, kgo.ConsumeTopics(topic)), len(all)), all)
	f.copyInTransaction(t)
	f.zombie(t)
}

// copyInTransaction reads with a group and writes in one transaction with the group's offsets.
func (f franz) copyInTransaction(t *testing.T) {
	t.Helper()
	group := f.prefix + "-copy"
	s, err := kgo.NewGroupTransactSession(kgo.SeedBrokers(f.bootstrap), kgo.TransactionalID(group), kgo.ConsumerGroup(group),
		kgo.ConsumeTopics(f.prefix+"-log"), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	read := s.PollFetches(ctx).Records()
	if err := s.Begin(); err != nil {
		t.Fatal(err)
	}
	for _, r := range read {
		s.Produce(ctx, &kgo.Record{Topic: f.prefix + "-txn", Key: r.Key, Value: r.Value}, nil)
	}
	if ok, err := s.End(ctx, kgo.TryCommit); !ok || err != nil {
		t.Fatalf("got committed %v (%v), want true", ok, err)
	}
	offsets, err := f.admin.FetchOffsets(ctx, group)
	if err != nil {
		t.Fatal(err)
	}
	var sum int64
	offsets.Each(func(o kadm.OffsetResponse) { sum += max(0, o.At) })
	if sum != int64(len(read)) {
		t.Errorf("got offsets %v that sum up to %d, want %d", offsets, sum, len(read))
	}
}

// zombie has a producer fenced by another with its transactional id.
func (f franz) zombie(t *testing.T) {
	t.Helper()
	id, topic := kgo.TransactionalID(f.prefix+"-zombie"), f.prefix+"-txn"
	old, current := connect(t, f.bootstrap, id), connect(t, f.bootstrap, id)
	if err := old.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	sendAll(t, old, topic, makeRecords("zombie", 1))
	if _, _, err := current.ProducerID(t.Context()); err != nil {
		t.Fatal(err)
	}
	err := old.EndTransaction(t.Context(), kgo.TryCommit)
	if err == nil || !strings.Contains(err.Error(), "FENCED") && !strings.Contains(err.Error(), "EPOCH") {
		t.Errorf("a fenced producer commits: got %v, want PRODUCER_FENCED or INVALID_PRODUCER_EPOCH", err)
	}
}

func (f franz) deleteRecords(t *testing.T) {
	topic := f.prefix + "-idempotent"
	var offsets kadm.Offsets
	offsets.Add(kadm.Offset{Topic: topic, Partition: 0, At: 10})
	if deleted, err := f.admin.DeleteRecords(t.Context(), offsets); err != nil || deleted.Error() != nil {
		t.Fatal(err, deleted.Error())
	}
	starts, err := f.admin.ListStartOffsets(t.Context(), topic)
	if first, _ := starts.Lookup(topic, 0); err != nil || first.Offset != 10 {
		t.Errorf("got first offset %d (%v), want 10", first.Offset, err)
	}
}

func (f franz) groups(t *testing.T) {
	group := f.prefix + "-group"
	listed, err := f.admin.ListGroups(t.Context())
	if _, found := listed[group]; !found {
		t.Errorf("got groups %v (%v), want %s among them", listed.Groups(), err, group)
	}
	if deleted, err := f.admin.DeleteGroups(t.Context(), group); err != nil || deleted.Error() != nil {
		t.Fatal(err, deleted.Error())
	}
	listed, err = f.admin.ListGroups(t.Context())
	if _, found := listed[group]; found || err != nil {
		t.Errorf("the deleted group is listed: %v (%v)", listed.Groups(), err)
	}
}

func (f franz) deleteTopic(t *testing.T) {
	name := f.prefix + "-topic"
	if deleted, err := f.admin.DeleteTopics(t.Context(), name); err != nil || deleted.Error() != nil {
		t.Fatal(err, deleted.Error())
	}
	listed, err := f.admin.ListTopics(t.Context())
	if listed.Has(name) || err != nil {
		t.Errorf("the deleted topic is listed (%v)", err)
	}
}

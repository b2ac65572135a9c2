//go:build system

package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/IBM/sarama"
)

// saramaClient plays the scenario through sarama.
type saramaClient struct {
	bootstrap, prefix string
	admin             sarama.ClusterAdmin
}

func playSarama(t *testing.T, bootstrap, prefix string) {
	t.Helper()
	admin, err := sarama.NewClusterAdmin([]string{bootstrap}, saramaConfig())
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	s := saramaClient{bootstrap, prefix, admin}
	for _, step := range []struct {
		name string
		play func(t *testing.T)
	}{
		{"auto", s.auto},
		{"topic", s.topic},
		{"produce", s.produce},
		{"timestamps", s.timestamps},
		{"group", s.group},
		{"transaction", s.transaction},
		{"delete-records", s.deleteRecords},
		{"groups", s.groups},
		{"delete-topic", s.deleteTopic},
	} {
		t.Run(step.name, step.play)
	}
}

func saramaConfig() *sarama.Config {
	c := sarama.NewConfig()
	c.Version = sarama.MaxVersion
	c.Producer.RequiredAcks = sarama.WaitForAll
	c.Producer.Return.Successes = true
	c.Producer.Idempotent = true
	c.Net.MaxOpenRequests = 1 // what sarama demands of idempotent producers
	c.Consumer.Offsets.Initial = sarama.OffsetOldest
	c.Consumer.Offsets.AutoCommit.Enable = false
	c.Consumer.Group.Session.Timeout = 6 * time.Second
	c.Consumer.Group.Heartbeat.Interval = 300 * time.Millisecond
	return c
}

func toSarama(t *testing.T, topic string, r record) *sarama.ProducerMessage {
	t.Helper()
	m := &sarama.ProducerMessage{
		Topic: topic, Key: sarama.StringEncoder(r.key), Value: sarama.StringEncoder(r.value), Timestamp: time.UnixMilli(r.time), Metadata: r,
	}
	for _, h := range r.parseHeaders(t) {
		m.Headers = append(m.Headers, sarama.RecordHeader{Key: []byte(h.name), Value: h.value})
	}
	return m
}

func fromSarama(m *sarama.ConsumerMessage) record {
	var all []header
	for _, h := range m.Headers {
		all = append(all, header{string(h.Key), h.Value})
	}
	return record{key: string(m.Key), value: string(m.Value), headers: headers(all...), time: m.Timestamp.UnixMilli()}
}

// send produces records with a producer of its own and returns where each is.
func (s saramaClient) send(t *testing.T, topic string, records []record, change func(c *sarama.Config)) map[place]record {
	t.Helper()
	c := saramaConfig()
	change(c)
	p, err := sarama.NewSyncProducer([]string{s.bootstrap}, c)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	return s.sendWith(t, p, topic, records)
}

func (s saramaClient) sendWith(t *testing.T, p sarama.SyncProducer, topic string, records []record) map[place]record {
	t.Helper()
	messages := make([]*sarama.ProducerMessage, len(records))
	for i, r := range records {
		messages[i] = toSarama(t, topic, r)
	}
	if err := p.SendMessages(messages); err != nil {
		t.Fatalf("send to %s: %v", topic, err)
	}
	acked := map[place]record{}
	for i, m := range messages {
		acked[place{m.Partition, m.Offset}] = records[i]
	}
	return acked
}

func unchanged(*sarama.Config) {}

// readAll reads every partition of topic from its beginning until there are count records.
func (s saramaClient) readAll(t *testing.T, topic string, count int, change func(c *sarama.Config)) map[place]record {
	t.Helper()
	config := saramaConfig()
	change(config)
	c, err := sarama.NewConsumer([]string{s.bootstrap}, config)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	partitions, err := c.Partitions(topic)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	messages := make(chan *sarama.ConsumerMessage)
	for _, partition := range partitions {
		p, err := c.ConsumePartition(topic, partition, sarama.OffsetOldest)
		if err != nil {
			t.Fatal(err)
		}
		defer p.AsyncClose()
		go func() {
			for m := range p.Messages() {
				select {
				case messages <- m:
				case <-ctx.Done():
				}
			}
		}()
	}
	got := map[place]record{}
	for len(got) < count {
		select {
		case m := <-messages:
			got[place{m.Partition, m.Offset}] = fromSarama(m)
		case <-ctx.Done():
			t.Fatalf("got %d records of %s, want %d", len(got), topic, count)
		}
	}
	cancel()
	return got
}

func (s saramaClient) auto(t *testing.T) {
	s.send(t, s.prefix+"-auto", makeRecords("auto", 3), unchanged)
}

func (s saramaClient) topic(t *testing.T) {
	name, hour, limit := s.prefix+"-topic", "3600000", "2000"
	detail := &sarama.TopicDetail{NumPartitions: 2, ReplicationFactor: 1, ConfigEntries: map[string]*string{"retention.ms": &hour}}
	if err := s.admin.CreateTopic(name, detail, false); err != nil {
		t.Fatal(err)
	}
	if err := s.admin.CreateTopic(name, detail, false); !errors.Is(err, sarama.ErrTopicAlreadyExists) {
		t.Errorf("creating it again: got %v, want %v", err, sarama.ErrTopicAlreadyExists)
	}
	if err := s.admin.CreatePartitions(name, 5, nil, false); err != nil {
		t.Fatal(err)
	}
	described, err := s.admin.DescribeTopics([]string{name})
	if err != nil || len(described) != 1 || len(described[0].Partitions) != 5 {
		t.Errorf("got %+v (%v), want 5 partitions", described, err)
	}
	err = s.admin.IncrementalAlterConfig(sarama.TopicResource, name, map[string]sarama.IncrementalAlterConfigsEntry{
		"max.message.bytes": {Operation: sarama.IncrementalAlterConfigsOperationSet, Value: &limit},
	}, false)
	if err != nil {
		t.Fatal(err)
	}
	resource := &sarama.ConfigResource{Type: sarama.TopicResource, Name: name}
	results, err := s.admin.DescribeConfigs([]*sarama.ConfigResource{resource}, sarama.DescribeConfigsOptions{})
	if err != nil || len(results) != 1 || results[0].ErrorCode != 0 {
		t.Fatalf("configs: %v, %+v", err, results)
	}
	got := map[string]string{}
	for _, e := range results[0].Configs {
		got[e.Name] = e.Value
	}
	if got["retention.ms"] != hour || got["max.message.bytes"] != limit || got["cleanup.policy"] != "delete" {
		t.Errorf("got configs %v", got)
	}
}

func (s saramaClient) produce(t *testing.T) {
	topic := s.prefix + "-log"
	if err := s.admin.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: 3, ReplicationFactor: 1}, false); err != nil {
		t.Fatal(err)
	}
	acked := map[place]record{}
	for codec := sarama.CompressionNone; codec <= sarama.CompressionZSTD; codec++ {
		maps.Copy(acked, s.send(t, topic, makeRecords(codec.String(), 30), func(c *sarama.Config) { c.Producer.Compression = codec }))
	}
	expectRecords(t, "read back", s.readAll(t, topic, len(acked), unchanged), acked)
}

func (s saramaClient) timestamps(t *testing.T) {
	topic, middle := s.prefix+"-log", firstTime.Add(15*time.Second).UnixMilli()
	want := map[int32]int64{}
	for at, r := range s.readAll(t, topic, 150, unchanged) {
		if first, seen := want[at.partition]; r.time >= middle && (!seen || at.offset < first) {
			want[at.partition] = at.offset
		}
	}
	found, err := s.admin.ListOffsets(map[string]map[int32]int64{topic: {0: middle, 1: middle, 2: middle}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for partition, o := range found[topic] {
		if o.Offset != want[partition] {
			t.Errorf("offset of partition %d for time %d: got %d, want %d", partition, middle, o.Offset, want[partition])
		}
	}
}

// saramaMember is a member of a group; it commits what it has read when it leaves.
type saramaMember struct {
	mu      sync.Mutex
	got     map[place]record // guarded by mu
	claimed []int32          // guarded by mu
	stop    func()
}

func (m *saramaMember) Setup(s sarama.ConsumerGroupSession) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.claimed = nil
	for _, partitions := range s.Claims() {
		m.claimed = partitions
	}
	return nil
}

func (m *saramaMember) Cleanup(s sarama.ConsumerGroupSession) error {
	s.Commit()
	return nil
}

func (m *saramaMember) ConsumeClaim(s sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for message := range claim.Messages() {
		m.mu.Lock()
		m.got[place{message.Partition, message.Offset}] = fromSarama(message)
		m.mu.Unlock()
		s.MarkMessage(message, "read")
	}
	return nil
}

func (m *saramaMember) state() (got map[place]record, claimed int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.got), len(m.claimed)
}

// join starts a member, which ends with stop or with t.
func (s saramaClient) join(t *testing.T) *saramaMember {
	t.Helper()
	g, err := sarama.NewConsumerGroup([]string{s.bootstrap}, s.prefix+"-group", saramaConfig())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	m := &saramaMember{got: map[place]record{}}
	var wg sync.WaitGroup
	wg.Go(func() {
		for ctx.Err() == nil {
			if err := g.Consume(ctx, []string{s.prefix + "-log"}, m); err != nil && ctx.Err() == nil {
				t.Errorf("consume: %v", err)
				return
			}
		}
	})
	m.stop = sync.OnceFunc(func() {
		cancel()
		wg.Wait()
		if err := g.Close(); err != nil {
			t.Errorf("leave the group: %v", err)
		}
	})
	t.Cleanup(m.stop)
	return m
}

// awaitRead waits until the members have read count records.
func awaitRead(t *testing.T, count int, members ...*saramaMember) map[place]record {
	t.Helper()
	all := map[place]record{}
	until(t, fmt.Sprint(count, " records"), func(context.Context) (bool, error) {
		for _, m := range members {
			got, _ := m.state()
			maps.Copy(all, got)
		}
		return len(all) >= count, fmt.Errorf("got %d", len(all))
	})
	return all
}

func (s saramaClient) group(t *testing.T) {
	topic := s.prefix + "-log"
	a := s.join(t)
	before := awaitRead(t, 150, a)
	b := s.join(t)
	until(t, "both members have partitions", func(context.Context) (bool, error) {
		_, ofA := a.state()
		_, ofB := b.state()
		return slices.Equal(slices.Sorted(slices.Values([]int{ofA, ofB})), []int{1, 2}), fmt.Errorf("%d and %d", ofA, ofB)
	})
	described, err := s.admin.DescribeConsumerGroups([]string{s.prefix + "-group"})
	if err != nil || described[0].State != "Stable" || len(described[0].Members) != 2 {
		t.Errorf("got %+v (%v), want a stable group of two", described, err)
	}
	maps.Copy(before, s.send(t, topic, makeRecords("second", 30), unchanged))
	expectRecords(t, "after the rebalance", awaitRead(t, 180, a, b), before)
	a.stop()
	b.stop()
	last := s.send(t, topic, makeRecords("third", 10), unchanged)
	c := s.join(t)
	expectRecords(t, "from the committed offsets", awaitRead(t, 10, c), last)
	c.stop()
}

func (s saramaClient) transaction(t *testing.T) {
	topic := s.prefix + "-txn"
	if err := s.admin.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: 2, ReplicationFactor: 1}, false); err != nil {
		t.Fatal(err)
	}
	c := saramaConfig()
	c.Producer.Transaction.ID = s.prefix + "-id"
	p, err := sarama.NewSyncProducer([]string{s.bootstrap}, c)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	run := func(name string, end func() error) map[place]record {
		if err := p.BeginTxn(); err != nil {
			t.Fatal(err)
		}
		sent := s.sendWith(t, p, topic, makeRecords(name, 20))
		offsets := map[string][]*sarama.PartitionOffsetMetadata{s.prefix + "-log": {{Partition: 1, Offset: int64(len(name)), LeaderEpoch: -1}}}
		if err := p.AddOffsetsToTxn(offsets, s.prefix+"-copy"); err != nil {
			t.Fatalf("add offsets: %v", err)
		}
		if err := end(); err != nil {
			t.Fatalf("end of %s: %v", name, err)
		}
		return sent
	}
	committed := run("committed", p.CommitTxn)
	all := run("aborted", p.AbortTxn)
	maps.Copy(all, committed)
	got := s.readAll(t, topic, len(committed), func(c *sarama.Config) { c.Consumer.IsolationLevel = sarama.ReadCommitted })
	expectRecords(t, "read_committed", got, committed)
	expectRecords(t, "read_uncommitted", s.readAll(t, topic, len(all), unchanged), all)
	offsets, err := s.admin.ListConsumerGroupOffsets(s.prefix+"-copy", map[string][]int32{s.prefix + "-log": {1}})
	if err != nil || offsets.GetBlock(s.prefix+"-log", 1).Offset != int64(len("committed")) {
		t.Errorf("offsets of the transactions: got %+v (%v), want that of the committed one, %d", offsets, err, len("committed"))
	}
}

func (s saramaClient) deleteRecords(t *testing.T) {
	topic := s.prefix + "-log"
	if err := s.admin.DeleteRecords(topic, map[int32]int64{0: 2, 1: 3}); err != nil {
		t.Fatal(err)
	}
	found, err := s.admin.ListOffsets(map[string]map[int32]int64{topic: {0: sarama.OffsetOldest, 1: sarama.OffsetOldest, 2: sarama.OffsetOldest}}, nil)
	if err != nil || found[topic][0].Offset != 2 || found[topic][1].Offset != 3 || found[topic][2].Offset != 0 {
		t.Errorf("got first offsets %+v (%v), want 2, 3 and 0", found[topic], err)
	}
}

func (s saramaClient) groups(t *testing.T) {
	group := s.prefix + "-group"
	listed, err := s.admin.ListConsumerGroups()
	if _, found := listed[group]; !found || err != nil {
		t.Errorf("got groups %v (%v), want %s among them", listed, err, group)
	}
	if err := s.admin.DeleteConsumerGroup(group); err != nil {
		t.Fatal(err)
	}
	listed, err = s.admin.ListConsumerGroups()
	if _, found := listed[group]; found || err != nil {
		t.Errorf("the deleted group is listed: %v (%v)", listed, err)
	}
}

func (s saramaClient) deleteTopic(t *testing.T) {
	if err := s.admin.DeleteTopic(s.prefix + "-topic"); err != nil {
		t.Fatal(err)
	}
	listed, err := s.admin.ListTopics()
	if _, found := listed[s.prefix+"-topic"]; found || err != nil {
		t.Errorf("the deleted topic is listed (%v)", err)
	}
}

package kafka

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/store"
	"millrace/internal/core/store/embedded"
	"millrace/internal/core/store/storetest"
)

// topicOf is a topic to create by the defaults, with configs as name, value, name, value.
func topicOf(name string, partitions int32, configs ...string) kafkaapi.CreateTopicsRequestCreatableTopic {
	t := kafkaapi.CreateTopicsRequestCreatableTopic{Name: name, NumPartitions: partitions, ReplicationFactor: -1}
	for i := 0; i < len(configs); i += 2 {
		t.Configs = append(t.Configs, kafkaapi.CreateTopicsRequestCreatableTopicConfig{Name: configs[i], Value: &configs[i+1]})
	}
	return t
}

// create asks for topics and returns the answers.
func create(t *testing.T, b *Broker, topics ...kafkaapi.CreateTopicsRequestCreatableTopic) []kafkaapi.CreateTopicsResponseCreatableTopicResult {
	t.Helper()
	return ask[*kafkaapi.CreateTopicsResponse](t, b, 7, &kafkaapi.CreateTopicsRequest{Topics: topics}).Topics
}

// mustCreate makes topics.
func mustCreate(t *testing.T, b *Broker, topics ...kafkaapi.CreateTopicsRequestCreatableTopic) {
	t.Helper()
	for _, r := range create(t, b, topics...) {
		if r.ErrorCode != kafkaapi.None {
			t.Fatalf("create %s: %s %s", r.Name, r.ErrorCode, *r.ErrorMessage)
		}
	}
}

// refused is an error in an answer as text: its name and message.
func refused(code kafkaapi.Code, text *string) string {
	if code == kafkaapi.None {
		return ""
	}
	if text == nil {
		return code.Name()
	}
	return code.Name() + ": " + *text
}

// Recorded from a broker of Apache Kafka 4.3.1 (2026-11), but for what is ours: reserved names, the bound on
// partitions, and replicas, of which a broker alone accepts any number.
func TestTopicsAreMadeAndRefusedAsKafkaDoes(t *testing.T) {
	b := open(t, storetest.NewModel())
	mustCreate(t, b, topicOf("ok.one", 2))
	with := func(name string, change func(*kafkaapi.CreateTopicsRequestCreatableTopic)) kafkaapi.CreateTopicsRequestCreatableTopic {
		in := topicOf(name, -1)
		change(&in)
		return in
	}
	assign := func(name string, lists map[int32][]int32) kafkaapi.CreateTopicsRequestCreatableTopic {
		return with(name, func(in *kafkaapi.CreateTopicsRequestCreatableTopic) {
			for index, brokers := range lists {
				in.Assignments = append(in.Assignments, kafkaapi.CreateTopicsRequestCreatableReplicaAssignment{PartitionIndex: index, BrokerIDs: brokers})
			}
		})
	}
	factor := func(name string, n int16) kafkaapi.CreateTopicsRequestCreatableTopic {
		return with(name, func(in *kafkaapi.CreateTopicsRequestCreatableTopic) { in.NumPartitions, in.ReplicationFactor = 1, n })
	}
	long := strings.Repeat("x", 250)
	for _, c := range []struct {
		in   kafkaapi.CreateTopicsRequestCreatableTopic
		want string
	}{
		{topicOf("ok_one", 1), "INVALID_TOPIC_EXCEPTION: Topic 'ok_one' collides with existing topic: ok.one"},
		{topicOf("ok.one", 1), "TOPIC_ALREADY_EXISTS: Topic 'ok.one' already exists."},
		{topicOf("bad name", 1), "INVALID_TOPIC_EXCEPTION: Topic name is invalid: 'bad name' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"},
		{topicOf("..", 1), "INVALID_TOPIC_EXCEPTION: Topic name is invalid: '..' is not allowed"},
		{topicOf("", 1), "INVALID_TOPIC_EXCEPTION: Topic name is invalid: the empty string is not allowed"},
		{topicOf(long, 1), "INVALID_TOPIC_EXCEPTION: Topic name is invalid: the length of '" + long + "' is longer than the max allowed length 249"},
		{topicOf(long[:249], 1), ""},
		{topicOf("ddb.table", 1), "INVALID_TOPIC_EXCEPTION: Topic name is invalid: 'ddb.table' begins with 'ddb.', which is reserved for streams of tables"},
		{topicOf("111122223333.eu-west-1.s", 1), "INVALID_TOPIC_EXCEPTION: Topic name is invalid: '111122223333.eu-west-1.s' has the form account.region.name, which stands for a stream made by Kinesis"},
		{topicOf("p0", 0), "INVALID_PARTITIONS: Number of partitions was set to an invalid non-positive value."},
		{topicOf("pm2", -2), "INVALID_PARTITIONS: Number of partitions was set to an invalid non-positive value."},
		{topicOf("many", 10_001), "INVALID_PARTITIONS: A topic has at most 10000 partitions."},
		{factor("rf0", 0), "INVALID_REPLICATION_FACTOR: Replication factor must be larger than 0, or -1 to use the default value."},
		{factor("rf3", 3), ""},
		{assign("as1", map[int32][]int32{0: {0}, 2: {0}}), "INVALID_REPLICA_ASSIGNMENT: partitions should be a consecutive 0-based integer sequence"},
		{assign("as3", map[int32][]int32{0: {}}), "INVALID_REPLICA_ASSIGNMENT: The manual partition assignment includes an empty replica list."},
		{assign("as4", map[int32][]int32{0: {1, 1}}), "INVALID_REPLICA_ASSIGNMENT: The manual partition assignment includes the broker 1 more than once."},
		{assign("as5", map[int32][]int32{0: {5, 6}, 1: {6, 5}}), ""},
		{assign("as7", map[int32][]int32{0: {-1}}), "INVALID_REPLICA_ASSIGNMENT: The manual partition assignment includes broker -1, but no such broker is registered."},
		{
			with("as8", func(in *kafkaapi.CreateTopicsRequestCreatableTopic) {
				in.NumPartitions, in.Assignments = 1, []kafkaapi.CreateTopicsRequestCreatableReplicaAssignment{{BrokerIDs: []int32{0}}}
			}),
			"INVALID_REQUEST: A manual partition assignment was specified, but numPartitions was not set to -1.",
		},
		{topicOf("cfg", 1, "retention.ms", "abc"), "INVALID_CONFIG: Invalid value abc for configuration retention.ms: Not a number of type LONG"},
		{topicOf("cfg", 1, "no.such.config", "1"), "INVALID_CONFIG: Unknown topic config name: no.such.config"},
		{
			with("cfg", func(in *kafkaapi.CreateTopicsRequestCreatableTopic) {
				in.Configs = []kafkaapi.CreateTopicsRequestCreatableTopicConfig{{Name: "retention.ms"}}
			}),
			"INVALID_CONFIG: Null value not supported for topic configs: retention.ms",
		},
	} {
		r := create(t, b, c.in)[0]
		if got := refused(r.ErrorCode, r.ErrorMessage); got != c.want {
			t.Errorf("%.30q %d partitions, factor %d, %v:\ngot  %s\nwant %s", c.in.Name, c.in.NumPartitions, c.in.ReplicationFactor, c.in.Assignments, got, c.want)
		}
		if c.want != "" && r.NumPartitions != -1 {
			t.Errorf("%.30q: refused with %d partitions, want -1", c.in.Name, r.NumPartitions)
		}
	}
}

func TestEachTopicOfARequestStandsAlone(t *testing.T) {
	b := open(t, storetest.NewModel())
	rs := create(t, b, topicOf("a", 1), topicOf("dup", 1), topicOf("b c", 1), topicOf("dup", 2), topicOf("d", 3))
	var got []string
	for _, r := range rs {
		got = append(got, fmt.Sprint(r.Name, " ", r.ErrorCode, " ", r.NumPartitions))
	}
	want := []string{"a NONE 1", "dup INVALID_REQUEST -1", "b c INVALID_TOPIC_EXCEPTION -1", "dup INVALID_REQUEST -1", "d NONE 3"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestWhatWasAskedForIsEchoed(t *testing.T) {
	b := open(t, storetest.NewModel())
	in := topicOf("t", -1, "retention.ms", "1000")
	r := create(t, b, in)[0]
	if r.NumPartitions != 1 || r.ReplicationFactor != 1 || r.TopicID == (kafkaapi.UUID{}) || len(r.Configs) != 33 {
		t.Errorf("by default: got %d partitions, factor %d, id %s, %d configs", r.NumPartitions, r.ReplicationFactor, r.TopicID, len(r.Configs))
	}
	in.Name, in.ReplicationFactor = "three", 3
	r = create(t, b, in)[0]
	if r.ReplicationFactor != 3 {
		t.Errorf("created with factor %d, want 3", r.ReplicationFactor)
	}
	name := "three"
	m := ask[*kafkaapi.MetadataResponse](t, b, 12, &kafkaapi.MetadataRequest{Topics: []kafkaapi.MetadataRequestTopic{{Name: &name}}})
	if p := m.Topics[0].Partitions[0]; !slices.Equal(p.ReplicaNodes, []int32{0}) || !slices.Equal(p.IsrNodes, []int32{0}) {
		t.Errorf("metadata: replicas %v, in sync %v, want those that exist", p.ReplicaNodes, p.IsrNodes)
	}
	d := ask[*kafkaapi.DescribeTopicPartitionsResponse](t, b, 0, &kafkaapi.DescribeTopicPartitionsRequest{
		Topics: []kafkaapi.DescribeTopicPartitionsRequestTopicRequest{{Name: name}}, ResponsePartitionLimit: 2000,
	})
	if p := d.Topics[0].Partitions[0]; len(p.ReplicaNodes) != 3 || len(p.IsrNodes) != 3 {
		t.Errorf("described: replicas %v, in sync %v, want three", p.ReplicaNodes, p.IsrNodes)
	}
}

func TestTopicThatIsOnlyValidatedIsNotMade(t *testing.T) {
	b := open(t, storetest.NewModel())
	res := ask[*kafkaapi.CreateTopicsResponse](t, b, 7, &kafkaapi.CreateTopicsRequest{
		Topics: []kafkaapi.CreateTopicsRequestCreatableTopic{topicOf("t", 3), topicOf("no good", 1)}, ValidateOnly: true,
	})
	if r := res.Topics[0]; r.ErrorCode != kafkaapi.None || r.NumPartitions != 3 || r.TopicID == (kafkaapi.UUID{}) {
		t.Errorf("got %s, %d partitions, id %s", r.ErrorCode, r.NumPartitions, r.TopicID)
	}
	if r := res.Topics[1]; r.ErrorCode != kafkaapi.InvalidTopicException {
		t.Errorf("a bad name: got %s", r.ErrorCode)
	}
	if _, code := b.topic(t.Context(), "t"); code != kafkaapi.UnknownTopicOrPartition {
		t.Errorf("the topic exists: %s", code)
	}
}

func TestNameOfADeletedTopicIsFreeAtOnceAndItsNumbersGoOn(t *testing.T) {
	now := int64(1_700_000_000_123)
	s := storetest.NewModel(storetest.WithModelClock(func() int64 { return now }))
	b := open(t, s)
	mustCreate(t, b, topicOf("a.b", 3))
	before, _ := b.topic(t.Context(), "a.b")
	name := "a.b"
	del := func() *kafkaapi.DeleteTopicsResponse {
		return ask[*kafkaapi.DeleteTopicsResponse](t, b, 6, &kafkaapi.DeleteTopicsRequest{Topics: []kafkaapi.DeleteTopicsRequestDeleteTopicState{{Name: &name}}})
	}
	if r := del().Responses[0]; r.ErrorCode != kafkaapi.None || r.TopicID != before.id {
		t.Fatalf("delete: got %s, id %s, want %s", r.ErrorCode, r.TopicID, before.id)
	}
	if r := del().Responses[0]; refused(r.ErrorCode, r.ErrorMessage) != "UNKNOWN_TOPIC_OR_PARTITION: This server does not host this topic-partition." {
		t.Errorf("delete again: got %s", refused(r.ErrorCode, r.ErrorMessage))
	}
	for _, p := range before.partitions {
		if _, err := s.Head(t.Context(), p.id); !errors.Is(err, store.ErrNoPartition) {
			t.Errorf("partition %d still exists: %v", p.id, err)
		}
	}
	mustCreate(t, b, topicOf("a_b", 1)) // the other name is free too
	mustCreate(t, b, topicOf("c", 1))
	name = "a_b"
	del()
	name = "a.b"
	mustCreate(t, b, topicOf("a.b", 1))
	after, code := b.topic(t.Context(), "a.b")
	if code != kafkaapi.None || after.id == before.id || after.partitions[0].id == before.partitions[0].id {
		t.Fatalf("made again: %s, id %s", code, after.id)
	}
	if _, code := b.topicByID(t.Context(), before.id); code != kafkaapi.UnknownTopicID {
		t.Errorf("by the old id: got %s", code)
	}
	if err := s.View(t.Context(), func(tx store.ReadTx) error {
		c, err := b.topics.cat.LookupKafka(tx, "a.b")
		if err != nil {
			return err
		}
		parts, err := b.topics.cat.Partitions(tx, c)
		if err == nil && parts[0].Created/1000 <= now/1000 {
			t.Errorf("partitions count as made at %d, want a later second than %d", parts[0].Created, now)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

func TestTopicsAreDeletedByIDOrNameButNotBoth(t *testing.T) {
	b := open(t, storetest.NewModel())
	mustCreate(t, b, topicOf("a", 1), topicOf("b", 1), topicOf("c", 1))
	topic, _ := b.topic(t.Context(), "a")
	a, c, unknown := "a", "c", kafkaapi.UUID{9}
	res := ask[*kafkaapi.DeleteTopicsResponse](t, b, 6, &kafkaapi.DeleteTopicsRequest{Topics: []kafkaapi.DeleteTopicsRequestDeleteTopicState{
		{Name: &a, TopicID: topic.id}, {}, {TopicID: unknown}, {Name: &c}, {Name: &c},
	}})
	var got []string
	for _, r := range res.Responses {
		got = append(got, refused(r.ErrorCode, r.ErrorMessage))
	}
	want := []string{
		"INVALID_REQUEST: You may not specify both topic name and topic id.", "INVALID_REQUEST: Neither topic name nor id were specified.",
		"UNKNOWN_TOPIC_ID: This server does not host this topic ID.", "INVALID_REQUEST: Duplicate topic name.", "INVALID_REQUEST: Duplicate topic name.",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	res = ask[*kafkaapi.DeleteTopicsResponse](t, b, 6, &kafkaapi.DeleteTopicsRequest{Topics: []kafkaapi.DeleteTopicsRequestDeleteTopicState{{TopicID: topic.id}}})
	if r := res.Responses[0]; r.ErrorCode != kafkaapi.None || r.Name == nil || *r.Name != "a" {
		t.Errorf("by id: got %+v", r)
	}
	old := ask[*kafkaapi.DeleteTopicsResponse](t, b, 5, &kafkaapi.DeleteTopicsRequest{TopicNames: []string{"b", "a"}})
	if old.Responses[0].ErrorCode != kafkaapi.None || old.Responses[1].ErrorCode != kafkaapi.UnknownTopicOrPartition {
		t.Errorf("version 5: got %+v", old.Responses)
	}
}

func TestPartitionsAreAddedAsKafkaDoes(t *testing.T) {
	b := open(t, storetest.NewModel())
	mustCreate(t, b, topicOf("t", 2, "retention.ms", "5000"))
	for _, c := range []struct {
		name        string
		count       int32
		assignments [][]int32
		want        string
	}{
		{"t", 1, nil, "INVALID_PARTITIONS: The topic t currently has 2 partition(s); 1 would not be an increase."},
		{"t", 2, nil, "INVALID_PARTITIONS: Topic already has 2 partition(s)."},
		{"t", -1, nil, "INVALID_PARTITIONS: The topic t currently has 2 partition(s); -1 would not be an increase."},
		{"t", 10_001, nil, "INVALID_PARTITIONS: A topic has at most 10000 partitions."},
		{"none", 3, nil, "UNKNOWN_TOPIC_OR_PARTITION: This server does not host this topic-partition."},
		{"t", 4, [][]int32{{0}}, "INVALID_REPLICA_ASSIGNMENT: Attempted to add 2 additional partition(s), but only 1 assignment(s) were specified."},
		{"t", 3, [][]int32{{1, 1}}, "INVALID_REPLICA_ASSIGNMENT: The manual partition assignment includes the broker 1 more than once."},
		{"t", 3, [][]int32{{1, 2}}, "INVALID_REPLICA_ASSIGNMENT: The manual partition assignment includes a partition with 2 replica(s), but this is not consistent with previous partitions, which have 1 replica(s)."},
		{"t", 3, [][]int32{{}}, "INVALID_REPLICA_ASSIGNMENT: The manual partition assignment includes an empty replica list."},
		{"t", 3, nil, ""},
		{"t", 5, [][]int32{{0}, {7}}, ""},
	} {
		in := kafkaapi.CreatePartitionsRequestCreatePartitionsTopic{Name: c.name, Count: c.count}
		for _, a := range c.assignments {
			in.Assignments = append(in.Assignments, kafkaapi.CreatePartitionsRequestCreatePartitionsAssignment{BrokerIDs: a})
		}
		for _, validate := range []bool{true, false} {
			r := ask[*kafkaapi.CreatePartitionsResponse](t, b, 3, &kafkaapi.CreatePartitionsRequest{
				Topics: []kafkaapi.CreatePartitionsRequestCreatePartitionsTopic{in}, ValidateOnly: validate,
			}).Results[0]
			if got := refused(r.ErrorCode, r.ErrorMessage); got != c.want {
				t.Errorf("%s to %d with %v, only validated %v:\ngot  %s\nwant %s", c.name, c.count, c.assignments, validate, got, c.want)
			}
		}
	}
	topic, _ := b.topic(t.Context(), "t")
	if len(topic.partitions) != 5 {
		t.Fatalf("got %d partitions, want 5", len(topic.partitions))
	}
	for i, p := range topic.partitions {
		h, err := b.store.Head(t.Context(), p.id)
		if err != nil || h.Retention != (store.Retention{Millis: 5000}) {
			t.Errorf("partition %d: retention %+v, %v", i, h.Retention, err)
		}
	}
}

func TestTopicsSurviveARestart(t *testing.T) {
	s := storetest.NewModel()
	b := open(t, s)
	mustCreate(t, b, topicOf("t", 3, "cleanup.policy", "compact", "max.message.bytes", "77"))
	before, _ := b.topic(t.Context(), "t")
	again := open(t, s)
	after, code := again.topic(t.Context(), "t")
	if code != kafkaapi.None || after.id != before.id || !slices.Equal(after.partitions, before.partitions) ||
		after.config != before.config || !after.own.Equal(before.own) || after.config.MaxMessageBytes != 77 || !after.config.Compact {
		t.Errorf("got  %+v\nwant %+v", after, before)
	}
	if r := create(t, again, topicOf("t", 1))[0]; r.ErrorCode != kafkaapi.TopicAlreadyExists {
		t.Errorf("create again: got %s", r.ErrorCode)
	}
}

func TestOneOfManyWhoMakeATopicAtOnceWins(t *testing.T) {
	b := open(t, storetest.NewModel())
	var wg sync.WaitGroup
	codes := make([]kafkaapi.Code, 8)
	for i := range codes {
		wg.Go(func() {
			n := b.newTopicOf(new(topicOf("same", int32(i+1))))
			b.createTopics(t.Context(), []*newTopic{n}, false)
			codes[i], _ = b.explain("make a topic", n.err)
			if _, code := b.topic(t.Context(), "same"); code != kafkaapi.None {
				t.Errorf("%d does not see the topic: %s", i, code)
			}
		})
	}
	wg.Wait()
	slices.Sort(codes)
	if codes[0] != kafkaapi.None || codes[1] != kafkaapi.TopicAlreadyExists || codes[7] != kafkaapi.TopicAlreadyExists {
		t.Errorf("got %v, want one success", codes)
	}
}

func TestTopicOfTenThousandPartitionsIsGrownKeptAndDeleted(t *testing.T) {
	fs := vfs.NewMem()
	start := func() (*Broker, func()) {
		s, err := embedded.Open(embedded.Options{Dir: "m", FS: fs, BallastBytes: -1, JournalFileBytes: 8 << 20, FirstFileBytes: 256 << 10})
		if err != nil {
			t.Fatal(err)
		}
		b, err := New(Options{Store: s})
		if err != nil {
			t.Fatal(err)
		}
		return b, func() {
			if err := errors.Join(b.Close(), s.Close()); err != nil {
				t.Errorf("close: %v", err)
			}
		}
	}
	b, stop := start()
	mustCreate(t, b, topicOf("large", 9_000))
	r := ask[*kafkaapi.CreatePartitionsResponse](t, b, 3, &kafkaapi.CreatePartitionsRequest{
		Topics: []kafkaapi.CreatePartitionsRequestCreatePartitionsTopic{{Name: "large", Count: 10_000}},
	}).Results[0]
	if r.ErrorCode != kafkaapi.None {
		t.Fatalf("more partitions: %s", refused(r.ErrorCode, r.ErrorMessage))
	}
	if got := alterOne(t, b, resourceTopic, "large", 0, "retention.ms", "77"); got != "" {
		t.Fatalf("another retention: %s", got)
	}
	stop()
	b, stop = start()
	defer stop()
	topic, code := b.topic(t.Context(), "large")
	if code != kafkaapi.None || len(topic.partitions) != 10_000 || topic.config.RetentionMillis != 77 {
		t.Fatalf("after a restart: %s, %+v", code, topic)
	}
	last := topic.partitions[9_999].id
	if h, err := b.store.Head(t.Context(), last); err != nil || h.Retention != (store.Retention{Millis: 77}) {
		t.Errorf("the last partition: %+v, %v", h, err)
	}
	if d := ask[*kafkaapi.DeleteTopicsResponse](t, b, 5, &kafkaapi.DeleteTopicsRequest{TopicNames: []string{"large"}}).Responses[0]; d.ErrorCode != kafkaapi.None {
		t.Fatalf("delete: %s", refused(d.ErrorCode, d.ErrorMessage))
	}
	if _, err := b.store.Head(t.Context(), last); !errors.Is(err, store.ErrNoPartition) {
		t.Errorf("the last partition after the deletion: %v", err)
	}
}

package kafka

import (
	"context"
	"errors"
	"slices"
	"testing"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/catalog"
	"millrace/internal/core/store"
	"millrace/internal/core/store/storetest"
)

// stream makes a stream as Kinesis does, with a shard attribute that is not read here.
func stream(t *testing.T, s store.Store, account, region, name string, shards int) *catalog.Topic {
	t.Helper()
	var c catalog.Catalog
	var made *catalog.Topic
	_, err := s.Update(t.Context(), func(tx store.Tx) error {
		made = &catalog.Topic{Account: account, Region: region, Name: name, Origin: catalog.OriginKinesis, State: catalog.StateActive, Created: tx.Now()}
		copy(made.ID[:], account[8:]+name)
		return c.Create(tx, made, make([]catalog.Partition, shards), store.Retention{Millis: 24 * 3_600_000})
	})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func TestNameOfAStreamElsewhereIsNotMadeAndTheTextSaysItsName(t *testing.T) {
	s := storetest.NewModel()
	stream(t, s, "111122223333", "eu-west-1", "orders", 1)
	b := open(t, s)
	r := create(t, b, topicOf("orders", 1))[0]
	want := "INVALID_TOPIC_EXCEPTION: Topic 'orders' exists as a stream of another account or region: its name is '111122223333.eu-west-1.orders'."
	if got := refused(r.ErrorCode, r.ErrorMessage); got != want {
		t.Errorf("create:\ngot  %s\nwant %s", got, want)
	}
	name, full := "orders", "111122223333.eu-west-1.orders"
	m := ask[*kafkaapi.MetadataResponse](t, b, 12, &kafkaapi.MetadataRequest{
		Topics: []kafkaapi.MetadataRequestTopic{{Name: &name}, {Name: &full}}, AllowAutoTopicCreation: true,
	})
	if m.Topics[0].ErrorCode != kafkaapi.UnknownTopicOrPartition || m.Topics[1].ErrorCode != kafkaapi.None {
		t.Errorf("metadata: got %s for the plain name, %s for the full one", m.Topics[0].ErrorCode, m.Topics[1].ErrorCode)
	}
}

func TestShardsOfAStreamKeepTheirPlacesAsPartitions(t *testing.T) {
	s := storetest.NewModel()
	made := stream(t, s, catalog.DefaultAccount, "", "stream", 3)
	b := open(t, s)
	topic, code := b.topic(t.Context(), "stream")
	if code != kafkaapi.None || len(topic.partitions) != 3 || topic.closed || !topic.byKinesis() || topic.config.RetentionMillis != 24*3_600_000 {
		t.Fatalf("got %+v, %s", topic, code)
	}
	if _, err := s.Update(t.Context(), func(tx store.Tx) error {
		c, err := b.topics.cat.Get(tx, made.Num)
		if err != nil {
			return err
		}
		parts, err := b.topics.cat.Partitions(tx, c)
		if err != nil {
			return err
		}
		if err := tx.ClosePartition(parts[1].ID); err != nil {
			return err
		}
		if err := b.topics.cat.Forget(tx, c, 0, parts[:1]); err != nil {
			return err
		}
		return b.topics.cat.Save(tx, c)
	}); err != nil {
		t.Fatal(err)
	}
	b.refresh(topic)
	topic, _ = b.topic(t.Context(), "stream")
	if !topic.closed || len(topic.partitions) != 3 || topic.partitions[0].id != 0 || topic.partitions[2].id == 0 {
		t.Errorf("after a shard was forgotten and one closed: got %+v", topic)
	}
}

func TestStreamsOfKinesisAreChangedByKinesisOnly(t *testing.T) {
	s := storetest.NewModel()
	stream(t, s, catalog.DefaultAccount, "", "stream", 1)
	b := open(t, s)
	p := ask[*kafkaapi.CreatePartitionsResponse](t, b, 3, &kafkaapi.CreatePartitionsRequest{
		Topics: []kafkaapi.CreatePartitionsRequestCreatePartitionsTopic{{Name: "stream", Count: 2}},
	}).Results[0]
	if p.ErrorCode != kafkaapi.PolicyViolation {
		t.Errorf("more partitions: got %s", refused(p.ErrorCode, p.ErrorMessage))
	}
	d := ask[*kafkaapi.DeleteTopicsResponse](t, b, 5, &kafkaapi.DeleteTopicsRequest{TopicNames: []string{"stream"}}).Responses[0]
	if d.ErrorCode != kafkaapi.PolicyViolation {
		t.Errorf("deletion without Kinesis: got %s", refused(d.ErrorCode, d.ErrorMessage))
	}
	for _, c := range []struct{ name, value, want string }{
		{"retention.ms", "1000", "POLICY_VIOLATION: Topic 'stream' is a stream made by Kinesis: IncreaseStreamRetentionPeriod and DecreaseStreamRetentionPeriod change its retention."},
		{"retention.ms", "86400000", ""},
		{"cleanup.policy", "compact", "POLICY_VIOLATION: Topic 'stream' is a stream made by Kinesis: IncreaseStreamRetentionPeriod and DecreaseStreamRetentionPeriod change its retention."},
		{"max.message.bytes", "500", ""},
	} {
		if got := alterOne(t, b, resourceTopic, "stream", 0, c.name, c.value); got != c.want {
			t.Errorf("%s=%s:\ngot  %s\nwant %s", c.name, c.value, got, c.want)
		}
	}
	topic, _ := b.topic(t.Context(), "stream")
	if topic.config.MaxMessageBytes != 500 || topic.config.RetentionMillis != 86400000 {
		t.Errorf("got %+v", topic.config)
	}
}

// fakeStreams counts the deletions it is asked for.
type fakeStreams struct{ deleted []string }

func (f *fakeStreams) DeleteStream(_ context.Context, account, region, name string) error {
	f.deleted = append(f.deleted, account+"/"+region+"/"+name)
	if name == "held" {
		return errors.New("held by its consumers")
	}
	return nil
}

func TestStreamsAreDeletedByKinesis(t *testing.T) {
	s := storetest.NewModel()
	stream(t, s, catalog.DefaultAccount, "", "free", 1)
	stream(t, s, "111122223333", "eu-west-1", "held", 1)
	if _, err := s.Update(t.Context(), func(tx store.Tx) error { return new(catalog.Catalog).FixRegion(tx, "us-east-1") }); err != nil {
		t.Fatal(err)
	}
	f := &fakeStreams{}
	b, err := New(Options{Store: s, Streams: f})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	res := ask[*kafkaapi.DeleteTopicsResponse](t, b, 5, &kafkaapi.DeleteTopicsRequest{TopicNames: []string{"free", "111122223333.eu-west-1.held"}})
	if res.Responses[0].ErrorCode != kafkaapi.None {
		t.Errorf("got %s", refused(res.Responses[0].ErrorCode, res.Responses[0].ErrorMessage))
	}
	want := "POLICY_VIOLATION: Topic '111122223333.eu-west-1.held' is a stream made by Kinesis: held by its consumers"
	if got := refused(res.Responses[1].ErrorCode, res.Responses[1].ErrorMessage); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if !slices.Equal(f.deleted, []string{"000000000000/us-east-1/free", "111122223333/eu-west-1/held"}) {
		t.Errorf("Kinesis was asked for %q", f.deleted)
	}
}

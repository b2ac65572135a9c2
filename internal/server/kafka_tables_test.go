package server

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	awskinesis "github.com/aws/aws-sdk-go-v2/service/kinesis"
	kinesistypes "github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// changeJSON is what the topic of a table shows of a change.
type changeJSON struct {
	EventName string `json:"eventName"`
	EventID   string `json:"eventID"`
	Dynamodb  struct {
		ApproximateCreationDateTime int64
		Keys, NewImage, OldImage    map[string]map[string]string
		SequenceNumber              string
		StreamViewType              string
	} `json:"dynamodb"`
}

func enableStream(t *testing.T, c *dynamodb.Client, name string) {
	t.Helper()
	_, err := c.UpdateTable(t.Context(), &dynamodb.UpdateTableInput{
		TableName: &name, StreamSpecification: &types.StreamSpecification{StreamEnabled: aws.Bool(true), StreamViewType: types.StreamViewTypeNewAndOldImages},
	})
	if err != nil {
		t.Fatal(err)
	}
}

func kafkaClient(t *testing.T, s *Server, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	c, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(s.Addresses().Kafka)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestConsumerGroupOfKafkaReadsChangesOfATable(t *testing.T) {
	s := open(t, Options{KafkaListen: []string{"127.0.0.1:0"}, HTTPListen: Off, InMemory: true})
	c := tables(s)
	createTable(t, c, "orders")
	enableStream(t, c, "orders")
	const changes = 300
	write := func(from, to int) {
		for i := from; i < to; i++ {
			item := map[string]types.AttributeValue{"pk": text("k" + strconv.Itoa(i%7)), "sk": number("1"), "v": number(strconv.Itoa(i))}
			if _, err := c.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String("orders"), Item: item}); err != nil {
				t.Fatal(err)
			}
		}
	}
	write(0, changes/2)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	last, seen := map[string]string{}, map[string]bool{}
	read := func(want int) {
		t.Helper()
		client := kafkaClient(t, s, kgo.ConsumerGroup("readers"), kgo.ConsumeTopics("ddb.orders"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
			kgo.FetchIsolationLevel(kgo.ReadCommitted()))
		for len(seen) < want {
			fetches := client.PollFetches(ctx)
			if err := fetches.Err(); err != nil {
				t.Fatal(err)
			}
			fetches.EachRecord(func(r *kgo.Record) {
				var got changeJSON
				if err := json.Unmarshal(r.Value, &got); err != nil {
					t.Fatalf("%s: %v", r.Value, err)
				}
				key, d := got.Dynamodb.Keys["pk"]["S"], got.Dynamodb
				if seen[got.EventID] || d.OldImage["v"]["N"] != last[key] || d.StreamViewType != "NEW_AND_OLD_IMAGES" ||
					string(r.Key) != `{"pk":{"S":"`+key+`"},"sk":{"N":"1"}}` || d.ApproximateCreationDateTime != r.Timestamp.Unix() {
					t.Fatalf("partition %d, offset %d: got %s, %s; the item was %q", r.Partition, r.Offset, r.Key, r.Value, last[key])
				}
				seen[got.EventID], last[key] = true, d.NewImage["v"]["N"]
			})
		}
		if err := client.CommitUncommittedOffsets(ctx); err != nil {
			t.Fatal(err)
		}
		client.Close()
	}
	read(changes / 2)
	write(changes/2, changes)
	read(changes) // goes on from what is committed: no change twice
	admin := kadm.NewClient(kafkaClient(t, s))
	ends, err := admin.ListEndOffsets(ctx, "ddb.orders")
	total := int64(0)
	ends.Each(func(o kadm.ListedOffset) { total += o.Offset })
	if err != nil || total != changes {
		t.Errorf("end offsets: got %d in all, %v, want %d", total, err, changes)
	}
	committed, err := admin.FetchOffsets(ctx, "readers")
	total = 0
	committed.Each(func(o kadm.OffsetResponse) { total += o.At })
	if err != nil || total != changes {
		t.Errorf("committed offsets: got %d in all, %v, want %d", total, err, changes)
	}
}

func TestTopicOfATableIsReadOnlyForKafkaAndUnknownToKinesis(t *testing.T) {
	s := open(t, Options{KafkaListen: []string{"127.0.0.1:0"}, HTTPListen: Off, InMemory: true})
	c := tables(s)
	createTable(t, c, "orders")
	enableStream(t, c, "orders")
	broker := kafkaClient(t, s)
	admin := kadm.NewClient(broker)
	const topic = "ddb.orders"
	first := func(err error, each error) error {
		if err != nil {
			return err
		}
		return each
	}
	refusals := map[string]struct{ got, want error }{}
	err := broker.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Value: []byte("v")}).FirstErr()
	refusals["produce"] = struct{ got, want error }{err, kerr.PolicyViolation}
	deleted, err := admin.DeleteTopics(t.Context(), topic)
	refusals["delete"] = struct{ got, want error }{first(err, deleted[topic].Err), kerr.PolicyViolation}
	created, err := admin.CreateTopics(t.Context(), 1, 1, nil, "ddb.other")
	refusals["create"] = struct{ got, want error }{first(err, created["ddb.other"].Err), kerr.InvalidTopicException}
	grown, err := admin.CreatePartitions(t.Context(), 2, topic)
	refusals["add partitions"] = struct{ got, want error }{first(err, grown[topic].Err), kerr.PolicyViolation}
	altered, err := admin.AlterTopicConfigs(t.Context(), []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "retention.ms", Value: aws.String("1000")}}, topic)
	if err == nil {
		err = altered[0].Err
	}
	refusals["alter"] = struct{ got, want error }{err, kerr.PolicyViolation}
	trimmed, err := admin.DeleteRecords(t.Context(), kadm.Offsets{topic: {0: {Topic: topic, Partition: 0, At: 0}}})
	refusals["delete records"] = struct{ got, want error }{first(err, trimmed[topic][0].Err), kerr.PolicyViolation}
	for name, r := range refusals {
		if !errors.Is(r.got, r.want) {
			t.Errorf("%s: got %v, want %v", name, r.got, r.want)
		}
	}
	streams := awskinesis.New(client(s).Options(), func(o *awskinesis.Options) { o.Region = c.Options().Region })
	listed, err := streams.ListStreams(t.Context(), &awskinesis.ListStreamsInput{})
	if err != nil || len(listed.StreamNames) != 0 {
		t.Errorf("Kinesis lists %v, %v", listed, err)
	}
	for _, name := range []string{topic, "orders"} {
		_, err := streams.DeleteStream(t.Context(), &awskinesis.DeleteStreamInput{StreamName: &name})
		if _, ok := errors.AsType[*kinesistypes.ResourceNotFoundException](err); !ok {
			t.Errorf("Kinesis deletes %s: got %v", name, err)
		}
		_, err = streams.DescribeStream(t.Context(), &awskinesis.DescribeStreamInput{StreamName: &name})
		if _, ok := errors.AsType[*kinesistypes.ResourceNotFoundException](err); !ok {
			t.Errorf("Kinesis describes %s: got %v", name, err)
		}
	}
	long := strings.Repeat("t", 255)
	createTable(t, c, long)
	enableStream(t, c, long)
	topics, err := admin.ListTopics(t.Context())
	if err != nil || len(topics.Names()) != 2 || !strings.HasPrefix(topics.Names()[1], "ddb."+long[:200]+".") || len(topics[topic].Partitions) != 4 {
		t.Errorf("topics: got %v, %v", topics.Names(), err)
	}
}

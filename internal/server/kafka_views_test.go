package server

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awskinesis "github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/service/kafka"
)

// kafkaAsk sends a request to the broker and returns its answer, which comes at once.
func kafkaAsk[A kafkaapi.Message](t *testing.T, s *Server, version int16, req kafkaapi.Request) A {
	t.Helper()
	var got kafkaapi.Message
	call := &kafka.Call{Context: t.Context(), Key: req.RequestKey(), Version: version}
	if !s.broker.Serve(call, req, func(m kafkaapi.Message) { got = m }) || got == nil {
		t.Fatalf("%s was not answered", req.RequestKey())
	}
	return got.(A)
}

// partitionsOf is how many partitions Kafka shows of a topic, and the error.
func partitionsOf(t *testing.T, s *Server, name string) string {
	t.Helper()
	m := kafkaAsk[*kafkaapi.MetadataResponse](t, s, 9, &kafkaapi.MetadataRequest{Topics: []kafkaapi.MetadataRequestTopic{{Name: &name}}})
	return fmt.Sprint(len(m.Topics[0].Partitions), " ", m.Topics[0].ErrorCode)
}

// retentionMS is the retention that Kafka shows of a topic.
func retentionMS(t *testing.T, s *Server, name string) string {
	t.Helper()
	res := kafkaAsk[*kafkaapi.DescribeConfigsResponse](t, s, 4, &kafkaapi.DescribeConfigsRequest{
		Resources: []kafkaapi.DescribeConfigsRequestDescribeConfigsResource{{ResourceType: 2, ResourceName: name, ConfigurationKeys: []string{"retention.ms"}}},
	})
	if len(res.Results[0].Configs) == 0 {
		return res.Results[0].ErrorCode.Name()
	}
	return *res.Results[0].Configs[0].Value
}

// awaitShards returns when a stream is active with so many open shards.
func awaitShards(t *testing.T, c *awskinesis.Client, name string, want int32) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		out, err := c.DescribeStreamSummary(t.Context(), &awskinesis.DescribeStreamSummaryInput{StreamName: &name})
		if err == nil && out.StreamDescriptionSummary.StreamStatus == types.StreamStatusActive && *out.StreamDescriptionSummary.OpenShardCount == want {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("stream %s: got %+v, %v, want %d open shards", name, out, err, want)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// awaitGone returns when a stream does not exist any more.
func awaitGone(t *testing.T, c *awskinesis.Client, name string) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		_, err := c.DescribeStreamSummary(t.Context(), &awskinesis.DescribeStreamSummaryInput{StreamName: &name})
		if _, gone := errors.AsType[*types.ResourceNotFoundException](err); gone {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("stream %s still exists: %v", name, err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func createTopic(t *testing.T, s *Server, name string, partitions int32) {
	t.Helper()
	res := kafkaAsk[*kafkaapi.CreateTopicsResponse](t, s, 7, &kafkaapi.CreateTopicsRequest{
		Topics: []kafkaapi.CreateTopicsRequestCreatableTopic{{Name: name, NumPartitions: partitions, ReplicationFactor: -1}},
	})
	if r := res.Topics[0]; r.ErrorCode != kafkaapi.None {
		t.Fatalf("create %s: %s %s", name, r.ErrorCode, *r.ErrorMessage)
	}
}

func deleteTopic(t *testing.T, s *Server, name string) {
	t.Helper()
	res := kafkaAsk[*kafkaapi.DeleteTopicsResponse](t, s, 5, &kafkaapi.DeleteTopicsRequest{TopicNames: []string{name}})
	if r := res.Responses[0]; r.ErrorCode != kafkaapi.None {
		t.Fatalf("delete %s: %s %s", name, r.ErrorCode, *r.ErrorMessage)
	}
}

func TestTopicMadeByKafkaIsAStream(t *testing.T) {
	s := open(t, Options{KafkaListen: []string{"127.0.0.1:0"}, KinesisQuotas: "off"})
	c := client(s)
	createTopic(t, s, "topic", 3)
	awaitShards(t, c, "topic", 3)
	if _, err := c.UpdateShardCount(t.Context(), &awskinesis.UpdateShardCountInput{
		StreamName: aws.String("topic"), TargetShardCount: aws.Int32(5), ScalingType: types.ScalingTypeUniformScaling,
	}); err != nil {
		t.Fatal(err)
	}
	awaitShards(t, c, "topic", 5)
	if got := partitionsOf(t, s, "topic"); got != "5 NONE" {
		t.Errorf("after UpdateShardCount: Kafka shows %s, want 5 partitions", got)
	}
	if r := kafkaAsk[*kafkaapi.CreatePartitionsResponse](t, s, 3, &kafkaapi.CreatePartitionsRequest{
		Topics: []kafkaapi.CreatePartitionsRequestCreatePartitionsTopic{{Name: "topic", Count: 7}},
	}).Results[0]; r.ErrorCode != kafkaapi.None {
		t.Fatalf("CreatePartitions: %s %s", r.ErrorCode, *r.ErrorMessage)
	}
	awaitShards(t, c, "topic", 7)

	if got := retentionMS(t, s, "topic"); got != "604800000" {
		t.Errorf("retention.ms is %s, want a week", got)
	}
	if _, err := c.DecreaseStreamRetentionPeriod(t.Context(), &awskinesis.DecreaseStreamRetentionPeriodInput{
		StreamName: aws.String("topic"), RetentionPeriodHours: aws.Int32(48),
	}); err != nil {
		t.Fatal(err)
	}
	if got := retentionMS(t, s, "topic"); got != "172800000" {
		t.Errorf("after DecreaseStreamRetentionPeriod to 48 hours: retention.ms is %s", got)
	}

	put := func() string {
		t.Helper()
		out, err := c.PutRecord(t.Context(), &awskinesis.PutRecordInput{StreamName: aws.String("topic"), PartitionKey: aws.String("k"), Data: []byte("d")})
		if err != nil {
			t.Fatal(err)
		}
		return *out.SequenceNumber
	}
	before := put()
	deleteTopic(t, s, "topic")
	createTopic(t, s, "topic", 7)
	awaitShards(t, c, "topic", 7)
	// A number has 56 digits, so that text goes in its order; Kinesis may know the old shards for another second.
	if after := put(); after <= before {
		t.Errorf("the new topic's first sequence number %s is not above the old one's %s", after, before)
	}
}

func TestStreamMadeByKinesisIsATopic(t *testing.T) {
	s := open(t, Options{KafkaListen: []string{"127.0.0.1:0"}, KinesisQuotas: "off"})
	c := client(s)
	if _, err := c.CreateStream(t.Context(), &awskinesis.CreateStreamInput{StreamName: aws.String("stream"), ShardCount: aws.Int32(2)}); err != nil {
		t.Fatal(err)
	}
	awaitShards(t, c, "stream", 2)
	if got := partitionsOf(t, s, "stream"); got != "2 NONE" {
		t.Errorf("Kafka shows %s, want 2 partitions", got)
	}
	if got := retentionMS(t, s, "stream"); got != "86400000" {
		t.Errorf("retention.ms is %s, want 24 hours", got)
	}
	if _, err := c.MergeShards(t.Context(), &awskinesis.MergeShardsInput{
		StreamName: aws.String("stream"), ShardToMerge: aws.String("shardId-000000000000"), AdjacentShardToMerge: aws.String("shardId-000000000001"),
	}); err != nil {
		t.Fatal(err)
	}
	awaitShards(t, c, "stream", 1)
	if got := partitionsOf(t, s, "stream"); got != "3 NONE" {
		t.Errorf("after a merge: Kafka shows %s, want the closed shards and the new one", got)
	}
	if r := kafkaAsk[*kafkaapi.CreateTopicsResponse](t, s, 7, &kafkaapi.CreateTopicsRequest{
		Topics: []kafkaapi.CreateTopicsRequestCreatableTopic{{Name: "stream", NumPartitions: 1, ReplicationFactor: -1}},
	}).Topics[0]; r.ErrorCode != kafkaapi.TopicAlreadyExists {
		t.Errorf("a topic of that name: got %s", r.ErrorCode)
	}
	deleteTopic(t, s, "stream")
	if got := partitionsOf(t, s, "stream"); got != "0 UNKNOWN_TOPIC_OR_PARTITION" {
		t.Errorf("after its deletion Kafka shows %s", got)
	}
	awaitGone(t, c, "stream")
	createTopic(t, s, "stream", 1)
}

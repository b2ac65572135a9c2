package server

import (
	"crypto/md5" // as Kinesis routes
	"errors"
	"fmt"
	"math/big"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awskinesis "github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// alterTopic sets a config of a topic as admin clients do.
func alterTopic(t *testing.T, c *kgo.Client, topic, name, value string) {
	t.Helper()
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	res := kmsg.NewIncrementalAlterConfigsRequestResource()
	res.ResourceType, res.ResourceName = kmsg.ConfigResourceTypeTopic, topic
	config := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
	config.Name, config.Op, config.Value = name, kmsg.IncrementalAlterConfigOpSet, &value
	res.Configs = append(res.Configs, config)
	req.Resources = append(req.Resources, res)
	got, err := req.RequestWith(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if err := kerr.ErrorForCode(got.Resources[0].ErrorCode); err != nil {
		t.Fatalf("%s=%s: %v", name, value, err)
	}
}

// shardRecords are the data that each open shard has, by the shard's id, and the shards.
func shardRecords(t *testing.T, c *awskinesis.Client, stream string) (map[string][]string, []types.Shard) {
	t.Helper()
	list, err := c.ListShards(t.Context(), &awskinesis.ListShardsInput{StreamName: &stream})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][]string{}
	open := slices.DeleteFunc(list.Shards, func(s types.Shard) bool { return s.SequenceNumberRange.EndingSequenceNumber != nil })
	for _, s := range open {
		it, err := c.GetShardIterator(t.Context(), &awskinesis.GetShardIteratorInput{
			StreamName: &stream, ShardId: s.ShardId, ShardIteratorType: types.ShardIteratorTypeTrimHorizon,
		})
		if err != nil {
			t.Fatal(err)
		}
		for at := it.ShardIterator; ; {
			page, err := c.GetRecords(t.Context(), &awskinesis.GetRecordsInput{ShardIterator: at})
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range page.Records {
				got[*s.ShardId] = append(got[*s.ShardId], string(r.Data))
			}
			if at = page.NextShardIterator; len(page.Records) == 0 {
				break
			}
		}
	}
	return got, open
}

// shardOf is the shard that Kinesis routes a key to.
func shardOf(t *testing.T, shards []types.Shard, key string) string {
	t.Helper()
	sum := md5.Sum([]byte(key))
	hash := new(big.Int).SetBytes(sum[:])
	for _, s := range shards {
		first, _ := new(big.Int).SetString(*s.HashKeyRange.StartingHashKey, 10)
		last, _ := new(big.Int).SetString(*s.HashKeyRange.EndingHashKey, 10)
		if first.Cmp(hash) <= 0 && hash.Cmp(last) <= 0 {
			return *s.ShardId
		}
	}
	t.Fatalf("no shard takes %q", key)
	return ""
}

func TestRecordsOfKafkaFollowTheShardsOfASplitStreamWhenItSaysSo(t *testing.T) {
	s := open(t, Options{KafkaListen: []string{"127.0.0.1:0"}, KinesisQuotas: "off"})
	c := client(s)
	name := "stream"
	if _, err := c.CreateStream(t.Context(), &awskinesis.CreateStreamInput{StreamName: &name, ShardCount: aws.Int32(2)}); err != nil {
		t.Fatal(err)
	}
	awaitShards(t, c, name, 2)
	if _, err := c.SplitShard(t.Context(), &awskinesis.SplitShardInput{
		StreamName: &name, ShardToSplit: aws.String("shardId-000000000000"), NewStartingHashKey: aws.String("42535295865117307932921825928971026432"),
	}); err != nil {
		t.Fatal(err)
	}
	awaitShards(t, c, name, 3)
	producer := func(opts ...kgo.Opt) *kgo.Client {
		k, err := kgo.NewClient(append(opts, kgo.SeedBrokers(s.Addresses().Kafka), kgo.DefaultProduceTopic(name))...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(k.Close)
		return k
	}
	plain, numbered := producer(kgo.DisableIdempotentWrite()), producer()
	record := func(i int) *kgo.Record {
		return &kgo.Record{Key: fmt.Append(nil, "key-", i%40), Value: fmt.Append(nil, "key-", i%40, " ", i)}
	}
	if err := plain.ProduceSync(t.Context(), record(0)).FirstErr(); !errors.Is(err, kerr.PolicyViolation) {
		t.Fatalf("before the config is set: got %v, want POLICY_VIOLATION", err)
	}

	alterTopic(t, plain, name, "kinesis.produce", "reroute")
	var all []*kgo.Record
	for i := range 400 {
		all = append(all, record(i))
	}
	for _, r := range plain.ProduceSync(t.Context(), all...) {
		if r.Err != nil {
			t.Fatalf("%s: %v", r.Record.Value, r.Err)
		}
	}
	if err := plain.ProduceSync(t.Context(), &kgo.Record{Value: []byte("keyless")}).FirstErr(); err != nil {
		t.Fatalf("a record without a key: %v", err)
	}
	if err := numbered.ProduceSync(t.Context(), record(0)).FirstErr(); !errors.Is(err, kerr.PolicyViolation) {
		t.Errorf("an idempotent producer: got %v, want POLICY_VIOLATION", err)
	}

	got, shards := shardRecords(t, c, name)
	n, last := 0, map[string]int{}
	for shard, values := range got {
		for _, v := range values {
			n++
			var key string
			var i int
			if v == "keyless" {
				continue
			}
			if _, err := fmt.Sscan(v, &key, &i); err != nil {
				t.Fatalf("%q: %v", v, err)
			}
			if want := shardOf(t, shards, key); shard != want {
				t.Errorf("%s is in %s, want %s", key, shard, want)
			}
			if before, ok := last[key]; ok && i != before+40 {
				t.Errorf("%s: %d follows %d", key, i, before)
			}
			last[key] = i
		}
	}
	if n != 401 || len(got) != 3 {
		t.Errorf("%d shards have %d records, want 3 with 401", len(got), n)
	}
	alterTopic(t, plain, name, "kinesis.produce", "refuse")
	if err := plain.ProduceSync(t.Context(), record(0)).FirstErr(); !errors.Is(err, kerr.PolicyViolation) {
		t.Errorf("after the config was set back: got %v, want POLICY_VIOLATION", err)
	}
}

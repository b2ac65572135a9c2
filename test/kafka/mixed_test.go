//go:build system

package kafka

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/encoding/protowire"

	"millrace/test/process"
	"millrace/test/program"
)

// keyed is what both protocols see of a record.
type keyed struct{ key, value string }

// kinesisClient is the AWS SDK for the default account, whose streams have their plain names as topics.
func kinesisClient(s *process.Server) *kinesis.Client {
	return kinesis.New(kinesis.Options{
		BaseEndpoint: aws.String(s.Endpoint()), Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider("test", "any", ""),
	})
}

// kinesisReads reads every shard of stream with the AWS SDK until its end.
func kinesisReads(t *testing.T, s *process.Server, stream string) map[keyed]int {
	t.Helper()
	c := kinesisClient(s)
	shards, err := c.ListShards(t.Context(), &kinesis.ListShardsInput{StreamName: &stream})
	if err != nil {
		t.Fatal(err)
	}
	got := map[keyed]int{}
	for _, shard := range shards.Shards {
		start, err := c.GetShardIterator(t.Context(), &kinesis.GetShardIteratorInput{
			StreamName: &stream, ShardId: shard.ShardId, ShardIteratorType: types.ShardIteratorTypeTrimHorizon,
		})
		if err != nil {
			t.Fatal(err)
		}
		for next, behind := start.ShardIterator, true; next != nil && behind; {
			page, err := c.GetRecords(t.Context(), &kinesis.GetRecordsInput{ShardIterator: next})
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range page.Records {
				got[keyed{*r.PartitionKey, string(r.Data)}]++
			}
			next, behind = page.NextShardIterator, aws.ToInt64(page.MillisBehindLatest) > 0
		}
	}
	return got
}

// kafkaReads reads the committed records of topic.
func kafkaReads(t *testing.T, s *process.Server, topic string) map[keyed]int {
	t.Helper()
	got := map[keyed]int{}
	var parsed []byte
	out := []byte(kcat(t, s.Ready.Kafka, "", "-C", "-q", "-e", "-o", "beginning", "-t", topic, "-X", "isolation.level=read_committed", "-f", "%K,%S,%k%s"))
	for rest := out; len(rest) > 0; {
		lengths := bytes.SplitN(rest, []byte(","), 3)
		if len(lengths) != 3 {
			t.Fatalf("kcat: cannot parse %.100q after %.100q", rest, parsed)
		}
		k, errK := strconv.Atoi(string(lengths[0]))
		v, errV := strconv.Atoi(string(lengths[1]))
		if errK != nil || errV != nil || len(lengths[2]) < k+v {
			t.Fatalf("kcat: cannot parse %.100q after %.100q", rest, parsed)
		}
		got[keyed{string(lengths[2][:k]), string(lengths[2][k : k+v])}]++
		parsed, rest = rest, lengths[2][k+v:]
	}
	return got
}

// sameRecords compares what two readers have seen.
func sameRecords(t *testing.T, what string, got, want map[keyed]int) {
	t.Helper()
	const shown = 3
	problems := 0
	for _, r := range slices.Concat(slices.Collect(maps.Keys(want)), slices.Collect(maps.Keys(got))) {
		if got[r] != want[r] && problems < shown {
			t.Errorf("%s: got %d of %.100q, want %d", what, got[r], r, want[r])
			problems++
		}
	}
}

// aggregate packs records as the Kinesis Producer Library does: a protobuf message between a magic number and its MD5.
func aggregate(records []keyed) []byte {
	var message []byte
	for _, r := range records {
		message = protowire.AppendTag(message, 1, protowire.BytesType)
		message = protowire.AppendString(message, r.key)
	}
	for i, r := range records {
		var one []byte
		one = protowire.AppendTag(one, 1, protowire.VarintType)
		one = protowire.AppendVarint(one, uint64(i))
		one = protowire.AppendTag(one, 3, protowire.BytesType)
		one = protowire.AppendString(one, r.value)
		message = protowire.AppendTag(message, 3, protowire.BytesType)
		message = protowire.AppendBytes(message, one)
	}
	sum := md5.Sum(message)
	return slices.Concat(binary.BigEndian.AppendUint32(nil, 0xF3899AC2), message, sum[:])
}

// putWithBoto3 makes a stream and puts records with boto3.
func putWithBoto3(t *testing.T, s *process.Server, stream string, shards int, records []keyed) {
	t.Helper()
	var lines bytes.Buffer
	for _, r := range records {
		if err := json.NewEncoder(&lines).Encode(map[string]any{"key": r.key, "data": []byte(r.value)}); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(program.Deadline(t), program.Part(t, "python", "venv", "bin", "python"), "clients/put.py", s.Endpoint(), stream, fmt.Sprint(shards))
	cmd.Stdin = &lines
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "ok put") {
		t.Fatalf("boto3: %v\n%s", err, out)
	}
}

func TestKinesisAndKafkaMeetOnOneTopic(t *testing.T) {
	t.Parallel()
	s := start(t, process.Options{Args: []string{"--kinesis-quotas", "off"}})
	const stream = "meeting"
	want := map[keyed]int{}
	var put []keyed
	for i := range 50 {
		put = append(put, keyed{fmt.Sprint("key ", i, " é"), fmt.Sprintf("plain %d \x00\xff", i)})
	}
	for i := range 5 {
		put = append(put, keyed{fmt.Sprint("aggregate ", i), string(aggregate(put[i*10 : i*10+10]))})
	}
	for _, r := range put {
		want[r]++
	}
	putWithBoto3(t, s, stream, 2, put)
	sameRecords(t, "boto3 puts, kcat reads", kafkaReads(t, s, stream), want)

	committed := endOf(t, s.Ready.Kafka, stream, "meeting", makeRecords("committed", 30), true)
	endOf(t, s.Ready.Kafka, stream, "meeting", makeRecords("aborted", 30), false)
	for _, r := range committed {
		want[keyed{r.key, r.value}]++
	}
	sameRecords(t, "a transactional producer and boto3 write, the AWS SDK reads", kinesisReads(t, s, stream), want)
	sameRecords(t, "and kcat", kafkaReads(t, s, stream), want)

	reader := connect(t, s.Ready.Kafka, kgo.ConsumeTopics(stream), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	for at, r := range take(t, reader, len(put)+len(committed)) {
		if w, sent := committed[at]; sent && r != w {
			t.Errorf("at %v got %+v, want %+v with its headers", at, r, w)
		}
	}
	refusesAfterSplit(t, s, stream)
}

// refusesAfterSplit splits a shard, after which Kafka cannot produce to the stream.
func refusesAfterSplit(t *testing.T, s *process.Server, stream string) {
	t.Helper()
	split(t, s, stream)
	result := connect(t, s.Ready.Kafka).ProduceSync(t.Context(), &kgo.Record{Topic: stream, Value: []byte("too late")})
	if err := result.FirstErr(); err == nil || !strings.Contains(err.Error(), kerr.PolicyViolation.Message) {
		t.Errorf("produce to a stream with a closed shard: got %v, want %v", err, kerr.PolicyViolation)
	}
	if got := kafkaReads(t, s, stream); len(got) == 0 {
		t.Error("nothing can be read from a stream with a closed shard")
	}
}

// split splits the first shard of stream in the middle.
func split(t *testing.T, s *process.Server, stream string) {
	t.Helper()
	c := kinesisClient(s)
	shards, err := c.ListShards(t.Context(), &kinesis.ListShardsInput{StreamName: &stream})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.SplitShard(t.Context(), &kinesis.SplitShardInput{StreamName: &stream, ShardToSplit: shards.Shards[0].ShardId, NewStartingHashKey: aws.String("1000")})
	if err != nil {
		t.Fatal(err)
	}
	until(t, "the shard is split", func(ctx context.Context) (bool, error) {
		now, err := c.DescribeStreamSummary(ctx, &kinesis.DescribeStreamSummaryInput{StreamName: &stream})
		return err == nil && now.StreamDescriptionSummary.StreamStatus == types.StreamStatusActive, err
	})
}

//go:build system

package sdk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/smithy-go"
)

// goClient plays the scenario with the AWS SDK for Go v2.
type goClient struct {
	*kinesis.Client
	stream string
	sent   map[string][]sentRecord   // by shard
	read   map[string][]types.Record // by shard
}

type sentRecord struct {
	sequence *big.Int
	key      string
	data     []byte
}

func newGoClient(endpoint, stream string, client aws.HTTPClient, key, secret string) *goClient {
	return &goClient{
		Client: kinesis.New(kinesis.Options{
			BaseEndpoint: &endpoint, Region: region, HTTPClient: client, Retryer: onConnectionErrors(),
			Credentials: credentials.NewStaticCredentialsProvider(key, secret, ""),
		}),
		stream: stream, sent: map[string][]sentRecord{}, read: map[string][]types.Record{},
	}
}

func playGo(t *testing.T, endpoint, stream string, client *http.Client) {
	t.Helper()
	c := newGoClient(endpoint, stream, client, accessKey, secretKey)
	for _, step := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"create", c.create},
		{"shards", c.shards},
		{"put", c.put},
		{"put-batch", c.putBatch},
		{"read", c.readBack},
		{"iterators", c.iterators},
		{"tags", c.tags},
		{"retention", c.retention},
		{"errors", c.errors},
		{"delete", c.delete},
	} {
		if !t.Run(step.name, step.run) {
			return // the steps build on each other
		}
	}
}

// until asks until condition holds. A server answers within milliseconds, so the pause is short.
func until(t *testing.T, what string, condition func() bool) {
	t.Helper()
	untilWithin(t, 30*time.Second, what, condition)
}

func untilWithin(t *testing.T, limit time.Duration, what string, condition func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	for !condition() {
		select {
		case <-ctx.Done():
			t.Fatalf("deadline passed while waiting for %s", what)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// must fails the test on an error and returns the answer.
func must[T any](t *testing.T) func(answer T, err error) T {
	return func(answer T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
}

func (c *goClient) summary(t *testing.T) *types.StreamDescriptionSummary {
	t.Helper()
	in := &kinesis.DescribeStreamSummaryInput{StreamName: &c.stream}
	return must[*kinesis.DescribeStreamSummaryOutput](t)(c.DescribeStreamSummary(t.Context(), in)).StreamDescriptionSummary
}

func (c *goClient) create(t *testing.T) {
	in := &kinesis.CreateStreamInput{StreamName: &c.stream, ShardCount: aws.Int32(4)}
	must[*kinesis.CreateStreamOutput](t)(c.CreateStream(t.Context(), in))
	until(t, "ACTIVE", func() bool { return c.summary(t).StreamStatus == types.StreamStatusActive })
	if got := *c.summary(t).OpenShardCount; got != 4 {
		t.Errorf("OpenShardCount: got %d, want 4", got)
	}
	listed := must[*kinesis.ListStreamsOutput](t)(c.ListStreams(t.Context(), &kinesis.ListStreamsInput{}))
	if !slices.Contains(listed.StreamNames, c.stream) {
		t.Errorf("ListStreams: got %v, want %s among them", listed.StreamNames, c.stream)
	}
}

func (c *goClient) shards(t *testing.T) {
	in := &kinesis.ListShardsInput{StreamName: &c.stream}
	listed := must[*kinesis.ListShardsOutput](t)(c.ListShards(t.Context(), in)).Shards
	slices.SortFunc(listed, func(a, b types.Shard) int {
		return number(*a.HashKeyRange.StartingHashKey).Cmp(number(*b.HashKeyRange.StartingHashKey))
	})
	next := new(big.Int)
	for _, s := range listed {
		if got := number(*s.HashKeyRange.StartingHashKey); got.Cmp(next) != 0 {
			t.Errorf("shard %s starts at %v, want %v", *s.ShardId, got, next)
		}
		next.Add(number(*s.HashKeyRange.EndingHashKey), big.NewInt(1))
		c.sent[*s.ShardId] = nil
	}
	if want := new(big.Int).Lsh(big.NewInt(1), 128); next.Cmp(want) != 0 || len(listed) != 4 {
		t.Errorf("%d shards end before %v, want 4 before %v", len(listed), next, want)
	}
}

// number reads a decimal; text that is none becomes zero, which no check of ours accepts.
func number(text string) *big.Int {
	n, ok := new(big.Int).SetString(text, 10)
	if !ok {
		return new(big.Int)
	}
	return n
}

func (c *goClient) put(t *testing.T) {
	data := make([]byte, 256)
	for i := range data {
		data[i] = byte(i)
	}
	for i := range 12 {
		in := &kinesis.PutRecordInput{
			StreamName: &c.stream, PartitionKey: aws.String(fmt.Sprintf("Schlüssel-%d-鍵", i)), Data: data[:256-i],
		}
		if i%3 == 0 {
			hash := new(big.Int).Lsh(big.NewInt(int64(i)), 124)
			in.ExplicitHashKey = aws.String(hash.String())
		}
		out := must[*kinesis.PutRecordOutput](t)(c.PutRecord(t.Context(), in))
		c.remember(*out.ShardId, *out.SequenceNumber, *in.PartitionKey, in.Data)
	}
}

func (c *goClient) remember(shard, sequence, key string, data []byte) {
	c.sent[shard] = append(c.sent[shard], sentRecord{number(sequence), key, data})
}

func (c *goClient) putBatch(t *testing.T) {
	in := &kinesis.PutRecordsInput{StreamName: &c.stream}
	for i := range 60 {
		in.Records = append(in.Records, types.PutRecordsRequestEntry{
			PartitionKey: aws.String(fmt.Sprintf("k%d", i)),
			Data:         bytes.Repeat(fmt.Appendf(nil, "batch %d ", i), i+1),
		})
	}
	out := must[*kinesis.PutRecordsOutput](t)(c.PutRecords(t.Context(), in))
	if *out.FailedRecordCount != 0 || len(out.Records) != len(in.Records) {
		t.Fatalf("PutRecords: %d failed, %d answers for %d records", *out.FailedRecordCount, len(out.Records), len(in.Records))
	}
	for i, entry := range out.Records {
		c.remember(*entry.ShardId, *entry.SequenceNumber, *in.Records[i].PartitionKey, in.Records[i].Data)
	}
}

func (c *goClient) iterator(t *testing.T, in kinesis.GetShardIteratorInput) *string {
	t.Helper()
	in.StreamName = &c.stream
	return must[*kinesis.GetShardIteratorOutput](t)(c.GetShardIterator(t.Context(), &in)).ShardIterator
}

// readFrom follows NextShardIterator until count records came.
func (c *goClient) readFrom(t *testing.T, iterator *string, count int) []types.Record {
	t.Helper()
	var records []types.Record
	until(t, fmt.Sprintf("%d records", count), func() bool {
		in := &kinesis.GetRecordsInput{ShardIterator: iterator, Limit: aws.Int32(7)}
		out := must[*kinesis.GetRecordsOutput](t)(c.GetRecords(t.Context(), in))
		if out.MillisBehindLatest == nil || *out.NextShardIterator == *iterator {
			t.Fatalf("GetRecords: got MillisBehindLatest %v, NextShardIterator %q after %q",
				out.MillisBehindLatest, *out.NextShardIterator, *iterator)
		}
		iterator = out.NextShardIterator
		records = append(records, out.Records...)
		return len(records) >= count
	})
	return records
}

func (c *goClient) readBack(t *testing.T) {
	for shard, want := range c.sent {
		slices.SortFunc(want, func(a, b sentRecord) int { return a.sequence.Cmp(b.sequence) })
		start := c.iterator(t, kinesis.GetShardIteratorInput{ShardId: &shard, ShardIteratorType: types.ShardIteratorTypeTrimHorizon})
		got := c.readFrom(t, start, len(want))
		c.read[shard] = got
		if len(got) != len(want) {
			t.Fatalf("%s: got %d records, want %d", shard, len(got), len(want))
		}
		for i, r := range got {
			w := want[i]
			if number(*r.SequenceNumber).Cmp(w.sequence) != 0 || *r.PartitionKey != w.key || !bytes.Equal(r.Data, w.data) {
				t.Fatalf("%s record %d: got %s %q %q, want %v %q %q", shard, i,
					*r.SequenceNumber, *r.PartitionKey, r.Data, w.sequence, w.key, w.data)
			}
		}
	}
}

func numbers(records []types.Record) []string {
	var all []string
	for _, r := range records {
		all = append(all, *r.SequenceNumber)
	}
	return all
}

func (c *goClient) iterators(t *testing.T) {
	shard := ""
	for id, records := range c.read {
		if len(records) > len(c.read[shard]) {
			shard = id
		}
	}
	all := c.read[shard]
	third := all[2]
	early := slices.IndexFunc(all, func(r types.Record) bool {
		return !r.ApproximateArrivalTimestamp.Before(*third.ApproximateArrivalTimestamp)
	})
	for _, test := range []struct {
		in   kinesis.GetShardIteratorInput
		want []types.Record
	}{
		{kinesis.GetShardIteratorInput{
			ShardIteratorType: types.ShardIteratorTypeAtSequenceNumber, StartingSequenceNumber: third.SequenceNumber,
		}, all[2:]},
		{kinesis.GetShardIteratorInput{
			ShardIteratorType: types.ShardIteratorTypeAfterSequenceNumber, StartingSequenceNumber: third.SequenceNumber,
		}, all[3:]},
		{kinesis.GetShardIteratorInput{
			ShardIteratorType: types.ShardIteratorTypeAtTimestamp, Timestamp: third.ApproximateArrivalTimestamp,
		}, all[early:]},
	} {
		test.in.ShardId = &shard
		got := c.readFrom(t, c.iterator(t, test.in), len(test.want))
		if !slices.Equal(numbers(got), numbers(test.want)) {
			t.Errorf("%s: got %v, want %v", test.in.ShardIteratorType, numbers(got), numbers(test.want))
		}
	}
	c.latest(t)
}

// latest checks that LATEST means what comes after GetShardIterator, and nothing before.
func (c *goClient) latest(t *testing.T) {
	t.Helper()
	iterators := map[string]*string{}
	for shard := range c.sent {
		iterators[shard] = c.iterator(t, kinesis.GetShardIteratorInput{ShardId: &shard, ShardIteratorType: types.ShardIteratorTypeLatest})
	}
	in := &kinesis.PutRecordInput{StreamName: &c.stream, PartitionKey: aws.String("late"), Data: []byte("late")}
	out := must[*kinesis.PutRecordOutput](t)(c.PutRecord(t.Context(), in))
	got := c.readFrom(t, iterators[*out.ShardId], 1)
	if !slices.Equal(numbers(got), []string{*out.SequenceNumber}) || string(got[0].Data) != "late" {
		t.Errorf("LATEST: got %v, want %s with late", numbers(got), *out.SequenceNumber)
	}
}

func (c *goClient) tags(t *testing.T) {
	add := &kinesis.AddTagsToStreamInput{StreamName: &c.stream, Tags: map[string]string{"team": "rivers", "größe": "groß"}}
	must[*kinesis.AddTagsToStreamOutput](t)(c.AddTagsToStream(t.Context(), add))
	remove := &kinesis.RemoveTagsFromStreamInput{StreamName: &c.stream, TagKeys: []string{"team"}}
	must[*kinesis.RemoveTagsFromStreamOutput](t)(c.RemoveTagsFromStream(t.Context(), remove))
	list := &kinesis.ListTagsForStreamInput{StreamName: &c.stream}
	got := must[*kinesis.ListTagsForStreamOutput](t)(c.ListTagsForStream(t.Context(), list)).Tags
	if len(got) != 1 || *got[0].Key != "größe" || *got[0].Value != "groß" {
		t.Errorf("ListTagsForStream: got %v, want größe=groß", got)
	}
}

func (c *goClient) retention(t *testing.T) {
	if got := *c.summary(t).RetentionPeriodHours; got != 24 {
		t.Errorf("RetentionPeriodHours of a new stream: got %d, want 24", got)
	}
	up := &kinesis.IncreaseStreamRetentionPeriodInput{StreamName: &c.stream, RetentionPeriodHours: aws.Int32(48)}
	must[*kinesis.IncreaseStreamRetentionPeriodOutput](t)(c.IncreaseStreamRetentionPeriod(t.Context(), up))
	until(t, "48 hours", func() bool { return *c.summary(t).RetentionPeriodHours == 48 })
	down := &kinesis.DecreaseStreamRetentionPeriodInput{StreamName: &c.stream, RetentionPeriodHours: aws.Int32(25)}
	must[*kinesis.DecreaseStreamRetentionPeriodOutput](t)(c.DecreaseStreamRetentionPeriod(t.Context(), down))
	until(t, "25 hours", func() bool { return *c.summary(t).RetentionPeriodHours == 25 })
}

func (c *goClient) errors(t *testing.T) {
	absent := aws.String("absent")
	for _, test := range []struct {
		want string
		call func(context.Context) error
	}{
		{"ResourceNotFoundException", func(ctx context.Context) error {
			_, err := c.DescribeStreamSummary(ctx, &kinesis.DescribeStreamSummaryInput{StreamName: absent})
			return err
		}},
		{"ResourceNotFoundException", func(ctx context.Context) error {
			_, err := c.PutRecord(ctx, &kinesis.PutRecordInput{StreamName: absent, PartitionKey: aws.String("k"), Data: []byte{}})
			return err
		}},
		{"ResourceInUseException", func(ctx context.Context) error {
			_, err := c.CreateStream(ctx, &kinesis.CreateStreamInput{StreamName: &c.stream, ShardCount: aws.Int32(1)})
			return err
		}},
		{"ValidationException", func(ctx context.Context) error {
			_, err := c.PutRecord(ctx, &kinesis.PutRecordInput{StreamName: &c.stream, PartitionKey: aws.String(""), Data: []byte{}})
			return err
		}},
		{"InvalidArgumentException", func(ctx context.Context) error {
			_, err := c.GetRecords(ctx, &kinesis.GetRecordsInput{ShardIterator: aws.String("AAAAnotaniterator")})
			return err
		}},
	} {
		wantError(t, test.call(t.Context()), test.want)
	}
}

// wantError checks that err is AWS's error code with a message and a request id.
func wantError(t *testing.T, err error, code string) {
	t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() != code || api.ErrorMessage() == "" {
		t.Errorf("got %v, want %s with a message", err, code)
	}
	var response *awshttp.ResponseError
	if !errors.As(err, &response) || response.ServiceRequestID() == "" {
		t.Errorf("got %v, want a request id", err)
	}
}

func (c *goClient) delete(t *testing.T) {
	must[*kinesis.DeleteStreamOutput](t)(c.DeleteStream(t.Context(), &kinesis.DeleteStreamInput{StreamName: &c.stream}))
	until(t, "the stream to be gone", func() bool {
		_, err := c.DescribeStreamSummary(t.Context(), &kinesis.DescribeStreamSummaryInput{StreamName: &c.stream})
		_, gone := errors.AsType[*types.ResourceNotFoundException](err)
		return gone
	})
	listed := must[*kinesis.ListStreamsOutput](t)(c.ListStreams(t.Context(), &kinesis.ListStreamsInput{}))
	if slices.Contains(listed.StreamNames, c.stream) {
		t.Errorf("ListStreams: got %v, want %s gone", listed.StreamNames, c.stream)
	}
}

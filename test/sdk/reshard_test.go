//go:build system

package sdk

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"millrace/test/process"
)

// resharded is a client that changes the shards of its stream while a subscription stays open.
type resharded struct{ pushed }

func TestSDKForGoSplitsMergesAndScales(t *testing.T) {
	s := start(t, process.Options{Args: noQuotas})
	client := newGoClient(s.Endpoint(), "changing", &http.Client{Transport: wholeBody{http.DefaultTransport}}, accessKey, secretKey)
	(&resharded{pushed{goClient: client}}).play(t)
}

func (r *resharded) play(t *testing.T) {
	must[*kinesis.CreateStreamOutput](t)(r.CreateStream(t.Context(), &kinesis.CreateStreamInput{StreamName: &r.stream, ShardCount: aws.Int32(1)}))
	r.active(t)
	r.streamARN = r.summary(t).StreamARN
	r.register(t)
	events := r.subscribe(t, types.StartingPosition{Type: types.ShardIteratorTypeTrimHorizon})
	var put []string
	put = append(put, r.putSome(t, 0, 20)...)
	must[*kinesis.SplitShardOutput](t)(r.SplitShard(t.Context(), &kinesis.SplitShardInput{
		StreamName: &r.stream, ShardToSplit: aws.String("shardId-000000000000"), NewStartingHashKey: aws.String("170141183460469231731687303715884105728"),
	}))
	_, err := r.SplitShard(t.Context(), &kinesis.SplitShardInput{StreamARN: r.streamARN, ShardToSplit: aws.String("shardId-000000000000"), NewStartingHashKey: aws.String("7")})
	if _, busy := errors.AsType[*types.ResourceInUseException](err); !busy {
		t.Errorf("a second split at once: got %v, want ResourceInUseException", err)
	}
	r.active(t)
	r.pushedToTheEnd(t, events, put)
	put = append(put, r.putSome(t, 20, 60)...)
	must[*kinesis.MergeShardsOutput](t)(r.MergeShards(t.Context(), &kinesis.MergeShardsInput{
		StreamARN: r.streamARN, ShardToMerge: aws.String("shardId-000000000001"), AdjacentShardToMerge: aws.String("shardId-000000000002"),
	}))
	r.active(t)
	put = append(put, r.putSome(t, 60, 100)...)
	scaled := must[*kinesis.UpdateShardCountOutput](t)(r.UpdateShardCount(t.Context(), &kinesis.UpdateShardCountInput{
		StreamName: &r.stream, TargetShardCount: aws.Int32(2), ScalingType: types.ScalingTypeUniformScaling,
	}))
	if *scaled.CurrentShardCount != 1 || *scaled.TargetShardCount != 2 || *scaled.StreamARN != *r.streamARN {
		t.Errorf("UpdateShardCount: got %d to %d of %s, want 1 to 2 of %s", *scaled.CurrentShardCount, *scaled.TargetShardCount, *scaled.StreamARN, *r.streamARN)
	}
	r.active(t)
	put = append(put, r.putSome(t, 100, 140)...)
	r.lineage(t)
	if got := r.followAll(t); !slices.Equal(got, put) {
		t.Errorf("read along ChildShards: got %v\nwant %v", got, put)
	}
	must[*kinesis.DeleteStreamOutput](t)(r.DeleteStream(t.Context(), &kinesis.DeleteStreamInput{StreamName: &r.stream, EnforceConsumerDeletion: aws.Bool(true)}))
}

func (r *resharded) active(t *testing.T) {
	t.Helper()
	until(t, "ACTIVE", func() bool { return r.summary(t).StreamStatus == types.StreamStatusActive })
}

// putSome puts records of one key and returns their data.
func (r *resharded) putSome(t *testing.T, from, to int) []string {
	t.Helper()
	var put []string
	for i := from; i < to; i++ {
		data := fmt.Sprint("record ", i)
		must[*kinesis.PutRecordOutput](t)(r.PutRecord(t.Context(), &kinesis.PutRecordInput{StreamName: &r.stream, PartitionKey: aws.String("one key"), Data: []byte(data)}))
		put = append(put, data)
	}
	return put
}

// pushedToTheEnd takes all of a shard that was split from a subscription, whose last event names the children.
func (r *resharded) pushedToTheEnd(t *testing.T, events *kinesis.SubscribeToShardEventStream, want []string) {
	t.Helper()
	var got, children []string
	for e := range events.Events() {
		e, ok := e.(*types.SubscribeToShardEventStreamMemberSubscribeToShardEvent)
		if !ok {
			t.Fatalf("got %+v, want an event", e)
		}
		for _, record := range e.Value.Records {
			got = append(got, string(record.Data))
		}
		for _, child := range e.Value.ChildShards {
			children = append(children, *child.ShardId)
		}
		if last := aws.ToString(e.Value.ContinuationSequenceNumber) == ""; last != (len(e.Value.ChildShards) > 0) {
			t.Errorf("continuation %q with children %v", aws.ToString(e.Value.ContinuationSequenceNumber), children)
		}
	}
	if !slices.Equal(got, want) || strings.Join(children, " ") != "shardId-000000000001 shardId-000000000002" {
		t.Errorf("pushed to the end: got %v and children %v, want %v and shards 1 and 2", got, children, want)
	}
	if err := events.Err(); err != nil {
		t.Errorf("the stream ended with %v, want no error", err)
	}
}

// lineage checks what ListShards says of six shards: a split, a merge and a doubling.
func (r *resharded) lineage(t *testing.T) {
	t.Helper()
	all := must[*kinesis.ListShardsOutput](t)(r.ListShards(t.Context(), &kinesis.ListShardsInput{StreamName: &r.stream})).Shards
	var got []string
	for _, s := range all {
		got = append(got, fmt.Sprintf("%s<%s+%s closed=%v", short(s.ShardId), short(s.ParentShardId), short(s.AdjacentParentShardId), s.SequenceNumberRange.EndingSequenceNumber != nil))
	}
	want := []string{"0<+ closed=true", "1<0+ closed=true", "2<0+ closed=true", "3<1+2 closed=true", "4<3+ closed=false", "5<3+ closed=false"}
	if !slices.Equal(got, want) {
		t.Errorf("lineage: got %q\nwant %q", got, want)
	}
	latest := &types.ShardFilter{Type: types.ShardFilterTypeAtLatest}
	if open := must[*kinesis.ListShardsOutput](t)(r.ListShards(t.Context(), &kinesis.ListShardsInput{StreamName: &r.stream, ShardFilter: latest})).Shards; len(open) != 2 {
		t.Errorf("AT_LATEST: got %d shards, want 2", len(open))
	}
}

// short is the number at the end of a shard's id.
func short(id *string) string {
	if id == nil {
		return ""
	}
	if s := strings.TrimLeft(strings.TrimPrefix(*id, "shardId-"), "0"); s != "" {
		return s
	}
	return "0"
}

// followAll reads the stream from its first shard on along ChildShards, parents to their end first.
func (r *resharded) followAll(t *testing.T) []string {
	t.Helper()
	var data []string
	ended := map[string]bool{}
	waiting := []string{"shardId-000000000000"}
	for len(waiting) > 0 {
		id := waiting[0]
		waiting = waiting[1:]
		records, children := r.readShard(t, id)
		data = append(data, records...)
		ended[id] = true
		for _, c := range children {
			ready := !slices.ContainsFunc(c.ParentShards, func(p string) bool { return !ended[p] })
			if ready && !slices.Contains(waiting, *c.ShardId) {
				waiting = append(waiting, *c.ShardId)
			}
		}
	}
	return data
}

// readShard reads a shard to its end, or to where nobody writes any more.
func (r *resharded) readShard(t *testing.T, id string) (data []string, children []types.ChildShard) {
	t.Helper()
	in := &kinesis.GetShardIteratorInput{StreamName: &r.stream, ShardId: &id, ShardIteratorType: types.ShardIteratorTypeTrimHorizon}
	iterator := must[*kinesis.GetShardIteratorOutput](t)(r.GetShardIterator(t.Context(), in)).ShardIterator
	for iterator != nil {
		out := must[*kinesis.GetRecordsOutput](t)(r.GetRecords(t.Context(), &kinesis.GetRecordsInput{ShardIterator: iterator}))
		for _, record := range out.Records {
			data = append(data, string(record.Data))
		}
		if (out.NextShardIterator == nil) != (len(out.ChildShards) > 0) {
			t.Errorf("%s: next iterator %v with %d children", id, out.NextShardIterator, len(out.ChildShards))
		}
		if len(out.Records) == 0 && *out.MillisBehindLatest == 0 {
			return data, out.ChildShards
		}
		iterator, children = out.NextShardIterator, out.ChildShards
	}
	return data, children
}

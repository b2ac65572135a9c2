package kinesis

import (
	"fmt"
	"testing"
	"time"

	"millrace/internal/api/kinesisapi"
	"millrace/internal/core/store/storetest"
)

// scale asks for a count of shards and returns when the stream is ACTIVE.
func (c *caller) scale(name string, count int32) {
	c.t.Helper()
	out, err := c.svc.UpdateShardCount(c.ctx(), &kinesisapi.UpdateShardCountInput{
		StreamName: &name, TargetShardCount: count, ScalingType: kinesisapi.ScalingTypeUniformScaling,
	})
	if err != nil {
		c.t.Fatalf("UpdateShardCount %s to %d: %v", name, count, err)
	}
	if *out.TargetShardCount != count {
		c.t.Errorf("UpdateShardCount: got target %d, want %d", *out.TargetShardCount, count)
	}
	c.await(name, kinesisapi.StreamStatusActive)
}

// A scaling that makes more shards than one commit can goes on in the next ones; a put in the middle waits.
func TestScalingOfManyShardsTakesSeveralCommits(t *testing.T) {
	c := start(t)
	c.create("s", 2500)
	began := time.Now()
	c.scale("s", 5000)
	t.Logf("2,500 to 5,000 shards took %v", time.Since(began).Round(time.Millisecond))
	st, err := c.svc.fetch(c.ctx(), place{c.account, c.region, "s"})
	if err != nil {
		t.Fatal(err)
	}
	if len(st.leaves()) != 5000 || len(st.shards) != 7500 {
		t.Errorf("got %d open shards of %d, want 5000 of 7500", len(st.leaves()), len(st.shards))
	}
	all := make([]*shard, len(st.shards))
	for i := range st.shards {
		all[i] = &st.shards[i]
	}
	checkLineage(t, all)
	for i := range 100 {
		c.put("s", fmt.Sprint(i), "x")
	}
	_, err = c.svc.UpdateShardCount(c.ctx(), &kinesisapi.UpdateShardCountInput{
		StreamName: new("s"), TargetShardCount: 2500, ScalingType: kinesisapi.ScalingTypeUniformScaling,
	})
	if err != nil {
		t.Errorf("to 10,000 shards in all: %v", err)
	}
	c.await("s", kinesisapi.StreamStatusActive)
	_, err = c.svc.SplitShard(c.ctx(), &kinesisapi.SplitShardInput{StreamName: new("s"), ShardToSplit: shardID(7500), NewStartingHashKey: "2"})
	wantError(t, err, "LimitExceededException", "Stream s under account 000000000000 cannot have more than 10000 shards, closed ones included.")
}

func TestTopicMadeByKafkaGetsMoreShardsAndNoLineage(t *testing.T) {
	c := start(t)
	c.kafkaTopic(2, 3_600_000)
	_, err := c.svc.SplitShard(c.ctx(), &kinesisapi.SplitShardInput{StreamName: new("topic"), ShardToSplit: shardID(0), NewStartingHashKey: "7"})
	wantError(t, err, "InvalidArgumentException", "Stream topic under account 000000000000 was made by Kafka: its shards cannot be split or merged, only added with UpdateShardCount.")
	_, err = c.svc.MergeShards(c.ctx(), &kinesisapi.MergeShardsInput{StreamName: new("topic"), ShardToMerge: shardID(0), AdjacentShardToMerge: shardID(1)})
	wantError(t, err, "InvalidArgumentException", "Stream topic under account 000000000000 was made by Kafka: its shards cannot be split or merged, only added with UpdateShardCount.")
	c.scale("topic", 3)
	st, err := c.svc.fetch(c.ctx(), place{c.account, c.region, "topic"})
	if err != nil {
		t.Fatal(err)
	}
	for i := range st.shards {
		s := &st.shards[i]
		start, end := evenRange(i, 3)
		if s.start != start || s.end != end || s.parent != noShard || s.closed {
			t.Errorf("shard %d: got [%v, %v], parent %d, closed %v, want [%v, %v] without parent", i, s.start, s.end, s.parent, s.closed, start, end)
		}
		h, err := c.svc.store.Head(t.Context(), s.partition)
		if err != nil || h.Retention.Millis != 3_600_000 {
			t.Errorf("shard %d: retention %v, %v, want that of the others", i, h.Retention, err)
		}
	}
	_, err = c.svc.UpdateShardCount(c.ctx(), &kinesisapi.UpdateShardCountInput{
		StreamName: new("topic"), TargetShardCount: 2, ScalingType: kinesisapi.ScalingTypeUniformScaling,
	})
	wantError(t, err, "InvalidArgumentException", "Stream topic under account 000000000000 was made by Kafka: it cannot have fewer shards than now.")
}

func TestAccountsShardLimitHoldsForSplitsAndScaling(t *testing.T) {
	c := startOn(t, storetest.NewModel(), func(o *Options) { o.Quotas = 1 })
	c.region = "eu-north-1"
	c.create("s", 5999)
	c.create("t", 1)
	const limit = "This request would exceed the shard limit for the account 000000000000 in eu-north-1. Current shard count for the account: 6000. Limit: 6000. " +
		"Number of additional shards that would have resulted from this request: %d. Refer to the AWS Service Limits page " +
		"(http://docs.aws.amazon.com/general/latest/gr/aws_service_limits.html) for current limits and how to request higher limits."
	_, err := c.svc.SplitShard(c.ctx(), &kinesisapi.SplitShardInput{StreamName: new("t"), ShardToSplit: shardID(0), NewStartingHashKey: "7"})
	wantError(t, err, "LimitExceededException", fmt.Sprintf(limit, 1))
	_, err = c.svc.UpdateShardCount(c.ctx(), &kinesisapi.UpdateShardCountInput{
		StreamName: new("s"), TargetShardCount: 6010, ScalingType: kinesisapi.ScalingTypeUniformScaling,
	})
	wantError(t, err, "LimitExceededException", fmt.Sprintf(limit, 11))
}

package kinesis

import (
	"fmt"
	"testing"
	"testing/synctest"
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
	c.changeRetention("s", 48)
	c.scale("s", 2500)
	for _, sh := range st.shards[:2500] {
		h, err := c.svc.store.Head(t.Context(), sh.partition)
		if err != nil || h.Retention.Millis != 48*3_600_000 {
			t.Fatalf("%s: got retention %+v, %v, want 48 hours", sh.id, h.Retention, err)
		}
	}
}

func (c *caller) changeRetention(name string, hours int32) {
	c.t.Helper()
	_, err := c.svc.IncreaseStreamRetentionPeriod(c.ctx(), &kinesisapi.IncreaseStreamRetentionPeriodInput{StreamName: &name, RetentionPeriodHours: hours})
	if err != nil {
		c.t.Fatalf("IncreaseStreamRetentionPeriod %s to %d: %v", name, hours, err)
	}
}

// Ten thousand open shards, as many closed ones: their retention, and their end, take several commits.
func TestLargestStreamIsScaledChangedAndDeleted(t *testing.T) {
	c := start(t)
	c.create("s", 5000)
	began := time.Now()
	c.scale("s", 10_000)
	t.Logf("5,000 to 10,000 shards took %v", time.Since(began).Round(time.Millisecond))
	_, err := c.svc.UpdateShardCount(c.ctx(), &kinesisapi.UpdateShardCountInput{
		StreamName: new("s"), TargetShardCount: 10_001, ScalingType: kinesisapi.ScalingTypeUniformScaling,
	})
	wantError(t, err, "LimitExceededException", "Target shard count or number of open shards cannot be greater than 10000. "+
		"Current open shard count: 10000, Target shard count: 10001")
	_, err = c.svc.SplitShard(c.ctx(), &kinesisapi.SplitShardInput{StreamName: new("s"), ShardToSplit: shardID(5000), NewStartingHashKey: "2"})
	wantError(t, err, "LimitExceededException", "Stream s under account 000000000000 cannot have more than 10000 open shards.")
	c.changeRetention("s", 30)
	for _, index := range []int32{0, 4999, 5000, 14_999} {
		st, err := c.svc.fetch(c.ctx(), place{c.account, c.region, "s"})
		if err != nil {
			t.Fatal(err)
		}
		h, err := c.svc.store.Head(t.Context(), st.shards[index].partition)
		if err != nil || h.Retention.Millis != 30*3_600_000 || h.Closed != (index < 5000) {
			t.Errorf("shard %d: got %+v, %v, want 30 hours", index, h, err)
		}
	}
	if _, err := c.svc.DeleteStream(c.ctx(), &kinesisapi.DeleteStreamInput{StreamName: new("s")}); err != nil {
		t.Fatal(err)
	}
	c.await("s", "")
	left, err := c.svc.store.Partitions(t.Context(), 0, 10)
	if err != nil || len(left) != 0 {
		t.Errorf("partitions left: %v, %v, want none", left, err)
	}
}

// Shards whose records are all too old are forgotten, with their partitions; their children still name them.
func TestClosedShardsAreForgottenWhenTheirRecordsAreTooOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := start(t)
		c.create("s", 2)
		c.put("s", "a", "x")
		c.scale("s", 4)
		time.Sleep(2 * time.Hour)
		c.scale("s", 2)
		p := place{c.account, c.region, "s"}
		kept := func() int {
			st, err := c.svc.fetch(c.ctx(), p)
			if err != nil {
				t.Fatal(err)
			}
			return len(st.kept())
		}
		if got := kept(); got != 8 {
			t.Errorf("at first: got %d partitions, want 8", got)
		}
		time.Sleep(24 * time.Hour)
		if got := kept(); got != 6 {
			t.Errorf("25 hours after the first change and an hour before the second one's: got %d partitions, want 6", got)
		}
		_, err := c.svc.GetShardIterator(c.ctx(), &kinesisapi.GetShardIteratorInput{
			StreamName: new("s"), ShardId: shardID(0), ShardIteratorType: kinesisapi.ShardIteratorTypeTrimHorizon,
		})
		wantError(t, err, "ResourceNotFoundException", "Shard shardId-000000000000 in stream s under account 000000000000 does not exist")
		c.changeRetention("s", 48)
		time.Sleep(24 * time.Hour)
		if got := kept(); got != 6 {
			t.Errorf("with a longer retention: got %d partitions, want 6", got)
		}
		time.Sleep(3 * time.Hour)
		if got := kept(); got != 2 {
			t.Errorf("in the end: got %d partitions, want 2", got)
		}
		c.scale("s", 4)
		st, err := c.svc.fetch(c.ctx(), p)
		if err != nil {
			t.Fatal(err)
		}
		if first := st.shards[8]; first.parent != 6 || st.shards[2].parent != 0 || len(st.shards) != 12 {
			t.Errorf("got %d shards, parents %d and %d, want 12, 6 and 0", len(st.shards), first.parent, st.shards[2].parent)
		}
		if _, err := c.svc.DeleteStream(c.ctx(), &kinesisapi.DeleteStreamInput{StreamName: new("s")}); err != nil {
			t.Fatal(err)
		}
		c.await("s", "")
		_ = c.svc.Close()
	})
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

func TestAccountsShardLimitHoldsForNewStreamsSplitsAndScaling(t *testing.T) {
	c := startOn(t, storetest.NewModel(), func(o *Options) { o.Quotas = 1 })
	c.region = "eu-north-1"
	c.create("s", 5999)
	c.create("t", 1)
	const limit = "This request would exceed the shard limit for the account 000000000000 in eu-north-1. Current shard count for the account: 6000. Limit: 6000. " +
		"Number of additional shards that would have resulted from this request: %d. Refer to the AWS Service Limits page " +
		"(http://docs.aws.amazon.com/general/latest/gr/aws_service_limits.html) for current limits and how to request higher limits."
	_, err := c.svc.SplitShard(c.ctx(), &kinesisapi.SplitShardInput{StreamName: new("t"), ShardToSplit: shardID(0), NewStartingHashKey: "7"})
	wantError(t, err, "LimitExceededException", fmt.Sprintf(limit, 1))
	_, err = c.svc.CreateStream(c.ctx(), &kinesisapi.CreateStreamInput{StreamName: "u", ShardCount: new(int32(100_000))})
	wantError(t, err, "LimitExceededException", fmt.Sprintf(limit, 100_000))
	_, err = c.svc.UpdateShardCount(c.ctx(), &kinesisapi.UpdateShardCountInput{
		StreamName: new("s"), TargetShardCount: 6010, ScalingType: kinesisapi.ScalingTypeUniformScaling,
	})
	wantError(t, err, "LimitExceededException", fmt.Sprintf(limit, 11))
}

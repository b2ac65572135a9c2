package kinesis

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"millrace/internal/api/kinesisapi"
	"millrace/internal/core/store/storetest"
)

// series gives the metrics whose CloudWatch name begins with prefix, by stream, consumer or shard and name.
func (c *caller) series(prefix string) map[string]Value {
	found := map[string]Value{}
	for s := range c.svc.Series() {
		if strings.HasPrefix(s.Metric.Name, prefix) {
			found[strings.Join([]string{s.Stream, s.Consumer + s.Shard, s.Metric.Name}, " ")] = s.Value
		}
	}
	return found
}

// wantSums compares the sums of all series with lines of "key sum".
func (c *caller) wantSums(skip func(name string) bool, want ...string) {
	c.t.Helper()
	got := []string{}
	all := c.series("")
	for _, k := range slices.Sorted(maps.Keys(all)) {
		if skip == nil || !skip(k) {
			got = append(got, fmt.Sprintf("%s %v", k, all[k].Sum))
		}
	}
	if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
		c.t.Errorf("got series\n%s\nwant\n%s", g, w)
	}
}

// timed are the metrics that hang on how fast the machine is.
func timed(key string) bool { return strings.HasSuffix(key, "Latency") }

func TestCallsOfAStreamAreCountedByCloudWatchsNames(t *testing.T) {
	inBubble(t, 1, func(_ *testing.T, c *caller) {
		c.create("s", 1)
		c.put("s", "key", "12345")
		c.putMany(500, 10)
		c.wantRefused(500, 10, 1)
		it := c.oldest("s", shardID(0))
		for range 5 {
			c.get(it, 0)
		}
		if _, err := c.svc.GetRecords(c.ctx(), &kinesisapi.GetRecordsInput{ShardIterator: it}); err == nil {
			c.t.Error("the sixth GetRecords in a second is not refused")
		}
		c.wantSums(timed,
			"s  GetRecords.Bytes 49990", "s  GetRecords.IteratorAgeMilliseconds 0", "s  GetRecords.Records 5000", "s  GetRecords.Success 5",
			"s  IncomingBytes 9998", "s  IncomingRecords 1000",
			"s  PutRecord.Bytes 8", "s  PutRecord.Success 1",
			"s  PutRecords.Bytes 9990", "s  PutRecords.FailedRecords 0", "s  PutRecords.Success 2", "s  PutRecords.SuccessfulRecords 999",
			"s  PutRecords.ThrottledRecords 1", "s  PutRecords.TotalRecords 1000",
			"s  ReadProvisionedThroughputExceeded 1", "s  WriteProvisionedThroughputExceeded 1")
		if v := c.series("GetRecords.Success")["s  GetRecords.Success"]; v.Count != 6 {
			c.t.Errorf("GetRecords.Success has %d samples, want 6 calls", v.Count)
		}
	})
}

func TestMetricsOfShardsAreSwitchedWithoutACallToTheStream(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, c *caller) {
		c.create("s", 1)
		c.put("s", "key", "12345")
		shards := func(key string) bool { return !strings.Contains(key, "shardId") }
		names := []kinesisapi.MetricsName{kinesisapi.MetricsNameIncomingRecords}
		if _, err := c.svc.EnableEnhancedMonitoring(c.ctx(), &kinesisapi.EnableEnhancedMonitoringInput{StreamName: new("s"), ShardLevelMetrics: names}); err != nil {
			t.Fatal(err)
		}
		c.wantSums(shards, "s "+shardID(0)+" IncomingRecords 1")
		if _, err := c.svc.DisableEnhancedMonitoring(c.ctx(), &kinesisapi.DisableEnhancedMonitoringInput{StreamName: new("s"), ShardLevelMetrics: names}); err != nil {
			t.Fatal(err)
		}
		c.wantSums(shards)
	})
}

func TestMetricsOfShardsAreThereWhileTheyAreOn(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, c *caller) {
		c.create("s", 2)
		shards := func(key string) bool { return !strings.Contains(key, "shardId") }
		c.wantSums(shards)
		change := func(do func(*kinesisapi.EnableEnhancedMonitoringInput) error, names ...kinesisapi.MetricsName) {
			if err := do(&kinesisapi.EnableEnhancedMonitoringInput{StreamName: new("s"), ShardLevelMetrics: names}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second + 1) // copies of the stream are used for so long
		}
		on := func(in *kinesisapi.EnableEnhancedMonitoringInput) error {
			_, err := c.svc.EnableEnhancedMonitoring(c.ctx(), in)
			return err
		}
		off := func(in *kinesisapi.EnableEnhancedMonitoringInput) error {
			_, err := c.svc.DisableEnhancedMonitoring(c.ctx(), &kinesisapi.DisableEnhancedMonitoringInput{StreamName: in.StreamName, ShardLevelMetrics: in.ShardLevelMetrics})
			return err
		}
		change(on, kinesisapi.MetricsNameAll)
		c.put("s", "key", "12345")
		time.Sleep(10 * time.Second)
		c.put("s", "key", "12345")
		shard := c.put("s", "key", "1").ShardId
		if out := c.get(c.oldest("s", shard), 1); len(out.Records) != 1 {
			t.Fatalf("got %d records, want 1", len(out.Records))
		}
		other := shardID(1)
		if shard == other {
			other = shardID(0)
		}
		got := c.series("")
		for key, want := range map[string]Value{
			"s " + shard + " IncomingBytes":           {Sum: 20},
			"s " + shard + " IncomingRecords":         {Sum: 3},
			"s " + shard + " OutgoingBytes":           {Sum: 8},
			"s " + shard + " OutgoingRecords":         {Sum: 1},
			"s " + shard + " IteratorAgeMilliseconds": {Sum: 10_000, Max: 10_000},
			"s " + other + " IncomingRecords":         {},
		} {
			v, ok := got[key]
			if v.Sum != want.Sum || v.Max != want.Max || !ok {
				t.Errorf("%s: got %+v (%v), want %+v", key, v, ok, want)
			}
		}
		time.Sleep(2 * time.Minute)
		if age := c.series("IteratorAge")["s "+shard+" IteratorAgeMilliseconds"]; age.Max != 0 {
			t.Errorf("after two minutes without reads the age is %v, want 0", age.Max)
		}
		change(off, kinesisapi.MetricsNameAll)
		change(on, kinesisapi.MetricsNameIncomingRecords)
		c.put("s", "key", "1")
		c.wantSums(shards, "s "+min(shard, other)+" IncomingRecords "+map[bool]string{true: "4", false: "0"}[shard < other],
			"s "+max(shard, other)+" IncomingRecords "+map[bool]string{true: "4", false: "0"}[shard > other])
	})
}

func TestSubscriptionsAreCountedByConsumer(t *testing.T) {
	bubble(t, 1, func(c *caller, arn string) {
		c.put("s", "key", "12345")
		l := c.subscribe(arn, from(kinesisapi.ShardIteratorTypeTrimHorizon))
		l.event()
		if _, err := c.trySubscribe(arn, from(kinesisapi.ShardIteratorTypeLatest)); err == nil {
			c.t.Error("the second subscription in a second is not refused")
		}
		synctest.Wait()
		got := c.series("Subscribe")
		name := arn[strings.Index(arn, "consumer/")+len("consumer/") : strings.LastIndex(arn, ":")]
		for metric, want := range map[string]float64{
			"SubscribeToShard.Success": 1, "SubscribeToShard.RateExceeded": 1, "SubscribeToShardEvent.Bytes": 8,
			"SubscribeToShardEvent.Records": 1, "SubscribeToShardEvent.Success": 1, "SubscribeToShardEvent.MillisBehindLatest": 0,
		} {
			if v, ok := got["s "+name+" "+metric]; v.Sum != want || !ok {
				c.t.Errorf("%s: got %+v (%v), want %v", metric, v, ok, want)
			}
		}
		if _, err := c.svc.DeregisterStreamConsumer(c.ctx(), &kinesisapi.DeregisterStreamConsumerInput{ConsumerARN: &arn}); err != nil {
			c.t.Fatal(err)
		}
		if got := c.series("Subscribe"); len(got) != 0 {
			c.t.Errorf("series of a consumer that is gone: %v", got)
		}
	})
}

func TestSeriesGoWithTheirStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := startOn(t, storetest.NewModel(), nil)
		defer c.svc.Close()
		c.create("s", 1)
		c.put("s", "key", "1")
		c.svc.cache.drop(place{c.account, c.region, "s"}) // as when there are too many
		if _, err := c.svc.DeleteStream(c.ctx(), &kinesisapi.DeleteStreamInput{StreamName: new("s")}); err != nil {
			t.Fatal(err)
		}
		c.await("s", "")
		synctest.Wait()
		c.wantSums(nil)
		c.create("s", 1)
		c.put("s", "key", "1")
		if v := c.series("IncomingRecords")["s  IncomingRecords"]; v.Sum != 1 {
			t.Errorf("a stream made anew has %v incoming records, want 1", v.Sum)
		}
	})
}

func TestTooManyStreamsAndConsumersAreCountedTogether(t *testing.T) {
	var table trafficTable
	for i := range maxStreamSeries + 3 {
		table.of(place{stream: fmt.Sprint(i)}, uint64(i)).putRecord.count.Add(1)
	}
	if n := table.others.putRecord.count.Load(); n != 3 || len(table.streams) != maxStreamSeries {
		t.Errorf("%d streams told apart and %d calls of others, want %d and 3", len(table.streams), n, maxStreamSeries)
	}
	table.drop(place{stream: "7"})
	if found := table.of(place{stream: "new"}, 1); found == &table.others {
		t.Error("a stream does not take the place of one that is gone")
	}
	one := table.of(place{stream: "1"}, 1)
	for i := range maxConsumerSeries + 2 {
		one.consumer(fmt.Sprint(i)).events.Add(1)
	}
	if n := one.consumer("more").events.Load(); n != 2 || len(one.consumers) != maxConsumerSeries+1 {
		t.Errorf("%d consumers and %d events of others, want %d and 2", len(one.consumers), n, maxConsumerSeries+1)
	}
}

func TestWindowForgetsTheLargestValueAfterAMinute(t *testing.T) {
	var w window
	for _, s := range []struct{ second, observe, want int64 }{
		{0, 5, 5}, {10, 3, 5}, {59, 9, 9}, {60, 4, 9}, {119, 0, 9}, {120, 1, 4}, {125, -7, 4}, {300, -1, 0},
	} {
		w.observe(s.second*1e9, s.observe)
		if got := w.largest(s.second * 1e9); got != s.want {
			t.Errorf("second %d after %d: largest %d, want %d", s.second, s.observe, got, s.want)
		}
	}
	if got := w.largest(500e9); got != 0 {
		t.Errorf("long after: largest %d, want 0", got)
	}
}

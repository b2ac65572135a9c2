package kinesis

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"millrace/internal/api"
	"millrace/internal/api/kinesisapi"
	"millrace/internal/core/catalog"
	"millrace/internal/core/store"
	"millrace/internal/core/store/storetest"
)

// scaled is an on-demand stream in simulated time whose load is simulated too: what its shards count.
type scaled struct {
	*caller
	st store.Store
	// offered is what is written in a second to a shard that holds a part of all hash keys, in MiB. A shard takes no
	// more than its quota.
	offered func(sh *shard) float64
}

// inScaled runs fn with an on-demand stream "s" of four shards.
func inScaled(t *testing.T, fn func(s *scaled)) {
	synctest.Test(t, func(t *testing.T) {
		s := &scaled{st: storetest.NewModel()}
		s.caller = startOn(t, s.st, func(o *Options) { o.Quotas = 1 })
		s.createOnDemand("s")
		fn(s)
		_ = s.svc.Close()
	})
}

func (c *caller) createOnDemand(name string) {
	c.t.Helper()
	on := &kinesisapi.StreamModeDetails{StreamMode: kinesisapi.StreamModeOnDemand}
	if _, err := c.svc.CreateStream(c.ctx(), &kinesisapi.CreateStreamInput{StreamName: name, StreamModeDetails: on}); err != nil {
		c.t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); ; { // past the quota of DescribeStreamSummary
		st, err := c.svc.fetch(c.t.Context(), place{c.account, c.region, name})
		if err != nil || time.Now().After(deadline) {
			c.t.Fatalf("stream %s does not become active: %v", name, err)
		}
		if st.topic.State == catalog.StateActive {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// restart ends the service and starts another on the same store.
func (s *scaled) restart() {
	s.t.Helper()
	if err := s.svc.Close(); err != nil {
		s.t.Fatal(err)
	}
	s.caller = startOn(s.t, s.st, func(o *Options) { o.Quotas = 1 })
}

// evenly is a load that is spread over all hash keys.
func (s *scaled) evenly(mibps float64) {
	s.offered = func(sh *shard) float64 { return mibps * sh.width() }
}

func (s *scaled) stream() *stream {
	s.t.Helper()
	st, err := s.svc.fetch(s.t.Context(), place{s.account, s.region, "s"})
	if err != nil {
		s.t.Fatal(err)
	}
	return st
}

func (s *scaled) open() int { return len(s.stream().leaves()) }

// run lets time pass under the load, until done says so when it is given. It returns how long that took.
func (s *scaled) run(d time.Duration, done func() bool) time.Duration {
	s.t.Helper()
	const step = 10 * time.Second
	for passed := time.Duration(0); passed < d; passed += step {
		if done != nil && done() {
			return passed
		}
		if s.offered != nil {
			st, err := s.svc.stream(s.t.Context(), place{s.account, s.region, "s"}, s.svc.nowNS())
			if err != nil {
				s.t.Fatal(err)
			}
			for _, sh := range st.routes.open {
				bytes := min(s.offered(sh), 1) * mebi * step.Seconds()
				sh.meter.traffic.inBytes.Add(uint64(bytes))
				sh.meter.traffic.inRecords.Add(uint64(bytes / 4096))
			}
		}
		time.Sleep(step)
	}
	return d
}

// rest lets time pass without load.
func (s *scaled) rest(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (s *scaled) want(count int, when string) {
	s.t.Helper()
	if got := s.open(); got != count {
		s.t.Errorf("%s: %d open shards, want %d", when, got, count)
	}
}

func TestOnDemandStreamFollowsItsLoadOverDays(t *testing.T) {
	inScaled(t, func(s *scaled) {
		s.evenly(1.9)
		s.run(time.Hour, nil)
		s.want(4, "after an hour at 1.9 MiB/s")
		s.evenly(10)
		if took := s.run(time.Hour, func() bool { return s.open() >= 20 }); took > 15*time.Minute {
			t.Errorf("capacity for double of 10 MiB/s took %v, want 15 minutes at most", took)
		}
		s.run(time.Hour, nil)
		peak := s.open()
		if peak < 20 || peak > 40 {
			t.Errorf("at 10 MiB/s: %d open shards, want 20 to 40", peak)
		}
		s.evenly(.1)
		s.run(time.Hour, nil)
		s.offered = nil
		s.rest(7 * 24 * time.Hour)
		s.restart()
		s.rest(22 * 24 * time.Hour)
		s.want(peak, "29 days after the peak, with a restart on the way")
		s.rest(2 * 24 * time.Hour)
		s.want(4, "31 days after the peak")
		if made := len(s.stream().shards); made > 3*peak {
			t.Errorf("%d shards were made on the way up to %d and down, want few", made, peak)
		}
	})
}

func TestHotShardIsSplitAndASingleKeyNotForEver(t *testing.T) {
	inScaled(t, func(s *scaled) {
		hot := hashOf("the key that all use")
		s.offered = func(sh *shard) float64 {
			if sh.start.cmp(hot) <= 0 && hot.cmp(sh.end) <= 0 {
				return 5
			}
			return .01
		}
		s.run(time.Hour, nil)
		count := s.open()
		if count < 6 || count > 12 {
			t.Errorf("with one hot key: %d open shards, want a few more than 4", count)
		}
		s.run(24*time.Hour, nil)
		if count = s.open(); count < 6 || count > 12 {
			t.Errorf("a day later: %d open shards, want a few more than 4", count)
		}
		made := len(s.stream().shards)
		s.run(7*24*time.Hour, nil)
		if now := len(s.stream().shards); now != made {
			t.Errorf("in the week after that %d further shards were made, want none", now-made)
		}

		// Half of the keys are hot: their shards are split until each carries at most half of its quota.
		s.offered = func(sh *shard) float64 {
			if sh.start.hi < 1<<63 {
				return 6 * sh.width()
			}
			return 0
		}
		s.run(time.Hour, nil)
		for _, sh := range s.stream().leaves() {
			if got := s.offered(sh); got > .5 {
				t.Errorf("shard %s of %v of all keys is still offered %v MiB/s", sh.id, sh.width(), got)
			}
		}
	})
}

func TestColdShardsAreJoinedAndHotOnesStay(t *testing.T) {
	inScaled(t, func(s *scaled) {
		s.evenly(30)
		s.run(2*time.Hour, nil)
		if got := s.open(); got < 60 {
			t.Fatalf("at 30 MiB/s: %d open shards, want 60 or more", got)
		}
		s.evenly(0)
		s.rest(28 * 24 * time.Hour)
		s.offered = func(sh *shard) float64 { // the first quarter of the keys is in use
			if sh.start.hi < 1<<62 {
				return 16 * sh.width()
			}
			return 0
		}
		s.run(3*24*time.Hour, nil)
		in, out := 0, 0
		for _, sh := range s.stream().leaves() {
			if sh.start.hi < 1<<62 {
				in++
			} else {
				out++
			}
		}
		if in < 8 || out > 8 {
			t.Errorf("%d shards in the part that is used and %d outside, want 8 or more and few", in, out)
		}
	})
}

func TestWarmThroughputIsAFloor(t *testing.T) {
	inScaled(t, func(s *scaled) {
		if _, err := s.svc.UpdateAccountSettings(s.ctx(), &kinesisapi.UpdateAccountSettingsInput{
			MinimumThroughputBillingCommitment: &kinesisapi.MinimumThroughputBillingCommitmentInput{Status: kinesisapi.MinimumThroughputBillingCommitmentInputStatusEnabled},
		}); err != nil {
			t.Fatal(err)
		}
		warm := func(mibps int32) {
			t.Helper()
			if _, err := s.svc.UpdateStreamWarmThroughput(s.ctx(), &kinesisapi.UpdateStreamWarmThroughputInput{StreamName: new("s"), WarmThroughputMiBps: mibps}); err != nil {
				t.Fatal(err)
			}
			s.await("s", kinesisapi.StreamStatusActive)
		}
		warm(24)
		s.want(24, "warm throughput of 24 MiB/s")
		s.rest(40 * 24 * time.Hour)
		s.want(24, "40 days without load")
		s.evenly(20)
		s.run(time.Hour, nil)
		burst := s.open()
		if burst < 40 {
			t.Errorf("at 20 MiB/s: %d open shards, want 40 or more", burst)
		}
		s.offered = nil
		s.rest(24 * time.Hour)
		s.want(burst, "a day after a burst")
		warm(12)
		s.rest(12 * time.Hour)
		if got := s.open(); got < 12 || got >= 24 {
			t.Errorf("half a day after the warm throughput was set to 12: %d open shards, want 12 to 23", got)
		}
	})
}

func TestStreamThatKafkaProducesToIsNotScaled(t *testing.T) {
	inScaled(t, func(s *scaled) {
		produce := func() {
			t.Helper()
			num := s.stream().topic.Num
			if _, err := s.st.Update(t.Context(), func(tx store.Tx) error { return catalog.KafkaProduced(tx, num, tx.Now()) }); err != nil {
				t.Fatal(err)
			}
		}
		s.evenly(4)
		for range 24 {
			produce()
			s.run(time.Hour, nil)
		}
		s.want(4, "while Kafka produces")
		s.run(23*time.Hour-time.Minute, nil)
		s.want(4, "23 hours after Kafka's last batch")
		s.run(3*time.Hour, nil)
		if got := s.open(); got < 8 {
			t.Errorf("a day after Kafka's last batch: %d open shards, want 8 or more", got)
		}
	})
}

func TestStreamThatWasProvisionedKeepsItsShards(t *testing.T) {
	inScaled(t, func(s *scaled) {
		s.create("p", 32)
		arn := place{s.account, s.region, "p"}.arn()
		if _, err := s.svc.UpdateStreamMode(s.ctx(), &kinesisapi.UpdateStreamModeInput{
			StreamARN: arn, StreamModeDetails: &kinesisapi.StreamModeDetails{StreamMode: kinesisapi.StreamModeOnDemand},
		}); err != nil {
			t.Fatal(err)
		}
		s.await("p", kinesisapi.StreamStatusActive)
		open := func() int {
			st, err := s.svc.fetch(t.Context(), place{s.account, s.region, "p"})
			if err != nil {
				t.Fatal(err)
			}
			return len(st.leaves())
		}
		s.rest(29 * 24 * time.Hour)
		if got := open(); got != 32 {
			t.Errorf("29 days after the change of mode: %d open shards, want 32", got)
		}
		s.restart()
		s.rest(3 * 24 * time.Hour)
		if got := open(); got != 4 {
			t.Errorf("32 days after the change of mode: %d open shards, want 4", got)
		}
	})
}

func TestOnDemandShardsHaveQuotas(t *testing.T) {
	inScaled(t, func(s *scaled) {
		in := &kinesisapi.PutRecordInput{StreamName: new("s"), PartitionKey: new("a"), ExplicitHashKey: new("0"), Data: make([]byte, 512<<10-1)}
		for range 2 {
			if _, err := s.svc.PutRecord(s.ctx(), in); err != nil {
				t.Fatal(err)
			}
		}
		_, err := s.svc.PutRecord(s.ctx(), in)
		wantError(t, err, codeThroughput, rateText)
	})
}

// Writers offer ten times what four shards take. The stream grows until it takes everything, and every record is
// read once, those of a key in order.
func TestLoadIsTakenAfterTheStreamHasGrown(t *testing.T) {
	const quotas = 0.05 // 50 records a second for each shard
	c := startOn(t, storetest.NewModel(), func(o *Options) { o.Quotas, o.ScaleInterval = quotas, 100*time.Millisecond })
	c.createOnDemand("s")
	const writers, perCall = 8, 20
	var mu sync.Mutex // guards written and calm
	written, calm := map[string]int{}, 0
	ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
	defer cancel()
	var work sync.WaitGroup
	for w := range writers {
		work.Go(func() {
			for ctx.Err() == nil {
				mu.Lock()
				grown := calm >= 3*writers
				mu.Unlock()
				if grown {
					return
				}
				refused := c.putKeys(ctx, w, perCall, func(key string) int { mu.Lock(); defer mu.Unlock(); written[key]++; return written[key] })
				mu.Lock()
				if calm++; refused > 0 {
					calm = 0
				}
				mu.Unlock()
				if err := sleep(ctx, 100*time.Millisecond); err != nil {
					return
				}
			}
		})
	}
	work.Wait()
	if ctx.Err() != nil {
		t.Fatalf("the stream does not take the load after 40 s: %d shards", len(c.openShards("s")))
	}
	if n := len(c.openShards("s")); n < 8 {
		t.Errorf("%d open shards, want 8 or more", n)
	}
	c.wantAllInOrder("s", written)
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// putKeys puts one record for each of n keys of a writer, numbered by next; refused ones are tried again until they
// are taken. It gives how many were refused at first.
func (c *caller) putKeys(ctx context.Context, writer, n int, next func(key string) int) int {
	var pending []kinesisapi.PutRecordsRequestEntry
	for k := range n {
		key := fmt.Sprintf("%d-%d", writer, k)
		pending = append(pending, kinesisapi.PutRecordsRequestEntry{PartitionKey: &key, Data: fmt.Append(nil, next(key))})
	}
	first := -1
	for len(pending) > 0 {
		call := &api.Call{Account: c.account, Region: c.region}
		out, err := c.svc.PutRecords(api.WithCall(c.t.Context(), call), &kinesisapi.PutRecordsInput{StreamName: new("s"), Records: pending})
		if err != nil {
			c.t.Errorf("PutRecords: %v", err)
			return 0
		}
		var left []kinesisapi.PutRecordsRequestEntry
		for i := range out.Records {
			if out.Records[i].ErrorCode != nil {
				left = append(left, pending[i])
			}
		}
		call.Sent()
		if first < 0 {
			first = len(left)
		}
		pending = left
		if len(pending) > 0 && sleep(ctx, 50*time.Millisecond) != nil {
			c.t.Errorf("%d records are still refused at the end", len(pending))
			return first
		}
	}
	return first
}

func (c *caller) openShards(name string) []*shard {
	c.t.Helper()
	st, err := c.svc.fetch(c.t.Context(), place{c.account, c.region, name})
	if err != nil {
		c.t.Fatal(err)
	}
	return st.leaves()
}

// wantAllInOrder reads a stream from parents to children and holds it against how many records each key has, which
// are numbered from 1.
func (c *caller) wantAllInOrder(name string, written map[string]int) {
	c.t.Helper()
	st, err := c.svc.fetch(c.t.Context(), place{c.account, c.region, name})
	if err != nil {
		c.t.Fatal(err)
	}
	read := map[string]int{}
	for i := range st.shards { // parents have lower indexes than their children
		it := c.storeIterator(st, i)
		for it != nil {
			out, err := c.svc.GetRecords(c.ctx(), &kinesisapi.GetRecordsInput{ShardIterator: *it})
			if errors.Is(err, kinesisapi.ProvisionedThroughputExceededException("")) {
				time.Sleep(50 * time.Millisecond)
				continue
			}
			if err != nil {
				c.t.Fatal(err)
			}
			for _, r := range out.Records {
				if want := fmt.Sprint(read[*r.PartitionKey] + 1); string(r.Data) != want {
					c.t.Fatalf("key %s in shard %d: got record %s, want %s", *r.PartitionKey, i, r.Data, want)
				}
				read[string([]byte(*r.PartitionKey))]++
			}
			if it = out.NextShardIterator; *out.MillisBehindLatest == 0 {
				it = nil
			}
		}
	}
	if !maps.Equal(read, written) {
		c.t.Errorf("records of each key: read %v, want %v", read, written)
	}
}

// storeIterator begins at the start of a shard, past the quota of GetShardIterator.
func (c *caller) storeIterator(st *stream, index int) *string {
	text := c.svc.sealIterator(st.place, &st.shards[index], 0, c.svc.store.Now())
	return &text
}

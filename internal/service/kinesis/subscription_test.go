package kinesis

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"millrace/internal/api"
	"millrace/internal/api/kinesisapi"
	"millrace/internal/core/store/storetest"
)

// listener takes the events of one subscription, as a front does.
type listener struct {
	tb     testing.TB
	events chan *kinesisapi.SubscribeToShardEvent // closed at the end
	err    error                                  // of the end; read after events is closed
	leave  context.CancelFunc
}

// event is the next one; the test fails at the end of the stream.
func (l *listener) event() *kinesisapi.SubscribeToShardEvent {
	l.tb.Helper()
	e, ok := <-l.events
	if !ok {
		l.tb.Fatalf("the stream has ended: %v", l.err)
	}
	return e
}

// ended returns the error of the end; events that come before it fail the test.
func (l *listener) ended() error {
	l.tb.Helper()
	if e, ok := <-l.events; ok {
		l.tb.Fatalf("got %s, want the end", show(e))
	}
	return l.err
}

func (c *caller) register(stream, name string) string {
	c.t.Helper()
	arn := place{c.account, c.region, stream}.arn()
	out, err := c.svc.RegisterStreamConsumer(c.ctx(), &kinesisapi.RegisterStreamConsumerInput{StreamARN: arn, ConsumerName: name})
	if err != nil {
		c.t.Fatalf("RegisterStreamConsumer %s: %v", name, err)
	}
	return out.Consumer.ConsumerARN
}

// trySubscribe begins a subscription to the first shard in a goroutine that takes its events until the test ends.
func (c *caller) trySubscribe(arn string, at kinesisapi.StartingPosition) (*listener, error) {
	c.t.Helper()
	call := &api.Call{Account: c.account, Region: c.region, AccessKeyID: "AKIA"}
	ctx, leave := context.WithCancel(c.t.Context())
	out, err := c.svc.SubscribeToShard(api.WithCall(ctx, call), &kinesisapi.SubscribeToShardInput{
		ConsumerARN: arn, ShardId: shardID(0), StartingPosition: &at,
	})
	if err != nil {
		leave()
		return nil, err
	}
	l := &listener{tb: c.t, events: make(chan *kinesisapi.SubscribeToShardEvent), leave: leave}
	go func() {
		defer close(l.events)
		defer call.Sent()
		for e, err := range out.EventStream {
			if err != nil {
				l.err = err
				return
			}
			select {
			case l.events <- keep(e.SubscribeToShardEvent):
			case <-ctx.Done():
				return
			}
		}
	}()
	c.t.Cleanup(func() {
		leave()
		for range l.events { // until it has ended
		}
	})
	return l, nil
}

// keep copies an event, whose memory is the service's again when the next is asked for.
func keep(e *kinesisapi.SubscribeToShardEvent) *kinesisapi.SubscribeToShardEvent {
	c := *e
	c.Records = make([]kinesisapi.Record, len(e.Records))
	for i, r := range e.Records {
		c.Records[i] = kinesisapi.Record{
			SequenceNumber: string([]byte(r.SequenceNumber)), Data: append([]byte(nil), r.Data...),
			PartitionKey: new(string([]byte(*r.PartitionKey))), ApproximateArrivalTimestamp: r.ApproximateArrivalTimestamp,
		}
	}
	return &c
}

func (c *caller) subscribe(arn string, at kinesisapi.StartingPosition) *listener {
	c.t.Helper()
	l, err := c.trySubscribe(arn, at)
	if err != nil {
		c.t.Fatalf("SubscribeToShard %+v: %v", at, err)
	}
	return l
}

func from(kind kinesisapi.ShardIteratorType) kinesisapi.StartingPosition {
	return kinesisapi.StartingPosition{Type: kind}
}

// data is what an event brings.
func data(e *kinesisapi.SubscribeToShardEvent) string {
	text := ""
	for _, r := range e.Records {
		text += string(r.Data) + " "
	}
	return text
}

func show(e *kinesisapi.SubscribeToShardEvent) string {
	next := "none"
	if e.ContinuationSequenceNumber != nil {
		next = *e.ContinuationSequenceNumber
	}
	return fmt.Sprintf("%q, next %s, behind %d, children %v", data(e), next, e.MillisBehindLatest, e.ChildShards)
}

// bubble runs f with a stream "s" of one shard and a consumer, in a time of its own.
func bubble(t *testing.T, quotas Quotas, f func(c *caller, arn string)) {
	synctest.Test(t, func(t *testing.T) {
		c := startOn(t, storetest.NewModel(), func(o *Options) { o.Quotas = quotas })
		c.create("s", 1)
		arn := c.register("s", "c")
		f(c, arn)
	})
}

func TestSubscriptionBeginsWhereItIsAskedTo(t *testing.T) {
	bubble(t, QuotasOff, func(c *caller, arn string) {
		first := c.put("s", "k", "1").SequenceNumber
		time.Sleep(time.Second)
		at := time.Now()
		time.Sleep(time.Second)
		c.put("s", "k", "2")
		for _, p := range []struct {
			at   kinesisapi.StartingPosition
			want string
		}{
			{from(kinesisapi.ShardIteratorTypeLatest), ""},
			{from(kinesisapi.ShardIteratorTypeTrimHorizon), "1 2 "},
			{kinesisapi.StartingPosition{Type: kinesisapi.ShardIteratorTypeAtSequenceNumber, SequenceNumber: &first}, "1 2 "},
			{kinesisapi.StartingPosition{Type: kinesisapi.ShardIteratorTypeAfterSequenceNumber, SequenceNumber: &first}, "2 "},
			{kinesisapi.StartingPosition{Type: kinesisapi.ShardIteratorTypeAtTimestamp, Timestamp: &at}, "2 "},
		} {
			l := c.subscribe(arn, p.at)
			if e := l.event(); data(e) != p.want || e.MillisBehindLatest != 0 || e.ContinuationSequenceNumber == nil {
				t.Errorf("%s: got %s, want %q", p.at.Type, show(e), p.want)
			}
			l.leave()
			_ = l.ended()
			time.Sleep(5 * time.Second)
		}
	})
}

func TestWhatIsPutIsPushedAtOnce(t *testing.T) {
	bubble(t, QuotasOff, func(c *caller, arn string) {
		l := c.subscribe(arn, from(kinesisapi.ShardIteratorTypeLatest))
		l.event()
		for i := range 20 {
			begun := time.Now()
			put := c.put("s", "k", fmt.Sprint(i))
			if e := l.event(); data(e) != fmt.Sprint(i, " ") || e.Records[0].SequenceNumber != put.SequenceNumber || !time.Now().Equal(begun) {
				t.Errorf("record %d: got %s after %v", i, show(e), time.Since(begun))
			}
		}
	})
}

func TestContinuationLosesAndRepeatsNothing(t *testing.T) {
	bubble(t, QuotasOff, func(c *caller, arn string) {
		at := from(kinesisapi.ShardIteratorTypeTrimHorizon)
		for i := range 12 {
			l := c.subscribe(arn, at)
			e := l.event() // of an empty shard, then of what was put while nobody listened
			want := ""
			if i > 0 {
				want = fmt.Sprint(i, " ")
			}
			if data(e) != want {
				t.Errorf("round %d: got %s, want %q", i, show(e), want)
			}
			if i%3 == 0 {
				if e = l.event(); data(e) != "" { // five seconds later
					t.Errorf("round %d: got %s, want an empty event", i, show(e))
				}
			}
			l.leave()
			_ = l.ended()
			at = kinesisapi.StartingPosition{Type: kinesisapi.ShardIteratorTypeAtSequenceNumber, SequenceNumber: e.ContinuationSequenceNumber}
			if i%2 == 0 {
				at.Type = kinesisapi.ShardIteratorTypeAfterSequenceNumber
			}
			c.put("s", "k", fmt.Sprint(i+1))
			time.Sleep(5 * time.Second)
		}
	})
}

func TestIdleSubscriptionTellsEveryFiveSecondsForFiveMinutes(t *testing.T) {
	bubble(t, QuotasOff, func(c *caller, arn string) {
		begun := time.Now()
		l := c.subscribe(arn, from(kinesisapi.ShardIteratorTypeLatest))
		for i := range 60 {
			e := l.event()
			if after := time.Since(begun); after != time.Duration(i)*5*time.Second || len(e.Records) != 0 || e.ContinuationSequenceNumber == nil {
				t.Errorf("event %d: got %s after %v", i, show(e), after)
			}
		}
		if err, after := l.ended(), time.Since(begun); err != nil || after != 5*time.Minute {
			t.Errorf("got the end %v after %v, want a clean one after 5m", err, after)
		}
	})
}

func TestBacklogIsPushedInEventsThatFitTheirBuffer(t *testing.T) {
	bubble(t, QuotasOff, func(c *caller, arn string) {
		for range 40 {
			c.put("s", "k", string(make([]byte, 100_000)))
		}
		for range 2500 {
			c.put("s", "k", "x")
		}
		l := c.subscribe(arn, from(kinesisapi.ShardIteratorTypeTrimHorizon))
		for got := 0; got < 2540; {
			e := l.event()
			bytes := 0
			for _, r := range e.Records {
				bytes += len(r.Data)
			}
			if bytes > eventBytes || len(e.Records) > eventRecords || len(e.Records) == 0 {
				t.Fatalf("after %d: got %d bytes in %d records", got, bytes, len(e.Records))
			}
			if got += len(e.Records); (e.MillisBehindLatest == 0) != (got == 2540) {
				t.Errorf("after %d: %d ms behind", got, e.MillisBehindLatest)
			}
		}
	})
}

func TestLastEventOfAClosedShardHasChildrenAndNoContinuation(t *testing.T) {
	bubble(t, QuotasOff, func(c *caller, arn string) {
		c.put("s", "k", "1")
		l := c.subscribe(arn, from(kinesisapi.ShardIteratorTypeTrimHorizon))
		l.event()
		p := place{c.account, c.region, "s"}
		c.put("s", "k", "2")
		l.event()
		c.closeShard(p, 0)
		time.Sleep(time.Second) // closed, and no children yet
		c.openChildren(p, 0)
		e := l.event()
		if e.ContinuationSequenceNumber != nil || len(e.ChildShards) != 2 || e.ChildShards[0].ParentShards[0] != shardID(0) || len(e.Records) != 0 || e.MillisBehindLatest != 0 {
			t.Errorf("got %s, want two children and no continuation", show(e))
		}
		if err := l.ended(); err != nil {
			t.Errorf("got the end %v, want a clean one", err)
		}
		time.Sleep(5 * time.Second)
		l = c.subscribe(arn, from(kinesisapi.ShardIteratorTypeTrimHorizon))
		if e := l.event(); data(e) != "1 2 " || e.ContinuationSequenceNumber != nil || len(e.ChildShards) != 2 {
			t.Errorf("read again: got %s", show(e))
		}
	})
}

func TestSecondSubscriptionTakesOverAfterFiveSeconds(t *testing.T) {
	const inUse = "Another active subscription exists for this consumer: 000000000000:s:shardId-000000000000:c"
	bubble(t, QuotasOff, func(c *caller, arn string) {
		one := c.subscribe(arn, from(kinesisapi.ShardIteratorTypeLatest))
		one.event()
		other := c.register("s", "other")
		c.subscribe(other, from(kinesisapi.ShardIteratorTypeLatest)).event() // another consumer is not in the way
		time.Sleep(5*time.Second - time.Nanosecond)
		_, err := c.trySubscribe(arn, from(kinesisapi.ShardIteratorTypeLatest))
		wantError(t, err, "ResourceInUseException", inUse)
		one.event()
		time.Sleep(time.Nanosecond)
		two := c.subscribe(arn, from(kinesisapi.ShardIteratorTypeLatest))
		wantError(t, one.ended(), "ResourceInUseException", inUse)
		two.event()
		c.put("s", "k", "1")
		if e := two.event(); data(e) != "1 " {
			t.Errorf("got %s", show(e))
		}
	})
}

func TestSubscriptionThatWasLeftHoldsForFiveSecondsToo(t *testing.T) {
	bubble(t, QuotasOff, func(c *caller, arn string) {
		l := c.subscribe(arn, from(kinesisapi.ShardIteratorTypeLatest))
		l.leave()
		for range l.events {
		}
		if _, err := c.trySubscribe(arn, from(kinesisapi.ShardIteratorTypeLatest)); err == nil {
			t.Error("a second call succeeded at once")
		}
		time.Sleep(5 * time.Second)
		c.subscribe(arn, from(kinesisapi.ShardIteratorTypeLatest)).event()
	})
}

func TestSubscriptionsHaveQuotas(t *testing.T) {
	bubble(t, 1, func(c *caller, arn string) {
		time.Sleep(time.Second)
		l := c.subscribe(arn, from(kinesisapi.ShardIteratorTypeTrimHorizon))
		l.event()
		_, err := c.trySubscribe(arn, from(kinesisapi.ShardIteratorTypeLatest))
		wantError(t, err, "LimitExceededException", "Rate exceeded for consumer c and shard shardId-000000000000 in stream s under account 000000000000.")
		time.Sleep(time.Second)
		_, err = c.trySubscribe(arn, from(kinesisapi.ShardIteratorTypeLatest))
		want, _ := errors.AsType[*api.Error](errSubscribed(place{c.account, c.region, "s"}, shardID(0), "c"))
		wantError(t, err, "ResourceInUseException", want.Message)
	})
}

func TestEventsKeepToTwoMiBASecond(t *testing.T) {
	bubble(t, 1, func(c *caller, arn string) {
		const total = 12 << 20
		for range total >> 18 {
			c.put("s", "k", string(make([]byte, 1<<18-1)))
			time.Sleep(time.Second / 2)
		}
		begun, got := time.Now(), 0
		for l := c.subscribe(arn, from(kinesisapi.ShardIteratorTypeTrimHorizon)); got < total; {
			for _, r := range l.event().Records {
				got += len(r.Data) + 1
			}
			if took := time.Since(begun); took < 0 || float64(got) > shardReadBytes*(took.Seconds()+1)+eventBytes {
				t.Errorf("%d bytes came in %v", got, took)
			}
		}
		if took := time.Since(begun); took > 7*time.Second {
			t.Errorf("%d bytes took %v, want at most 7s", total, took)
		}
	})
}

func TestClientIsToldEveryFiveSecondsWhileItWaitsForItsQuota(t *testing.T) {
	bubble(t, QuotasOff, func(c *caller, arn string) {
		for range 2 {
			c.put("s", "k", string(make([]byte, 512<<10)))
		}
		c.svc.opts.Quotas = 0.01 // 20 KiB a second
		begun := time.Now()
		l := c.subscribe(arn, from(kinesisapi.ShardIteratorTypeTrimHorizon))
		if e := l.event(); len(e.Records) != 1 || e.MillisBehindLatest == 0 {
			t.Fatalf("got %s, want one record", show(e)[:100])
		}
		for i := 1; ; i++ {
			e, after := l.event(), time.Since(begun)
			if len(e.Records) > 0 {
				if after < 20*time.Second || after > 30*time.Second {
					t.Errorf("the second record came after %v, want 20 to 30 s", after)
				}
				break
			}
			if after != time.Duration(i)*heartbeat || e.MillisBehindLatest == 0 {
				t.Errorf("event %d: got %s after %v", i, show(e), after)
			}
		}
	})
}

func TestSubscriptionEndsWithItsConsumerAndItsStream(t *testing.T) {
	bubble(t, QuotasOff, func(c *caller, arn string) {
		l := c.subscribe(arn, from(kinesisapi.ShardIteratorTypeLatest))
		l.event()
		if _, err := c.svc.DeregisterStreamConsumer(c.ctx(), &kinesisapi.DeregisterStreamConsumerInput{ConsumerARN: &arn}); err != nil {
			t.Fatal(err)
		}
		wantError(t, l.ended(), "ResourceNotFoundException", "Consumer "+arn+" under stream s under account 000000000000 not found.")

		l = c.subscribe(c.register("s", "d"), from(kinesisapi.ShardIteratorTypeLatest))
		l.event()
		if _, err := c.svc.DeleteStream(c.ctx(), &kinesisapi.DeleteStreamInput{StreamName: new("s"), EnforceConsumerDeletion: new(true)}); err != nil {
			t.Fatal(err)
		}
		wantError(t, l.ended(), "ResourceNotFoundException", "Stream s under account 000000000000 not found.")
	})
}

func TestClosedServiceEndsSubscriptionsCleanly(t *testing.T) {
	bubble(t, QuotasOff, func(c *caller, arn string) {
		l := c.subscribe(arn, from(kinesisapi.ShardIteratorTypeLatest))
		l.event()
		if err := c.svc.Close(); err != nil {
			t.Fatal(err)
		}
		if err := l.ended(); err != nil {
			t.Errorf("got the end %v, want a clean one", err)
		}
	})
}

func TestClaimsAreForgotten(t *testing.T) {
	var c claims
	for i := range int32(10_000) {
		now := int64(i) * int64(time.Second)
		held, ok := c.call(claimKey{shard: i}, now, 1)
		if !ok || !c.take(held, &subscription{claim: held, waker: waker{wake: make(chan struct{}, 1)}}, now, nil) {
			t.Fatalf("claim %d was refused", i)
		}
		c.leave(held.holder)
		if len(c.by) > claimsSweep {
			t.Fatalf("%d claims are kept after %d", len(c.by), i)
		}
	}
}

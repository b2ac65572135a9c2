package kinesis

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"millrace/internal/api/kinesisapi"
	"millrace/internal/core/catalog"
	"millrace/internal/core/clock"
	"millrace/internal/core/store"
)

const (
	// An event holds up to so many records and bytes: as text it then fits in a pooled buffer of 1 MiB. A
	// larger record has an event of its own.
	eventRecords = 1000
	eventBytes   = 512 << 10

	// childrenWait is how long to wait before looking again for the children of a closed shard: a split makes
	// them in the commit after the one that closed it.
	childrenWait = 50 * time.Millisecond
)

// subscription pushes the records of one shard to one client. It runs in the goroutine of its request, which
// sleeps until a commit, its clock or someone who ends it wakes it, and holds no records then.
type subscription struct {
	waker
	svc     *Service
	claim   *claim
	stream  *stream
	traffic *consumerTraffic
	index   int32
	next    store.Offset

	ctx   context.Context // of the request, which the subscription is
	yield func(*kinesisapi.SubscribeToShardEventStream, error) bool
	last  time.Time     // of the last event; zero before the first
	wait  time.Duration // before the next event, for the quota
	until time.Time     // when it ends by itself

	timer  clock.Timer
	cancel func()    // of the watch
	turn   chan turn // what became of a turn
}

// turn is what became of doing all there was to do: more is false when the subscription has ended.
type turn struct {
	more     bool
	panicked error // with the stack on which it happened
}

// run is the stream of a subscription. While it sleeps, its frame and those of net/http are the stack, which the
// collector halves to 4 KiB if they take less than 1,200 bytes: so it holds next to nothing itself. What is to be
// done runs in a goroutine that lives for a moment, since writing an event needs more than those 4 KiB and a stack
// that has grown once stays so until the collector comes: with ten thousand subscriptions, seconds to minutes.
func (u *subscription) run(yield func(*kinesisapi.SubscribeToShardEventStream, error) bool) {
	u.yield, u.turn = yield, make(chan turn)
	u.begin()
	defer u.close()
	for u.advanceBeside() {
		select {
		case <-u.ctx.Done():
			return
		case <-u.timer.C():
		case <-u.wake:
		}
	}
}

// advanceBeside is advance on another goroutine's stack. A panic goes on in the request's.
func (u *subscription) advanceBeside() bool {
	go func() {
		t := turn{}
		defer func() { u.turn <- t }()
		defer func() {
			if p := recover(); p != nil {
				t.panicked = fmt.Errorf("%v\n%s", p, debug.Stack())
			}
		}()
		t.more = u.advance()
	}()
	t := <-u.turn
	if t.panicked != nil {
		panic(t.panicked)
	}
	return t.more
}

// begin registers for commits before anything is read, so that none is missed.
func (u *subscription) begin() {
	now := u.svc.opts.Clock.Now()
	u.until = now.Add(subscriptionLife)
	u.wait = u.quota(now, 0)
	u.timer = u.svc.opts.Clock.NewTimer(subscriptionLife)
	u.cancel = u.svc.store.Watch([]store.PartitionID{u.shard().partition}, u.changed)
}

func (u *subscription) close() {
	u.cancel()
	u.timer.Stop()
}

// advance does all there is to do and sets the timer; false when the subscription has ended.
func (u *subscription) advance() bool {
	for {
		now := u.svc.opts.Clock.Now()
		if o := u.end.Load(); o != nil {
			if o.err != nil {
				u.yield(nil, o.err)
			}
			return false
		}
		if !now.Before(u.until) || u.ctx.Err() != nil {
			return false
		}
		switch again := u.step(now); again {
		case over:
			return false
		case 0:
		default:
			u.timer.Reset(min(again, u.until.Sub(now)))
			return true
		}
	}
}

// changed is told of commits to the shard.
func (u *subscription) changed(store.Event) { u.poke() }

// over is what step gives for a subscription that has ended.
const over = time.Duration(-1)

// step sends an event if there is reason for one and gives how long nothing else is to be done unless something
// happens, 0 when there is more to send.
func (u *subscription) step(now time.Time) time.Duration {
	g, err := u.look(now)
	if g != nil {
		defer g.done()
	}
	var children []kinesisapi.ChildShard
	if err == nil && g != nil && g.atClosedEnd() {
		children, err = u.svc.childShards(u.ctx, u.stream, u.index, u.svc.ns(now))
	}
	switch {
	case u.ctx.Err() != nil, errors.Is(err, store.ErrStopped):
		return over
	case err != nil:
		u.yield(nil, err)
		return over
	case g == nil:
		return u.idle(now)
	}
	last := len(children) > 0
	if !last {
		children = nil // the member is absent then, not empty
	}
	if last || len(g.records) > 0 || u.due(now) {
		if !u.send(g, children, now) || last {
			return over
		}
	}
	u.next = g.next
	return u.pause(g, now)
}

// look reads what comes next: nothing of the shard's records while the quota is used up, nil when not even an
// event without records is due. The error is one for the client.
func (u *subscription) look(now time.Time) (*page, error) {
	if u.wait > 0 {
		u.wait = u.quota(now, 0)
	}
	if u.wait > 0 && !u.due(now) {
		return nil, nil
	}
	if err := u.refresh(u.ctx, now); err != nil {
		return nil, err
	}
	g := u.svc.takePage(u.stream, u.shard(), u.svc.store.Now(), nil)
	g.limit, g.room = eventRecords, eventBytes
	if u.wait > 0 {
		g.limit = 0
	}
	h, err := u.svc.store.Head(u.ctx, u.shard().partition)
	if err == nil && u.next >= h.LastStable { // at the end, as idle subscriptions are: there is nothing to read
		g.head, g.next = h, u.next
		return g, nil
	}
	if err == nil {
		err = g.fill(u.ctx, u.next)
	}
	if errors.Is(err, store.ErrNoPartition) {
		err = errNotFound(u.stream.place)
	}
	return g, apiError(err)
}

// due tells whether a client is to hear of us.
func (u *subscription) due(now time.Time) bool {
	return u.last.IsZero() || now.Sub(u.last) >= heartbeat
}

// refresh has the stream as it was at most a second ago.
func (u *subscription) refresh(ctx context.Context, now time.Time) error {
	st, err := u.svc.stream(ctx, u.stream.place, u.svc.ns(now))
	switch {
	case err != nil && ctx.Err() == nil && !errors.Is(err, store.ErrStopped):
		return notFoundAs(err, errNotFound(u.stream.place))
	case err != nil:
		return nil //nolint:nilerr // the end is near; what is read next tells
	case st.topic.Num != u.stream.topic.Num || st.topic.State == catalog.StateDeleting:
		return errNotFound(u.stream.place)
	}
	u.stream = st
	return nil
}

// send yields one event; false when nobody takes it. The place to go on from is absent exactly in the
// last event of a closed shard.
func (u *subscription) send(g *page, children []kinesisapi.ChildShard, now time.Time) bool {
	e := &kinesisapi.SubscribeToShardEvent{Records: g.records, MillisBehindLatest: g.behind(), ChildShards: children}
	if children == nil {
		text := u.shard().before(g.next).String()
		e.ContinuationSequenceNumber = &text
	}
	u.count(g, e.MillisBehindLatest, now)
	u.last = now
	if g.bytes > 0 {
		u.wait = u.quota(now, g.bytes)
	}
	if !u.yield(&kinesisapi.SubscribeToShardEventStream{SubscribeToShardEvent: e}, nil) {
		return false
	}
	u.traffic.eventsWritten.Add(1)
	return true
}

// count counts an event.
func (u *subscription) count(g *page, behind int64, now time.Time) {
	u.svc.counts.read(len(g.records), g.bytes)
	u.traffic.events.Add(1)
	u.traffic.bytes.Add(uint64(g.bytes))
	u.traffic.records.Add(uint64(len(g.records)))
	u.traffic.behind.add(u.svc.ns(now), behind)
	u.shard().meter.traffic.out(len(g.records), g.bytes)
}

// quota counts bytes and gives how long the next event has to wait.
func (u *subscription) quota(now time.Time, bytes int) time.Duration {
	if !u.stream.metered || u.svc.opts.Quotas.off() {
		return 0
	}
	return u.svc.claims.spend(u.claim, u.svc.ns(now), bytes, u.svc.opts.Quotas)
}

// pause is how long nothing is to be done after a page.
func (u *subscription) pause(g *page, now time.Time) time.Duration {
	switch {
	case g.atClosedEnd():
		return min(childrenWait, u.idle(now))
	case g.next < g.head.LastStable:
		return u.wait
	}
	return u.idle(now)
}

// idle is how long nothing is due: until the next event, the end, or the quota.
func (u *subscription) idle(now time.Time) time.Duration {
	d := max(heartbeat-now.Sub(u.last), time.Millisecond)
	if u.wait > 0 {
		d = min(d, u.wait)
	}
	return d
}

func (u *subscription) shard() *shard { return &u.stream.shards[u.index] }

// before is a number between those of the records before an offset and the one at it: AT and AFTER it both
// mean that record.
func (s *shard) before(offset store.Offset) sequenceNumber {
	return sequenceNumber{created: s.created, shard: s.index, offset: int64(offset)}
}

// atClosedEnd tells whether a page ends at the end of a shard that takes no more records.
func (g *page) atClosedEnd() bool { return g.head.Closed && g.next >= g.head.Next }

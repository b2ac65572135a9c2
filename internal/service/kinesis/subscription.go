package kinesis

import (
	"context"
	"errors"
	"time"

	"millrace/internal/api/kinesisapi"
	"millrace/internal/core/catalog"
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
	svc    *Service
	claim  *claim
	stream *stream
	index  int32
	next   store.Offset

	ctx   context.Context // of the request, which the subscription is
	yield func(*kinesisapi.SubscribeToShardEventStream, error) bool
	last  time.Time     // of the last event; zero before the first
	wait  time.Duration // before the next event, for the quota
	until time.Time     // when it ends by itself
}

// run is the stream of a subscription. It registers before it reads, so that no commit is missed. While it sleeps
// its frame is most of what there is on the stack: it calls, and keeps nothing of what it calls.
func (u *subscription) run(yield func(*kinesisapi.SubscribeToShardEventStream, error) bool) {
	u.yield = yield
	now := u.svc.opts.Clock.Now
	u.until = now().Add(subscriptionLife)
	defer u.svc.store.Watch([]store.PartitionID{u.shard().partition}, u.changed)()
	timer := u.svc.opts.Clock.NewTimer(subscriptionLife)
	defer timer.Stop()
	for {
		again := u.step(now())
		if again == over {
			return
		}
		if again == 0 {
			continue
		}
		timer.Reset(again)
		select {
		case <-u.ctx.Done():
			return
		case <-timer.C():
		case <-u.wake:
		}
	}
}

// changed is told of commits to the shard.
func (u *subscription) changed(store.Event) { u.poke() }

// step does what is to be done now and gives how long to sleep, or over when the subscription has ended.
func (u *subscription) step(now time.Time) time.Duration {
	if !now.Before(u.until) {
		return over
	}
	var again time.Duration
	var err error
	if o := u.end.Load(); o != nil {
		again, err = over, o.err
	} else {
		again, err = u.push(u.ctx, now)
	}
	if err != nil {
		if u.ctx.Err() == nil {
			u.yield(nil, err)
		}
		return over
	}
	return min(again, u.until.Sub(now))
}

// over is what push and step give for a subscription that has ended.
const over = time.Duration(-1)

// push sends an event if there is reason for one and gives how long nothing else is to be done, unless
// something happens; 0 when there is more to send.
func (u *subscription) push(ctx context.Context, now time.Time) (time.Duration, error) {
	if u.wait > 0 {
		if u.wait = u.quota(now, 0); u.wait > 0 {
			return u.wait, nil
		}
	}
	if err := u.refresh(ctx, now); err != nil {
		return over, err
	}
	g := u.svc.takePage(u.stream, u.shard(), u.svc.store.Now(), nil)
	defer g.done()
	g.limit, g.room = eventRecords, eventBytes
	err := g.fill(ctx, u.next)
	switch {
	case ctx.Err() != nil, errors.Is(err, store.ErrStopped):
		return over, nil
	case errors.Is(err, store.ErrNoPartition):
		return over, errNotFound(u.stream.place)
	case err != nil:
		return over, apiError(err)
	}
	children, err := u.children(ctx, g, now)
	if err != nil {
		return over, err
	}
	due := u.last.IsZero() || now.Sub(u.last) >= heartbeat
	if len(g.records) > 0 || due || children != nil {
		if !u.send(g, children, now) || children != nil {
			return over, nil
		}
	}
	u.next = g.next
	return u.pause(g, now), nil
}

// refresh has the stream as it was at most a second ago.
func (u *subscription) refresh(ctx context.Context, now time.Time) error {
	st, err := u.svc.stream(ctx, u.stream.place, now.UnixNano())
	switch {
	case err != nil && ctx.Err() == nil && !errors.Is(err, store.ErrStopped):
		return notFoundAs(err, errNotFound(u.stream.place))
	case err != nil:
		return nil // the end is near; what is read next tells
	case st.topic.Num != u.stream.topic.Num || st.topic.State == catalog.StateDeleting:
		return errNotFound(u.stream.place)
	}
	u.stream = st
	return nil
}

// children are those of a closed shard that g ends; nil before its end and while there are none.
func (u *subscription) children(ctx context.Context, g *page, now time.Time) ([]kinesisapi.ChildShard, error) {
	if !g.atClosedEnd() {
		return nil, nil
	}
	found, err := u.svc.childShards(ctx, u.stream, u.index, now.UnixNano())
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return found, nil
}

// send yields one event; false when nobody takes it. The place to go on from is absent exactly in the
// last event of a closed shard.
func (u *subscription) send(g *page, children []kinesisapi.ChildShard, now time.Time) bool {
	e := &kinesisapi.SubscribeToShardEvent{Records: g.records, MillisBehindLatest: g.behind(), ChildShards: children}
	if children == nil {
		text := u.shard().before(g.next).String()
		e.ContinuationSequenceNumber = &text
	}
	u.svc.counts.read(len(g.records), g.bytes)
	u.last = now
	if g.bytes > 0 {
		u.wait = u.quota(now, g.bytes)
	}
	return u.yield(&kinesisapi.SubscribeToShardEventStream{SubscribeToShardEvent: e}, nil)
}

// quota counts bytes and gives how long the next event has to wait.
func (u *subscription) quota(now time.Time, bytes int) time.Duration {
	if !u.stream.metered || u.svc.opts.Quotas.off() {
		return 0
	}
	return u.svc.claims.spend(u.claim, now.UnixNano(), bytes, u.svc.opts.Quotas)
}

// pause is how long nothing is to be done after a page.
func (u *subscription) pause(g *page, now time.Time) time.Duration {
	idle := max(heartbeat-now.Sub(u.last), time.Millisecond)
	switch {
	case g.atClosedEnd():
		return min(childrenWait, idle)
	case g.next < g.head.LastStable:
		return 0
	}
	return idle
}

func (u *subscription) shard() *shard { return &u.stream.shards[u.index] }

// before is a number between those of the records before an offset and the one at it: AT and AFTER it both
// mean that record.
func (s *shard) before(offset store.Offset) sequenceNumber {
	return sequenceNumber{created: s.created, shard: s.index, offset: int64(offset)}
}

// atClosedEnd tells whether a page ends at the end of a shard that takes no more records.
func (g *page) atClosedEnd() bool { return g.head.Closed && g.next >= g.head.Next }

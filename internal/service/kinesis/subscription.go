package kinesis

import (
	"context"
	"errors"
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
	svc      *Service
	claim    *claim
	consumer consumer
	stream   *stream
	index    int32
	next     store.Offset

	yield func(*kinesisapi.SubscribeToShardEventStream, error) bool
	last  time.Time     // of the last event; zero before the first
	wait  time.Duration // before the next event, for the quota
}

// events is the stream of a subscription. It registers before it reads, so that no commit is missed.
func (u *subscription) events(ctx context.Context) func(func(*kinesisapi.SubscribeToShardEventStream, error) bool) {
	return func(yield func(*kinesisapi.SubscribeToShardEventStream, error) bool) {
		u.yield = yield
		cancel := u.svc.store.Watch([]store.PartitionID{u.shard().partition}, func(store.Event) { u.poke() })
		defer cancel()
		timer := u.svc.opts.Clock.NewTimer(subscriptionLife)
		defer timer.Stop()
		if err := u.run(ctx, timer); err != nil && ctx.Err() == nil {
			yield(nil, err)
		}
	}
}

// run pushes until the subscription is over. The error is one for the client.
func (u *subscription) run(ctx context.Context, timer clock.Timer) error {
	now := u.svc.opts.Clock.Now
	until := now().Add(subscriptionLife)
	for {
		if o := u.end.Load(); o != nil {
			return o.err
		}
		if !now().Before(until) {
			return nil
		}
		again, err := u.push(ctx, now())
		if err != nil || again == over {
			return err
		}
		if again == 0 {
			continue
		}
		timer.Reset(min(again, until.Sub(now())))
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C():
		case <-u.wake:
		}
	}
}

// over is what push gives for a subscription that has ended.
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

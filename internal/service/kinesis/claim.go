package kinesis

import (
	"sync"
	"sync/atomic"
	"time"

	"millrace/internal/api/kinesisapi"
)

// Rules of subscriptions.
//
// Source: Kinesis API reference, SubscribeToShard (read 2026-11).
const (
	subscriptionCalls = 1          // a second, for each consumer and shard
	subscriptionHold  = int64(5e9) // ns after a successful call before the next one can take over
	subscriptionLife  = 5 * time.Minute
	heartbeat         = 5 * time.Second // an event comes at least so often

	// claimsSweep is how many claims there are before old ones are looked for: a few KiB.
	claimsSweep = 100
)

// claims says who holds the subscription to a shard for a consumer, on this node.
type claims struct {
	mu    sync.Mutex // guards what follows, claims included
	by    map[claimKey]*claim
	sweep int // number of claims at which those that say nothing any more are dropped
	over  bool
}

type claimKey struct {
	topic    uint64
	consumer string
	shard    int32
}

type claim struct {
	key    claimKey
	calls  rate
	began  int64         // ns of the last successful call; 0: none
	holder *subscription // nil when none is open
	out    bucket        // bytes that may be sent; it outlives subscriptions, so that a new call gains nothing
	filled int64         // ns when out was last filled; 0: never
}

// call counts a call for a subscription at now (ns) and gives its claim; false when there are too many.
func (c *claims) call(k claimKey, now int64, q Quotas) (*claim, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	held := c.by[k]
	perSecond := subscriptionCalls * float64(q)
	if held == nil {
		c.dropOld(now)
		held = &claim{key: k, calls: rate{bucket: full(perSecond), last: now}}
		c.by[k] = held
	}
	if q.off() {
		return held, true
	}
	held.calls.refill(max(0, time.Duration(now-held.calls.last).Seconds()), max(perSecond, 1))
	held.calls.last = max(held.calls.last, now)
	if held.calls.Level < 1 {
		return held, false
	}
	held.calls.Level--
	return held, true
}

// dropOld forgets claims that change nothing any more; the caller holds mu.
func (c *claims) dropOld(now int64) {
	if c.by == nil {
		c.by, c.sweep = map[claimKey]*claim{}, claimsSweep
	}
	if len(c.by) < c.sweep {
		return
	}
	for k, held := range c.by {
		if held.holder == nil && now-max(held.began, held.calls.last) >= subscriptionHold {
			delete(c.by, k)
		}
	}
	c.sweep = max(2*len(c.by), claimsSweep)
}

// take gives the claim to u at now (ns), or only says whether it could when u is nil. Whoever held it is told.
// It gives false within five seconds of the last time.
func (c *claims) take(held *claim, u *subscription, now int64, taken error) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if held.began != 0 && now-held.began < subscriptionHold {
		return false
	}
	if u == nil {
		return true
	}
	if c.over {
		u.finish(nil)
	}
	if held.holder != nil {
		held.holder.finish(taken)
	}
	c.by[held.key] = held // it may have been dropped meanwhile
	held.holder, held.began = u, now
	return true
}

// leave ends u's hold.
func (c *claims) leave(u *subscription) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if u.claim.holder == u {
		u.claim.holder = nil
	}
}

// end finishes the subscriptions whose claims match, with an error for their clients or nil for a clean end.
func (c *claims) end(match func(claimKey) bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for k, held := range c.by {
		if held.holder != nil && match(k) {
			held.holder.finish(err)
		}
	}
}

// close finishes all subscriptions, and those that are still to come.
func (c *claims) close() {
	c.end(func(claimKey) bool { return true }, nil)
	c.mu.Lock()
	c.over = true
	c.mu.Unlock()
}

// spend counts bytes sent at now (ns) and gives how long the next event has to wait.
func (c *claims) spend(held *claim, now int64, bytes int, q Quotas) time.Duration {
	perSecond := shardReadBytes * float64(q)
	c.mu.Lock()
	defer c.mu.Unlock()
	seconds := 1.0
	if held.filled != 0 {
		seconds = max(0, time.Duration(now-held.filled).Seconds())
	}
	held.filled = max(now, held.filled)
	held.out.refill(seconds, perSecond)
	held.out.Level -= float64(bytes)
	if held.out.Level >= 0 {
		return 0
	}
	return time.Duration(-held.out.Level / perSecond * float64(time.Second))
}

// ending is why a subscription ends before its time; err is nil for a clean end.
type ending struct{ err error }

// waker is what others do to a subscription. Both may be called by anyone, also under locks.
type waker struct {
	wake chan struct{} // of size 1: there is something to look at
	end  atomic.Pointer[ending]
}

func (w *waker) poke() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// finish ends the subscription; the first reason counts.
func (w *waker) finish(err error) {
	w.end.CompareAndSwap(nil, &ending{err})
	w.poke()
}

// errSubscribed is AWS's text.
//
// Source: amazon-kinesis-client, issue 391 (read 2026-11).
func errSubscribed(p place, shard, consumer string) error {
	return kinesisapi.ResourceInUseException("Another active subscription exists for this consumer: " +
		p.account + ":" + p.stream + ":" + shard + ":" + consumer)
}

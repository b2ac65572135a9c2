// Package clock gives time as a dependency, so that tests own it.
//
// A package that reads time or waits takes a [Clock] in its Options: [Real] in the process and inside a
// testing/synctest bubble (where package time itself is simulated), a [Manual] where a test or the
// simulator moves time by hand across goroutines it does not own.
//
// A Clock is the time of one machine and may go back when its owner sets it. What must never go back
// (expiry, leases, tokens) uses store time, store.Tx.Now.
package clock

import (
	"context"
	"time"
)

// Clock tells time and wakes waiters. All methods are safe for concurrent use.
type Clock interface {
	// Now is the current time. From Real it carries a monotonic reading, so differences are safe.
	Now() time.Time
	// NewTimer returns a timer that sends once on its channel after d, at once when d is not positive.
	NewTimer(d time.Duration) Timer
}

// Timer is a single wake-up. As with time.Timer since Go 1.23, no stale value is received after Stop or
// Reset has returned, and an abandoned timer needs no Stop.
type Timer interface {
	// C is the channel on which the time is sent; the same for the timer's life, never closed.
	C() <-chan time.Time
	// Reset arms the timer again; it reports whether it had been armed.
	Reset(d time.Duration) bool
	// Stop disarms the timer; it reports whether it had been armed.
	Stop() bool
}

// Sleep waits for d by c, or until ctx ends and returns its error.
func Sleep(ctx context.Context, c Clock, d time.Duration) error {
	t := c.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Real is the clock of the machine, by package time.
func Real() Clock { return realClock{} }

type realClock struct{}

func (realClock) Now() time.Time                 { return time.Now() }
func (realClock) NewTimer(d time.Duration) Timer { return realTimer{time.NewTimer(d)} }

type realTimer struct{ *time.Timer }

func (t realTimer) C() <-chan time.Time { return t.Timer.C }

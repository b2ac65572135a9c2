package lease

import (
	"context"
	"errors"
	"fmt"
	"time"

	"millrace/internal/core/clock"
)

// renewals is how often a lease is renewed in its time: two may fail.
const renewals = 3

// Hold waits until it has the lease of name, runs fn with it, renews it meanwhile and releases it when fn
// is done. It returns what fn returned.
//
// fn's context ends when ctx does, when the lease is lost, or when ttl has passed by this machine's clock
// since the last renewal that succeeded was sent: from then on another may hold it. Its cause is then
// ErrLost. What fn writes it fences with Lease.Check: the epoch of the lease it is given stays the same.
//
// Errors: fn's, or of the acquisition: ErrInvalid, ctx.Err(), those of store.Update.
func (m *Manager) Hold(ctx context.Context, name string, ttl time.Duration, fn func(context.Context, Lease) error) error {
	l, sent, err := m.wait(ctx, name, ttl)
	if err != nil {
		return err
	}
	held, lose := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() { // ends when held does
		defer close(done)
		m.keep(held, lose, l, sent.Add(ttl), ttl)
	}()
	defer func() {
		lose(nil)
		<-done
		// A caller that stops still wants the next owner to start at once.
		release, cancel := context.WithTimeout(context.WithoutCancel(ctx), ttl)
		defer cancel()
		_ = m.Release(release, l) // else it expires
	}()
	return fn(held, l)
}

// wait acquires name, however long others hold it. sent is when the request that succeeded was made.
func (m *Manager) wait(ctx context.Context, name string, ttl time.Duration) (l Lease, sent time.Time, err error) {
	for {
		sent = m.clock.Now()
		l, err = m.Acquire(ctx, name, ttl)
		var held *HeldError
		if !errors.As(err, &held) {
			return l, sent, err
		}
		// A release is seen within a third of our own time, an expiry at once.
		if err := clock.Sleep(ctx, m.clock, max(time.Millisecond, min(held.Remaining, ttl/renewals))); err != nil {
			return Lease{}, time.Time{}, err
		}
	}
}

// keep renews l until ctx ends, and calls lose when it may be over.
func (m *Manager) keep(ctx context.Context, lose context.CancelCauseFunc, l Lease, until time.Time, ttl time.Duration) {
	for {
		if clock.Sleep(ctx, m.clock, min(ttl/renewals, until.Sub(m.clock.Now()))) != nil {
			return
		}
		sent := m.clock.Now()
		if !sent.Before(until) {
			lose(fmt.Errorf("%w: %s was not renewed in time", ErrLost, l.Name))
			return
		}
		err := m.renewUntil(ctx, l, ttl, until)
		switch {
		case err == nil:
			until = sent.Add(ttl)
		case errors.Is(err, ErrLost):
			lose(err)
			return
		}
	}
}

// renewUntil is Renew, given up when the time of the lease is over: a store that hangs must not keep its
// owner from learning that.
func (m *Manager) renewUntil(ctx context.Context, l Lease, ttl time.Duration, until time.Time) error {
	ctx, cancel := context.WithCancel(ctx)
	result := make(chan error, 1) // room for one, so that the goroutine always ends
	go func() {
		_, err := m.Renew(ctx, l, ttl)
		result <- err
	}()
	timer := m.clock.NewTimer(until.Sub(m.clock.Now()))
	defer timer.Stop()
	defer cancel()
	select {
	case err := <-result:
		return err
	case <-timer.C():
		return context.DeadlineExceeded
	}
}

package clock

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"
)

// Manual is a Clock that stands still until it is moved.
type Manual struct {
	mu      sync.Mutex // guards all below, and what the timers hold
	now     time.Time
	armed   []*manualTimer
	changed chan struct{} // closed and replaced when armed changes
}

var _ Clock = (*Manual)(nil)

// NewManual returns a clock that shows t.
func NewManual(t time.Time) *Manual {
	return &Manual{now: t, changed: make(chan struct{})}
}

// Now is the time the clock was last moved to.
func (m *Manual) Now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now
}

// Advance moves the clock on by d and fires the timers that are due, earliest first, each seeing its own
// time.
func (m *Manual) Advance(d time.Duration) {
	m.move(func(now time.Time) time.Time { return now.Add(d) })
}

// Set moves the clock to t, which may lie in the past: then no timer fires.
func (m *Manual) Set(t time.Time) { m.move(func(time.Time) time.Time { return t }) }

func (m *Manual) move(to func(time.Time) time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now = to(m.now)
	slices.SortStableFunc(m.armed, func(a, b *manualTimer) int { return a.due.Compare(b.due) })
	n, _ := slices.BinarySearchFunc(m.armed, m.now, func(t *manualTimer, now time.Time) int {
		return cmp.Or(t.due.Compare(now), -1) // due now counts as before now
	})
	for _, t := range m.armed[:n] {
		t.c <- t.due
	}
	if n > 0 {
		m.armed = slices.Delete(m.armed, 0, n)
		m.notify()
	}
}

// Await returns once at least n timers wait on the clock, or with the error of ctx. A test calls it
// before Advance, so that what it wants to wake is asleep.
func (m *Manual) Await(ctx context.Context, n int) error {
	for {
		m.mu.Lock()
		armed, changed := len(m.armed), m.changed
		m.mu.Unlock()
		if armed >= n {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (m *Manual) notify() {
	close(m.changed)
	m.changed = make(chan struct{})
}

// NewTimer returns a timer that fires when the clock is moved to d from now or beyond.
func (m *Manual) NewTimer(d time.Duration) Timer {
	t := &manualTimer{m: m, c: make(chan time.Time, 1)}
	t.Reset(d)
	return t
}

type manualTimer struct {
	m   *Manual
	c   chan time.Time // room for one; sent to with m.mu held, emptied before it is armed again
	due time.Time
}

func (t *manualTimer) C() <-chan time.Time { return t.c }

func (t *manualTimer) Reset(d time.Duration) bool {
	t.m.mu.Lock()
	defer t.m.mu.Unlock()
	was := t.disarm()
	t.due = t.m.now.Add(d)
	if d <= 0 {
		t.c <- t.m.now
		return was
	}
	t.m.armed = append(t.m.armed, t)
	t.m.notify()
	return was
}

func (t *manualTimer) Stop() bool {
	t.m.mu.Lock()
	defer t.m.mu.Unlock()
	return t.disarm()
}

// disarm takes t off the clock and empties its channel; m.mu is held.
func (t *manualTimer) disarm() bool {
	select {
	case <-t.c:
	default:
	}
	i := slices.Index(t.m.armed, t)
	if i < 0 {
		return false
	}
	t.m.armed = slices.Delete(t.m.armed, i, i+1)
	t.m.notify()
	return true
}

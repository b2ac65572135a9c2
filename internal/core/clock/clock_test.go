package clock

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

var start = time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)

// fired reports what t has sent, without waiting.
func fired(t Timer) (time.Time, bool) {
	select {
	case at := <-t.C():
		return at, true
	default:
		return time.Time{}, false
	}
}

func TestManualFiresTimersWhenTheyAreDue(t *testing.T) {
	m := NewManual(start)
	a, b, c := m.NewTimer(2*time.Second), m.NewTimer(time.Second), m.NewTimer(0)
	if at, ok := fired(c); !ok || !at.Equal(start) {
		t.Fatalf("timer of 0: %v, %v, want at once", at, ok)
	}
	m.Advance(time.Second - 1)
	if at, ok := fired(b); ok {
		t.Fatalf("timer of 1s fired early at %v", at)
	}
	m.Advance(1)
	if at, ok := fired(b); !ok || !at.Equal(start.Add(time.Second)) {
		t.Fatalf("timer of 1s: %v, %v", at, ok)
	}
	if _, ok := fired(a); ok {
		t.Fatal("timer of 2s fired after 1s")
	}
	if !a.Stop() || a.Stop() {
		t.Fatal("Stop of an armed timer must report true once")
	}
	m.Advance(time.Hour)
	if _, ok := fired(a); ok {
		t.Fatal("a stopped timer fired")
	}
	if b.Reset(time.Minute) {
		t.Fatal("Reset of a fired timer reports that it was armed")
	}
	m.Set(start)
	if _, ok := fired(b); ok || !m.Now().Equal(start) {
		t.Fatalf("going back fires a timer, or Now is %v", m.Now())
	}
}

func TestResetDropsAStaleValue(t *testing.T) {
	m := NewManual(start)
	tm := m.NewTimer(time.Second)
	m.Advance(time.Second)
	tm.Reset(time.Second)
	if at, ok := fired(tm); ok {
		t.Fatalf("received %v from before Reset", at)
	}
}

func TestSleepEndsWithTimeOrContext(t *testing.T) {
	m := NewManual(start)
	done := make(chan error, 1)
	go func() { done <- Sleep(t.Context(), m, time.Hour) }()
	if err := m.Await(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	m.Advance(time.Hour)
	if err := <-done; err != nil {
		t.Fatalf("Sleep: %v", err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	go func() { done <- Sleep(ctx, m, time.Hour) }()
	if err := m.Await(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Fatalf("Sleep: %v, want context.Canceled", err)
	}
	if err := m.Await(ctx, 1); !errors.Is(err, context.Canceled) {
		t.Fatalf("Await: %v, want context.Canceled: the ended sleep left its timer", err)
	}
}

func TestRealFollowsSynctest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := Real()
		before := c.Now()
		if err := Sleep(t.Context(), c, 24*time.Hour); err != nil {
			t.Fatal(err)
		}
		if got := c.Now().Sub(before); got != 24*time.Hour {
			t.Fatalf("slept %v, want 24h", got)
		}
	})
}

package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"millrace/internal/core/clock"
	"millrace/internal/core/store"
)

// rig runs a worker in simulated time; step gives the results of its steps.
func rig(t *testing.T, first time.Duration, step func(n int) (time.Duration, error)) (w *Worker, steps *[]time.Duration, stop func()) {
	t.Helper()
	begun, at := time.Now(), []time.Duration{}
	w = New(Options{
		First: first, What: "test", Clock: clock.Real(), Logger: slog.New(slog.DiscardHandler),
		Step: func(context.Context) (time.Duration, error) {
			at = append(at, time.Since(begun))
			return step(len(at))
		},
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { w.Run(ctx); close(done) }()
	return w, &at, func() { cancel(); <-done }
}

func wantSteps(t *testing.T, got []time.Duration, want ...time.Duration) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("steps at %v, want %v", got, want)
	}
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("steps at %v, want %v", got, want)
		}
	}
}

func TestStepsFollowTheirSleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, steps, stop := rig(t, 0, func(n int) (time.Duration, error) { return []time.Duration{0, 3 * time.Second, time.Hour}[n-1], nil })
		time.Sleep(10 * time.Second)
		stop()
		wantSteps(t, *steps, 0, 0, 3*time.Second)
	})
}

func TestPokeEndsTheSleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, steps, stop := rig(t, time.Minute, func(int) (time.Duration, error) { return time.Minute, nil })
		time.Sleep(time.Second)
		w.Poke()
		w.Poke()
		synctest.Wait()
		time.Sleep(time.Minute)
		synctest.Wait()
		stop()
		if got := *steps; len(got) < 2 || got[0] != time.Second || got[len(got)-1] != time.Minute+time.Second {
			t.Errorf("steps at %v, want the first after 1 s, the last a minute later", got)
		}
	})
}

func TestFailedStepIsTakenAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, steps, stop := rig(t, 0, func(n int) (time.Duration, error) {
			if n == 1 {
				return time.Hour, errors.New("not now")
			}
			return time.Hour, nil
		})
		time.Sleep(time.Minute)
		stop()
		wantSteps(t, *steps, 0, time.Second)
	})
}

func TestStoppedStoreEndsTheWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, steps, stop := rig(t, 0, func(int) (time.Duration, error) { return 0, store.ErrStopped })
		time.Sleep(time.Minute)
		stop()
		wantSteps(t, *steps, 0)
	})
}

// lines counts what is logged.
type lines struct{ atomic.Int64 }

func (n *lines) Write(b []byte) (int, error) {
	n.Add(1)
	return len(b), nil
}

func TestSameFailureIsLoggedOnceInAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var logged lines
		steps := 0
		w := New(Options{
			What: "test", Clock: clock.Real(), Logger: slog.New(slog.NewTextHandler(&logged, nil)),
			Step: func(context.Context) (time.Duration, error) {
				if steps++; steps > 3600 { // after an hour all failures differ
					return 0, fmt.Errorf("failure %d", steps)
				}
				return 0, fmt.Errorf("failure %d", steps%2)
			},
		})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { w.Run(ctx); close(done) }()
		for _, want := range []int64{2, 4, 6} {
			time.Sleep(9 * time.Minute)
			synctest.Wait()
			if got := logged.Load(); got != want {
				t.Errorf("%d lines, want %d", got, want)
			}
			time.Sleep(time.Minute + 5*time.Second)
		}
		time.Sleep(time.Hour)
		cancel()
		<-done
		if len(w.said) > sameMost {
			t.Errorf("%d failures are remembered, want at most %d", len(w.said), sameMost)
		}
	})
}

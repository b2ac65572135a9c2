package worker

import (
	"context"
	"errors"
	"log/slog"
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

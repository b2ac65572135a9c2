// Package worker runs what a service does in the background: look for what is to be done, do some of it, sleep until there is more.
//
//	w := worker.New(worker.Options{What: "tables could not be moved on", Step: s.step, ...})
//	go w.Run(ctx)         until ctx is done or the store has stopped
//	w.Poke()              after a commit that gave it something to do
//
// What is to be done stands in the store, so that nothing is forgotten over restarts and any node may do it; a worker
// keeps only its timer.
package worker

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"millrace/internal/core/clock"
	"millrace/internal/core/store"
)

// Options is what a worker is told. Step, Clock and Logger are required.
type Options struct {
	// Step does some of what is to be done and returns how long to sleep before the next; 0: go on at once.
	Step func(ctx context.Context) (time.Duration, error)
	// First is the sleep before the first step. Default: none.
	First time.Duration
	// Retry is the sleep after a step that has failed. Default: 1 s.
	Retry time.Duration
	// What is logged of a step that has failed. The same failure is logged again after sameAgain.
	What   string
	Clock  clock.Clock
	Logger *slog.Logger
}

const (
	// sameAgain is how long a failure that was logged is not logged again: what stays broken fails each second.
	sameAgain = 10 * time.Minute
	// sameMost bounds the failures that are remembered for it.
	sameMost = 16
)

// Worker is one background loop. Poke may be called by anybody, Run once.
type Worker struct {
	opts Options
	wake chan struct{}        // of size 1
	said map[string]time.Time // of Run: when a failure was logged, by its text
}

// New returns a worker that does not run yet.
func New(o Options) *Worker {
	if o.Retry == 0 {
		o.Retry = time.Second
	}
	return &Worker{opts: o, wake: make(chan struct{}, 1), said: map[string]time.Time{}}
}

// Poke ends the worker's sleep. It never blocks: one poke that was not heard yet stands for all.
func (w *Worker) Poke() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// Run takes steps until ctx is done or the store has stopped. A step that fails is logged, and tried again.
func (w *Worker) Run(ctx context.Context) {
	timer := w.opts.Clock.NewTimer(w.opts.First)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.wake:
		case <-timer.C():
		}
		wait, err := w.opts.Step(ctx)
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, store.ErrStopped) {
				return
			}
			w.report(err)
			wait = w.opts.Retry
		}
		timer.Reset(wait)
	}
}

// report logs a failure, unless it was a short while ago.
func (w *Worker) report(err error) {
	text, now := err.Error(), w.opts.Clock.Now()
	if at, ok := w.said[text]; ok && now.Sub(at) < sameAgain {
		return
	}
	if len(w.said) >= sameMost {
		clear(w.said)
	}
	w.said[text] = now
	w.opts.Logger.Error(w.opts.What, "err", err)
}

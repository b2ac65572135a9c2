package group

import (
	"container/heap"
	"sync"
	"time"

	"millrace/internal/core/clock"
)

// timers says when which group has something due: one timer for all. Once New has returned, run is the
// only one that takes entries out, apart from forget.
type timers struct {
	clock clock.Clock
	wake  chan struct{} // size 1: the earliest time has changed, or stop was called

	mu      sync.Mutex // guards all below, and at and place of entries
	heap    entryHeap
	stopped bool
}

// schedule has an entry ticked at a time, or earlier if it already is to be.
func (t *timers) schedule(e *entry, at time.Time) {
	t.mu.Lock()
	switch {
	case e.place == 0:
		e.at = at
		heap.Push(&t.heap, e)
	case at.Before(e.at):
		e.at = at
		heap.Fix(&t.heap, e.place-1)
	}
	first := t.heap[0] == e
	t.mu.Unlock()
	if first {
		t.signal()
	}
}

// forget takes an entry out.
func (t *timers) forget(e *entry) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e.place > 0 {
		heap.Remove(&t.heap, e.place-1)
	}
}

func (t *timers) stop() {
	t.mu.Lock()
	t.stopped = true
	t.mu.Unlock()
	t.signal()
}

func (t *timers) signal() {
	select {
	case t.wake <- struct{}{}:
	default: // it has been told and has not looked yet
	}
}

// run ticks what is due until stop.
func (t *timers) run(tick func(*entry)) {
	timer := t.clock.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		now := t.clock.Now()
		e, wait, ok := t.next(now)
		if !ok {
			return
		}
		if e != nil {
			tick(e)
			continue
		}
		timer.Reset(wait)
		select {
		case <-timer.C():
		case <-t.wake:
		}
	}
}

// next takes the earliest entry if it is due; else it says how long to wait. false after stop.
func (t *timers) next(now time.Time) (*entry, time.Duration, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.stopped {
		return nil, 0, false
	}
	if len(t.heap) == 0 {
		return nil, time.Hour, true
	}
	if wait := t.heap[0].at.Sub(now); wait > 0 {
		return nil, wait, true
	}
	return heap.Pop(&t.heap).(*entry), 0, true
}

// entryHeap is a heap by time for container/heap. Places count from 1, 0 is outside.
type entryHeap []*entry

func (h *entryHeap) Len() int           { return len(*h) }
func (h *entryHeap) Less(i, j int) bool { return (*h)[i].at.Before((*h)[j].at) }
func (h *entryHeap) Swap(i, j int) {
	s := *h
	s[i], s[j] = s[j], s[i]
	s[i].place, s[j].place = i+1, j+1
}

// Push and Pop are for container/heap.
func (h *entryHeap) Push(x any) {
	e := x.(*entry)
	*h = append(*h, e)
	e.place = len(*h)
}

// Pop is for container/heap.
func (h *entryHeap) Pop() any {
	last := len(*h) - 1
	e := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	e.place = 0
	return e
}

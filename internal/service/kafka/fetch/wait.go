package fetch

import (
	"container/heap"
	"context"
	"sync"
	"time"

	"millrace/internal/core/clock"
)

// wait gives back what was read and registers the request with its session and the clock.
func (r *Request) wait() outcome {
	need := r.need - r.Bytes
	for i := range r.Parts {
		if p := &r.Parts[i]; p.Bytes > 0 {
			p.Bytes = 0 // it was not sent: it keeps its turn
		}
	}
	r.giveBack(false)
	r.drop()
	if r.poll.Watch() {
		return again
	}
	r.Parts, r.taken, r.Wanted, r.Forgotten = nil, nil, nil, nil // thousands may wait; these are small to make again
	r.state.Store(waiting)
	if !r.f.timers.add(r) {
		r.state.Store(running)
		return again // closed, or the time is over
	}
	if r.poll.Wait(need, r.wake) {
		return later
	}
	if !r.state.CompareAndSwap(waiting, running) {
		return later // the time is over, and a worker has it
	}
	r.f.timers.remove(r)
	return again
}

// woken is called by whoever commits, by the clock, and at the end. The first call counts.
func (r *Request) woken() {
	if r.state.CompareAndSwap(waiting, running) {
		r.f.workers.give(r)
	}
}

// expire wakes a request before its time, to be answered. The caller holds timers.mu.
func (r *Request) expire() {
	r.expired.Store(true)
	r.woken()
}

// resume goes on with a request that was woken.
func (r *Request) resume() {
	r.f.timers.remove(r)
	r.poll.Disarm()
	r.run()
}

// timers is a heap of the requests that wait, by deadline.
type timers struct {
	most int           // requests in the heap
	kick chan struct{} // has a token when the first deadline has changed

	mu     sync.Mutex
	heap   deadlines
	closed bool
}

// add enters a request; false when no more are taken.
func (t *timers) add(r *Request) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return false
	}
	if len(t.heap) >= t.most {
		heap.Pop(&t.heap).(*Request).expire()
	}
	heap.Push(&t.heap, r)
	if r.at == 1 {
		select {
		case t.kick <- struct{}{}:
		default:
		}
	}
	return true
}

// remove takes a request out if it is there.
func (t *timers) remove(r *Request) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if r.at > 0 {
		heap.Remove(&t.heap, r.at-1)
	}
}

func (t *timers) len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.heap)
}

// run wakes the requests whose time is over until ctx is done, and then all.
func (t *timers) run(ctx context.Context, c clock.Clock) {
	timer := c.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		timer.Reset(t.wakeDue(c.Now()))
		select {
		case <-timer.C():
		case <-t.kick:
		case <-ctx.Done():
			t.wakeAll()
			return
		}
	}
}

// wakeDue wakes those whose deadline is not after now, and returns how long it is to the next one.
func (t *timers) wakeDue(now time.Time) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	for len(t.heap) > 0 {
		r := t.heap[0]
		if left := r.deadline.Sub(now); left > 0 {
			return left
		}
		heap.Pop(&t.heap)
		r.woken()
	}
	return time.Hour
}

func (t *timers) wakeAll() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	for len(t.heap) > 0 {
		heap.Pop(&t.heap).(*Request).woken()
	}
}

// deadlines implements heap.Interface. at is the place in it, from 1.
type deadlines []*Request

func (d *deadlines) Len() int           { return len(*d) }
func (d *deadlines) Less(i, j int) bool { return (*d)[i].deadline.Before((*d)[j].deadline) }

// Swap implements heap.Interface.
func (d *deadlines) Swap(i, j int) {
	h := *d
	h[i], h[j] = h[j], h[i]
	h[i].at, h[j].at = i+1, j+1
}

// Push implements heap.Interface.
func (d *deadlines) Push(x any) {
	r := x.(*Request)
	*d = append(*d, r)
	r.at = len(*d)
}

// Pop implements heap.Interface.
func (d *deadlines) Pop() any {
	last := len(*d) - 1
	r := (*d)[last]
	(*d)[last] = nil
	*d = (*d)[:last]
	r.at = 0
	return r
}

// workers go on with requests that were woken: at most so many goroutines at once, none when there is nothing to do. The
// queue is as long as there are requests that waited, at most one for each connection.
type workers struct {
	most int

	mu          sync.Mutex
	first, last *Request
	running     int
	all         sync.WaitGroup
}

// give hands a request to a worker. It does not block.
func (w *workers) give(r *Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.last == nil {
		w.first = r
	} else {
		w.last.next = r
	}
	w.last = r
	if w.running < w.most {
		w.running++
		w.all.Go(w.work)
	}
}

func (w *workers) work() {
	for r := w.take(); r != nil; r = w.take() {
		r.resume()
	}
}

// take returns the next request; without one the worker is gone.
func (w *workers) take() *Request {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := w.first
	if r == nil {
		w.running--
		return nil
	}
	if w.first = r.next; w.first == nil {
		w.last = nil
	}
	r.next = nil
	return r
}

// wait returns when there is nothing more to do.
func (w *workers) wait() { w.all.Wait() }

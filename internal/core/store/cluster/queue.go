package cluster

import (
	"context"
	"sync"
	"sync/atomic"

	"millrace/internal/core/store"
)

// What has become of an item. A caller whose context ends takes it back only while it waits.
const (
	waiting int32 = iota
	taken
	withdrawn
)

// item is one thing the committer is asked for: a request, appends, or a turn.
type item struct {
	tx      *store.Request
	appends []store.AppendRequest
	turn    *turn

	bytes  int
	state  atomic.Int32
	answer chan answer // of size 1: the committer sends once and never waits
}

type answer struct {
	commit  store.Commit
	results []store.AppendResult
	err     error
}

// queue holds items until the committer takes them. Beyond max bytes further ones are refused; one
// alone may be larger.
type queue struct {
	max int64

	mu     sync.Mutex
	items  []*item
	bytes  int64
	closed error
	wake   chan struct{} // of size 1: there is something, or the queue is closed
}

func (q *queue) init(maxBytes int64) { q.max, q.wake = maxBytes, make(chan struct{}, 1) }

func (q *queue) put(it *item) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.closed != nil:
		return q.closed
	case q.bytes > 0 && q.bytes+int64(it.bytes) > q.max:
		return store.ErrOverloaded
	}
	it.answer = make(chan answer, 1)
	q.items = append(q.items, it)
	q.bytes += int64(it.bytes)
	q.signal()
	return nil
}

func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// close refuses further items and answers those that wait with err.
func (q *queue) close(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed != nil {
		return
	}
	q.closed = err
	for _, it := range q.items {
		if it.state.CompareAndSwap(waiting, taken) {
			it.answer <- answer{err: err}
		}
	}
	q.items = nil
	q.signal()
}

// take waits for items and takes as many as fit into a group, or one turn. Nil: the queue is closed.
func (q *queue) take() []*item {
	for {
		if got, closed := q.takeNow(); len(got) > 0 || closed {
			return got
		}
		<-q.wake
	}
}

func (q *queue) takeNow() (got []*item, closed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	size := 0
	for len(q.items) > 0 {
		it := q.items[0]
		if len(got) > 0 && (it.turn != nil || size+it.bytes > store.GroupSealSize) {
			break
		}
		q.items[0], q.items = nil, q.items[1:]
		q.bytes -= int64(it.bytes)
		if !it.state.CompareAndSwap(waiting, taken) {
			continue
		}
		got = append(got, it)
		if size += it.bytes; it.turn != nil {
			break
		}
	}
	return got, q.closed != nil
}

// submit queues an item and waits for its answer.
func (s *Store) submit(ctx context.Context, it *item) answer {
	if err := s.put(ctx, it); err != nil {
		return answer{err: err}
	}
	return s.wait(ctx, it)
}

func (s *Store) put(ctx context.Context, it *item) error {
	err := s.queue.put(it)
	if err != nil {
		if stopped := s.check(ctx); stopped != nil {
			return stopped
		}
	}
	return err
}

// wait returns the answer of a queued item. When ctx ends while it is queued it is withdrawn; once it is in a group
// its outcome is awaited.
func (s *Store) wait(ctx context.Context, it *item) answer {
	select {
	case a := <-it.answer:
		return a
	case <-ctx.Done():
	}
	if it.state.CompareAndSwap(waiting, withdrawn) {
		return answer{err: ctx.Err()}
	}
	return <-it.answer
}

package fetch

import (
	"sync"
	"sync/atomic"
	"time"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/store"
	"millrace/internal/service/kafka/session"
)

// Request is one fetch, and then its answer. Get one from NewRequest, fill it, give it to Fetcher.Fetch, read the answer
// in its callback, and Free it when the answer is written.
type Request struct {
	session.Request // session, isolation and partitions: as the client says

	MaxWait  time.Duration // 0: answer at once
	MinBytes int
	MaxBytes int
	Tag      any // the caller's

	// The answer.
	Code     kafkaapi.Code // of the whole fetch
	AnswerID int32         // session id
	Parts    []Part
	Bytes    int // of all batches

	f    *Fetcher
	poll session.Poll
	done func(*Request)
	wake func() // the method, once for the request's life, as free
	free func()

	limit    int
	need     int
	deadline time.Time
	held     int64 // of the budget

	taken []*session.Partition
	state atomic.Int32
	// expired: it is to be answered before its time
	expired atomic.Bool
	at      int      // in the heap of timers, from 1; 0: not there
	next    *Request // in a queue
	want    int64    // of the budget, while it waits for it
}

// The states of a request: it runs, or it waits for the session, the clock or the end, whichever is first.
const (
	running int32 = iota
	waiting
)

// Part answers one partition.
type Part struct {
	Key           session.Key
	Code          kafkaapi.Code
	HighWatermark int64 // -1 with a code, as the next two
	LastStable    int64
	LogStart      int64
	// Aborted goes with records for readers of committed ones; for others the protocol's list is null.
	Aborted []store.Aborted
	Batches []store.Batch // as they were sent; valid until Free
	Bytes   int           // of Batches

	part   *session.Partition
	result store.ReadResult
	view   View
	data   bool // there is something at the offset
	ends   bool // the code ends a wait
}

var requests sync.Pool

// NewRequest returns an empty request.
func NewRequest() *Request {
	if r, ok := requests.Get().(*Request); ok {
		return r
	}
	r := &Request{}
	r.wake, r.free = r.woken, r.Free
	return r
}

// keepParts is how many partitions a request that is used again has room for: 40 KiB.
const keepParts = 128

// Release is Free as a value, without an allocation.
func (r *Request) Release() func() { return r.free }

// Free gives the request back, and with it the bytes of its answer. Nothing of it may be used after it.
func (r *Request) Free() {
	if r.f != nil {
		r.drop()
	}
	clear(r.Wanted)
	clear(r.Forgotten)
	clear(r.taken)
	var fresh Request
	if cap(r.Wanted) <= keepParts {
		fresh.Wanted = r.Wanted[:0]
	}
	if cap(r.Forgotten) <= keepParts {
		fresh.Forgotten = r.Forgotten[:0]
	}
	if cap(r.Parts) <= keepParts {
		fresh.Parts = r.Parts[:0]
	}
	if cap(r.taken) <= keepParts {
		fresh.taken = r.taken[:0]
	}
	r.reset(&fresh)
	requests.Put(r)
}

// reset makes r what fresh is, but for the state, which is not copied.
func (r *Request) reset(fresh *Request) {
	r.Request, r.MaxWait, r.MinBytes, r.MaxBytes, r.Tag = fresh.Request, 0, 0, 0, nil
	r.Code, r.AnswerID, r.Parts, r.Bytes = 0, 0, fresh.Parts, 0
	r.f, r.poll, r.done = nil, session.Poll{}, nil
	r.limit, r.need, r.deadline, r.held, r.want = 0, 0, time.Time{}, 0, 0
	r.taken, r.at, r.next = fresh.taken, 0, nil
	r.state.Store(running)
	r.expired.Store(false)
}

// drop gives back all that was read.
func (r *Request) drop() {
	for i := range r.Parts {
		r.Parts[i].result.Release()
	}
	clear(r.Parts)
	r.Parts, r.Bytes = r.Parts[:0], 0
	if r.held != 0 {
		r.f.budget.release(r.held)
		r.held = 0
	}
}

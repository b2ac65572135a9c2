package embedded

import (
	"context"
	"sync"

	"golang.org/x/sync/semaphore"

	"millrace/internal/core/journal"
	"millrace/internal/core/store"
)

const (
	// appendOverhead bounds what an append needs in a group beside its records: a directory entry, a
	// batch header and what sealing adds.
	appendOverhead = journal.EntrySize + 64 + store.SealOverhead

	// changeOverhead bounds what a change of a key, partition or producer needs beside its bytes.
	changeOverhead = 64

	// serialEstimate stands for a transaction that will run in the sequencer and whose size is not known.
	serialEstimate = 4 << 10

	// maxTries is how many groups a transaction may lose in before ErrContention.
	maxTries = 10
)

// request is one caller that waits. Exactly one of appends and fn is there.
type request struct {
	ctx   context.Context
	bytes int // upper bound of what it adds to a group

	appends []store.AppendRequest
	results []store.AppendResult

	fn       func(store.Tx) error
	tx       *store.Request // of the optimistic run; nil: run in the sequencer
	tries    int
	commit   store.Commit
	panicked any

	err   error
	done  chan struct{}                     // one signal when answered, unless there is a reply
	reply func([]store.AppendResult, error) // instead of done: of an append that nobody waits for

	weight int64               // what it holds of the queue
	room   *semaphore.Weighted // where a request with a reply gives it back
}

var requests = sync.Pool{New: func() any { return &request{done: make(chan struct{}, 1)} }}

func newRequest(ctx context.Context) *request {
	r := requests.Get().(*request)
	r.ctx = ctx
	return r
}

func (r *request) free() {
	*r = request{done: r.done}
	requests.Put(r)
}

// setAppends makes r an append of n bytes of records.
func (r *request) setAppends(req []store.AppendRequest, n int) {
	r.appends, r.results = req, make([]store.AppendResult, len(req))
	r.bytes = n + appendOverhead*len(req)
}

func (r *request) setTx(req *store.Request) {
	r.tx, r.bytes = req, txBytes(req)
}

func txBytes(req *store.Request) int {
	return req.Size() + appendOverhead*len(req.Appends) + appendOverhead*endsIn(req) +
		changeOverhead*(len(req.Keys)+len(req.Ordered)+len(req.Parts)+len(req.Producers))
}

func endsIn(req *store.Request) int {
	n := 0
	for _, e := range req.Ends {
		n += min(e.Limit, store.MaxTxParts)
	}
	return n
}

// frees tells whether r is a transaction that trims or deletes partitions, and adds nothing but keys.
func (r *request) frees() bool {
	if r.tx == nil || len(r.tx.Parts) == 0 || len(r.tx.Appends)+len(r.tx.Ends)+len(r.tx.Producers) > 0 {
		return false
	}
	for i := range r.tx.Parts {
		if k := r.tx.Parts[i].Kind; k != store.PartitionTrim && k != store.PartitionDelete {
			return false
		}
	}
	return true
}

// answer gives r back to who waits for it, and must be the last that is done with it.
func (r *request) answer(err error) {
	if r.reply == nil {
		r.err = err
		r.done <- struct{}{}
		return
	}
	reply, results, room, weight := r.reply, r.results, r.room, r.weight
	r.free()
	room.Release(weight)
	if err != nil {
		results = nil
	}
	reply(results, err)
}

// submit queues r and waits for its answer; r.err is its own.
//
// Errors: those of a request that was not taken.
func (s *Store) submit(r *request) error {
	if err := s.enqueue(r); err != nil {
		return err
	}
	<-r.done // answered soon: nothing that r points to may be used after return
	s.queued.Release(r.weight)
	return nil
}

// enqueue waits for room in the queue and puts r at its end. Whoever is answered gives the room back.
//
// Errors: those of a request that was not taken.
func (s *Store) enqueue(r *request) error {
	r.weight = min(int64(r.bytes), s.opts.MaxQueuedBytes)
	if err := s.queued.Acquire(r.ctx, r.weight); err != nil {
		return err
	}
	s.qmu.Lock()
	if s.stopping {
		s.qmu.Unlock()
		s.queued.Release(r.weight)
		return store.ErrStopped
	}
	s.queue = append(s.queue, r)
	first := len(s.queue) == 1
	s.qmu.Unlock()
	if first {
		s.signal()
	}
	return nil
}

func (s *Store) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

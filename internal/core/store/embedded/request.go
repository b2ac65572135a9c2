package embedded

import (
	"context"
	"sync"

	"millrace/internal/core/journal"
	"millrace/internal/core/store"
)

const (
	// appendOverhead bounds what an append needs in a group beside its records: a directory entry and a
	// batch header.
	appendOverhead = journal.EntrySize + 64

	// changeOverhead bounds what a change of a key, partition or producer needs beside its bytes.
	changeOverhead = 40

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

	err  error
	done chan struct{} // one signal when answered
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

func (r *request) answer(err error) {
	r.err = err
	r.done <- struct{}{}
}

// submit queues r and waits for its answer; r.err is its own.
//
// Errors: those of a request that was not taken.
func (s *Store) submit(r *request) error {
	weight := min(int64(r.bytes), s.opts.MaxQueuedBytes)
	if err := s.queued.Acquire(r.ctx, weight); err != nil {
		return err
	}
	defer s.queued.Release(weight)
	s.qmu.Lock()
	if s.stopping {
		s.qmu.Unlock()
		return store.ErrStopped
	}
	s.queue = append(s.queue, r)
	first := len(s.queue) == 1
	s.qmu.Unlock()
	if first {
		s.signal()
	}
	<-r.done // answered soon: nothing that r points to may be used after return
	return nil
}

func (s *Store) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

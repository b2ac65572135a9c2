package txn

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/batch"
	"millrace/internal/core/store"
	"millrace/internal/service/kafka/offset"
)

// worker is the application behind one transactional id.
type worker struct {
	h   *history
	id  int
	v2  bool
	rng *rand.Rand
	c   *client

	queued []chan error // answers that are awaited, of appends in order
}

func name(id int) string { return fmt.Sprintf("w%d", id) }

// step is one transaction, from whatever state the last one has left.
func (w *worker) step() {
	if w.c == nil || w.rng.IntN(10) == 0 {
		if !w.init() {
			return
		}
	}
	x := w.begin()
	ok := w.fill(x)
	n := w.rng.IntN(20)
	if n >= 6 { // else nobody waits for the answers: the end, or the successor, overtakes them
		ok = w.answers() && ok
	}
	switch {
	case n == 0: // the process dies, and its successor comes at once, or after the timeout
		w.finish(x, abortedOutcome)
		w.c = nil
	case !ok || n < 6:
		w.finish(x, abortedOutcome)
		w.end(false)
	default:
		w.commit(x)
	}
	if !w.answers() {
		w.c = nil // which sequence numbers are taken is not known
	}
}

// queue appends one record as the broker does: the ticket is given back as soon as the append is queued.
func (w *worker) queue(id store.PartitionID, value string) kafkaapi.Code {
	t, code := w.c.Admit(Admission{Ident: w.c.Ident, V2: w.v2})
	if code != kafkaapi.None {
		return code
	}
	defer t.Release()
	if code := t.Check(id); code != kafkaapi.None {
		return code
	}
	answer := make(chan error, 1)
	w.queued = append(w.queued, answer)
	w.h.s.AppendAsync(context.Background(), []store.AppendRequest{w.c.batch(id, value)}, func(res []store.AppendResult, err error) {
		if err == nil {
			err = res[0].Err
		}
		answer <- err
	})
	return kafkaapi.None
}

// answers waits for what is queued and tells whether all of it was appended.
func (w *worker) answers() bool {
	ok := true
	for _, answer := range w.queued {
		ok = <-answer == nil && ok
	}
	w.queued = w.queued[:0]
	return ok
}

// init begins a new incarnation; a few have so short a timeout that some transactions do not make it.
func (w *worker) init() bool {
	d := time.Minute
	if w.rng.IntN(3) == 0 {
		d = time.Duration(1+w.rng.IntN(4)) * time.Millisecond
	}
	p, code := w.h.c.Init(context.Background(), InitRequest{ID: name(w.id), Timeout: d})
	if code != kafkaapi.None {
		w.c = nil
		return false
	}
	w.c = &client{env: &env{Coordinator: w.h.c, o: w.h.o, ids: w.h.ids}, v2: w.v2}
	w.c.became(name(w.id), p)
	return true
}

func (w *worker) begin() *transaction {
	w.h.mu.Lock()
	defer w.h.mu.Unlock()
	x := &transaction{worker: w.id, n: len(w.h.all), offsets: w.rng.IntN(2) == 0, index: w.rng.IntN(2)}
	w.h.all = append(w.h.all, x)
	return x
}

// finish notes the outcome, unless the disk has crashed: then nobody was told.
func (w *worker) finish(x *transaction, o outcome) {
	w.h.mu.Lock()
	defer w.h.mu.Unlock()
	switch {
	case o == committed && w.h.fs.Crashed() == nil:
		x.outcome = committed
		w.h.committed++
	case o == abortedOutcome:
		x.outcome = abortedOutcome
		w.h.aborted++
	default:
		w.h.unknown++
	}
}

// fill appends the records and the offset of a transaction; false when some were refused.
func (w *worker) fill(x *transaction) bool {
	ids := slices.Clone(w.h.ids)
	w.rng.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
	ids = ids[:1+w.rng.IntN(len(ids))]
	if !w.v2 && w.c.AddPartitions(context.Background(), w.c.Ident, ids) != kafkaapi.None {
		return false
	}
	for i, id := range ids {
		v := fmt.Sprintf("%d/%d/%d", w.id, x.n, i)
		w.h.mu.Lock()
		x.values = append(x.values, v)
		w.h.mu.Unlock()
		for range 1 + w.rng.IntN(8)/7 { // now and then the client does not hear the answer
			if w.queue(id, v) != kafkaapi.None {
				return false
			}
		}
		w.c.next[id]++
	}
	return !x.offsets || w.commitOffset(x)
}

func (w *worker) commitOffset(x *transaction) bool {
	if !w.v2 && w.c.AddOffsets(context.Background(), w.c.Ident, name(w.id)) != kafkaapi.None {
		return false
	}
	return w.c.CommitOffsets(context.Background(), OffsetCommit{
		Ident: w.c.Ident, Group: name(w.id), Offsets: []offset.Entry{at(int32(x.index), int64(x.n))}, V2: w.v2,
	}) == kafkaapi.None
}

// commit notes what the end says. A refusal says that the transaction was aborted.
func (w *worker) commit(x *transaction) {
	switch w.end(true) {
	case kafkaapi.None:
		w.finish(x, committed)
	case kafkaapi.ProducerFenced, kafkaapi.InvalidTxnState:
		w.finish(x, abortedOutcome)
	default:
		w.finish(x, inDoubt)
	}
}

// end ends the open transaction, again when the client does not hear the answer; whoever cannot go on begins anew.
func (w *worker) end(commit bool) kafkaapi.Code {
	who := w.c.Ident
	p, code := w.h.c.End(context.Background(), who, commit, w.v2)
	if code == kafkaapi.None && w.rng.IntN(4) == 0 {
		p, code = w.h.c.End(context.Background(), who, commit, w.v2)
	}
	if code != kafkaapi.None {
		w.h.mu.Lock()
		w.h.fenced++
		w.h.mu.Unlock()
		w.c = nil
		return code
	}
	w.c.became(name(w.id), p)
	return code
}

// groupOffsets is the offsets of a group's two partitions, -1 without one.
func groupOffsets(tx store.ReadTx, group string) (offsets [2]int, err error) {
	found, err := offset.Fetch(tx, group, []offset.Partition{{Topic: 1}, {Topic: 1, Index: 1}}, false)
	for i := range found {
		offsets[i] = int(found[i].Offset)
	}
	return offsets, err
}

// readDecided returns the records below an offset whose transaction has a commit marker there.
func readDecided(s store.Store, id store.PartitionID, end store.Offset) ([]string, error) {
	var decided []string
	open := map[int64][]string{}
	err := eachBatch(s, id, end, store.ReadUncommitted, func(_ *store.ReadResult, h *batch.Header, b []byte, values []string) error {
		if !h.Control() {
			open[h.ProducerID] = append(open[h.ProducerID], values...)
			return nil
		}
		m, err := batch.MarkerType(b)
		if m == batch.MarkerCommit {
			decided = append(decided, open[h.ProducerID]...)
		}
		delete(open, h.ProducerID)
		return err
	})
	return decided, err
}

// readCommittedUpTo returns the records below an offset that a reader of committed ones gets.
func readCommittedUpTo(s store.Store, id store.PartitionID, end store.Offset) ([]string, error) {
	var all []string
	err := eachBatch(s, id, end, store.ReadCommitted, func(res *store.ReadResult, h *batch.Header, _ []byte, values []string) error {
		if !h.Control() && !aborted(res, h) {
			all = append(all, values...)
		}
		return nil
	})
	return all, err
}

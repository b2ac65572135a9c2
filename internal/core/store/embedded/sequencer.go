package embedded

import (
	"errors"
	"fmt"
	"time"

	"millrace/internal/core/datakey"
	"millrace/internal/core/fault"
	"millrace/internal/core/journal"
	"millrace/internal/core/store"
)

// serialBudget is how long transactions that lost may run in the sequencer for one group: the rest goes with
// the next, so that a dear function on a hot key does not hold everybody.
const serialBudget = time.Millisecond

// job is one group on its way to the applier.
type job struct {
	group    *store.Group
	stored   []journal.Stored
	mem      groupRoom
	keys     datakey.Keys // that its batches are sealed with
	file     *journalFile
	chunk    uint64
	chunkAt  int   // where the group begins in the chunk
	pos      int64 // where it begins in the file
	bytes    int   // in the file
	requests []*request
	errs     []error       // beside requests
	applied  chan struct{} // closed when applied; only made when the sequencer waits for it
}

// groupRoom is memory for a group's batches. It goes from the applier back to the sequencer: a group of thousands of batches
// would else be a megabyte of garbage.
type groupRoom struct {
	appends, spare []store.Append
	stored         []journal.Stored
	keys, next     []uint64 // to sort appends by
}

// mostRoom is how many batches the room that is kept has: those of a group of 8 MiB of small records.
const mostRoom = 16 << 10

// room gives a job memory for n batches.
func (j *job) room(s *Store, n int) {
	if n == 0 {
		return
	}
	var r groupRoom
	select {
	case r = <-s.rooms:
	default:
	}
	if cap(r.appends) < n {
		r = groupRoom{appends: make([]store.Append, 0, n), stored: make([]journal.Stored, n)}
	}
	j.group.Appends, j.mem = r.appends, r
}

// free gives the memory back when nobody needs the group any more.
func (j *job) free(s *Store) {
	r := j.mem
	if r.stored == nil || cap(j.group.Appends) > mostRoom || len(r.stored) < cap(j.group.Appends) {
		return
	}
	clear(j.group.Appends) // nothing of the requests may stay
	clear(r.spare)
	r.appends, r.spare = j.group.Appends[:0], r.spare[:0]
	select {
	case s.rooms <- r:
	default:
	}
	j.group.Appends, j.stored, j.mem = nil, nil, groupRoom{}
}

// run is the sequencer.
func (s *Store) run() {
	defer s.done.Done()
	defer close(s.jobs)
	var carry []*request // requests that did not fit into the last group, oldest first
	for {
		waiting := s.gather(carry)
		if len(waiting) == 0 {
			s.finish()
			return
		}
		carry = s.commitGroup(waiting)
	}
}

// take returns what is queued; with wait it blocks until something is, or returns nothing when the
// store stops.
func (s *Store) take(wait bool) []*request {
	for {
		s.qmu.Lock()
		q, stopping := s.queue, s.stopping
		s.queue = nil
		s.qmu.Unlock()
		if len(q) > 0 || !wait || stopping {
			return q
		}
		<-s.wake
	}
}

// commitGroup makes one group of the first requests and returns those that have to wait for the next.
func (s *Store) commitGroup(waiting []*request) (rest []*request) {
	taken, rest := s.split(waiting)
	if len(taken) == 0 {
		return rest
	}
	bound := journal.HeaderSize + journal.PageSize
	for _, r := range taken {
		bound += r.bytes
	}
	if err := s.room(bound); err != nil {
		if taken, bound = s.freeing(taken, err); len(taken) == 0 {
			return rest
		}
	}
	j := &job{requests: taken, errs: make([]error, len(taken))}
	lost := s.decide(j)
	if len(lost) > 0 {
		rest = append(s.rerun(j, lost, bound), rest...)
	}
	s.write(j)
	return rest
}

// freeing answers with err those requests that need room, and returns those that only free some and fit into what is
// kept for them.
func (s *Store) freeing(waiting []*request, err error) (taken []*request, bound int) {
	bound = journal.HeaderSize + journal.PageSize
	for _, r := range waiting {
		if errors.Is(err, store.ErrFull) && r.frees() && int64(bound+r.bytes) <= s.active.left() {
			taken = append(taken, r)
			bound += r.bytes
		} else {
			r.answer(err)
		}
	}
	return taken, bound
}

// split takes requests up to the size of a group, and answers those that are not wanted any more.
func (s *Store) split(waiting []*request) (taken, rest []*request) {
	taken = make([]*request, 0, len(waiting))
	size := 0
	for i, r := range waiting {
		if err := s.refuse(r); err != nil {
			r.answer(err)
			continue
		}
		if len(taken) > 0 && size+r.bytes > store.GroupSealSize {
			return taken, waiting[i:]
		}
		taken = append(taken, r)
		size += r.bytes
	}
	return taken, nil
}

// refuse says why a request cannot go into a group now.
func (s *Store) refuse(r *request) error {
	if err := s.failure(); err != nil {
		return store.ErrStopped
	}
	if err := r.ctx.Err(); err != nil {
		return err
	}
	if r.fn != nil && (r.tx == nil || len(r.tx.Keys)+len(r.tx.Ordered) > 0) {
		return s.gate.check()
	}
	return nil
}

// decide decides the requests of a job in order. The places of transactions that have to run again are returned.
func (s *Store) decide(j *job) (lost []int) {
	g := s.decided.Begin(s.Now())
	j.group = g
	batches := 0
	for _, r := range j.requests {
		batches += len(r.appends)
	}
	j.room(s, batches)
	for i, r := range j.requests {
		if r.fn == nil {
			refused := true
			s.decided.Warm(r.appends)
			for k := range r.appends {
				if key := r.appends[k].Key; key != 0 {
					if r.results[k].Err = s.openKey(j, key); r.results[k].Err != nil {
						continue
					}
				}
				r.results[k] = s.decided.DecideAppend(&r.appends[k], g)
				refused = refused && r.results[k].Err != nil
			}
			if refused && s.opts.Faults.On(fault.AnswerRefusalEarly) {
				r.answer(nil)
				j.requests[i] = nil
			}
			continue
		}
		if r.tx == nil {
			lost = append(lost, i)
			continue
		}
		err := s.decideTx(j, r, r.tx, &s.locks)
		if errors.Is(err, store.ErrConflict) {
			lost = append(lost, i)
			continue
		}
		j.errs[i] = err
		if err != nil && s.opts.Faults.On(fault.AnswerRefusalEarly) {
			r.answer(err)
			j.requests[i] = nil
		}
	}
	return lost
}

func (s *Store) decideTx(j *job, r *request, req *store.Request, keys store.Conflicts) error {
	own, err := s.openKeys(j, req)
	if err != nil {
		return err
	}
	g := j.group
	before := len(g.Keys)
	if err := s.decided.Decide(req, g, keys); err != nil {
		return err
	}
	j.keep(own)
	s.locks.wrote(g.Seq, g.Keys[before:])
	r.commit = store.Commit{Sequence: g.Seq, Time: g.Time}
	return nil
}

// rerun runs the transactions that lost on top of the group, one after the other. Those for which
// there is no time or room are returned.
func (s *Store) rerun(j *job, lost []int, bound int) (rest []*request) {
	s.waitApplied()
	over := newOverlay(s, j.group)
	room := min(int(s.active.room()), max(bound, store.GroupSealSize))
	start := time.Now()
	for n, i := range lost {
		r := j.requests[i]
		if n > 0 && time.Since(start) > serialBudget {
			r.tx, j.requests[i] = nil, nil
			rest = append(rest, r) // no lost try: the next group begins with those that wait, so each gets its turn
			continue
		}
		req, err := s.runSerial(over, r)
		switch {
		case err != nil:
		case req.Empty():
			r.commit = store.Commit{Time: j.group.Time}
		case len(req.Keys)+len(req.Ordered) > 0 && s.gate.check() != nil:
			err = s.gate.check()
		case journal.Bound(j.group)+txBytes(req)+journal.PageSize > room:
			rest = append(rest, s.carry(j, i, req)...)
			continue
		default:
			before := len(j.group.Keys)
			if err = s.decideTx(j, r, req, nil); errors.Is(err, store.ErrConflict) {
				rest = append(rest, s.carry(j, i, nil)...)
				continue
			}
			over.add(j.group.Keys[before:])
		}
		j.errs[i] = err
		if err != nil && s.opts.Faults.On(fault.AnswerRefusalEarly) {
			r.answer(err)
			j.requests[i] = nil
		}
	}
	return rest
}

// carry takes a request out of a job for the next group, with its true size when that is known.
func (s *Store) carry(j *job, i int, req *store.Request) []*request {
	r := j.requests[i]
	r.tx = nil
	if req != nil {
		r.bytes = txBytes(req) + serialEstimate
	}
	if r.tries++; r.tries >= maxTries {
		j.errs[i] = store.ErrContention
		return nil
	}
	j.requests[i] = nil
	return []*request{r}
}

// runSerial runs a transaction on the decided state; a panic becomes its caller's.
func (s *Store) runSerial(over *overlay, r *request) (req *store.Request, err error) {
	defer func() {
		if p := recover(); p != nil {
			r.panicked = p
			req, err = nil, fmt.Errorf("store: transaction function panicked: %v", p)
		}
	}()
	return store.RunTx(over, r.fn)
}

// write seals the group, writes and syncs it, and hands it to the applier. A group without
// effects goes to the applier as it is, behind the groups that it was decided on.
func (s *Store) write(j *job) {
	if j.group.Empty() {
		s.decided.Undo(j.group)
		j.group = nil
		s.hand(j)
		return
	}
	if err := s.persist(j, 0); err != nil {
		s.fail(err)
		j.group = nil
		for i := range j.errs {
			j.errs[i] = store.ErrUnknownOutcome
		}
	}
	s.hand(j)
}

// mostLed, mostLedBytes and mostLedHeard are what the sequencer applies and answers by itself, in about the time of a sync: with more, the
// next group is better written meanwhile.
const (
	mostLed      = 32 // requests
	mostLedBytes = 256 << 10
	mostLedHeard = 256 // watchers of its partitions
)

// hand gives a group to the applier, or does its work at once when there is little of it: no hop between goroutines, and
// whoever is answered may be back for the next group, which would else be half as large and cost as much. Keys are the
// applier's, since Pebble may be slow.
func (s *Store) hand(j *job) {
	little := len(j.requests) <= mostLed && j.bytes <= mostLedBytes && (j.group == nil || len(j.group.Keys) == 0)
	if little && s.behind.Load() == 0 && (j.group == nil || s.watch.heard(j.group.Appends) <= mostLedHeard) {
		s.settle(j)
		return
	}
	s.behind.Add(1)
	s.jobs <- j
}

func (s *Store) persist(j *job, flags uint16) error {
	f := s.active
	j.group.Appends = j.mem.sortAppends(j.group.Appends)
	buf, number := s.cache.reserve(journal.Bound(j.group))
	h := journal.Header{Flags: flags, FileID: f.header.ID, FileSeq: f.header.Seq, Durable: j.group.Seq - 1}
	if n := len(j.group.Appends); n <= len(j.mem.stored) {
		j.stored = j.mem.stored[:n]
	} else {
		j.stored = make([]journal.Stored, n)
	}
	buf, err := journal.Seal(buf, j.group, &h, f.end, j.keys, j.stored)
	if err != nil {
		return err
	}
	if int64(len(buf)) > f.left() {
		return fmt.Errorf("journal: group of %d bytes is larger than what was kept free: %d", len(buf), f.left())
	}
	j.chunk, j.chunkAt = number, s.cache.commit(len(buf))
	j.file, j.pos, j.bytes = f, f.end, len(buf)
	if s.opts.Faults.On(fault.ApplyBeforeSync) {
		s.applyKeys(j.group)
	}
	if s.opts.Faults.On(fault.AnswerBeforeSync) {
		for i, r := range j.requests {
			if r != nil {
				r.answer(j.errs[i])
				j.requests[i] = nil
			}
		}
	}
	start := time.Now()
	if err := f.write(buf, s.opts.Faults.On(fault.SkipSync)); err != nil {
		return fmt.Errorf("write journal %s: %w", f.name, err)
	}
	took := time.Since(start)
	s.company.synced(took)
	s.metrics.group(len(buf), len(j.requests), took)
	f.wrote(j.group, len(buf))
	return nil
}

// waitApplied waits until all groups given to the applier are applied.
func (s *Store) waitApplied() {
	if s.behind.Load() == 0 {
		return
	}
	j := &job{applied: make(chan struct{})}
	s.behind.Add(1)
	s.jobs <- j
	<-j.applied
}

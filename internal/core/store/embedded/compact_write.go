package embedded

import (
	"errors"
	"fmt"
	"slices"
	"sort"

	"github.com/cockroachdb/pebble/v2"

	"millrace/internal/core/batch"
	"millrace/internal/core/datakey"
	"millrace/internal/core/journal"
	"millrace/internal/core/segment"
	"millrace/internal/core/store"
)

// groupWriter writes what is left of a group of runs: what the pass has compacted, and what is beyond it, which stays to
// be compacted later.
type groupWriter struct {
	p           *pass
	clean, rest output
	horizon     int64 // the first in clean; 0: none
	changed     bool  // some batch is not what it was
}

// output is a segment that is made when the first batch comes.
type output struct {
	file fileID
	w    *segment.Writer
	info segment.Info // when it is finished
}

func (o *output) add(p *pass, e *segment.Entry, stored []byte) (err error) {
	if o.w == nil {
		o.file = p.s.mover.newFile(fileSegment)
		if o.w, err = segment.Create(p.s.opts.FS, p.s.segmentPath(o.file.id), uint64(p.id), segment.WriterOptions{}); err != nil {
			return err
		}
	}
	return corrupt(o.w.Add(*e, stored))
}

func (o *output) finish() (err error) {
	if o.w != nil {
		o.info, err = o.w.Finish()
	}
	return err
}

// remove removes the file, finished or not.
func (o *output) remove(s *Store) error {
	if o.w == nil {
		return nil
	}
	if o.info.Entries == 0 {
		return o.w.Abort()
	}
	return s.opts.FS.Remove(s.segmentPath(o.file.id))
}

func (w *groupWriter) remove() error { return errors.Join(w.clean.remove(w.p.s), w.rest.remove(w.p.s)) }

// note remembers when something of what was written may go.
func (w *groupWriter) note(horizon int64) {
	if w.horizon == 0 || horizon < w.horizon {
		w.horizon = max(horizon, 1)
	}
}

// rewrite writes a group of runs again and swaps it for what is left of it.
func (p *pass) rewrite(g *runGroup) (err error) {
	if g.skip {
		return p.lookThrough(g)
	}
	w := &groupWriter{p: p}
	applied := false
	defer func() {
		if err != nil && !applied {
			if removeErr := w.remove(); removeErr != nil {
				p.s.log.Warn("remove unfinished segment; the next start tries again", "error", removeErr)
			}
		}
	}()
	for i := range g.runs {
		lastRun := g.last && i == len(g.runs)-1
		if err := p.each(&g.runs[i], func(e, next *segment.Entry) (bool, error) {
			if store.Offset(e.Base) >= p.upTo {
				return true, p.copyRest(w, e)
			}
			last := lastRun && p.upTo == p.end && (next == nil || store.Offset(next.Base) >= p.end)
			return true, p.batch(w, e, last)
		}); err != nil {
			return err
		}
	}
	if len(g.runs) == 1 && g.runs[0].clean && !w.changed {
		return w.remove() // all of it stays
	}
	if err := errors.Join(w.clean.finish(), w.rest.finish()); err != nil {
		return err
	}
	applied, err = p.swap(g.runs, w)
	return err
}

func (p *pass) copyRest(w *groupWriter, e *segment.Entry) error {
	b, err := p.stored(e)
	if err != nil {
		return err
	}
	return w.rest.add(p, e, b)
}

// lookThrough takes note of the transactions in runs that stay.
func (p *pass) lookThrough(g *runGroup) error {
	for i := range g.runs {
		if err := p.each(&g.runs[i], func(e, _ *segment.Entry) (bool, error) {
			if isMarker(e) {
				delete(p.open, store.ProducerID(e.ProducerID))
			} else {
				p.left(e)
			}
			return true, nil
		}); err != nil {
			return err
		}
	}
	return nil
}

// left notes that something of a transaction is still there.
func (p *pass) left(e *segment.Entry) {
	if e.Attributes&batch.AttrTransactional != 0 {
		p.open[store.ProducerID(e.ProducerID)] = true
	}
}

// batch decides about one batch. The last one that a pass looks at never goes as a whole: a reader who is before it would
// else find nothing to go on to while the records after it are not committed.
//
// Source: Cleaner.cleanInto and MemoryRecords.filterTo of Apache Kafka 4.1.
func (p *pass) batch(w *groupWriter, e *segment.Entry, last bool) error {
	if isMarker(e) {
		return p.marker(w, e, last)
	}
	aborted := p.isAborted(e)
	if aborted && !last {
		w.changed = true
		return nil
	}
	stored, err := p.stored(e)
	if err != nil {
		return err
	}
	if aborted {
		p.left(e)
		return w.clean.add(p, e, stored)
	}
	plain, err := p.unseal(e, stored)
	if err != nil {
		return err
	}
	kept, tombstones, ok := p.decide(plain)
	if kept == 0 && ok && !last {
		w.changed = true
		return nil
	}
	p.left(e)
	if !ok || kept == 0 {
		return w.clean.add(p, e, stored)
	}
	at, fresh := p.horizon(p.thin.Header(), tombstones)
	if tombstones {
		w.note(at)
	}
	if kept == len(p.keep) && !fresh {
		return w.clean.add(p, e, stored)
	}
	return p.write(w, e, stored, at, fresh)
}

// decide opens a batch and says in keep which of its records stay. A batch that does not open stays as it is.
func (p *pass) decide(b []byte) (kept int, tombstones, ok bool) {
	p.keep = p.keep[:0]
	if p.thin.Open(b, batch.Limits{}) != nil {
		return 0, false, false
	}
	h := p.thin.Header()
	expired := h.Attributes&batch.AttrDeleteHorizon != 0 && h.FirstTimestamp <= p.now
	var r batch.Record
	for p.thin.Next(&r) {
		stays := r.Key != nil && (r.Value != nil || !expired) && !p.keys.replaces(r.Key, store.Offset(r.Offset))
		p.keep = append(p.keep, stays)
		if stays {
			kept++
			tombstones = tombstones || r.Value == nil
		}
	}
	return kept, tombstones, p.thin.Err() == nil
}

// horizon is that of a batch, which gets a fresh one when it first holds what will go one day.
func (p *pass) horizon(h *batch.Header, goes bool) (at int64, fresh bool) {
	switch {
	case h.Attributes&batch.AttrDeleteHorizon != 0:
		return h.FirstTimestamp, false
	case goes:
		return p.now + max(p.with.DeleteMillis, 0), true
	}
	return batch.NoHorizon, false
}

// marker decides about the end of a transaction. It gets a horizon when no record of the transaction is left, and goes
// when that has passed; one that ends an aborted transaction not before the state has forgotten it.
func (p *pass) marker(w *groupWriter, e *segment.Entry, last bool) error {
	producer := store.ProducerID(e.ProducerID)
	empty := !p.open[producer]
	delete(p.open, producer)
	stored, err := p.stored(e)
	if err != nil {
		return err
	}
	plain, err := p.unseal(e, stored)
	if err != nil {
		return err
	}
	if p.keep = append(p.keep[:0], true); !empty || p.thin.Open(plain, batch.Limits{}) != nil || !p.thin.Next(&batch.Record{}) {
		return w.clean.add(p, e, stored)
	}
	at, fresh := p.horizon(p.thin.Header(), true)
	if fresh {
		w.note(at)
		return p.write(w, e, stored, at, true)
	}
	switch {
	case at <= p.now && last: // goes when more has come
	case at <= p.now && !p.remembered(e):
		w.changed = true
		return nil
	default:
		w.note(at)
	}
	return w.clean.add(p, e, stored)
}

// remembered tells whether the state still has the aborted transaction that a marker ends.
func (p *pass) remembered(e *segment.Entry) bool {
	all := p.aborted[store.ProducerID(e.ProducerID)]
	i := sort.Search(len(all), func(i int) bool { return all[i].Last >= store.Offset(e.Base) })
	return i < len(all) && all[i].Last == store.Offset(e.Base)
}

// write adds the open batch with the records that keep names; sealed under its key when it was.
func (p *pass) write(w *groupWriter, e *segment.Entry, stored []byte, horizon int64, fresh bool) error {
	if !fresh {
		horizon = batch.NoHorizon
	}
	b, err := p.thin.Write(p.again[:0], p.keep, horizon)
	if err != nil || len(b) > store.MaxBatchSize {
		return w.clean.add(p, e, stored) // packed worse than it was
	}
	p.again = b
	h, err := batch.Verify(b)
	if err != nil {
		return fmt.Errorf("compaction of partition %d wrote a batch that is not well-formed: %w", p.id, err)
	}
	a := *e
	a.Attributes, a.MaxTimestamp, a.PlainLen = h.Attributes, h.MaxTimestamp, uint32(len(b))
	if e.Encoding == segment.Sealed {
		key, err := p.s.committedKey(e.KeyID)
		if err != nil {
			return err
		}
		b, a.Nonce = datakey.Seal(key, p.place(e), b)
	}
	a.StoredLen, a.CRC = uint32(len(b)), journal.Sum(b)
	w.changed = true
	return w.clean.add(p, &a, b)
}

// swap puts what was written in the place of the runs that it was made from: in one batch of Pebble, flushed before
// readers see it and files go. applied tells whether Pebble has it, though perhaps not on disk.
func (p *pass) swap(old []run, w *groupWriter) (applied bool, err error) {
	s := p.s
	if err := syncDir(s.opts.FS, s.path(segmentsDir)); err != nil {
		return false, err
	}
	var made []run
	if w.clean.w != nil {
		r := runOf(p.id, w.clean.info, w.clean.file)
		r.clean, r.horizon = true, w.horizon
		made = append(made, r)
	}
	if w.rest.w != nil {
		made = append(made, runOf(p.id, w.rest.info, w.rest.file))
	}
	b := s.db.NewBatch()
	defer func() { _ = b.Close() }() // applied or not needed
	for i := range made {
		if err := b.Set(made[i].key(), made[i].encode(), nil); err != nil {
			return false, err
		}
	}
	for i := range old {
		if err := b.Delete(old[i].key(), nil); err != nil {
			return false, err
		}
	}
	if err := s.db.Apply(b, pebble.NoSync); err != nil {
		return false, err
	}
	if err := s.flush(); err != nil {
		if !errors.Is(err, errNotFlushed) { // that one: the store stops, and the next start finds the old runs or the new ones
			s.fail(fmt.Errorf("flush what was compacted: %w", err))
		}
		return true, err
	}
	p.show(old, made)
	return true, nil
}

// show swaps runs for readers and gives the old files free. Runs that were trimmed or deleted meanwhile are the mover's.
func (p *pass) show(old, made []run) {
	s, m := p.s, p.s.mover
	var gone, late []run
	s.mu.Lock()
	if x := s.idx.parts.Get(p.id); x != nil {
		x.runs = slices.DeleteFunc(slices.Clone(x.runs), func(r run) bool {
			if !slices.ContainsFunc(old, func(o run) bool { return o.file == r.file && o.base == r.base }) {
				return false
			}
			gone = append(gone, r)
			return true
		})
		x.compacted++
	}
	h, ok := s.applied.Head(p.id)
	for _, r := range made {
		m.use(&r)
		if ok && r.next > h.Start {
			s.idx.part(p.id).addRun(r)
		} else {
			late = append(late, r)
		}
	}
	s.claims.part = 0
	s.mu.Unlock()
	m.free(gone)
	m.drop(late)
	s.metrics.compactions.Add(1)
	for i := range old {
		s.metrics.compactedFrom.Add(old[i].bytes)
	}
	for i := range made {
		s.metrics.compactedTo.Add(made[i].bytes)
	}
}

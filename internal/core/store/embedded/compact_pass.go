package embedded

import (
	"slices"
	"sort"

	"millrace/internal/core/batch"
	"millrace/internal/core/segment"
	"millrace/internal/core/store"
)

// compactGroup is how many bytes of runs are written again, and swapped, at once; one larger run goes alone. So much room
// on the disk a pass takes at most, beside what is left of one run.
const compactGroup = 64 << 20

// pass is one compaction of one partition.
type pass struct {
	s    *Store
	id   store.PartitionID
	with store.Compaction
	now  int64 // ms since 1970
	most int64 // bytes of a group
	old  int64 // batches appended later are left alone

	start     store.Offset // of the partition
	stable    store.Offset
	from, end store.Offset // what is compacted for the first time
	upTo      store.Offset // end, or less when the keys were too many
	partly    bool         // they were
	cut       bool         // not all runs up to there were seen: the mover had one, or the store stops

	keys    offsetMap
	aborted map[store.ProducerID][]store.Aborted
	open    map[store.ProducerID]bool // of a producer's transaction under way, something is left

	thin  batch.Thinner
	file  window
	bufs  [2][]byte // stored and plain bytes of a batch
	again []byte    // a batch that was written again
	keep  []bool
}

func newPass(s *Store, id store.PartitionID) *pass {
	return &pass{
		s: s, id: id, now: s.Now(), most: compactGroup, keys: offsetMap{most: s.opts.CompactionKeys},
		aborted: map[store.ProducerID][]store.Aborted{}, open: map[store.ProducerID]bool{},
	}
}

// run does the whole pass, or as much as fits.
func (p *pass) run() error {
	runs, err := p.begin()
	if err != nil {
		return err
	}
	if err := p.bound(runs); err != nil {
		return err
	}
	if err := p.gather(runs); err != nil {
		return err
	}
	for at := store.Offset(0); ; {
		g, ok := p.next(at)
		if !ok {
			break
		}
		if err := p.rewrite(&g); err != nil {
			return err
		}
		at = g.runs[len(g.runs)-1].next
	}
	return p.forget()
}

// begin takes the partition as it is now.
func (p *pass) begin() ([]run, error) {
	s := p.s
	s.mu.RLock()
	defer s.mu.RUnlock()
	h, ok := s.applied.Head(p.id)
	x := s.idx.parts.Get(p.id)
	if !ok || x == nil {
		return nil, store.ErrNoPartition
	}
	p.with, p.start, p.stable = h.Compaction, h.Start, h.LastStable
	p.old = p.now - p.with.MinLagMillis
	for _, a := range s.applied.Aborted(p.id, 0, store.OffsetMax) {
		p.aborted[a.Producer] = append(p.aborted[a.Producer], a)
	}
	return slices.Clone(x.runs), nil
}

// bound finds what can be compacted: up to the last stable offset, and what is old enough.
func (p *pass) bound(runs []run) error {
	i := 0
	for i < len(runs) && runs[i].clean {
		p.end = runs[i].next
		i++
	}
	p.from = p.end
	if i < len(runs) {
		p.from = runs[i].base
		p.end = p.from
	}
	for ; i < len(runs); i++ {
		r := &runs[i]
		if r.next <= p.stable && r.lastAppend <= p.old {
			p.end = r.next
			continue
		}
		if r.base >= p.stable || r.firstAppend > p.old {
			break
		}
		return p.each(r, func(e, _ *segment.Entry) (bool, error) {
			if store.Offset(e.Base) >= p.stable || e.AppendTime > p.old {
				return false, nil
			}
			p.end = store.Offset(e.Next())
			return true, nil
		})
	}
	return nil
}

// gather remembers the last offset of each key in what is compacted for the first time, up to as many keys as fit.
func (p *pass) gather(runs []run) error {
	p.upTo = p.end
	for i := range runs {
		r := &runs[i]
		if r.next <= p.from || r.base >= p.upTo {
			continue
		}
		if err := p.each(r, func(e, _ *segment.Entry) (bool, error) {
			if store.Offset(e.Base) >= p.upTo {
				return false, nil
			}
			return p.gatherBatch(e)
		}); err != nil {
			return err
		}
	}
	return nil
}

func (p *pass) gatherBatch(e *segment.Entry) (more bool, err error) {
	if isMarker(e) || p.isAborted(e) {
		return true, nil
	}
	b, err := p.plain(e)
	if err != nil {
		return false, err
	}
	if opened := p.thin.Open(b, batch.Limits{}) == nil; !opened {
		return true, nil // it will stay as it is
	}
	if !p.keys.fits(int(p.thin.Header().Count)) {
		p.upTo, p.partly = store.Offset(e.Base), true
		return false, nil
	}
	var r batch.Record
	for p.thin.Next(&r) {
		if r.Key != nil {
			p.keys.put(r.Key, store.Offset(r.Offset))
		}
	}
	return true, nil
}

// isMarker tells whether a batch is no application's.
func isMarker(e *segment.Entry) bool { return e.Marker != 0 || e.Attributes&batch.AttrControl != 0 }

// isAborted tells whether a batch belongs to an aborted transaction.
func (p *pass) isAborted(e *segment.Entry) bool {
	if e.Attributes&batch.AttrTransactional == 0 {
		return false
	}
	all := p.aborted[store.ProducerID(e.ProducerID)] // in order, without overlaps
	i := sort.Search(len(all), func(i int) bool { return all[i].Last >= store.Offset(e.Base) })
	return i < len(all) && all[i].First <= store.Offset(e.Base)
}

// runGroup is neighbouring runs that are written again together.
type runGroup struct {
	runs []run
	last bool // no later run has anything that the pass looks at
	skip bool // nothing can go: they stay, and are only looked through for transactions
}

// next claims the next runs from an offset on; false when the pass is over, or the mover is about to replace them.
func (p *pass) next(at store.Offset) (g runGroup, ok bool) {
	s := p.s
	s.mu.Lock()
	defer s.mu.Unlock()
	s.claims.part = 0
	x := s.idx.parts.Get(p.id)
	if x == nil || s.mover.ctx.Err() != nil {
		p.cut = true
		return g, false
	}
	i := sort.Search(len(x.runs), func(i int) bool { return x.runs[i].base >= at })
	var bytes int64
	for ; i < len(x.runs) && x.runs[i].base < p.upTo; i++ {
		r := &x.runs[i]
		if !s.claims.free(r) {
			p.cut = true
			return g, len(g.runs) > 0
		}
		if len(g.runs) > 0 && (g.skip || p.skips(r) || bytes+r.bytes > p.most) {
			return g, true
		}
		g.runs = append(g.runs, *r)
		g.skip = p.skips(r)
		bytes += r.bytes
		s.claims.part, s.claims.upTo = p.id, r.next
	}
	g.last = true
	return g, len(g.runs) > 0
}

// skips tells whether nothing of a run can go in this pass: it is for tombstones and markers alone. (Another one may also
// find that the last batch of an earlier pass, which had to stay, was aborted.)
func (p *pass) skips(r *run) bool {
	return p.from == p.upTo && r.clean && (r.horizon == 0 || r.horizon > p.now)
}

// forget has the state forget aborted transactions of which only the markers are left. Then these may go too: a reader
// that was told of a transaction, and not of its end, would take the producer's later records for aborted.
func (p *pass) forget() error {
	s := p.s
	if p.cut {
		return nil
	}
	for _, all := range p.aborted {
		if all[0].Last < p.upTo {
			_, err := s.Update(s.mover.ctx, func(tx store.Tx) error { return tx.ForgetAborted(p.id, p.upTo) })
			return err
		}
	}
	return nil
}

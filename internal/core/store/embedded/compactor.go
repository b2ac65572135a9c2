package embedded

import (
	"errors"
	"time"

	"millrace/internal/core/clock"
	"millrace/internal/core/store"
)

const (
	// compactEvery is how often partitions are looked at: what is to be compacted after seconds is.
	compactEvery = time.Second
	// rollEvery is how often at most the journal is moved for compaction's sake: each time makes a run for each
	// partition that was written to.
	rollEvery = 5 * time.Second
	// compactRest is how long a partition is left alone after its compaction has failed, and at least after one for
	// tombstones alone before the next such.
	compactRest = 10 * time.Second
)

// compactor drops records that a later one of the same key replaces, in partitions that ask for it. It is one goroutine
// beside the mover; claims keep the two from taking the same runs.
//
//	runs:     clean │ clean │ moved │ moved │ unmoved journal
//	                          └ from          └ end: at most the last stable offset, and old enough
//	pass:     keys of [from, end) ──► last offset of each
//	          group after group of runs, oldest first ──► rewritten, swapped in one batch of Pebble
//
// Groups go in order, so that when a pass is cut off, by a crash or the bound on keys, what it has written is clean all
// the same: an older record of a key is never left where a newer one has gone.
type compactor struct {
	s      *Store
	rest   restUntil // partitions that are left alone
	gather restUntil // those that are left alone unless they have more than tombstones to compact
	rolled int64     // when the journal was last moved for compaction
}

// restUntil says until when partitions rest, ms since 1970.
type restUntil map[store.PartitionID]int64

// awake forgets those that have rested.
func (r restUntil) awake(now int64) {
	for id, until := range r {
		if now >= until {
			delete(r, id)
		}
	}
}

func newCompactor(s *Store) *compactor {
	return &compactor{s: s, rest: restUntil{}, gather: restUntil{}}
}

func (c *compactor) run() {
	s := c.s
	defer s.done.Done()
	for clock.Sleep(s.mover.ctx, s.opts.Clock, compactEvery) == nil && s.failure() == nil {
		c.round()
	}
}

// round compacts what is due, the dirtiest first, and has the journal moved when something in it is.
func (c *compactor) round() {
	s := c.s
	if c.look() {
		if err := s.roll(s.mover.ctx); err != nil && s.mover.ctx.Err() == nil {
			s.log.Warn("cannot move the journal for compaction; trying again", "error", err)
		}
	}
	for s.mover.ctx.Err() == nil {
		id, ok := c.choose()
		if !ok {
			return
		}
		if err := c.compact(id); err != nil {
			if s.mover.ctx.Err() != nil || s.failure() != nil {
				return
			}
			s.log.Error("cannot compact a partition; trying again", "partition", id, "error", err)
			c.rest[id] = s.Now() + compactRest.Milliseconds()
		}
	}
}

// dirt is what compaction would find in a partition, nearly: parts of runs are estimated.
type dirt struct {
	id           store.PartitionID
	with         store.Compaction
	clean, dirty int64 // bytes
	oldest       int64 // append time of the oldest dirty batch
	horizon      int64 // the first of the clean runs; 0: none
	unmoved      int64 // bytes of the journal that could be compacted were they moved
	unmovedFrom  int64 // append time of the oldest of them
	unmovedAll   int64 // bytes of the journal
}

// dirtOf looks at a partition. The caller holds mu.
func (s *Store) dirtOf(id store.PartitionID, now int64) dirt {
	h, _ := s.applied.Head(id)
	d := dirt{id: id, with: h.Compaction}
	p := s.idx.parts.Get(id)
	if p == nil {
		return d
	}
	old := now - h.Compaction.MinLagMillis
	for i := range p.runs {
		r := &p.runs[i]
		if r.clean {
			d.clean += r.bytes
			if r.horizon != 0 && (d.horizon == 0 || r.horizon < d.horizon) {
				d.horizon = r.horizon
			}
			continue
		}
		if n := r.ready(h.LastStable, old); n > 0 {
			if d.dirty == 0 {
				d.oldest = r.firstAppend
			}
			d.dirty += n
		}
	}
	if n := len(p.tail); n > 0 && p.tail[0].base < h.LastStable && p.tail[0].appendTime <= old {
		d.unmovedFrom, d.unmovedAll = p.tail[0].appendTime, p.tailBytes
		ready := 0
		for ready < n && p.tail[ready].base < h.LastStable && p.tail[ready].appendTime <= old {
			d.unmoved += int64(p.tail[ready].length)
			ready++
		}
	}
	return d
}

// ready estimates how many bytes of a run are before the last stable offset and old enough.
func (r *run) ready(stable store.Offset, old int64) int64 {
	if r.base >= stable || r.firstAppend > old {
		return 0
	}
	n := float64(r.bytes)
	if r.next > stable {
		n *= float64(stable-r.base) / float64(r.next-r.base)
	}
	if r.lastAppend > old {
		n *= float64(old-r.firstAppend+1) / float64(r.lastAppend-r.firstAppend+1)
	}
	return max(int64(n), 1)
}

// due tells whether so many dirty bytes, the oldest of that time, are to be compacted now.
//
// Source: LogCleanerManager.grabFilthiestCompactedLog of Apache Kafka 4.1.
func (d *dirt) due(dirty, oldest, now int64) bool {
	if dirty == 0 {
		return false
	}
	late := d.with.MaxLagMillis > 0 && now-oldest >= d.with.MaxLagMillis
	return late || d.ratio(dirty) > float64(d.with.DirtyMin)
}

// ratio is the dirty part in millionths.
func (d *dirt) ratio(dirty int64) float64 { return float64(dirty) / float64(d.clean+dirty) * 1e6 }

// rolls tells whether the newest batches are to be made ready: they are old or many enough, and would be compacted.
func (d *dirt) rolls(now int64) bool {
	w := &d.with
	age := now - d.unmovedFrom
	old := w.RollMillis > 0 && age >= w.RollMillis
	late := w.MaxLagMillis > 0 && age >= w.MaxLagMillis
	many := w.RollBytes > 0 && d.unmovedAll >= w.RollBytes
	if d.unmoved == 0 || !old && !late && !many {
		return false
	}
	oldest := d.unmovedFrom
	if d.dirty > 0 {
		oldest = d.oldest
	}
	return d.due(d.dirty+d.unmoved, oldest, now)
}

// look tells whether the journal should be moved for the sake of compacted partitions, now and then.
func (c *compactor) look() bool {
	s, now := c.s, c.s.Now()
	if now-c.rolled < rollEvery.Milliseconds() {
		return false
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, id := range s.applied.Compacted() {
		if d := s.dirtOf(id, now); d.rolls(now) {
			c.rolled = now
			return true
		}
	}
	return false
}

// choose returns the partition that is due and has the largest dirty part.
func (c *compactor) choose() (best store.PartitionID, ok bool) {
	s, now, most := c.s, c.s.Now(), -1.0
	c.rest.awake(now)
	c.gather.awake(now)
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, id := range s.applied.Compacted() {
		if c.rest[id] != 0 {
			continue
		}
		d := s.dirtOf(id, now)
		due := d.due(d.dirty, d.oldest, now) || d.horizon != 0 && d.horizon <= now && c.gather[id] == 0
		if due && d.ratio(d.dirty) > most {
			best, most, ok = id, d.ratio(d.dirty), true
		}
	}
	return best, ok
}

// compact runs one pass over a partition. It leaves the partition alone for a while afterwards: three times as long as the
// pass took, so that one takes at most a quarter of the time. After a pass for tombstones alone the next such comes later, so
// that more of them are gathered before what holds them is written again.
func (c *compactor) compact(id store.PartitionID) error {
	s := c.s
	start := s.Now()
	p := newPass(s, id)
	err := p.run()
	s.mu.Lock()
	s.claims.part = 0
	s.mu.Unlock()
	now := s.Now()
	rest := max(compactEvery, 3*time.Duration(now-start)*time.Millisecond)
	if p.from == p.end { // for tombstones and markers alone
		gather := min(time.Duration(p.with.DeleteMillis)*time.Millisecond/4, time.Hour)
		c.gather[id] = now + max(compactRest, gather).Milliseconds()
	}
	if p.partly && !p.cut && err == nil {
		rest = 0
	}
	c.rest[id] = now + rest.Milliseconds()
	if errors.Is(err, store.ErrNoPartition) || errors.Is(err, errMoved) {
		return nil // it was deleted or trimmed, or the mover has gathered some of its runs
	}
	return err
}

// claims keep mover and compactor from replacing the same runs. Store.mu guards them.
type claims struct {
	part   store.PartitionID // that is being compacted
	upTo   store.Offset      // end of its runs that are being written again
	moving map[store.PartitionID]store.Offset
}

// compacting is how many runs of a partition, the oldest ones, the mover has to leave alone.
func (c *claims) compacting(id store.PartitionID, x *partIndex) int {
	if c.part != id {
		return 0
	}
	n := 0
	for n < len(x.runs) && x.runs[n].next <= c.upTo {
		n++
	}
	return n
}

// move has the compactor leave a partition's runs from an offset on alone.
func (c *claims) move(id store.PartitionID, from store.Offset) {
	if c.moving == nil {
		c.moving = map[store.PartitionID]store.Offset{}
	}
	c.moving[id] = from
}

func (c *claims) moved() { c.moving = nil }

// free tells whether the mover is not about to replace a run.
func (c *claims) free(r *run) bool {
	from, ok := c.moving[r.part]
	return !ok || r.base < from
}

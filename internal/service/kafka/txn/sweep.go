package txn

import (
	"context"
	"errors"

	"millrace/internal/core/clock"
	"millrace/internal/core/store"
)

// The bounds of one sweep. What is left waits for the next: idle things are in no hurry.
const (
	sweepIDs       = 1000 // transactional ids, each in a commit of its own
	sweepProducers = 2000 // idempotent producers
	sweepSlice     = 100  // producers of one commit: the store looks into every partition for each
	sweepPage      = 1000 // partitions, and producers of a partition, that are looked at in one call
)

func (c *Coordinator) runSweeps() {
	var from []byte
	for clock.Sleep(c.ctx, c.opts.Clock, c.opts.SweepInterval) == nil {
		err := c.sweepIdle(c.ctx)
		var err2 error
		from, err2 = c.sweepIdempotent(c.ctx, from)
		if err := errors.Join(err, err2); err != nil && c.ctx.Err() == nil && !errors.Is(err, store.ErrStopped) {
			c.opts.Logger.Warn("idle producers cannot be forgotten now; it is tried again", "error", err)
		}
	}
}

// sweepIdle forgets transactional ids that were not used for Options.IDExpiration.
func (c *Coordinator) sweepIdle(ctx context.Context) error {
	before := c.opts.Store.Now() - c.opts.IDExpiration.Milliseconds()
	left := sweepIDs
	for _, s := range c.all() {
		r := s.snapshot()
		if open, _ := s.isOpen(); open || r.updated > before || r.producer == store.NoProducer {
			continue
		}
		if left--; left < 0 {
			return nil
		}
		if err := c.forgetIdle(ctx, s, before); err != nil {
			return err
		}
	}
	return nil
}

func (c *Coordinator) forgetIdle(ctx context.Context, s *session, before int64) error {
	if err := s.acquire(ctx); err != nil {
		return err
	}
	defer s.release()
	s.gate.Lock()
	defer s.gate.Unlock()
	gone := false
	_, err := c.opts.Store.Update(ctx, func(tx store.Tx) error {
		gone = false
		r, err := load(tx, s.id)
		if err != nil || r == nil || r.updated > before {
			return err
		}
		p, _, err := tx.Producer(r.producer)
		if err != nil || r.open(&p) || r.preparing() {
			return err
		}
		gone = true
		for _, id := range []store.ProducerID{r.producer, r.previous} {
			if err := forgetProducer(tx, id); err != nil {
				return err
			}
		}
		return tx.Delete(idKey(s.id))
	})
	switch {
	case err != nil:
		c.distrust(s)
	case gone:
		c.remember(s, &newSession(s.id).rec, true)
	}
	return err
}

func forgetProducer(tx store.Tx, id store.ProducerID) error {
	if _, ok, err := tx.Producer(id); !ok || err != nil {
		return err
	}
	return tx.DeleteProducer(id)
}

// sweepIdempotent looks at a page of idempotent producers that were last known to be in use before
// Options.ProducerExpiration, from a key on, and returns where the next page begins. Those that have appended since are
// noted with that time, the others forgotten.
func (c *Coordinator) sweepIdempotent(ctx context.Context, from []byte) (next []byte, err error) {
	lister, ok := c.opts.Store.(store.ProducerLister)
	if !ok {
		return nil, nil
	}
	before := c.opts.Store.Now() - c.opts.ProducerExpiration.Milliseconds()
	used := map[store.ProducerID]int64{}
	if next, err = c.candidates(ctx, from, before, used); err != nil || len(used) == 0 {
		return next, err
	}
	if err := c.lastUse(ctx, lister, used); err != nil {
		return from, err
	}
	ids := make([]store.ProducerID, 0, len(used))
	for id := range used {
		ids = append(ids, id)
	}
	for len(ids) > 0 {
		n := min(sweepSlice, len(ids))
		if err := c.noteOrForget(ctx, ids[:n], used, before); err != nil {
			return from, err
		}
		ids = ids[n:]
	}
	return next, nil
}

// candidates puts producers into used whose noted use is before a time.
func (c *Coordinator) candidates(ctx context.Context, from []byte, before int64, used map[store.ProducerID]int64) (next []byte, err error) {
	if from == nil {
		from = idempotentKey(0)
	}
	err = c.opts.Store.View(ctx, func(tx store.ReadTx) error {
		next = nil
		clear(used)
		kvs, err := tx.Scan(from, []byte{byte(store.FamilyKafkaTxn), kindIdempotent + 1}, sweepProducers, false)
		if err != nil {
			return err
		}
		for _, kv := range kvs {
			last, err := decodeIdempotent(kv.Value)
			if err == nil && len(kv.Key) != len(idempotentKey(0)) {
				err = errRecord
			}
			if err != nil {
				return corrupt(kv.Key, err)
			}
			if last <= before {
				used[producerOf(kv.Key)] = last
			}
		}
		if len(kvs) == sweepProducers {
			next = append(kvs[len(kvs)-1].Key, 0)
		}
		return nil
	})
	return next, err
}

func producerOf(k []byte) (id store.ProducerID) {
	for _, b := range k[2:] {
		id = id<<8 | store.ProducerID(b)
	}
	return id
}

// lastUse raises the times in used to those of the last appends, over all partitions.
func (c *Coordinator) lastUse(ctx context.Context, lister store.ProducerLister, used map[store.ProducerID]int64) error {
	for from := store.PartitionID(0); ; {
		ids, err := c.opts.Store.Partitions(ctx, from, sweepPage)
		if err != nil || len(ids) == 0 {
			return err
		}
		for _, id := range ids {
			if err := lastUseIn(ctx, lister, id, used); err != nil && !errors.Is(err, store.ErrNoPartition) {
				return err
			}
		}
		from = ids[len(ids)-1] + 1
	}
}

func lastUseIn(ctx context.Context, lister store.ProducerLister, id store.PartitionID, used map[store.ProducerID]int64) error {
	for from := store.ProducerID(0); ; {
		page, err := lister.PartitionProducers(ctx, id, from, sweepPage)
		if err != nil {
			return err
		}
		for _, p := range page {
			if last, ok := used[p.Producer]; ok {
				used[p.Producer] = max(last, p.LastAppend)
			}
		}
		if len(page) < sweepPage {
			return nil
		}
		from = page[len(page)-1].Producer + 1
	}
}

// noteOrForget settles a slice of producers in one commit. A producer that wakes after more than ProducerExpiration in
// just this moment is forgotten all the same, and revived with its next batch (Revive).
func (c *Coordinator) noteOrForget(ctx context.Context, ids []store.ProducerID, used map[store.ProducerID]int64, before int64) error {
	_, err := c.opts.Store.Update(ctx, func(tx store.Tx) error {
		for _, id := range ids {
			if last := used[id]; last > before {
				if err := tx.Set(idempotentKey(id), encodeIdempotent(last)); err != nil {
					return err
				}
				continue
			}
			if err := forgetProducer(tx, id); err != nil {
				return err
			}
			if err := tx.Delete(idempotentKey(id)); err != nil {
				return err
			}
		}
		return nil
	})
	return err
}

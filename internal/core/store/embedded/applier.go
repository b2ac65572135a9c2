package embedded

import (
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"millrace/internal/core/journal"
	"millrace/internal/core/store"
)

// apply is the applier: it makes groups visible in their order and answers.
func (s *Store) apply() {
	defer s.done.Done()
	for j := range s.jobs {
		s.settle(j)
		s.behind.Add(-1)
		if j.applied != nil {
			close(j.applied)
		}
	}
}

// settle makes a group visible and answers its requests. Whoever calls it does so for groups in their order.
func (s *Store) settle(j *job) {
	if j.group != nil {
		s.publish(j)
	}
	for i, r := range j.requests {
		if r != nil {
			r.answer(j.errs[i])
		}
	}
}

// publish makes one durable group visible to readers.
func (s *Store) publish(j *job) {
	g := j.group
	s.pubMu.Lock()
	if len(g.Keys) > 0 {
		s.applyKeys(g)
	}
	s.mu.Lock()
	s.applied.Apply(g)
	gone := s.indexGroup(j)
	s.visible.Store(g.Seq)
	s.mu.Unlock()
	s.pubMu.Unlock()
	s.mover.drop(gone)
	if len(g.Parts) > 0 && s.space.full() {
		s.mover.signal() // journal files may be free now
	}
	if !s.watch.empty() {
		s.mu.RLock()
		events := s.applied.Events(g)
		s.mu.RUnlock()
		s.watch.tell(events)
	}
	s.metrics.applied(g)
	j.free(s)
}

// applyKeys writes the key changes of a durable group to Pebble, with the group's number in the same batch.
func (s *Store) applyKeys(g *store.Group) {
	b := s.db.NewBatch()
	for i := range g.Keys {
		k := &g.Keys[i]
		var err error
		if k.Value == nil {
			err = b.Delete(k.Key, nil)
		} else {
			err = b.Set(k.Key, k.Value, nil)
		}
		if err != nil {
			s.fail(fmt.Errorf("build key batch: %w", err))
		}
	}
	if err := b.Set(keySequence, encodeSequence(g.Seq), nil); err != nil {
		s.fail(fmt.Errorf("build key batch: %w", err))
	}
	if err := s.db.Apply(b, pebble.NoSync); err != nil {
		s.fail(fmt.Errorf("apply keys of group %d: %w", g.Seq, err))
	}
	if err := b.Close(); err != nil {
		s.fail(fmt.Errorf("close key batch: %w", err))
	}
	s.gate.wrote(s.db, g.Bytes)
}

// indexGroup adds a group's batches to the index and takes out what was trimmed or deleted; runs
// that nobody needs any more are returned. The caller holds mu.
func (s *Store) indexGroup(j *job) (gone []run) {
	g := j.group
	s.idx.warm(g.Appends)
	deletes := slices.ContainsFunc(g.Parts, func(c store.PartitionChange) bool { return c.Kind == store.PartitionDelete })
	for i := range g.Appends {
		a := &g.Appends[i]
		ok := true
		if deletes { // else a partition that is appended to is there
			_, ok = s.applied.Head(a.Partition)
		}
		if ok {
			s.idx.add(a.Partition, newEntry(a, &j.stored[i], j), &j.stored[i])
		}
	}
	for i := range g.Parts {
		c := &g.Parts[i]
		switch c.Kind {
		case store.PartitionTrim:
			h, _ := s.applied.Head(c.Partition)
			gone = append(gone, s.idx.trim(c.Partition, h.Start)...)
		case store.PartitionDelete:
			gone = append(gone, s.idx.remove(c.Partition)...)
		case store.PartitionCreate, store.PartitionClose, store.PartitionEpoch, store.PartitionRetention,
			store.PartitionCompaction, store.PartitionForget:
		}
	}
	return gone
}

func newEntry(a *store.Append, st *journal.Stored, j *job) entry {
	e := entry{
		base:       a.Base,
		count:      a.Count,
		appendTime: a.AppendTime,
		maxTime:    a.MaxTimestamp,
		chunk:      j.chunk,
		file:       j.file.number(),
		pos:        uint32(st.Pos),
		length:     st.Len,
		crc:        st.CRC,
		encoding:   st.Encoding,
	}
	if j.chunk != 0 {
		e.at = uint32(int64(j.chunkAt) + st.Pos - j.pos)
	}
	return e
}

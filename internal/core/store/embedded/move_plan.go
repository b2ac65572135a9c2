package embedded

import (
	"cmp"
	"errors"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"millrace/internal/core/fault"
	"millrace/internal/core/journal"
	"millrace/internal/core/segment"
	"millrace/internal/core/store"
)

// movePlan is one round: what it takes, and what it makes of it.
type movePlan struct {
	m       *mover
	files   []*journalFile
	dropped []run

	made     []run // new runs
	replaced []run // small segments that made ones contain
	isAdopt  bool
	applied  bool // Pebble has it, though perhaps not on disk
}

// entries reads the directories of a file, by partition; what no partition needs is left out.
func (p *movePlan) entries(f *journalFile, into map[store.PartitionID][]segment.Entry) error {
	s := p.m.s
	return f.eachBatch(func(a *store.Append, st *journal.Stored) {
		s.mu.RLock()
		defer s.mu.RUnlock()
		if h, ok := s.applied.Head(a.Partition); ok && a.Next() > h.Start {
			into[a.Partition] = append(into[a.Partition], segmentEntry(a, st))
		}
	})
}

// eachBatch calls fn for each batch of a file that is not written any more.
//
// Errors: *store.CorruptError; those of reading.
func (f *journalFile) eachBatch(fn func(*store.Append, *journal.Stored)) error {
	used := f.used.Load()
	end, err := journal.WalkBatches(f.once(), f.name, f.header, used, func(a *store.Append, st *journal.Stored) error {
		fn(a, st)
		return nil
	})
	if err == nil && end.Pos != used {
		err = &store.CorruptError{File: f.name, Offset: end.Pos, Reason: "a group that was written is not whole"}
	}
	return err
}

func segmentEntry(a *store.Append, st *journal.Stored) segment.Entry {
	return segment.Entry{
		Base: int64(a.Base), Count: a.Count, AppendTime: a.AppendTime, MaxTimestamp: a.MaxTimestamp,
		Attributes: a.Attributes, Marker: uint8(a.Marker), LeaderEpoch: a.LeaderEpoch,
		ProducerID: int64(a.Producer), ProducerEpoch: a.ProducerEpoch, BaseSequence: a.Sequence,
		Encoding: segment.Encoding(st.Encoding), StoredLen: st.Len, PlainLen: st.PlainLen, CRC: st.CRC,
		KeyID: st.KeyID, Nonce: st.Nonce, Pos: st.Pos,
	}
}

func runOf(id store.PartitionID, in segment.Info, file fileID) run {
	return run{
		part: id, base: store.Offset(in.Base), next: store.Offset(in.Next), bytes: in.Bytes, batches: in.Entries,
		firstAppend: in.FirstAppend, lastAppend: in.LastAppend, maxTime: in.MaxTimestamp, file: file,
	}
}

// adopt leaves a file where it is and writes an index beside it.
func (p *movePlan) adopt() error {
	s, f := p.m.s, p.files[0]
	byPart := map[store.PartitionID][]segment.Entry{}
	if err := p.entries(f, byPart); err != nil {
		return err
	}
	if len(byPart) == 0 {
		return nil // nobody needs it: it can be used again
	}
	if f.batchBytes.Load()/int64(len(byPart)) < min(adoptRunBytes, s.opts.JournalFileBytes/16) {
		f.keepOut.Store(true)
		p.files = nil // a later round moves it
		return nil
	}
	p.isAdopt = true
	runs := make(map[uint64][]segment.Entry, len(byPart))
	for id, entries := range byPart {
		runs[uint64(id)] = entries
	}
	if err := segment.WriteSidecar(s.opts.FS, s.sidecarPath(f.id), f.id, runs); err != nil {
		return err
	}
	side, err := segment.OpenSidecar(s.opts.FS, s.sidecarPath(f.id), segment.ReaderOptions{})
	if err != nil {
		return err
	}
	for _, in := range side.Partitions() {
		p.made = append(p.made, runOf(store.PartitionID(in.Partition), in, fileID{fileJournal, f.id}))
	}
	return errors.Join(side.Close(), syncDir(s.opts.FS, s.path(journalDir)))
}

// move writes the batches of the files into runs, together with the partitions' last small ones where there are enough.
func (p *movePlan) move() (err error) {
	s := p.m.s
	g := &gathering{}
	defer func() { err = errors.Join(err, g.end()) }()
	var batches int64
	for _, f := range p.files {
		batches += f.batches.Load()
	}
	g.batches = make([]gathered, 0, batches)
	for _, f := range p.files {
		if err := errors.Join(p.m.ctx.Err(), g.take(s, f)); err != nil {
			return err
		}
	}
	g.sort()
	out := &runFiles{p: p}
	defer func() { err = withAbort(err, out) }()
	var last *partRound
	err = g.passes(s.opts.MoveBufferBytes, func(part *partRound, e *segment.Entry, stored []byte, file string) error {
		if part != last {
			last = part
			if err := p.extend(part, out); err != nil {
				return err
			}
		}
		return out.add(file, e, stored)
	})
	if err != nil {
		return err
	}
	return out.finish()
}

func withAbort(err error, out *runFiles) error {
	if err == nil {
		return nil
	}
	return errors.Join(err, out.abort())
}

// extend begins a partition's run, with its last small ones.
func (p *movePlan) extend(part *partRound, out *runFiles) error {
	s := p.m.s
	s.mu.Lock()
	var small []run
	total := part.bytes
	if x := s.idx.parts.Get(part.id); x != nil {
		small, total = merged(x.runs[s.claims.compacting(part.id, x):], part.bytes)
		small = slices.Clone(small)
	}
	if len(small) > 0 {
		s.claims.move(part.id, small[0].base)
	}
	h, _ := s.applied.Head(part.id)
	s.mu.Unlock()
	if err := out.begin(part.id, total); err != nil {
		return err
	}
	for i := range small {
		if err := out.again(&small[i], h.Start); err != nil {
			return err
		}
	}
	p.replaced = append(p.replaced, small...)
	return nil
}

func compareRuns(a, b run) int {
	return cmp.Or(cmp.Compare(a.part, b.part), cmp.Compare(a.base, b.base))
}

// commit makes the round durable in Pebble, and only then shows it to readers and gives the files free.
func (p *movePlan) commit() error {
	m, s := p.m, p.m.s
	b := s.db.NewBatch()
	defer func() { _ = b.Close() }() // applied or not needed
	for i := range p.made {
		r := &p.made[i]
		if err := b.Set(r.key(), r.encode(), nil); err != nil {
			return err
		}
	}
	for _, gone := range [][]run{p.replaced, p.dropped} {
		for i := range gone {
			if err := b.Delete(gone[i].key(), nil); err != nil {
				return err
			}
		}
	}
	check, parts, prods, err := m.checkpoint(b, p.files)
	if err != nil {
		return err
	}
	if err := s.db.Apply(b, pebble.NoSync); err != nil {
		return err
	}
	p.applied = true
	if !s.opts.Faults.On(fault.RecycleEarly) {
		if err := s.flush(); err != nil {
			return err
		}
	}
	m.last, m.parts, m.prods = check, parts, prods
	p.show()
	return nil
}

// show swaps entries for runs, and frees what is not needed any more.
func (p *movePlan) show() {
	m, s := p.m, p.m.s
	gone := append([]run(nil), p.dropped...)
	s.mu.Lock()
	for id := range s.idx.parts.All() {
		for _, f := range p.files {
			s.idx.dropFile(id, f.number())
		}
	}
	for i := range p.replaced {
		if r := &p.replaced[i]; s.idx.dropRun(r) {
			gone = append(gone, *r)
		}
	}
	var late []run // trimmed or deleted since the round began
	for _, r := range p.made {
		m.use(&r)
		if h, ok := s.applied.Head(r.part); ok && r.next > h.Start {
			s.idx.part(r.part).addRun(r)
		} else {
			late = append(late, r)
		}
	}
	s.files = append([]*journalFile(nil), s.files[len(p.files):]...)
	s.mu.Unlock()
	m.free(gone)
	m.drop(late)
	for _, f := range p.files {
		if p.isAdopt {
			f.onFree = func(f *journalFile) {
				if err := f.close(); err != nil {
					s.log.Warn("close journal file", "error", err)
				}
			}
			s.metrics.adopted.Add(1)
		} else {
			s.metrics.moved.Add(1)
		}
		f.release()
	}
	if len(p.files) > 0 {
		s.space.setBulk(p.isAdopt)
	}
}

// free deletes the files that the last run has gone from.
func (m *mover) free(gone []run) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range gone {
		u := m.uses[r.file]
		if u == nil {
			continue
		}
		u.live -= r.bytes
		if u.runs--; u.runs <= 0 {
			delete(m.uses, r.file)
			m.s.segments.remove(r.file)
		}
	}
}

// use counts a run that a file has.
func (m *mover) use(r *run) {
	m.mu.Lock()
	defer m.mu.Unlock()
	u := m.uses[r.file]
	if u == nil {
		u = &fileUse{}
		m.uses[r.file] = u
	}
	u.runs++
	u.live += r.bytes
	u.size = max(u.size, u.live)
}

// newFile names a file of runs that was never there.
func (m *mover) newFile(kind fileKind) fileID { return fileID{kind, m.nextSeg.Add(1)} }

// unclaim ends what the round has kept compaction from.
func (p *movePlan) unclaim() {
	p.m.s.mu.Lock()
	defer p.m.s.mu.Unlock()
	p.m.s.claims.moved()
}

// undo removes files that were made for a round that failed.
func (p *movePlan) undo() {
	done := map[fileID]bool{}
	for i := range p.made {
		file := p.made[i].file
		if done[file] {
			continue
		}
		done[file] = true
		path := p.m.s.sealedPath(file)
		if file.kind == fileJournal {
			path = p.m.s.sidecarPath(file.id) // the file itself is still the journal's
		}
		if err := p.m.s.opts.FS.Remove(path); err != nil {
			p.m.s.log.Warn("remove unfinished file; the next start tries again", "path", path, "error", err)
		}
	}
}

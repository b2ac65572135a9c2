package embedded

import (
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
	_, err := journal.Walk(f.file, f.name, f.header, f.used.Load(), 0, func(g *journal.Group) error {
		s.mu.RLock()
		defer s.mu.RUnlock()
		for i := range g.Data.Appends {
			a, st := &g.Data.Appends[i], &g.Stored[i]
			if h, ok := s.applied.Head(a.Partition); ok && a.Next() > h.Start {
				into[a.Partition] = append(into[a.Partition], segmentEntry(a, st))
			}
		}
		return nil
	})
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

// move writes each partition's batches into a segment.
func (p *movePlan) move() error {
	s := p.m.s
	perFile := make([]map[store.PartitionID][]segment.Entry, len(p.files))
	parts := map[store.PartitionID]bool{}
	for i, f := range p.files {
		perFile[i] = map[store.PartitionID][]segment.Entry{}
		if err := p.entries(f, perFile[i]); err != nil {
			return err
		}
		for id := range perFile[i] {
			parts[id] = true
		}
	}
	for id := range parts {
		if err := p.m.ctx.Err(); err != nil {
			return err
		}
		if err := p.movePartition(id, perFile); err != nil {
			return err
		}
	}
	return syncDir(s.opts.FS, s.path(segmentsDir))
}

func (p *movePlan) movePartition(id store.PartitionID, perFile []map[store.PartitionID][]segment.Entry) (err error) {
	s := p.m.s
	file := p.m.newSegment()
	w, err := segment.Create(s.opts.FS, s.segmentPath(file.id), uint64(id), segment.WriterOptions{})
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.Abort())
		}
	}()
	var buf []byte
	var added int64
	for i := range perFile {
		for _, e := range perFile[i][id] {
			added += int64(e.StoredLen)
		}
	}
	if buf, err = p.extend(id, w, buf, added); err != nil {
		return err
	}
	for i, f := range p.files {
		for _, e := range perFile[i][id] {
			if buf, err = segment.ReadStored(f.file, f.name, e, buf[:0]); err != nil {
				return corrupt(err)
			}
			if err = w.Add(e, buf); err != nil {
				return corrupt(err)
			}
		}
	}
	in, err := w.Finish()
	if err != nil {
		return err
	}
	p.made = append(p.made, runOf(id, in, file))
	return nil
}

// extend writes the partition's last small segments again.
func (p *movePlan) extend(id store.PartitionID, w *segment.Writer, buf []byte, added int64) ([]byte, error) {
	s := p.m.s
	s.mu.Lock()
	var small []run
	var start store.Offset
	if x := s.idx.parts[id]; x != nil {
		small = slices.Clone(extended(x.runs[s.claims.compacting(id, x):], added))
	}
	if len(small) > 0 {
		s.claims.move(id, small[0].base)
	}
	if h, ok := s.applied.Head(id); ok {
		start = h.Start
	}
	s.mu.Unlock()
	for _, r := range small {
		var err error
		if buf, err = p.again(r, start, w, buf); err != nil {
			return buf, err
		}
	}
	p.replaced = append(p.replaced, small...)
	return buf, nil
}

// extended are the last runs of a partition that are written again together with added bytes: small segments, each no
// larger than what follows it, or tiny. So a byte is written again about once for each time that its segment doubles,
// and not in each round, and a partition has few small segments at any time. What compaction has written is left to it.
func extended(runs []run, added int64) []run {
	from := len(runs)
	for from > 0 {
		r := &runs[from-1]
		if r.file.kind != fileSegment || r.clean || r.bytes >= smallSegment || r.bytes > max(added, tinySegment) {
			break
		}
		added += r.bytes
		from--
	}
	return runs[from:]
}

// again writes the batches of a segment from an offset on.
func (p *movePlan) again(r run, start store.Offset, w *segment.Writer, buf []byte) ([]byte, error) {
	f, err := p.m.s.segments.get(r.file)
	if err != nil {
		return buf, err
	}
	defer p.m.s.segments.release(f)
	cursor := f.seg.Find(int64(start))
	for e, ok := cursor.Next(); ok; e, ok = cursor.Next() {
		if buf, err = f.seg.ReadStored(e, buf[:0]); err != nil {
			return buf, corrupt(err)
		}
		if err := w.Add(e, buf); err != nil {
			return buf, corrupt(err)
		}
	}
	return buf, corrupt(cursor.Err())
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
	replaced := map[fileID]bool{}
	for _, r := range p.replaced {
		replaced[r.file] = true
	}
	for id, x := range s.idx.parts {
		for _, f := range p.files {
			s.idx.dropFile(id, f.number())
		}
		for i := 0; i < len(x.runs); i++ {
			if replaced[x.runs[i].file] {
				gone = append(gone, x.runs[i])
				x.runs = append(x.runs[:i:i], x.runs[i+1:]...)
				i--
			}
		}
	}
	var late []run // trimmed or deleted since the round began
	for _, r := range p.made {
		m.use(r.file)
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
	s.space.setBulk(p.isAdopt)
}

// free deletes the files that the last run has gone from.
func (m *mover) free(gone []run) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range gone {
		if m.uses[r.file]--; m.uses[r.file] <= 0 {
			delete(m.uses, r.file)
			m.s.segments.remove(r.file)
		}
	}
}

// use counts one more run in a file.
func (m *mover) use(file fileID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.uses[file]++
}

// newSegment names a segment that was never there.
func (m *mover) newSegment() fileID { return fileID{fileSegment, m.nextSeg.Add(1)} }

// unclaim ends what the round has kept compaction from.
func (p *movePlan) unclaim() {
	p.m.s.mu.Lock()
	defer p.m.s.mu.Unlock()
	p.m.s.claims.moved()
}

// undo removes files that were made for a round that failed.
func (p *movePlan) undo() {
	for _, r := range p.made {
		fs, path := p.m.s.opts.FS, p.m.s.segmentPath(r.file.id)
		if r.file.kind == fileJournal {
			path = p.m.s.sidecarPath(r.file.id)
		}
		if err := fs.Remove(path); err != nil {
			p.m.s.log.Warn("remove unfinished file; the next start tries again", "path", path, "error", err)
		}
		if r.file.kind == fileJournal {
			return // one for all runs
		}
	}
}

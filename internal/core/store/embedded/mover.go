package embedded

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"millrace/internal/core/clock"
	"millrace/internal/core/fault"
	"millrace/internal/core/journal"
	"millrace/internal/core/segment"
	"millrace/internal/core/store"
)

const (
	// smallSegment: a partition's last segment under this is written again together with what follows, so
	// that a partition of few records does not become thousands of files.
	smallSegment = 1 << 20
	// moveAtOnce bounds what one round takes out of the journal, and so the memory for its entries.
	moveAtOnce = 256 << 20
	// retryMove is how long the mover waits after an error.
	retryMove = time.Second
	// adoptRunBytes is the mean size of a partition's part from which on a file is adopted: each part is a run,
	// some 100 bytes of memory, so that a terabyte of them stays under 500 MB.
	adoptRunBytes = 256 << 10
	// retentionEvery is how often partitions are trimmed by age and size.
	retentionEvery = 10 * time.Second
)

// mover takes batches out of the journal into sealed files, so that journal files can be used again, and
// deletes what is trimmed. It is one goroutine; drop, signal and wait are for others.
type mover struct {
	s    *Store
	wake chan struct{}
	quit context.CancelFunc
	ctx  context.Context

	mu      sync.Mutex
	dropped []run         // trimmed or deleted: files and keys to remove
	err     error         // of the last round
	round   chan struct{} // closed and renewed after each round

	uses    map[fileID]int // runs in each sealed file
	nextSeg uint64
	last    checkpoint
	parts   map[store.PartitionID]bool // that have a state in Pebble
	prods   map[store.ProducerID]bool
}

func newMover(s *Store) *mover {
	m := &mover{
		s: s, wake: make(chan struct{}, 1), round: make(chan struct{}), uses: map[fileID]int{},
		parts: map[store.PartitionID]bool{}, prods: map[store.ProducerID]bool{},
	}
	m.ctx, m.quit = context.WithCancel(context.Background())
	return m
}

func (m *mover) signal() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// drop takes runs that nobody reads any more.
func (m *mover) drop(gone []run) {
	if len(gone) == 0 {
		return
	}
	m.mu.Lock()
	m.dropped = append(m.dropped, gone...)
	m.mu.Unlock()
	m.signal()
}

// wait holds writers while too much of the journal is not moved.
func (m *mover) wait() error {
	for {
		m.mu.Lock()
		round, err := m.round, m.err
		m.mu.Unlock()
		if !m.over() {
			return nil
		}
		if err != nil {
			return store.ErrFull
		}
		m.signal()
		select {
		case <-round:
		case <-m.ctx.Done():
			return nil
		}
	}
}

func (m *mover) over() bool {
	s := m.s
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.files) > 1 && (s.unmoved() > s.opts.MaxUnmovedBytes || s.idx.entries > s.opts.MaxUnmovedEntries)
}

// unmoved is the bytes in journal files. The caller holds mu.
func (s *Store) unmoved() int64 {
	var n int64
	for _, f := range s.files {
		n += f.used.Load()
	}
	return n
}

func (m *mover) start() {
	m.s.done.Add(2)
	go m.run()
	go m.retain()
}

func (m *mover) stop() { m.quit() }

func (m *mover) run() {
	defer m.s.done.Done()
	for {
		select {
		case <-m.wake:
		case <-m.ctx.Done():
			return
		}
		for m.ctx.Err() == nil {
			more, err := m.once()
			m.mu.Lock()
			if err != nil && m.err == nil {
				m.s.log.Error("cannot move the journal into segments; trying again", "error", err)
			}
			m.err = err
			close(m.round)
			m.round = make(chan struct{})
			m.mu.Unlock()
			if err != nil {
				m.s.space.giveBallast()
				if clock.Sleep(m.ctx, m.s.opts.Clock, retryMove) != nil {
					return
				}
				continue
			}
			if !more {
				m.s.space.keepBallast()
				break
			}
		}
	}
}

// retain trims by age and size from time to time.
func (m *mover) retain() {
	defer m.s.done.Done()
	store.RunRetention(m.ctx, m.s, m.s.opts.Clock, retentionEvery, func(_ int, err error) {
		if err != nil {
			m.s.log.Warn("cannot apply retention; trying again", "error", err)
		}
	})
}

// once does one piece of work and tells whether there is more.
func (m *mover) once() (more bool, err error) {
	m.mu.Lock()
	dropped := m.dropped
	m.dropped = nil
	m.mu.Unlock()
	adopt, files := m.choose()
	if len(files) == 0 && len(dropped) == 0 {
		return false, nil
	}
	plan := &movePlan{m: m, dropped: dropped, files: files}
	if adopt {
		err = plan.adopt()
	} else if len(files) > 0 {
		err = plan.move()
	}
	if err == nil {
		err = plan.commit()
	}
	if err != nil {
		plan.undo()
		m.mu.Lock()
		m.dropped = append(dropped, m.dropped...)
		m.mu.Unlock()
		return false, err
	}
	return len(plan.files) > 0 || adopt, nil
}

// choose picks the oldest files: one to adopt, or several to move once there is enough.
func (m *mover) choose() (adopt bool, files []*journalFile) {
	s := m.s
	s.mu.RLock()
	defer s.mu.RUnlock()
	if len(s.files) < 2 {
		return false, nil
	}
	if m.adoptable(s.files[0]) {
		return true, s.files[:1:1]
	}
	if s.unmoved() <= s.opts.MoveAfterBytes && s.idx.entries <= s.opts.MaxUnmovedEntries/2 {
		return false, nil
	}
	var bytes int64
	for _, f := range s.files[:len(s.files)-1] {
		if m.adoptable(f) || bytes > moveAtOnce {
			break
		}
		bytes += f.used.Load()
		files = append(files, f)
	}
	return false, files
}

// adoptable tells whether a file is mostly long runs: then it stays where it is.
func (m *mover) adoptable(f *journalFile) bool {
	n, bytes := f.batches.Load(), f.batchBytes.Load()
	return !f.keepOut.Load() && n > 0 && bytes/n >= m.s.opts.AdoptBatchBytes && bytes*2 >= f.used.Load()
}

// movePlan is one round: what it takes, and what it makes of it.
type movePlan struct {
	m       *mover
	files   []*journalFile
	dropped []run

	made     []run // new runs
	replaced []run // small segments that made ones contain
	isAdopt  bool
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
	p.m.nextSeg++
	file := fileID{fileSegment, p.m.nextSeg}
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
	if buf, err = p.extend(id, w, buf); err != nil {
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

// extend writes the partition's last segment again when it is small.
func (p *movePlan) extend(id store.PartitionID, w *segment.Writer, buf []byte) ([]byte, error) {
	s := p.m.s
	s.mu.RLock()
	var last run
	var start store.Offset
	if x := s.idx.parts[id]; x != nil && len(x.runs) > 0 {
		last = x.runs[len(x.runs)-1]
	}
	if h, ok := s.applied.Head(id); ok {
		start = h.Start
	}
	s.mu.RUnlock()
	if last.file.kind != fileSegment || last.bytes >= smallSegment {
		return buf, nil
	}
	f, err := s.segments.get(last.file)
	if err != nil {
		return buf, err
	}
	defer s.segments.release(f)
	cursor := f.seg.Find(int64(start))
	for e, ok := cursor.Next(); ok; e, ok = cursor.Next() {
		if buf, err = f.seg.ReadStored(e, buf[:0]); err != nil {
			return buf, corrupt(err)
		}
		if err := w.Add(e, buf); err != nil {
			return buf, corrupt(err)
		}
	}
	p.replaced = append(p.replaced, last)
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
	if !s.opts.Faults.On(fault.RecycleEarly) {
		if err := s.flush(); err != nil {
			return err
		}
	}
	m.last, m.parts, m.prods = check, parts, prods
	p.show()
	return nil
}

// checkpoint adds the states of all partitions and producers that have changed to b.
func (m *mover) checkpoint(b *pebble.Batch, files []*journalFile) (checkpoint, map[store.PartitionID]bool, map[store.ProducerID]bool, error) {
	s := m.s
	s.mu.RLock()
	defer s.mu.RUnlock()
	st := s.applied
	c := checkpoint{state: st.Sequence(), moved: m.last.moved, file: m.last.file, time: max(st.Time(), s.now.Load()), last: st.LastPartitionID()}
	for _, f := range files {
		c.moved, c.file = max(c.moved, f.lastSeq.Load()), f.header.Seq+1
	}
	var buf []byte
	parts, prods := map[store.PartitionID]bool{}, map[store.ProducerID]bool{}
	for _, id := range st.Partitions(0, math.MaxInt) {
		parts[id] = true
		if m.parts[id] && !st.HeadChangedSince(id, store.FieldAll, m.last.state) {
			continue
		}
		buf, _ = st.AppendPartitionState(buf[:0], id)
		if err := b.Set(numberKey(tagPartition, uint64(id)), buf, nil); err != nil {
			return c, nil, nil, err
		}
	}
	for _, id := range st.Producers() {
		prods[id] = true
		if m.prods[id] && !st.ProducerChangedSince(id, m.last.state) {
			continue
		}
		buf, _ = st.AppendProducerState(buf[:0], id)
		if err := b.Set(numberKey(tagProducer, uint64(id)), buf, nil); err != nil {
			return c, nil, nil, err
		}
	}
	for id := range m.parts {
		if !parts[id] {
			if err := b.Delete(numberKey(tagPartition, uint64(id)), nil); err != nil {
				return c, nil, nil, err
			}
		}
	}
	for id := range m.prods {
		if !prods[id] {
			if err := b.Delete(numberKey(tagProducer, uint64(id)), nil); err != nil {
				return c, nil, nil, err
			}
		}
	}
	return c, parts, prods, b.Set(keyCheckpoint, c.encode(), nil)
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
		m.uses[r.file]++
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
	for _, r := range gone {
		if m.uses[r.file]--; m.uses[r.file] <= 0 {
			delete(m.uses, r.file)
			m.s.segments.remove(r.file)
		}
	}
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

// recovered begins the mover's books after recovery, and removes files that no run points to.
func (m *mover) recovered(check checkpoint) error {
	s := m.s
	m.last = check
	for _, x := range s.idx.parts {
		for i := range x.runs {
			m.uses[x.runs[i].file]++
		}
	}
	for _, r := range m.dropped {
		m.uses[r.file]++
	}
	if err := eachKey(s.db, tagPartition, func(key, _ []byte) error {
		m.parts[store.PartitionID(sequenceOf(key[2:]))] = true
		return nil
	}); err != nil {
		return err
	}
	if err := eachKey(s.db, tagProducer, func(key, _ []byte) error {
		m.prods[store.ProducerID(sequenceOf(key[2:]))] = true
		return nil
	}); err != nil {
		return err
	}
	return errors.Join(m.removeOrphans(segmentsDir, ".seg", fileSegment), m.removeOrphans(journalDir, ".idx", fileJournal))
}

func (m *mover) removeOrphans(dir, suffix string, kind fileKind) error {
	s := m.s
	names, err := s.opts.FS.List(s.path(dir))
	if err != nil {
		return err
	}
	for _, name := range names {
		id, ok := parseName(name, suffix)
		if !ok {
			continue
		}
		if kind == fileSegment {
			m.nextSeg = max(m.nextSeg, id)
		}
		if m.uses[fileID{kind, id}] == 0 {
			if err := s.opts.FS.Remove(s.path(dir, name)); err != nil {
				return fmt.Errorf("remove %s, which nothing points to: %w", name, err)
			}
		}
	}
	return nil
}

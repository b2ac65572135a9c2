package embedded

import (
	"errors"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"millrace/internal/core/fault"
	"millrace/internal/core/journal"
	"millrace/internal/core/store"
)

// recovery brings the folder's parts together: the checkpoint and runs in Pebble, then the journal's groups by
// number on top of each of them.
type recovery struct {
	s     *Store
	check checkpoint
	keys  uint64 // sequence of the last group whose keys Pebble has

	last   *journal.Group // the last whole group
	clean  bool           // the last group is the mark of a clean stop
	expect uint64         // the number that the next group has; 0 before the first

	// held is the last group, not yet applied: it is only when the next one is read that it is known to be
	// whole with its batches.
	held     *journal.Group
	heldFile *journalFile
}

func (s *Store) recover() error {
	r := &recovery{s: s}
	used, err := checkLevel(s.db)
	if err := errors.Join(err, checkFamilies(s.db)); err != nil {
		return err
	}
	if err := r.load(); err != nil {
		return err
	}
	files, err := s.findJournals()
	if err != nil {
		return err
	}
	if used && len(files) == 0 { // the first file is there before the level is
		return &store.CorruptError{File: s.path(journalDir), Reason: "there is no journal file, but the keys were used"}
	}
	if !used {
		if err := setLevel(s.db); err != nil {
			return err
		}
	}
	if err := r.replay(files); err != nil {
		return err
	}
	if err := r.verify(); err != nil {
		return err
	}
	r.settle()
	if err := s.mover.recovered(r.check); err != nil {
		return err
	}
	return r.activate()
}

// load reads what Pebble has of partitions and producers.
func (r *recovery) load() error {
	s := r.s
	v, ok, err := get(s.db, keySequence)
	if err != nil {
		return err
	}
	if ok && len(v) != 8 {
		return &store.CorruptError{File: "keys", Reason: "the sequence is not a number"}
	}
	if ok {
		r.keys = sequenceOf(v)
	}
	if v, ok, err = get(s.db, keyCheckpoint); err != nil || !ok {
		return err
	}
	if r.check, err = decodeCheckpoint(v); err != nil {
		return &store.CorruptError{File: "keys", Reason: err.Error()}
	}
	s.applied.Restore(r.check.state, r.check.time, r.check.last)
	if err := eachKey(s.db, tagProducer, func(key, value []byte) error {
		return s.applied.RestoreProducer(store.ProducerID(sequenceOf(key[2:])), value)
	}); err != nil {
		return err
	}
	if err := eachKey(s.db, tagPartition, func(key, value []byte) error {
		return s.applied.RestorePartition(store.PartitionID(sequenceOf(key[2:])), value)
	}); err != nil {
		return err
	}
	return eachKey(s.db, tagRun, func(key, value []byte) error {
		run, err := decodeRun(key, value)
		if err == nil {
			p := s.idx.part(run.part)
			p.runs = append(p.runs, run)
		}
		return err
	})
}

func sequenceOf(b []byte) uint64 {
	var n uint64
	for _, c := range b[:8] {
		n = n<<8 | uint64(c)
	}
	return n
}

// eachKey calls fn for each of the driver's keys with a tag; keys are at least 10 bytes.
func eachKey(db *pebble.DB, tag byte, fn func(key, value []byte) error) (err error) {
	f := byte(store.FamilyDriver)
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: []byte{f, tag}, UpperBound: []byte{f, tag + 1}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	for ok := it.First(); ok; ok = it.Next() {
		if len(it.Key()) < 10 {
			return &store.CorruptError{File: "keys", Reason: fmt.Sprintf("driver key %x is too short", it.Key())}
		}
		if err := fn(it.Key(), it.Value()); err != nil {
			return &store.CorruptError{File: "keys", Reason: fmt.Sprintf("driver key %x: %v", it.Key(), err)}
		}
	}
	return keyError(it.Error())
}

// findJournals opens the journal files that have a file page, in order. Those that runs point to are left to
// the readers, those without a page were prepared and are kept for later.
func (s *Store) findJournals() (files []*journalFile, err error) {
	fs, dir := s.opts.FS, s.path(journalDir)
	names, err := fs.List(dir)
	if err != nil {
		return nil, err
	}
	adopted := s.idx.files(fileJournal)
	for _, name := range names {
		id, ok := parseName(name, ".log")
		if !ok {
			continue
		}
		s.space.nextID = max(s.space.nextID, id)
		if adopted[id] {
			continue
		}
		f, err := s.openJournal(fs.PathJoin(dir, name), id)
		if err != nil {
			return files, err
		}
		if f != nil {
			files = append(files, f)
			s.space.nextSeq = max(s.space.nextSeq, f.header.Seq)
		}
	}
	slices.SortFunc(files, func(a, b *journalFile) int {
		if a.header.Seq < b.header.Seq {
			return -1
		}
		return 1
	})
	return files, nil
}

func (s *Store) openJournal(name string, id uint64) (*journalFile, error) {
	fs := s.opts.FS
	file, err := fs.OpenReadWrite(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		return nil, err
	}
	header, err := journal.ReadFileHeader(file)
	unused := errors.Is(err, journal.ErrNotJournal)
	if err != nil && !unused {
		return nil, errors.Join(fmt.Errorf("%s: %w", name, err), file.Close())
	}
	info, err := file.Stat()
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	f := &journalFile{name: name, id: id, file: file, header: header, size: max(header.Size, info.Size()), end: journal.PageSize, onFree: s.space.recycle}
	f.refs.Store(1)
	f.openDirect(fs)
	if unused { // it was being prepared
		s.space.recycle(f)
		return nil, nil
	}
	return f, nil
}

// replay walks all files. Those whose batches are all in runs are free to be used again.
func (r *recovery) replay(files []*journalFile) error {
	for len(files) > 0 && files[0].header.Seq < r.check.file {
		r.s.space.recycle(files[0]) // moved; it may hold groups of an earlier use
		files = files[1:]
	}
	files, err := r.dropSuperseded(files)
	if err != nil {
		return err
	}
	for i, f := range files {
		info, err := f.file.Stat()
		if err != nil {
			return err
		}
		end, err := journal.Walk(f.file, f.name, f.header, info.Size(), 0, func(g *journal.Group) error { return r.group(f, g) })
		if err != nil {
			return err
		}
		f.end = end.Pos
		f.used.Store(end.Pos)
		last := i == len(files)-1
		if end.Torn && !last && r.followed(files[i+1:]) {
			return &store.CorruptError{File: f.name, Offset: end.Pos, Reason: "a group is not whole, but later files go on"}
		}
		if end.Torn {
			if err := r.saveTorn(f, end.Pos); err != nil {
				return err
			}
			if r.s.opts.Faults.On(fault.DropGroupBesideTorn) && r.held != nil {
				r.cut()
			}
		}
		r.s.files = append(r.s.files, f)
	}
	return nil
}

// followed tells whether any of the files has a group.
func (r *recovery) followed(files []*journalFile) bool {
	for _, f := range files {
		if seq, err := firstSequence(f); err == nil && seq != 0 {
			return true
		}
	}
	return false
}

func firstSequence(f *journalFile) (uint64, error) {
	info, err := f.file.Stat()
	if err != nil {
		return 0, err
	}
	var seq uint64
	stop := errors.New("first one seen")
	_, err = journal.Walk(f.file, f.name, f.header, min(info.Size(), journal.PageSize+journal.MaxGroupSize), 0, func(g *journal.Group) error {
		seq = g.Header.Seq
		return stop
	})
	if errors.Is(err, stop) {
		err = nil
	}
	return seq, err
}

// dropSuperseded removes files whose groups were copied into a later one by a recovery that then stopped.
func (r *recovery) dropSuperseded(files []*journalFile) ([]*journalFile, error) {
	if len(files) < 2 {
		return files, nil
	}
	a, b := files[len(files)-2], files[len(files)-1]
	if gone, err := superseded(a, b); err != nil || !gone {
		return files, err
	}
	r.s.space.remove(a)
	return append(files[:len(files)-2], b), syncDir(r.s.opts.FS, r.s.space.dir)
}

// superseded tells whether b begins with the same group as a, so that it is a's copy.
func superseded(a, b *journalFile) (bool, error) {
	first, err := firstSequence(a)
	if err != nil || first == 0 {
		return false, err
	}
	again, err := firstSequence(b)
	return again == first, err
}

// group takes the next group of a file; the one before it is applied.
func (r *recovery) group(f *journalFile, g *journal.Group) error {
	if r.expect == 0 && g.Header.Seq > r.check.moved+1 {
		return &store.CorruptError{File: f.name, Offset: g.Pos, Reason: fmt.Sprintf(
			"the journal begins with group %d, but groups from %d on are needed", g.Header.Seq, r.check.moved+1)}
	}
	if r.expect != 0 && g.Header.Seq != r.expect {
		return &store.CorruptError{File: f.name, Offset: g.Pos, Reason: fmt.Sprintf(
			"group %d stands where group %d was expected", g.Header.Seq, r.expect)}
	}
	if err := r.apply(true); err != nil {
		return err
	}
	r.expect = g.Header.Seq + 1
	r.held, r.heldFile = g, f
	f.noteReplayed(g)
	return nil
}

// cut takes the held group off the end of the journal.
func (r *recovery) cut() {
	f, g := r.heldFile, r.held
	r.held = nil
	f.end = g.Pos
	f.used.Store(g.Pos)
	f.lastSeq.Store(g.Header.Seq - 1)
	if f.firstSeq == g.Header.Seq {
		f.firstSeq = 0
	}
}

// apply makes the held group part of the store.
func (r *recovery) apply(state bool) error {
	g, f := r.held, r.heldFile
	if g == nil {
		return nil
	}
	s := r.s
	r.held, r.last = nil, g
	r.clean = g.Header.Flags&journal.FlagClean != 0
	if state && g.Header.Seq > r.check.state {
		s.applied.Apply(&g.Data)
	}
	if g.Header.Seq > r.keys && len(g.Data.Keys) > 0 {
		s.applyKeys(&g.Data)
	}
	if g.Header.Seq <= r.check.moved {
		return nil
	}
	j := &job{file: f, pos: g.Pos}
	for i := range g.Data.Appends {
		s.idx.add(g.Data.Appends[i].Partition, newEntry(&g.Data.Appends[i], &g.Stored[i], j), &g.Stored[i])
	}
	return nil
}

func (f *journalFile) noteReplayed(g *journal.Group) {
	if f.firstSeq == 0 {
		f.firstSeq = g.Header.Seq
	}
	f.lastSeq.Store(g.Header.Seq)
	f.batches.Add(int64(len(g.Stored)))
	for i := range g.Stored {
		f.batchBytes.Add(int64(g.Stored[i].Len))
	}
}

// verify looks at the batches of the last group, which alone may have been written without its sync, and
// compares the journal's end with what Pebble has.
func (r *recovery) verify() error {
	if g := r.held; g != nil {
		err := journal.CheckBatches(r.heldFile.file, r.heldFile.name, g)
		var corrupt *store.CorruptError
		switch {
		case errors.As(err, &corrupt) && r.heldFile != r.s.files[len(r.s.files)-1]:
			return err // a later file was begun, so this one was durable
		case errors.As(err, &corrupt):
			if err := r.saveTorn(r.heldFile, g.Pos); err != nil {
				return err
			}
			r.cut()
		case err != nil:
			return err
		}
	}
	if err := r.apply(!r.s.opts.Faults.On(fault.ReuseOffsetAfterRecovery)); err != nil {
		return err
	}
	end := r.check.moved // the journal is empty when all of it was moved and the next file has just begun
	if r.last != nil {
		end = r.last.Header.Seq
	}
	if need := max(r.keys, r.check.state); end < need {
		return &store.CorruptError{File: r.s.path(journalDir), Reason: fmt.Sprintf(
			"the journal ends with group %d, but the keys stand for group %d", end, need)}
	}
	return nil
}

// saveTorn keeps a copy of what is cut from the end of the journal.
func (r *recovery) saveTorn(f *journalFile, pos int64) error {
	const most = 1 << 20
	buf := make([]byte, most)
	n, _ := f.file.ReadAt(buf, pos) // the end of the file is fine, and what cannot be read is not saved
	name := r.s.path(journalDir, fmt.Sprintf("torn-%016x-%d.bin", f.header.Seq, pos))
	r.s.log.Warn("the journal's last group is not whole: it was never acknowledged and is cut", "file", f.name, "byte", pos, "copy", name)
	out, err := r.s.opts.FS.Create(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = out.Write(buf[:n])
	return errors.Join(err, out.Sync(), out.Close())
}

// settle takes out of the index what was trimmed or deleted, and makes the decided state.
func (r *recovery) settle() {
	s := r.s
	for id := range s.idx.parts.All() {
		if h, ok := s.applied.Head(id); ok {
			s.mover.drop(s.idx.trim(id, h.Start))
		} else {
			s.mover.drop(s.idx.remove(id))
		}
	}
	if r.last != nil {
		s.applied.Restore(r.last.Header.Seq, max(s.applied.Time(), r.last.Header.Time), 0)
	}
	s.decided = s.applied.Clone()
	s.visible.Store(s.applied.Sequence())
	s.now.Store(s.applied.Time())
}

// activate makes the file that groups go on in. After a stop that was not clean the last file's groups are copied
// into a new one: what was read of it may never have reached the disk.
func (r *recovery) activate() error {
	s := r.s
	if len(s.files) == 0 {
		p := s.space
		p.nextID++
		f, err := p.create(p.nextID, s.opts.FirstFileBytes, true)
		if err != nil {
			return err
		}
		s.files, s.active = append(s.files, f), f
		return p.begin(f)
	}
	f := s.files[len(s.files)-1]
	s.active = f
	if r.clean && r.last.Header.Seq == f.lastSeq.Load() {
		return nil
	}
	if f.firstSeq == 0 {
		return s.space.begin(f)
	}
	return r.copyLast(f)
}

func (r *recovery) copyLast(f *journalFile) error {
	s, p := r.s, r.s.space
	p.nextID++
	n, err := p.create(p.nextID, f.size, false)
	if err != nil {
		return err
	}
	p.nextSeq++
	n.header = journal.FileHeader{Seq: p.nextSeq, ID: randomID(), Size: n.size}
	if err := journal.Copy(n.file, n.header, f.file, f.header, f.end); err != nil {
		return errors.Join(err, n.close())
	}
	n.end, n.firstSeq = f.end, f.firstSeq
	n.used.Store(f.end)
	n.lastSeq.Store(f.lastSeq.Load())
	n.batches.Store(f.batches.Load())
	n.batchBytes.Store(f.batchBytes.Load())
	n.refs.Store(1)
	s.idx.renumber(f.number(), n.number())
	s.files[len(s.files)-1], s.active = n, n
	p.remove(f)
	return syncDir(s.opts.FS, p.dir) // before a later file begins: else f could come back between files that go on
}

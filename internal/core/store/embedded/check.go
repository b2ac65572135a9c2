package embedded

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"millrace/internal/core/journal"
	"millrace/internal/core/segment"
	"millrace/internal/core/store"
)

// Report is what Check has looked at.
type Report struct {
	JournalFiles, SealedFiles, Partitions int
	Groups, Batches, Bytes                int64
}

// Check verifies a folder that no process uses, without changing what is stored: each group, batch and sealed
// file, each table of keys, and that they fit together. progress gets a line now and then.
//
// Errors: *store.CorruptError with file and offset for the first damage in each part, joined;
// *store.LockedError; those of the disk.
func Check(opts Options, progress func(string)) (*Report, error) {
	opts.Fatal = func(error) {} // what cannot be read is told, and nothing is written
	opts = opts.withDefaults()
	if _, err := opts.FS.Stat(opts.FS.PathJoin(opts.Dir, keysDir)); err != nil {
		return nil, fmt.Errorf("%s holds no store: %w", opts.Dir, err)
	}
	lock, err := lockDir(opts.FS, opts.Dir)
	if err != nil {
		return nil, err
	}
	s := newStore(opts)
	s.lock = lock
	c := &checker{s: s, report: &Report{}, progress: progress}
	err = errors.Join(c.run(), s.segments.close())
	if s.db != nil {
		err = errors.Join(err, s.db.Close())
	}
	return c.report, errors.Join(err, s.unlock())
}

type checker struct {
	s        *Store
	report   *Report
	progress func(string)
}

func (c *checker) run() error {
	s := c.s
	o := s.pebbleOptions()
	o.ReadOnly = true
	db, err := pebble.Open(s.path(keysDir), o)
	if err != nil {
		return &store.CorruptError{File: s.path(keysDir), Reason: err.Error()}
	}
	s.db = db
	c.progress("keys: reading all tables")
	_, err = checkLevel(db)
	if err := errors.Join(err, checkFamilies(db), c.keys()); err != nil {
		return err
	}
	r := &recovery{s: s}
	if err := r.load(); err != nil {
		return err
	}
	return errors.Join(c.sealed(), c.journal(r))
}

// keys reads every key and value: each block's sum is checked on the way.
func (c *checker) keys() error {
	it, err := c.s.db.NewIter(nil)
	if err != nil {
		return err
	}
	for ok := it.First(); ok; ok = it.Next() {
		if _, err := it.ValueAndErr(); err != nil {
			break
		}
	}
	err = it.Error()
	if err != nil {
		err = &store.CorruptError{File: c.s.path(keysDir), Reason: err.Error()}
	}
	return errors.Join(err, it.Close())
}

func (c *checker) sealed() error {
	s := c.s
	var errs []error
	seen := map[fileID]bool{}
	for _, p := range s.idx.parts.All() {
		for i := range p.runs {
			id := p.runs[i].file
			if seen[id] {
				continue
			}
			seen[id] = true
			c.progress(fmt.Sprintf("sealed file %d of kind %d", id.id, id.kind))
			err := c.sealedFile(id)
			if errors.Is(err, os.ErrNotExist) {
				err = &store.CorruptError{File: s.sealedPath(id), Reason: "the file or its index is missing"}
			}
			if err != nil {
				errs = append(errs, corrupt(err))
			}
		}
	}
	c.report.SealedFiles, c.report.Partitions = len(seen), s.idx.parts.Len()
	return errors.Join(errs...)
}

func (c *checker) sealedFile(id fileID) error {
	fs := c.s.opts.FS
	switch id.kind {
	case fileSegment:
		in, err := segment.Verify(fs, c.s.segmentPath(id.id))
		c.add(in)
		return err
	case fileShared:
		infos, err := segment.VerifyShared(fs, c.s.segmentPath(id.id))
		for _, in := range infos {
			c.add(in)
		}
		return err
	case fileJournal:
	}
	name := c.s.path(journalDir, journalName(id.id))
	data, err := fs.Open(name)
	if err != nil {
		return err
	}
	infos, err := segment.VerifySidecar(fs, c.s.sidecarPath(id.id), data, name)
	for _, in := range infos {
		c.add(in)
	}
	return errors.Join(err, data.Close())
}

func (c *checker) add(in segment.Info) {
	c.report.Batches += in.Entries
	c.report.Bytes += in.Bytes
}

// journal walks the files that are not moved: groups follow each other, and all batches are whole.
func (c *checker) journal(r *recovery) error {
	files, err := c.openJournals()
	defer func() {
		for _, f := range files {
			_ = f.file.Close() // opened for reading
		}
	}()
	if err != nil {
		return err
	}
	if files, err = dropFirst(files, superseded); err != nil {
		return err
	}
	var next uint64
	for i, f := range files {
		if f.header.Seq < r.check.file {
			continue
		}
		c.progress("journal file " + f.name)
		c.report.JournalFiles++
		if next, err = c.journalFile(f, next, r.check.moved, i == len(files)-1); err != nil {
			return err
		}
	}
	if next == 0 {
		next = r.check.moved + 1 // all of it was moved
	}
	if need := max(r.keys, r.check.state); next <= need && need > 0 {
		return &store.CorruptError{File: c.s.path(journalDir), Reason: fmt.Sprintf("the journal ends before group %d, which the keys stand for", need)}
	}
	return nil
}

// journalFile walks one file whose first group is next, 0 for any up to the one after moved, and returns the
// number of the group after it.
func (c *checker) journalFile(f *journalFile, next, moved uint64, last bool) (uint64, error) {
	info, err := f.file.Stat()
	if err != nil {
		return 0, err
	}
	var bad error // of the last group so far: it may be torn
	end, err := journal.Walk(f.file, f.name, f.header, info.Size(), 0, func(g *journal.Group) error {
		if bad != nil {
			return bad
		}
		if next == 0 && g.Header.Seq > moved+1 {
			return &store.CorruptError{File: f.name, Offset: g.Pos, Reason: fmt.Sprintf("the journal begins with group %d, but groups from %d on are needed", g.Header.Seq, moved+1)}
		}
		if next != 0 && g.Header.Seq != next {
			return &store.CorruptError{File: f.name, Offset: g.Pos, Reason: fmt.Sprintf("group %d stands where group %d was expected", g.Header.Seq, next)}
		}
		next = g.Header.Seq + 1
		c.report.Groups++
		c.report.Batches += int64(len(g.Stored))
		for k := range g.Stored {
			c.report.Bytes += int64(g.Stored[k].Len)
		}
		bad = journal.CheckBatches(f.file, f.name, g)
		return nil
	})
	switch {
	case err != nil:
		return 0, err
	case !last && bad != nil:
		return 0, bad
	case !last && end.Torn:
		return 0, &store.CorruptError{File: f.name, Offset: end.Pos, Reason: "a group is not whole, but later files go on"}
	case bad != nil:
		c.progress(fmt.Sprintf("%s ends with a group that is not whole: %v; if the store was not stopped cleanly it was never acknowledged, and the next start cuts it", f.name, bad))
		next--
	case end.Torn:
		c.progress(fmt.Sprintf("%s ends with a group that is not whole at byte %d: never acknowledged, the next start cuts it", f.name, end.Pos))
	}
	return next, nil
}

// dropFirst takes the one but last file off, when drop says so of it and the last.
func dropFirst(files []*journalFile, drop func(a, b *journalFile) (bool, error)) ([]*journalFile, error) {
	n := len(files)
	if n < 2 {
		return files, nil
	}
	gone, err := drop(files[n-2], files[n-1])
	if err != nil || !gone {
		return files, err
	}
	return append(files[:n-2:n-2], files[n-1]), files[n-2].file.Close()
}

func (c *checker) openJournals() (files []*journalFile, err error) {
	fs, dir := c.s.opts.FS, c.s.path(journalDir)
	names, err := fs.List(dir)
	if err != nil {
		return nil, err
	}
	adopted := c.s.idx.files(fileJournal)
	for _, name := range names {
		id, ok := parseName(name, ".log")
		if !ok || adopted[id] {
			continue
		}
		path := fs.PathJoin(dir, name)
		file, err := fs.Open(path, vfs.SequentialReadsOption)
		if err != nil {
			return files, err
		}
		header, err := journal.ReadFileHeader(file)
		if err != nil {
			if err := file.Close(); err != nil {
				return files, err
			}
			if errors.Is(err, journal.ErrNotJournal) {
				continue
			}
			return files, fmt.Errorf("%s: %w", path, err)
		}
		files = append(files, &journalFile{name: path, file: file, header: header})
	}
	slices.SortFunc(files, func(a, b *journalFile) int {
		if a.header.Seq < b.header.Seq {
			return -1
		}
		return 1
	})
	return files, nil
}

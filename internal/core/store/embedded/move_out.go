package embedded

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/cockroachdb/pebble/v2/vfs"

	"millrace/internal/core/journal"
	"millrace/internal/core/segment"
	"millrace/internal/core/store"
)

// runFiles writes the runs of a round, in order of partition and offset: one with much data into a segment of its own, so that
// its file goes as soon as it is trimmed, the others one after the other into shared files.
type runFiles struct {
	p       *movePlan
	part    store.PartitionID
	alone   bool // the run gets a file of its own
	begun   bool // and has a batch
	own     *segment.Writer
	shared  *segment.SharedWriter
	file    fileID // of own
	common  fileID // of shared
	read    pageReader
	sources map[fileID]*os.File // opened past the page cache; nil: it cannot be
	batch   []segment.Entry
	pages   []byte // memory for own and shared: writePages each
}

const (
	// writePages is the size of one write of a file of runs.
	writePages = 1 << 20
	// mostSources bounds the files that are open for what is written again.
	mostSources = 64
)

// options of the next file of a kind. Only the operating system's files can be opened for direct writes.
func (o *runFiles) options(kind int) (segment.WriterOptions, error) {
	if o.pages == nil {
		var err error
		if o.pages, err = takePages(2 * writePages); err != nil {
			return segment.WriterOptions{}, fmt.Errorf("take memory to write runs from: %w", err)
		}
	}
	opts := segment.WriterOptions{Buffer: o.pages[kind*writePages:][:0:writePages]}
	if o.p.m.s.opts.FS == vfs.Default {
		opts.Direct = func(path string) (io.WriterAt, error) { return journal.OpenDirect(path, false) }
	}
	return opts, nil
}

// freePages gives the memory back when no file is being written.
func (o *runFiles) freePages() error {
	if o.pages == nil {
		return nil
	}
	pages := o.pages
	o.pages = nil
	return givePages(pages)
}

// begin starts a run of about n bytes.
func (o *runFiles) begin(part store.PartitionID, n int64) error {
	if err := errors.Join(o.p.m.ctx.Err(), o.endRun()); err != nil {
		return err
	}
	o.part, o.alone, o.begun = part, n >= o.p.m.ownRun(), false
	return nil
}

// add appends a batch to the run. Its bytes stand at e.Pos of source, and are checked.
func (o *runFiles) add(source string, e *segment.Entry, stored []byte) error {
	if !o.begun {
		if err := o.open(e); err != nil {
			return err
		}
		o.begun = true
	}
	if o.alone {
		return corrupt(o.own.AddFrom(source, e, stored))
	}
	return corrupt(o.shared.AddFrom(source, e, stored))
}

// open makes room for a run that begins with e.
func (o *runFiles) open(e *segment.Entry) error {
	m := o.p.m
	fs := m.s.opts.FS
	if o.alone {
		opts, err := o.options(0)
		if err != nil {
			return err
		}
		o.file = m.newFile(fileSegment)
		o.own, err = segment.Create(fs, m.s.segmentPath(o.file.id), uint64(o.part), opts)
		return err
	}
	if o.shared != nil && o.shared.Size() >= m.sharedFile() {
		if err := o.endShared(); err != nil {
			return err
		}
	}
	if o.shared == nil {
		opts, err := o.options(1)
		if err != nil {
			return err
		}
		o.common = m.newFile(fileShared)
		if o.shared, err = segment.CreateShared(fs, m.s.segmentPath(o.common.id), o.common.id, opts); err != nil {
			return err
		}
	}
	return o.shared.Begin(uint64(o.part), e.Base)
}

// endRun finishes a file of the run's own.
func (o *runFiles) endRun() error {
	if o.own == nil {
		return nil
	}
	in, err := o.own.Finish()
	if err != nil {
		return err
	}
	o.own = nil
	o.p.made = append(o.p.made, runOf(o.part, in, o.file))
	return nil
}

func (o *runFiles) endShared() error {
	if o.shared == nil {
		return nil
	}
	infos, err := o.shared.Finish()
	if err != nil {
		return err
	}
	o.shared = nil
	for _, in := range infos {
		o.p.made = append(o.p.made, runOf(store.PartitionID(in.Partition), in, o.common))
	}
	return nil
}

// source is where batches of a file are read from: past the page cache where that is possible, since the file goes soon.
func (o *runFiles) source(f *sealed) io.ReaderAt {
	if o.p.m.s.opts.FS != vfs.Default {
		return f.reader()
	}
	file, known := o.sources[f.id]
	if !known {
		if o.sources == nil {
			o.sources = map[fileID]*os.File{}
		}
		if len(o.sources) < mostSources {
			file, _ = journal.OpenDirect(f.path, false) // nil: then as everybody reads it
		}
		o.sources[f.id] = file
	}
	if file == nil {
		return f.reader()
	}
	return file
}

func (o *runFiles) closeSources() error {
	var errs []error
	for _, f := range o.sources {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	o.sources = nil
	return errors.Join(errs...)
}

// finish ends the last files and makes their names durable.
func (o *runFiles) finish() error {
	if err := errors.Join(o.endRun(), o.endShared(), o.closeSources(), o.freePages()); err != nil {
		return err
	}
	return syncDir(o.p.m.s.opts.FS, o.p.m.s.path(segmentsDir))
}

// abort removes what is not finished. After finish it does nothing.
func (o *runFiles) abort() error {
	errs := []error{o.closeSources()}
	if o.own != nil {
		errs = append(errs, o.own.Abort())
	}
	if o.shared != nil {
		errs = append(errs, o.shared.Abort())
	}
	return errors.Join(append(errs, o.freePages())...)
}

// again adds the batches of a run that is in a file already, from an offset on.
func (o *runFiles) again(r *run, start store.Offset) error {
	s := o.p.m.s
	f, err := s.segments.get(r.file)
	if err != nil {
		return err
	}
	defer s.segments.release(f)
	x, ok := f.index(r.part, r.base)
	if !ok {
		return f.lacks()
	}
	cursor := x.Find(int64(start))
	end := int64(0)
	for e, ok := cursor.Next(); ok; e, ok = cursor.Next() {
		if len(o.batch) > 0 && (e.Pos != end || end-o.batch[0].Pos+int64(e.StoredLen) > gatherRead) {
			if err := o.copy(f, end); err != nil {
				return err
			}
		}
		o.batch = append(o.batch, e)
		end = e.Pos + int64(e.StoredLen)
	}
	if err := cursor.Err(); err != nil {
		return corrupt(err)
	}
	return o.copy(f, end)
}

// copy adds o.batch, whose bytes follow each other up to end in f.
func (o *runFiles) copy(f *sealed, end int64) error {
	if len(o.batch) == 0 {
		return nil
	}
	start := o.batch[0].Pos
	b, err := o.read.read(o.source(f), f.path, start, end)
	if err != nil {
		return err
	}
	for i := range o.batch {
		e := &o.batch[i]
		if err := o.add(f.path, e, b[e.Pos-start:][:e.StoredLen]); err != nil {
			return err
		}
	}
	o.batch = o.batch[:0]
	return nil
}

package embedded

import (
	"errors"
	"fmt"
	"io"

	"millrace/internal/core/segment"
	"millrace/internal/core/store"
)

// runFiles writes the runs of a round, in order of partition and offset: one with much data into a segment of its own, so that
// its file goes as soon as it is trimmed, the others one after the other into shared files.
type runFiles struct {
	p      *movePlan
	part   store.PartitionID
	alone  bool // the run gets a file of its own
	begun  bool // and has a batch
	own    *segment.Writer
	shared *segment.SharedWriter
	file   fileID // of own
	common fileID // of shared
	read   []byte
	batch  []segment.Entry
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
func (o *runFiles) open(e *segment.Entry) (err error) {
	m := o.p.m
	fs := m.s.opts.FS
	if o.alone {
		o.file = m.newFile(fileSegment)
		o.own, err = segment.Create(fs, m.s.segmentPath(o.file.id), uint64(o.part), segment.WriterOptions{})
		return err
	}
	if o.shared != nil && o.shared.Size() >= m.sharedFile() {
		if err := o.endShared(); err != nil {
			return err
		}
	}
	if o.shared == nil {
		o.common = m.newFile(fileShared)
		if o.shared, err = segment.CreateShared(fs, m.s.segmentPath(o.common.id), o.common.id, segment.WriterOptions{}); err != nil {
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

// finish ends the last files and makes their names durable.
func (o *runFiles) finish() error {
	if err := errors.Join(o.endRun(), o.endShared()); err != nil {
		return err
	}
	return syncDir(o.p.m.s.opts.FS, o.p.m.s.path(segmentsDir))
}

// abort removes what is not finished. After finish it does nothing.
func (o *runFiles) abort() error {
	var errs []error
	if o.own != nil {
		errs = append(errs, o.own.Abort())
	}
	if o.shared != nil {
		errs = append(errs, o.shared.Abort())
	}
	return errors.Join(errs...)
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
	if int64(cap(o.read)) < end-start {
		o.read = make([]byte, max(gatherRead, end-start))
	}
	o.read = o.read[:end-start]
	if _, err := f.reader().ReadAt(o.read, start); errors.Is(err, io.EOF) {
		return &store.CorruptError{File: f.path, Offset: start, Reason: "the file ends inside of a batch"}
	} else if err != nil {
		return fmt.Errorf("read %s at %d: %w", f.path, start, err)
	}
	for i := range o.batch {
		e := &o.batch[i]
		if err := o.add(f.path, e, o.read[e.Pos-start:][:e.StoredLen]); err != nil {
			return err
		}
	}
	o.batch = o.batch[:0]
	return nil
}

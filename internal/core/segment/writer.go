package segment

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// WriterOptions configure a Writer. The zero value works.
type WriterOptions struct {
	// SyncEveryBytes is how much is written between two syncs of data. Small steps keep the disk's queue
	// short, so that a journal sync beside them does not wait for all of it. Default 1 MiB.
	SyncEveryBytes int
	// BufferBytes is the size of one write. Default 256 KiB.
	BufferBytes int
	// Buffer is used when it is there: its capacity is BufferBytes. It is free again after Finish or Abort.
	Buffer []byte
	// Direct opens the new file a second time, for writes past the page cache: what is moved would else push out what is
	// read. Buffer then begins at a page and its capacity is pages, and nothing is synced before the end. Nil, or when it
	// fails: there are no such writes.
	Direct func(path string) (io.WriterAt, error)
	// Category is what Pebble's disk statistics count the writes under.
	Category vfs.DiskWriteCategory
}

func (o WriterOptions) withDefaults() WriterOptions {
	if o.SyncEveryBytes <= 0 {
		o.SyncEveryBytes = 1 << 20
	}
	if o.Buffer != nil {
		o.BufferBytes = cap(o.Buffer)
	}
	if o.BufferBytes <= 0 {
		o.BufferBytes = 256 << 10
	}
	if o.Category == "" {
		o.Category = vfs.WriteCategoryUnspecified
	}
	return o
}

// Writer writes one segment. It belongs to one goroutine. After an error only Abort makes sense.
type Writer struct {
	fs   vfs.FS
	path string
	opts WriterOptions
	file vfs.File
	buf  []byte
	pos  int64 // where the next batch begins

	direct io.WriterAt // nil when there is none
	at     int64       // where buf goes then, a page

	dirty int // bytes written since the last sync
	index indexBuilder
}

// Create begins the segment of partition at path, which it replaces. The caller syncs the directory
// after Finish.
func Create(fs vfs.FS, path string, partition uint64, opts WriterOptions) (*Writer, error) {
	w := &Writer{}
	if err := w.create(fs, path, &header{kindSegment, partition}, opts); err != nil {
		return nil, err
	}
	w.index.begin(partition)
	return w, nil
}

func (w *Writer) create(fs vfs.FS, path string, h *header, opts WriterOptions) error {
	opts = opts.withDefaults()
	file, err := fs.Create(path, opts.Category)
	if err != nil {
		return fmt.Errorf("create segment: %w", err)
	}
	*w = Writer{fs: fs, path: path, opts: opts, file: file, pos: headerSize}
	if w.buf = opts.Buffer[:0]; opts.Buffer == nil {
		w.buf = make([]byte, 0, opts.BufferBytes)
	}
	w.buf = append(w.buf, h.encode()...)
	if opts.Direct != nil && opts.Buffer != nil {
		if w.direct, err = opts.Direct(path); err != nil {
			w.direct = nil
		}
	}
	return nil
}

// Add appends a batch. e.Pos is set by the writer; offsets and append times must follow those of the
// batch before. stored is copied; it must be what e says of it, or nothing is written: a mover that read
// damaged bytes is stopped here.
func (w *Writer) Add(e Entry, stored []byte) error {
	e.Pos = w.pos
	return w.AddFrom(w.path, &e, stored)
}

// AddFrom is Add for a batch that stands at e.Pos of the file source: damage is told as that file's. e.Pos is changed.
func (w *Writer) AddFrom(source string, e *Entry, stored []byte) error {
	if err := CheckStored(source, e, stored); err != nil {
		return err
	}
	e.Pos = w.pos
	if err := w.index.add(e); err != nil {
		return err
	}
	w.pos += int64(len(stored))
	return w.write(stored)
}

func (w *Writer) write(b []byte) error {
	for len(b) > 0 {
		n := min(len(b), w.opts.BufferBytes-len(w.buf))
		w.buf = append(w.buf, b[:n]...)
		b = b[n:]
		if len(w.buf) < w.opts.BufferBytes {
			return nil
		}
		if err := w.flush(); err != nil {
			return err
		}
	}
	return nil
}

// pageSize is what direct writes are aligned to.
const pageSize = 4096

// flushPages writes the whole pages of the buffer; the rest stays.
func (w *Writer) flushPages() error {
	n := len(w.buf) &^ (pageSize - 1)
	if _, err := w.direct.WriteAt(w.buf[:n], w.at); err != nil {
		return fmt.Errorf("write segment: %w", err)
	}
	w.at += int64(n)
	w.buf = w.buf[:copy(w.buf, w.buf[n:])]
	return nil
}

// flushRest writes the last page's beginning through the page cache.
func (w *Writer) flushRest() error {
	if len(w.buf) == 0 {
		return nil
	}
	if _, err := w.file.WriteAt(w.buf, w.at); err != nil {
		return fmt.Errorf("write segment: %w", err)
	}
	return nil
}

func (w *Writer) flush() error {
	if w.direct != nil {
		return w.flushPages()
	}
	n := len(w.buf)
	if _, err := w.file.Write(w.buf); err != nil {
		return fmt.Errorf("write segment: %w", err)
	}
	w.buf = w.buf[:0]
	w.dirty += n
	if w.dirty < w.opts.SyncEveryBytes {
		return nil
	}
	w.dirty = 0
	if err := w.file.SyncData(); err != nil {
		return fmt.Errorf("sync segment: %w", err)
	}
	return nil
}

// Size is the number of bytes of data so far, without the index.
func (w *Writer) Size() int64 { return w.pos }

// Finish writes the index, syncs and closes the file. A segment without batches is an error.
func (w *Writer) Finish() (Info, error) {
	if err := w.finish(kindSegment); err != nil {
		return Info{}, err
	}
	return w.index.parts[0].info, nil
}

func (w *Writer) finish(kind uint32) error {
	if n := len(w.index.parts); n == 0 || w.index.parts[n-1].info.Entries == 0 {
		return fmt.Errorf("segment: %s has no batches", w.path)
	}
	if err := w.write(w.index.finish(kind, w.pos)); err != nil {
		return err
	}
	if len(w.buf) > 0 {
		if err := w.flush(); err != nil {
			return err
		}
	}
	if w.direct != nil {
		if err := errors.Join(w.flushRest(), w.closeDirect()); err != nil {
			return err
		}
	}
	if err := w.file.Sync(); err != nil {
		return fmt.Errorf("sync segment: %w", err)
	}
	file := w.file
	w.file = nil
	if err := file.Close(); err != nil {
		return fmt.Errorf("close segment: %w", err)
	}
	return nil
}

func (w *Writer) closeDirect() error {
	c, ok := w.direct.(io.Closer)
	w.direct = nil
	if !ok {
		return nil
	}
	return c.Close()
}

// Abort closes and removes an unfinished file. After Finish it does nothing.
func (w *Writer) Abort() error {
	if w.file == nil {
		return nil
	}
	file := w.file
	w.file = nil
	_ = errors.Join(file.Close(), w.closeDirect()) // the file goes anyway
	if err := w.fs.Remove(w.path); err != nil {
		return fmt.Errorf("remove unfinished segment: %w", err)
	}
	return nil
}

// WriteSidecar writes at path the index over the data file with id dataFile, and syncs it; the caller
// syncs the directory. runs holds for each partition its entries in order, with Pos in the data file;
// partitions without entries are left out.
func WriteSidecar(fs vfs.FS, path string, dataFile uint64, runs map[uint64][]Entry) error {
	var x indexBuilder
	for _, partition := range slices.Sorted(maps.Keys(runs)) {
		if len(runs[partition]) == 0 {
			continue
		}
		x.begin(partition)
		for i := range runs[partition] {
			if err := x.add(&runs[partition][i]); err != nil {
				return err
			}
		}
	}
	if len(x.parts) == 0 {
		return fmt.Errorf("segment: sidecar %s has no entries", path)
	}
	file, err := fs.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return fmt.Errorf("create sidecar: %w", err)
	}
	return finishSidecar(file, append((&header{kindSidecar, dataFile}).encode(), x.finish(kindSidecar, headerSize)...))
}

func finishSidecar(file vfs.File, b []byte) error {
	if _, err := file.Write(b); err != nil {
		_ = file.Close() // the first error is the one that tells
		return fmt.Errorf("write sidecar: %w", err)
	}
	if err := file.Sync(); err != nil {
		_ = file.Close()
		return fmt.Errorf("sync sidecar: %w", err)
	}
	if err := file.Close(); err != nil {
		return fmt.Errorf("close sidecar: %w", err)
	}
	return nil
}

package segment

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// SharedWriter writes one file with runs of many partitions, one after the other. It belongs to one goroutine. After an
// error only Abort makes sense.
type SharedWriter struct {
	Writer
}

// CreateShared begins at path, which it replaces, the file with number id. The caller syncs the directory after Finish.
func CreateShared(fs vfs.FS, path string, id uint64, opts WriterOptions) (*SharedWriter, error) {
	w := &SharedWriter{}
	if err := w.create(fs, path, &header{kindShared, id}, opts); err != nil {
		return nil, err
	}
	return w, nil
}

// Begin ends the run before and begins one of a partition that begins at offset base. Runs stand in order of partition and
// offset, and each has a batch at least; a partition may have several.
func (w *SharedWriter) Begin(partition uint64, base int64) error {
	if n := len(w.index.parts); n > 0 {
		if last := &w.index.parts[n-1].info; last.Entries == 0 || last.Partition > partition || last.Partition == partition && last.Next > base {
			return fmt.Errorf("segment: run of partition %d from offset %d on cannot follow %+v in %s", partition, base, *last, w.path)
		}
	}
	w.index.begin(partition)
	return nil
}

// Finish writes the index, syncs and closes the file. It returns what the file holds, run by run. A file
// whose last run has no batches is an error.
func (w *SharedWriter) Finish() ([]Info, error) {
	if err := w.finish(kindShared); err != nil {
		return nil, err
	}
	infos := make([]Info, len(w.index.parts))
	for i := range infos {
		infos[i] = w.index.parts[i].info
	}
	return infos, nil
}

// Shared is an open file with runs of many partitions. It is safe for concurrent use.
type Shared struct {
	c *container
}

// OpenShared reads header, footer and tail of the file at path, as OpenSidecar does.
//
// Errors: *CorruptError; those of the file system.
func OpenShared(fs vfs.FS, path string, opts ReaderOptions) (*Shared, error) {
	c, err := openContainer(fs, path, kindShared, opts)
	if err != nil {
		return nil, err
	}
	return &Shared{c}, nil
}

// Close closes the file. No other call, also on an Index, may be running or follow.
func (s *Shared) Close() error { return s.c.file.Close() }

// Runs is the Info of every run, in order of partition and offset.
func (s *Shared) Runs() []Info { return s.c.infos() }

// Run returns the index of the run of a partition that begins at offset base; false: the file has none.
func (s *Shared) Run(partition uint64, base int64) (*Index, bool) {
	i, ok := slices.BinarySearchFunc(s.c.parts, partition, func(l partLine, p uint64) int {
		return cmp.Or(cmp.Compare(l.info.Partition, p), cmp.Compare(l.info.Base, base))
	})
	if !ok {
		return nil, false
	}
	x := s.c.index(i)
	return &x, true
}

// ReadAt reads raw bytes of the file; the caller checks each batch with CheckStored.
func (s *Shared) ReadAt(p []byte, off int64) (int, error) { return s.c.file.ReadAt(p, off) }

// VerifyShared reads the whole file at path, as Verify does a segment, and returns what it holds.
//
// Errors: *CorruptError for the first damage; those of the file system.
func VerifyShared(fs vfs.FS, path string) ([]Info, error) {
	s, err := OpenShared(fs, path, ReaderOptions{})
	if err != nil {
		return nil, err
	}
	defer func() { _ = s.Close() }() // only read
	v := verifier{data: s.c.file, path: path, contiguous: true, next: headerSize}
	for i := range s.c.parts {
		x := s.c.index(i)
		if err := v.index(&x); err != nil {
			return nil, err
		}
	}
	if v.next != s.c.blocksAt {
		return nil, &CorruptError{path, v.next, fmt.Sprintf("data goes on to %d after the last batch", s.c.blocksAt)}
	}
	return s.Runs(), nil
}

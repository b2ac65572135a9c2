package segment

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// ReaderOptions configure Open and OpenSidecar. The zero value works.
type ReaderOptions struct {
	// Cache keeps index blocks. Default: each file keeps its last one.
	Cache BlockCache
}

// Reader is an open segment. It is safe for concurrent use.
type Reader struct {
	Index
	file    vfs.File
	path    string
	dataEnd int64
}

// Open reads header, footer and tail of the segment at path. It holds the file open, and the tail in
// memory: 40 bytes for 256 batches.
//
// Errors: *CorruptError; those of the file system.
func Open(fs vfs.FS, path string, opts ReaderOptions) (*Reader, error) {
	c, err := openContainer(fs, path, kindSegment, opts)
	if err != nil {
		return nil, err
	}
	if len(c.parts) != 1 || c.parts[0].info.Partition != c.owner {
		_ = c.file.Close() // the damage is what matters
		return nil, &CorruptError{path, 0, fmt.Sprintf("segment of partition %d has an index of %d partitions", c.owner, len(c.parts))}
	}
	return &Reader{Index: c.index(0), file: c.file, path: path, dataEnd: c.blocksAt}, nil
}

// Close closes the file. No other call may be running or follow.
func (r *Reader) Close() error { return r.file.Close() }

// Path is what the segment was opened under.
func (r *Reader) Path() string { return r.path }

// ReadStored appends the stored bytes of e to dst, checked as CheckStored does.
//
// Errors: *CorruptError; those of the file system.
func (r *Reader) ReadStored(e Entry, dst []byte) ([]byte, error) {
	if e.Pos < headerSize || e.Pos+int64(e.StoredLen) > r.dataEnd {
		return nil, &CorruptError{r.path, e.Pos, fmt.Sprintf("%d bytes of a batch reach beyond the data", e.StoredLen)}
	}
	return ReadStored(r.file, r.path, e, dst)
}

// ReadAt reads raw bytes of the file, for runs of many batches at once; the caller checks each one with
// CheckStored.
func (r *Reader) ReadAt(p []byte, off int64) (int, error) { return r.file.ReadAt(p, off) }

// ReadStored appends the stored bytes of e, read from the data file r, to dst, and checks them as
// CheckStored does. path names the file in errors.
//
// Errors: *CorruptError; those of r.
func ReadStored(r io.ReaderAt, path string, e Entry, dst []byte) ([]byte, error) {
	if e.StoredLen > maxStored {
		return nil, &CorruptError{path, e.Pos, fmt.Sprintf("batch of %d bytes", e.StoredLen)}
	}
	at := len(dst)
	dst = slices.Grow(dst, int(e.StoredLen))[:at+int(e.StoredLen)]
	if _, err := r.ReadAt(dst[at:], e.Pos); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, &CorruptError{path, e.Pos, fmt.Sprintf("the file ends inside a batch of %d bytes", e.StoredLen)}
		}
		return nil, fmt.Errorf("read %s at %d: %w", path, e.Pos, err)
	}
	if err := CheckStored(path, &e, dst[at:]); err != nil {
		return nil, err
	}
	return dst, nil
}

// CheckStored holds stored bytes against their entry: length, CRC, and for a plain batch the base offset
// in its first 8 bytes. path names the file in the *CorruptError.
func CheckStored(path string, e *Entry, stored []byte) error {
	switch {
	case len(stored) != int(e.StoredLen):
		return &CorruptError{path, e.Pos, fmt.Sprintf("%d bytes of a batch, the index says %d", len(stored), e.StoredLen)}
	case checksum(stored) != e.CRC:
		return &CorruptError{path, e.Pos, fmt.Sprintf("batch at offset %d: crc is %08x, the index says %08x", e.Base, checksum(stored), e.CRC)}
	case e.Encoding == Plain && (len(stored) < 8 || int64(binary.BigEndian.Uint64(stored)) != e.Base):
		return &CorruptError{path, e.Pos, fmt.Sprintf("the batch here is not the one of offset %d", e.Base)}
	}
	return nil
}

// Sidecar is an open index over another data file. It is safe for concurrent use.
type Sidecar struct {
	c *container
}

// OpenSidecar reads header, footer and tail of the sidecar at path, as Open does; 80 bytes more for each
// partition stay in memory.
//
// Errors: *CorruptError; those of the file system.
func OpenSidecar(fs vfs.FS, path string, opts ReaderOptions) (*Sidecar, error) {
	c, err := openContainer(fs, path, kindSidecar, opts)
	if err != nil {
		return nil, err
	}
	return &Sidecar{c}, nil
}

// Close closes the file. No other call, also on an Index, may be running or follow.
func (s *Sidecar) Close() error { return s.c.file.Close() }

// DataFile is the id of the data file that entries point into.
func (s *Sidecar) DataFile() uint64 { return s.c.owner }

// Partitions is the Info of every partition, in rising order.
func (s *Sidecar) Partitions() []Info { return s.c.infos() }

// Partition returns the index of partition id; false: the data file has none of its batches.
func (s *Sidecar) Partition(id uint64) (*Index, bool) {
	i, ok := slices.BinarySearchFunc(s.c.parts, id, func(l partLine, id uint64) int {
		switch p := l.info.Partition; {
		case p < id:
			return -1
		case p > id:
			return 1
		}
		return 0
	})
	if !ok {
		return nil, false
	}
	x := s.c.index(i)
	return &x, true
}

// container is what segments and sidecars have in common.
type container struct {
	header
	footer
	file   vfs.File
	source *blockSource
	lines  []topLine
	parts  []partLine
}

func (c *container) infos() []Info {
	infos := make([]Info, len(c.parts))
	for i := range infos {
		infos[i] = c.parts[i].info
	}
	return infos
}

func (c *container) index(i int) Index {
	p := &c.parts[i]
	return Index{source: c.source, info: p.info, top: c.lines[p.first : p.first+p.blocks]}
}

func openContainer(fs vfs.FS, path string, kind uint32, opts ReaderOptions) (*container, error) {
	file, err := fs.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open segment: %w", err)
	}
	c := &container{file: file, source: &blockSource{file: file, path: path, id: fileIDs.Add(1), cache: opts.Cache}}
	if err := c.load(path, kind); err != nil {
		_ = file.Close() // the first error is the one that tells
		return nil, err
	}
	return c, nil
}

// load reads and checks header, footer and tail.
func (c *container) load(path string, kind uint32) error {
	info, err := c.file.Stat()
	if err != nil {
		return fmt.Errorf("open segment: %w", err)
	}
	size := info.Size()
	if size < headerSize+footerSize {
		return &CorruptError{path, 0, fmt.Sprintf("%d bytes are no segment", size)}
	}
	b, err := c.read(path, 0, headerSize)
	if err != nil {
		return err
	}
	if reason := c.header.decode(b); reason != "" {
		return &CorruptError{path, 0, reason}
	}
	if b, err = c.read(path, size-footerSize, footerSize); err != nil {
		return err
	}
	if reason := c.footer.decode(b, size); reason != "" {
		return &CorruptError{path, size - footerSize, reason}
	}
	if c.header.kind != kind || c.footer.kind != kind {
		return &CorruptError{path, 0, fmt.Sprintf("kind %d and %d, expected %d", c.header.kind, c.footer.kind, kind)}
	}
	if b, err = c.read(path, c.tailAt, int(c.tailLen())); err != nil {
		return err
	}
	if reason := c.decodeTail(b); reason != "" {
		return &CorruptError{path, c.tailAt, reason}
	}
	return nil
}

func (c *container) read(path string, at int64, n int) ([]byte, error) {
	b := make([]byte, n)
	if _, err := c.file.ReadAt(b, at); err != nil {
		if !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("read %s at %d: %w", path, at, err)
		}
		return nil, &CorruptError{path, at, "the file ends early"}
	}
	return b, nil
}

// decodeTail reads the lines and returns what is wrong with them, or "".
func (c *container) decodeTail(b []byte) string {
	if checksum(b) != c.tailCRC {
		return "tail crc"
	}
	c.lines = make([]topLine, c.blocks)
	at := c.blocksAt
	for i := range c.lines {
		l := &c.lines[i]
		l.decode(b[i*topLineSize:])
		if l.at != at || l.size < blockHeadSize || l.size > maxBlockSize || int64(l.size) > c.tailAt-at || l.entries < 1 || l.entries > blockEntries {
			return fmt.Sprintf("block %d lies at %d with %d bytes", i, l.at, l.size)
		}
		at += int64(l.size)
	}
	if at != c.tailAt {
		return fmt.Sprintf("blocks end at %d", at)
	}
	b = b[len(c.lines)*topLineSize:]
	c.parts = make([]partLine, c.footer.parts)
	var first uint32
	for i := range c.parts {
		p := &c.parts[i]
		p.decode(b[i*partLineSize:])
		if p.first != first || p.blocks < 1 || p.blocks > c.blocks-first || i > 0 && !c.follows(&p.info, &c.parts[i-1].info) {
			return fmt.Sprintf("line of partition %d", p.info.Partition)
		}
		if reason := p.fits(c.lines[first : first+p.blocks]); reason != "" {
			return reason
		}
		first += p.blocks
	}
	if first != c.blocks {
		return fmt.Sprintf("%d of %d blocks belong to a partition", first, c.blocks)
	}
	return ""
}

// follows tells whether a partition line may stand behind another: only a shared file has several of one partition.
func (c *container) follows(in, last *Info) bool {
	if c.header.kind == kindShared && in.Partition == last.Partition {
		return in.Base >= last.Next
	}
	return in.Partition > last.Partition
}

// fits says how l contradicts the lines of its blocks, or "".
func (l *partLine) fits(lines []topLine) string {
	var entries int64
	for i := range lines {
		entries += int64(lines[i].entries)
		if i > 0 && (lines[i].first <= lines[i-1].first || lines[i].appendTime < lines[i-1].appendTime || lines[i].maxTimestamp < lines[i-1].maxTimestamp) {
			return fmt.Sprintf("blocks of partition %d are out of order", l.info.Partition)
		}
	}
	last := &lines[len(lines)-1]
	if entries != l.info.Entries || lines[0].first != l.info.Base || last.appendTime != l.info.LastAppend || last.maxTimestamp != l.info.MaxTimestamp {
		return fmt.Sprintf("blocks of partition %d are not what its line says", l.info.Partition)
	}
	return ""
}

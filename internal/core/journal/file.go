package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/cockroachdb/pebble/v2/vfs"

	"millrace/internal/core/store"
)

// fileMagic begins the file page.
const fileMagic = "millrace journal"

// FileHeader is what the file page says.
type FileHeader struct {
	Seq  uint64 // the file's number: order of files is order of groups
	ID   uint64 // random, anew for each use of the file
	Size int64  // bytes that were written ahead
}

func (h *FileHeader) page() []byte {
	b := make([]byte, PageSize)
	copy(b, fileMagic)
	le.PutUint16(b[16:], formatVersion)
	le.PutUint64(b[24:], h.Seq)
	le.PutUint64(b[32:], h.ID)
	le.PutUint64(b[40:], uint64(h.Size))
	le.PutUint32(b[48:], Sum(b[:48]))
	return b
}

// ErrNotJournal is a file without a whole file page: it was never used.
var ErrNotJournal = errors.New("journal: no file page")

// ReadFileHeader reads the file page.
//
// Errors: ErrNotJournal, an unknown version, those of reading.
func ReadFileHeader(f io.ReaderAt) (FileHeader, error) {
	b := make([]byte, 64)
	if _, err := f.ReadAt(b, 0); errors.Is(err, io.EOF) {
		return FileHeader{}, ErrNotJournal
	} else if err != nil {
		return FileHeader{}, err
	}
	if string(b[:16]) != fileMagic || le.Uint32(b[48:]) != Sum(b[:48]) {
		return FileHeader{}, ErrNotJournal
	}
	if v := le.Uint16(b[16:]); v != formatVersion {
		return FileHeader{}, fmt.Errorf("journal: file of version %d, this binary knows %d", v, formatVersion)
	}
	return FileHeader{Seq: le.Uint64(b[24:]), ID: le.Uint64(b[32:]), Size: int64(le.Uint64(b[40:]))}, nil
}

// WriteFileHeader begins a use of a file: the page with a new id, synced.
func WriteFileHeader(f vfs.File, h FileHeader) error {
	if _, err := f.WriteAt(h.page(), 0); err != nil {
		return err
	}
	return f.SyncData()
}

// End says how the groups of a file end.
type End struct {
	Pos  int64 // where the next group would begin
	Torn bool  // something that is not whole stands there
}

// windowSize is how much Walk reads at once: small groups come 64 to a read, large ones are skipped over.
const windowSize = 256 << 10

// Walk calls fn for each group of a file, in order, from the one numbered first on; first 0 takes the number
// that stands there. Batches are not read. It ends at the first place without a whole group.
//
// Errors: fn's own; *store.CorruptError when a whole group of this file follows behind a bad one;
// those of reading.
func Walk(f io.ReaderAt, name string, fh FileHeader, size int64, first uint64, fn func(*Group) error) (End, error) {
	w := &window{f: f, size: size}
	pos := int64(PageSize)
	for next := first; ; next++ {
		g, err := w.group(pos, fh, next)
		if errors.Is(err, errNoGroup) || errors.Is(err, errTorn) {
			return w.end(name, pos, fh, next, err)
		}
		if err != nil {
			return End{}, err
		}
		next = g.Header.Seq
		if err := fn(g); err != nil {
			return End{}, err
		}
		pos += int64(g.Header.Padded())
	}
}

type window struct {
	f    io.ReaderAt
	size int64
	buf  []byte
	at   int64
}

// bytes returns n bytes at pos, fewer at the end of the file.
func (w *window) bytes(pos int64, n int) ([]byte, error) {
	if pos >= w.at && pos+int64(n) <= w.at+int64(len(w.buf)) {
		return w.buf[pos-w.at:][:n], nil
	}
	want := int(min(max(int64(n), windowSize), w.size-pos))
	if want <= 0 {
		return nil, nil
	}
	if cap(w.buf) < want {
		w.buf = make([]byte, want)
	}
	w.buf, w.at = w.buf[:want], pos
	m, err := w.f.ReadAt(w.buf, pos)
	w.buf = w.buf[:m]
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return w.buf[:min(n, m)], nil
}

// group reads the group at pos. want is its number, 0 for any.
func (w *window) group(pos int64, fh FileHeader, want uint64) (*Group, error) {
	b, err := w.bytes(pos, HeaderSize)
	if err != nil {
		return nil, err
	}
	h, err := readHeader(b)
	if err != nil {
		return nil, err
	}
	if h.FileID != fh.ID || h.FileSeq != fh.Seq {
		return nil, errNoGroup
	}
	if want != 0 && h.Seq != want || pos+int64(h.Length) > w.size {
		return nil, errTorn
	}
	if b, err = w.bytes(pos, HeaderSize+h.Meta); err != nil {
		return nil, err
	}
	if len(b) < HeaderSize+h.Meta {
		return nil, errTorn
	}
	return decodeGroup(b, h, pos)
}

// end looks behind the place where the groups end. A whole group of this use there means that what
// stands between was whole once.
func (w *window) end(name string, pos int64, fh FileHeader, next uint64, why error) (End, error) {
	for p := pos + PageSize; p+HeaderSize <= w.size; p += PageSize {
		b, err := w.bytes(p, HeaderSize)
		if err != nil {
			return End{}, err
		}
		if len(b) < HeaderSize || le.Uint32(b) != groupMagic || le.Uint64(b[8:]) != fh.ID {
			continue
		}
		if g, err := w.group(p, fh, 0); err == nil && g.Header.Seq > next {
			return End{}, &store.CorruptError{File: name, Offset: pos, Reason: fmt.Sprintf(
				"group %d is not whole, but group %d follows at byte %d", next, g.Header.Seq, p)}
		}
	}
	return End{Pos: pos, Torn: errors.Is(why, errTorn)}, nil
}

// CheckBatches reads the batches of a group and compares their sums and base offsets.
//
// Errors: *store.CorruptError, those of reading.
func CheckBatches(f io.ReaderAt, name string, g *Group) error {
	var buf []byte
	for i := range g.Stored {
		s := &g.Stored[i]
		if cap(buf) < int(s.Len) {
			buf = make([]byte, s.Len)
		}
		buf = buf[:s.Len]
		if _, err := f.ReadAt(buf, s.Pos); errors.Is(err, io.EOF) {
			return &store.CorruptError{File: name, Offset: s.Pos, Reason: "file ends inside of a batch"}
		} else if err != nil {
			return err
		}
		if err := CheckStored(buf, name, s, g.Data.Appends[i].Base); err != nil {
			return err
		}
	}
	return nil
}

// CheckStored compares the sum of a batch's stored bytes and, when they are plain, the base offset.
//
// Errors: *store.CorruptError.
func CheckStored(b []byte, name string, s *Stored, base store.Offset) error {
	if got := Sum(b); got != s.CRC {
		return &store.CorruptError{File: name, Offset: s.Pos, Reason: fmt.Sprintf("batch at offset %d has sum %08x, not %08x", base, got, s.CRC)}
	}
	if s.Encoding == Plain && (len(b) < 8 || store.Offset(binary.BigEndian.Uint64(b)) != base) {
		return &store.CorruptError{File: name, Offset: s.Pos, Reason: fmt.Sprintf("batch does not begin at offset %d", base)}
	}
	return nil
}

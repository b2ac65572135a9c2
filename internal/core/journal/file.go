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

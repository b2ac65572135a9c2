package journal

import (
	"errors"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Copy writes the groups of one file, up to end, to the same places of another, as that file's own, and syncs
// them; then it writes and syncs the file page, so that a half-made copy is no journal file.
//
// Errors: those of the files, and of a group that is not whole.
func Copy(dst vfs.File, to FileHeader, src vfs.File, from FileHeader, end int64) error {
	var buf []byte
	for pos := int64(PageSize); pos < end; {
		head := make([]byte, HeaderSize)
		if _, err := src.ReadAt(head, pos); err != nil {
			return err
		}
		h, err := readHeader(head)
		if err != nil || h.FileID != from.ID || h.FileSeq != from.Seq {
			return errors.Join(errTorn, err)
		}
		if cap(buf) < h.Padded() {
			buf = make([]byte, h.Padded())
		}
		buf = buf[:h.Padded()]
		clear(buf[h.Length:])
		if _, err := src.ReadAt(buf[:h.Length], pos); err != nil {
			return err
		}
		h.FileID, h.FileSeq = to.ID, to.Seq
		putHeader(buf, &h)
		if _, err := dst.WriteAt(buf, pos); err != nil {
			return err
		}
		pos += int64(len(buf))
	}
	if err := dst.Sync(); err != nil {
		return err
	}
	return WriteFileHeader(dst, to)
}

package segment

import (
	"fmt"
	"io"

	"github.com/cockroachdb/pebble/v2/vfs"

	"millrace/internal/core/batch"
)

// Verify reads the whole segment at path: header, footer, tail, each block, and each batch against its
// entry and, where it is plain, against its own header and CRC. It returns what the segment holds.
//
// Errors: *CorruptError for the first damage; those of the file system.
func Verify(fs vfs.FS, path string) (Info, error) {
	r, err := Open(fs, path, ReaderOptions{})
	if err != nil {
		return Info{}, err
	}
	defer func() { _ = r.Close() }() // only read
	v := verifier{data: r.file, path: path, contiguous: true, next: headerSize}
	if err := v.index(&r.Index); err != nil {
		return Info{}, err
	}
	if v.next != r.dataEnd {
		return Info{}, &CorruptError{path, v.next, fmt.Sprintf("data goes on to %d after the last batch", r.dataEnd)}
	}
	return r.Info(), nil
}

// VerifySidecar reads the whole sidecar at path and, when data is not nil, every batch in the data file,
// which dataPath names in errors. It returns what the sidecar holds.
//
// Errors: *CorruptError for the first damage; those of the file system.
func VerifySidecar(fs vfs.FS, path string, data io.ReaderAt, dataPath string) ([]Info, error) {
	s, err := OpenSidecar(fs, path, ReaderOptions{})
	if err != nil {
		return nil, err
	}
	defer func() { _ = s.Close() }() // only read
	v := verifier{data: data, path: dataPath}
	for i := range s.c.parts {
		x := s.c.index(i)
		if err := v.index(&x); err != nil {
			return nil, err
		}
	}
	return s.Partitions(), nil
}

// verifier checks every entry and batch of a partition.
type verifier struct {
	data       io.ReaderAt // nil: entries only
	path       string      // of data
	buf        []byte
	contiguous bool  // batches follow each other without gaps
	next       int64 // where the next one begins then
}

func (v *verifier) index(x *Index) error {
	got := Info{Partition: x.info.Partition}
	for i := range x.top {
		line := &x.top[i]
		entries, err := x.source.block(line)
		if err != nil {
			return err
		}
		for j := range entries {
			e := &entries[j]
			if got.Entries > 0 && (e.Base < got.Next || e.AppendTime < got.LastAppend) {
				return &CorruptError{x.source.path, line.at, fmt.Sprintf("offset %d at %d ms follows offset %d at %d ms", e.Base, e.AppendTime, got.Next, got.LastAppend)}
			}
			got.add(e)
			if err := v.batch(e); err != nil {
				return err
			}
		}
		if line.appendTime != got.LastAppend || line.maxTimestamp != got.MaxTimestamp {
			return &CorruptError{x.source.path, line.at, "times of a block are not what the tail says"}
		}
	}
	if got != x.info {
		return &CorruptError{x.source.path, x.top[0].at, fmt.Sprintf("partition holds %+v, the tail says %+v", got, x.info)}
	}
	return nil
}

func (v *verifier) batch(e *Entry) error {
	if v.contiguous && e.Pos != v.next {
		return &CorruptError{v.path, e.Pos, fmt.Sprintf("batch of offset %d begins here, the one before ends at %d", e.Base, v.next)}
	}
	v.next = e.Pos + int64(e.StoredLen)
	if v.data == nil {
		return nil
	}
	var err error
	if v.buf, err = ReadStored(v.data, v.path, *e, v.buf[:0]); err != nil {
		return err
	}
	if e.Encoding != Plain {
		return nil
	}
	h, err := batch.Verify(v.buf)
	if err != nil {
		return &CorruptError{v.path, e.Pos, err.Error()}
	}
	if reason := disagrees(e, &h); reason != "" {
		return &CorruptError{v.path, e.Pos, fmt.Sprintf("batch of offset %d and its entry disagree: %s", e.Base, reason)}
	}
	return nil
}

// disagrees names what the index copied wrongly from the header of its batch, or "".
func disagrees(e *Entry, h *batch.Header) string {
	switch {
	case h.NextOffset() != e.Next():
		return fmt.Sprintf("next offset %d and %d", h.NextOffset(), e.Next())
	case h.MaxTimestamp != e.MaxTimestamp:
		return fmt.Sprintf("timestamp %d and %d", h.MaxTimestamp, e.MaxTimestamp)
	case h.Attributes != e.Attributes:
		return fmt.Sprintf("attributes %#x and %#x", h.Attributes, e.Attributes)
	case h.ProducerID != e.ProducerID || h.ProducerEpoch != e.ProducerEpoch || h.BaseSequence != e.BaseSequence:
		return fmt.Sprintf("producer %d/%d/%d and %d/%d/%d", h.ProducerID, h.ProducerEpoch, h.BaseSequence, e.ProducerID, e.ProducerEpoch, e.BaseSequence)
	}
	return ""
}

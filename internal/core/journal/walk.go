package journal

import (
	"errors"
	"fmt"
	"io"

	"millrace/internal/core/store"
)

// windowSize is how much Walk reads at once: small groups come 64 to a read, large ones are skipped over.
const windowSize = 256 << 10

// Walk calls fn for each group of a file, in order, from the one numbered first on; first 0 takes the number
// that stands there. Batches are not read. It ends at the first place without a whole group.
//
// Errors: fn's own; *store.CorruptError when a whole group of this file follows behind a bad one;
// those of reading.
func Walk(f io.ReaderAt, name string, fh FileHeader, size int64, first uint64, fn func(*Group) error) (End, error) {
	w := &window{f: f, size: size}
	return w.walk(name, fh, first, func(b []byte, h *Header, pos int64) error {
		g, err := decodeGroup(b, *h, pos)
		if err != nil {
			return err
		}
		return fn(g)
	})
}

// WalkBatches is Walk for whoever wants to know no more than where the batches of a file are: what fn is given is good
// until it returns, and nothing is kept in memory.
//
// Errors: fn's own; *store.CorruptError; those of reading.
func WalkBatches(f io.ReaderAt, name string, fh FileHeader, size int64, fn func(*store.Append, *Stored) error) (End, error) {
	w := &window{f: f, size: size}
	var a store.Append
	var s Stored
	return w.walk(name, fh, 0, func(b []byte, h *Header, pos int64) error {
		if le.Uint32(b[92:]) != headerSum(b) {
			return errTorn
		}
		end := pos + int64(h.Length)
		pos += int64(len(b))
		for v := b[HeaderSize:][:h.Appends*EntrySize]; len(v) > 0; v = v[EntrySize:] {
			decodeEntry(v, &a, &s)
			s.Pos = pos
			if pos += int64(s.Len); pos > end || !offsetsFit(&a) {
				return errTorn
			}
			if err := fn(&a, &s); err != nil {
				return err
			}
		}
		return nil
	})
}

// walk calls fn for header and meta of each group. errTorn from fn ends it there.
func (w *window) walk(name string, fh FileHeader, first uint64, fn func(b []byte, h *Header, pos int64) error) (End, error) {
	pos := int64(PageSize)
	for next := first; ; next++ {
		h, err := w.group(pos, fh, next, fn)
		if errors.Is(err, errNoGroup) || errors.Is(err, errTorn) {
			return w.end(name, pos, fh, next, err)
		}
		if err != nil {
			return End{}, err
		}
		next = h.Seq
		w.last = h
		pos += int64(h.Padded())
	}
}

type window struct {
	f    io.ReaderAt
	size int64
	buf  []byte
	at   int64
	last Header // of the group before
}

// most is how much is worth reading at once: of groups that are larger than a window only what is before the batches.
func (w *window) most() int {
	if w.last.Padded() < windowSize {
		return windowSize
	}
	return Pad(HeaderSize + w.last.Meta + w.last.Meta/4)
}

// bytes returns n bytes at pos, fewer at the end of the file.
func (w *window) bytes(pos int64, n int) ([]byte, error) {
	if pos >= w.at && pos+int64(n) <= w.at+int64(len(w.buf)) {
		return w.buf[pos-w.at:][:n], nil
	}
	want := int(min(int64(max(Pad(n), w.most())), w.size-pos))
	if want <= 0 {
		return nil, nil
	}
	if cap(w.buf) < want { // aligned, for files that are read past the page cache
		w.buf = Aligned(Pad(want))
	}
	w.buf, w.at = w.buf[:want], pos
	m, err := w.f.ReadAt(w.buf, pos)
	w.buf = w.buf[:m]
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return w.buf[:min(n, m)], nil
}

// group reads the group at pos and calls fn for its header and meta. want is its number, 0 for any.
func (w *window) group(pos int64, fh FileHeader, want uint64, fn func(b []byte, h *Header, pos int64) error) (Header, error) {
	b, err := w.bytes(pos, HeaderSize)
	if err != nil {
		return Header{}, err
	}
	h, err := readHeader(b)
	if err != nil {
		return Header{}, err
	}
	if h.FileID != fh.ID || h.FileSeq != fh.Seq {
		return Header{}, errNoGroup
	}
	if want != 0 && h.Seq != want || pos+int64(h.Length) > w.size {
		return Header{}, errTorn
	}
	if b, err = w.bytes(pos, HeaderSize+h.Meta); err != nil {
		return Header{}, err
	}
	if len(b) < HeaderSize+h.Meta {
		return Header{}, errTorn
	}
	return h, fn(b, &h, pos)
}

// whole tells whether a group is, batches aside.
func whole(b []byte, h *Header, pos int64) error {
	_, err := decodeGroup(b, *h, pos)
	return err
}

// end looks behind the place where the groups end. A whole group of this use there means that what
// stands between was whole once.
func (w *window) end(name string, pos int64, fh FileHeader, next uint64, why error) (End, error) {
	w.last = Header{}
	for p := pos + PageSize; p+HeaderSize <= w.size; p += PageSize {
		b, err := w.bytes(p, HeaderSize)
		if err != nil {
			return End{}, err
		}
		if len(b) < HeaderSize || le.Uint32(b) != groupMagic || le.Uint64(b[8:]) != fh.ID {
			continue
		}
		if h, err := w.group(p, fh, 0, whole); err == nil && h.Seq > next {
			return End{}, &store.CorruptError{File: name, Offset: pos, Reason: fmt.Sprintf(
				"group %d is not whole, but group %d follows at byte %d", next, h.Seq, p)}
		}
	}
	return End{Pos: pos, Torn: errors.Is(why, errTorn)}, nil
}

package kbin

import (
	"encoding/binary"
	"errors"
	"math"
)

// ErrTooLong is what a Writer reports for a string or list that its length field cannot hold.
var ErrTooLong = errors.New("value is too long for its length field")

// Writer appends primitives to a buffer. The zero Writer begins an empty one.
type Writer struct {
	buf      []byte
	flexible bool
	err      error
}

// NewWriter appends to buf, which the Writer then owns; see [Writer.Bytes].
func NewWriter(buf []byte) Writer { return Writer{buf: buf} }

// SetFlexible says that what follows is in the compact forms, with tagged fields.
func (w *Writer) SetFlexible(flexible bool) { w.flexible = flexible }

// Flexible is what SetFlexible has set last.
func (w *Writer) Flexible() bool { return w.flexible }

// Err is ErrTooLong when something did not fit its length field; the message must then not be sent.
func (w *Writer) Err() error { return w.err }

// Bytes is everything written, beginning with what NewWriter was given.
func (w *Writer) Bytes() []byte { return w.buf }

// Len is len(Bytes()).
func (w *Writer) Len() int { return len(w.buf) }

// Raw appends b as it is.
func (w *Writer) Raw(b []byte) { w.buf = append(w.buf, b...) }

// Bool writes one byte.
func (w *Writer) Bool(v bool) {
	if v {
		w.Int8(1)
	} else {
		w.Int8(0)
	}
}

// Int8 writes one byte.
func (w *Writer) Int8(v int8) { w.buf = append(w.buf, byte(v)) }

// Int16 writes two bytes.
func (w *Writer) Int16(v int16) { w.buf = binary.BigEndian.AppendUint16(w.buf, uint16(v)) }

// Uint16 writes two bytes.
func (w *Writer) Uint16(v uint16) { w.buf = binary.BigEndian.AppendUint16(w.buf, v) }

// Int32 writes four bytes.
func (w *Writer) Int32(v int32) { w.buf = binary.BigEndian.AppendUint32(w.buf, uint32(v)) }

// Int64 writes eight bytes.
func (w *Writer) Int64(v int64) { w.buf = binary.BigEndian.AppendUint64(w.buf, uint64(v)) }

// Float64 writes an IEEE 754 double.
func (w *Writer) Float64(v float64) { w.Int64(int64(math.Float64bits(v))) }

// UUID writes 16 bytes.
func (w *Writer) UUID(v UUID) { w.buf = append(w.buf, v[:]...) }

// Uvarint writes an unsigned variable-length number.
func (w *Writer) Uvarint(v uint32) { w.buf = binary.AppendUvarint(w.buf, uint64(v)) }

// Varint writes a zigzag number.
func (w *Writer) Varint(v int32) { w.Uvarint(uint32(v<<1) ^ uint32(v>>31)) }

// Varlong writes a zigzag number.
func (w *Writer) Varlong(v int64) { w.buf = binary.AppendVarint(w.buf, v) }

// length writes a length or count, -1 for null, in width bytes where the message is not flexible.
func (w *Writer) length(n, width int) {
	switch {
	case n >= math.MaxInt32 || (n > math.MaxInt16 && width == 2):
		if w.err == nil {
			w.err = ErrTooLong
		}
	case w.flexible:
		w.Uvarint(uint32(n + 1))
	case width == 2:
		w.Int16(int16(n))
	default:
		w.Int32(int32(n))
	}
}

// String writes a string.
func (w *Writer) String(s string) {
	w.length(len(s), 2)
	w.buf = append(w.buf, s...)
}

// NullableString writes a string, null when s is nil and ok; nil where null is not allowed is written as empty.
func (w *Writer) NullableString(s *string, ok bool) {
	switch {
	case s != nil:
		w.String(*s)
	case ok:
		w.length(-1, 2)
	default:
		w.length(0, 2)
	}
}

// Blob writes bytes.
func (w *Writer) Blob(b []byte) {
	w.length(len(b), 4)
	w.buf = append(w.buf, b...)
}

// NullableBlob writes bytes, null when b is nil and ok.
func (w *Writer) NullableBlob(b []byte, ok bool) {
	if b == nil && ok {
		w.length(-1, 4)
		return
	}
	w.Blob(b)
}

// BlobLength writes the length field of bytes that the caller sends after this, without copying them; -1 is null.
func (w *Writer) BlobLength(n int) { w.length(n, 4) }

// Count writes the count of an array, or null.
func (w *Writer) Count(n int, null bool) {
	if null {
		n = -1
	}
	w.length(n, 4)
}

// Present writes the byte before a struct that may be null.
func (w *Writer) Present(present bool) {
	if present {
		w.Int8(1)
	} else {
		w.Int8(-1)
	}
}

// Tags writes the count of tagged fields.
func (w *Writer) Tags(n int) { w.Uvarint(uint32(n)) }

// BeginTag writes the number of a tagged field and gives the place to hand to EndTag after its data.
func (w *Writer) BeginTag(tag uint32) int {
	w.Uvarint(tag)
	return len(w.buf)
}

// EndTag puts the size of the data written since BeginTag before it.
func (w *Writer) EndTag(start int) {
	var head [binary.MaxVarintLen32]byte
	size := len(w.buf) - start
	n := binary.PutUvarint(head[:], uint64(size))
	w.buf = append(w.buf, head[:n]...)
	copy(w.buf[start+n:], w.buf[start:start+size])
	copy(w.buf[start:], head[:n])
}

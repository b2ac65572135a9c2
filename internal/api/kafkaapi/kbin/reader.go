package kbin

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"unsafe"
)

// Bounds of a Reader.
const (
	// MaxTags is how many tagged fields a struct may have: Kafka's own messages have 5 at most.
	MaxTags = 128

	// BudgetFactor and BudgetBase bound what decoding may allocate: a partition of an OffsetCommit takes
	// 18 bytes on the wire and 64 in memory, the leanest element that real clients send in numbers less
	// than 16 times; the base covers small messages of many empty lists. 4 KiB of the promised 64 are left for
	// the message's own struct and the error.
	BudgetFactor = 16
	BudgetBase   = 60 << 10
)

// Reasons why bytes are refused, to compare with errors.Is; the error says the position too.
var (
	ErrShort   = errors.New("message ends too early")
	ErrLength  = errors.New("length is negative or larger than the rest of the message")
	ErrNull    = errors.New("null where it is not allowed")
	ErrVarint  = errors.New("variable-length number is too long")
	ErrTags    = errors.New("too many tagged fields")
	ErrTagSize = errors.New("tagged field is not of the size it says")
	ErrBudget  = errors.New("message needs too much memory for its size")
)

// UUID is a 16-byte identifier, as of topics. The zero UUID means none.
type UUID [16]byte

// String is the form that Kafka prints: base64 with the URL alphabet, without padding, 22 characters.
func (u UUID) String() string { return base64.RawURLEncoding.EncodeToString(u[:]) }

// Budget is how many bytes may be allocated for a message of size bytes.
func Budget(size int) int { return BudgetFactor*size + BudgetBase }

// Reader takes primitives from the front of a message. The zero Reader is at the end of an empty message;
// see [NewReader]. A Reader is a value without resources, for one goroutine.
type Reader struct {
	buf      []byte
	at       int
	budget   int
	flexible bool
	err      error
}

// NewReader reads buf, which must not change while anything read from it is in use. The budget is that of
// len(buf).
func NewReader(buf []byte) Reader { return Reader{buf: buf, budget: Budget(len(buf))} }

// SetFlexible says that what follows is in the compact forms, with tagged fields.
func (r *Reader) SetFlexible(flexible bool) { r.flexible = flexible }

// Flexible is what SetFlexible has set last.
func (r *Reader) Flexible() bool { return r.flexible }

// Err is the first error, or nil. After an error all reads give zero values.
func (r *Reader) Err() error { return r.err }

// Pos is how many bytes have been read.
func (r *Reader) Pos() int { return r.at }

// Len is how many bytes are left.
func (r *Reader) Len() int { return len(r.buf) - r.at }

// Rest takes all bytes that are left; they alias the input.
func (r *Reader) Rest() []byte { return r.take(r.Len()) }

// Raw takes the next n bytes; they alias the input.
func (r *Reader) Raw(n int) []byte { return r.take(n) }

// Skip passes over n bytes.
func (r *Reader) Skip(n int) { r.take(n) }

// Fail sets the error unless there is one already. It is for decoders that find a value out of its range.
func (r *Reader) Fail(err error) {
	if r.err == nil {
		r.err = fmt.Errorf("at byte %d of %d: %w", r.at, len(r.buf), err)
		r.at = len(r.buf)
	}
}

// Charge takes an allocation of n bytes from the budget and reports whether they were left; if not, the
// error is ErrBudget. It counts what the runtime may take for n bytes: up to a quarter more, in steps of 16.
func (r *Reader) Charge(n int) bool {
	if r.err != nil {
		return false
	}
	if n > 0 {
		n += n/4 + 16
	}
	if n < 0 || n > r.budget {
		r.Fail(ErrBudget)
		return false
	}
	r.budget -= n
	return true
}

// take gives the next n bytes, or nil and an error.
func (r *Reader) take(n int) []byte {
	if n < 0 || n > len(r.buf)-r.at {
		r.Fail(ErrShort)
		return nil
	}
	b := r.buf[r.at : r.at+n : r.at+n]
	r.at += n
	return b
}

// Bool reads one byte; anything but 0 is true.
func (r *Reader) Bool() bool { return r.Int8() != 0 }

// Int8 reads a signed byte.
func (r *Reader) Int8() int8 {
	if b := r.take(1); b != nil {
		return int8(b[0])
	}
	return 0
}

// Int16 reads two bytes.
func (r *Reader) Int16() int16 { return int16(r.Uint16()) }

// Uint16 reads two bytes without sign.
func (r *Reader) Uint16() uint16 {
	if b := r.take(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

// Int32 reads four bytes.
func (r *Reader) Int32() int32 {
	if b := r.take(4); b != nil {
		return int32(binary.BigEndian.Uint32(b))
	}
	return 0
}

// Int64 reads eight bytes.
func (r *Reader) Int64() int64 {
	if b := r.take(8); b != nil {
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}

// Float64 reads an IEEE 754 double.
func (r *Reader) Float64() float64 { return math.Float64frombits(uint64(r.Int64())) }

// UUID reads 16 bytes.
func (r *Reader) UUID() (u UUID) {
	copy(u[:], r.take(16))
	return u
}

// Uvarint reads an unsigned variable-length number of at most five bytes.
func (r *Reader) Uvarint() uint32 {
	v := r.uvarint(5)
	if v > math.MaxUint32 {
		r.Fail(ErrVarint)
		return 0
	}
	return uint32(v)
}

// Varint reads a zigzag number of at most five bytes.
func (r *Reader) Varint() int32 {
	u := r.Uvarint()
	return int32(u>>1) ^ -int32(u&1)
}

// Varlong reads a zigzag number of at most ten bytes.
func (r *Reader) Varlong() int64 {
	u := r.uvarint(10)
	return int64(u>>1) ^ -int64(u&1)
}

// uvarint reads a number of at most limit bytes.
func (r *Reader) uvarint(limit int) uint64 {
	var v uint64
	for i := range limit {
		if r.at >= len(r.buf) {
			r.Fail(ErrShort)
			return 0
		}
		b := r.buf[r.at]
		r.at++
		if i == 9 && b > 1 {
			break // more than 64 bits
		}
		v |= uint64(b&0x7f) << (7 * i)
		if b < 0x80 {
			return v
		}
	}
	r.Fail(ErrVarint)
	return 0
}

// length reads a length or count and gives -1 for null, in width bytes where the message is not flexible. It
// is not compared with what is left.
func (r *Reader) length(width int) int {
	if r.flexible {
		return int(int64(r.Uvarint()) - 1)
	}
	if width == 2 {
		return int(r.Int16())
	}
	return int(r.Int32())
}

// data gives the bytes of a string or a byte slice, and whether it was null. A null is refused unless
// nullable. The bytes alias the input and are not nil unless null or after an error.
func (r *Reader) data(width int, nullable bool) ([]byte, bool) {
	n := r.length(width)
	switch {
	case r.err != nil:
		return nil, true
	case n == -1 && nullable:
		return nil, true
	case n == -1:
		r.Fail(ErrNull)
		return nil, true
	case n < 0 || n > r.Len():
		r.Fail(ErrLength)
		return nil, true
	}
	return r.take(n), false
}

// String reads a string that may not be null. It aliases the input.
func (r *Reader) String() string {
	b, _ := r.data(2, false)
	return alias(b)
}

// NullableString reads a string, nil when it is null. The text aliases the input; the pointer is a small
// allocation, charged to the budget. ok false makes null an error, for versions that do not know it.
func (r *Reader) NullableString(ok bool) *string {
	b, null := r.data(2, ok)
	if null || !r.Charge(int(unsafe.Sizeof(""))) {
		return nil
	}
	s := alias(b)
	return &s
}

// Bytes reads bytes that may not be null. They alias the input.
func (r *Reader) Bytes() []byte {
	b, _ := r.data(4, false)
	return b
}

// NullableBytes reads bytes, nil when they are null. They alias the input. ok as for NullableString.
func (r *Reader) NullableBytes(ok bool) []byte {
	b, _ := r.data(4, ok)
	return b
}

// Count reads the count of an array's elements, -1 for null, 0 after an error.
//
// least: the smallest size of an element on the wire, at least 1. size: what an element takes in memory, or
// 0 when the caller allocates nothing; the elements are charged to the budget. nullable: whether null is allowed.
func (r *Reader) Count(least, size int, nullable bool) int {
	n := r.length(4)
	switch {
	case r.err != nil:
		return 0
	case n == -1 && nullable:
		return -1
	case n == -1:
		r.Fail(ErrNull)
		return 0
	case n < 0 || n > r.Len()/max(least, 1):
		r.Fail(ErrLength)
		return 0
	case !r.Charge(n * size):
		return 0
	}
	return n
}

// Present reads the byte before a struct that may be null. ok as for NullableString; size is what the struct takes
// in memory.
func (r *Reader) Present(ok bool, size int) bool {
	if r.Int8() >= 0 {
		return r.Charge(size)
	}
	if !ok {
		r.Fail(ErrNull)
	}
	return false
}

// Tags reads the count of tagged fields.
func (r *Reader) Tags() int {
	n := r.Uvarint()
	if n > MaxTags {
		r.Fail(ErrTags)
		return 0
	}
	return int(n)
}

// Tag reads the head of a tagged field: its number, and the position at which its data ends.
func (r *Reader) Tag() (tag uint32, end int) {
	tag = r.Uvarint()
	size := r.Uvarint()
	if r.err != nil {
		return 0, r.at
	}
	if int64(size) > int64(r.Len()) {
		r.Fail(ErrLength)
		return 0, r.at
	}
	return tag, r.at + int(size)
}

// EndTag checks that the data of a tagged field was read to its end.
func (r *Reader) EndTag(end int) {
	if r.err == nil && r.at != end {
		r.Fail(ErrTagSize)
	}
}

// SkipTag passes over the data of a tagged field that is not known.
func (r *Reader) SkipTag(end int) { r.take(end - r.at) }

// SkipTags passes over all tagged fields of a struct that defines none.
func (r *Reader) SkipTags() {
	for range r.Tags() {
		if r.err != nil {
			return
		}
		_, end := r.Tag()
		r.SkipTag(end)
	}
}

// alias gives b as a string without copying it; see Ownership in the package comment.
func alias(b []byte) string {
	return unsafe.String(unsafe.SliceData(b), len(b)) //nolint:gosec // the input does not change while it is in use
}

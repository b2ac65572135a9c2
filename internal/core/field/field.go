// Package field takes stored values, keys and tokens apart, field by field: the decoders of all packages stand on it, so
// that what a bad length does is decided once.
//
//	d := field.Reader{B: value}
//	x.created, x.name = int64(d.Uint64()), d.Text8()
//	if !d.Done() { ... not a value of ours }
//
// Numbers are big-endian, or varints of encoding/binary. Nothing is copied but texts.
package field

import "encoding/binary"

// Reader takes fields off the front of B. After the first that does not fit, Bad stays set, B is empty, and all
// further ones are zero; so a decoder asks once, at the end of a value or of each element.
type Reader struct {
	B   []byte
	Bad bool
}

// Done tells whether everything fitted and nothing is left.
func (r *Reader) Done() bool { return !r.Bad && len(r.B) == 0 }

// Fail makes the reader bad: what was read cannot be.
func (r *Reader) Fail() { r.B, r.Bad = nil, true }

// Take returns the next n bytes, which alias what is read and have no room behind them.
func (r *Reader) Take(n int) []byte {
	if n < 0 || n > len(r.B) {
		r.Fail()
		return nil
	}
	v := r.B[:n:n]
	r.B = r.B[n:]
	return v
}

// Byte is one byte.
func (r *Reader) Byte() byte {
	if v := r.Take(1); v != nil {
		return v[0]
	}
	return 0
}

// Uint16 is two bytes.
func (r *Reader) Uint16() uint16 {
	if v := r.Take(2); v != nil {
		return binary.BigEndian.Uint16(v)
	}
	return 0
}

// Uint32 is four bytes.
func (r *Reader) Uint32() uint32 {
	if v := r.Take(4); v != nil {
		return binary.BigEndian.Uint32(v)
	}
	return 0
}

// Uint64 is eight bytes.
func (r *Reader) Uint64() uint64 {
	if v := r.Take(8); v != nil {
		return binary.BigEndian.Uint64(v)
	}
	return 0
}

// Uvarint is a varint without a sign.
func (r *Reader) Uvarint() uint64 {
	v, n := binary.Uvarint(r.B)
	r.skip(n)
	return v
}

// Varint is a varint with a sign.
func (r *Reader) Varint() int64 {
	v, n := binary.Varint(r.B)
	r.skip(n)
	return v
}

// skip goes on after a varint of n bytes; 0 and less mean that it did not fit.
func (r *Reader) skip(n int) {
	if n <= 0 {
		r.Fail()
		return
	}
	r.B = r.B[n:]
}

// Count is the number of elements that follow, as a varint: at most most, and no more than there are bytes left, so
// that memory may be made for them.
func (r *Reader) Count(most int) int {
	n := r.Uvarint()
	if n > uint64(max(most, 0)) || n > uint64(len(r.B)) {
		r.Fail()
		return 0
	}
	return int(n)
}

// Bytes8 is a length of one byte and that many bytes.
func (r *Reader) Bytes8() []byte { return r.Take(int(r.Byte())) }

// Text8 is a length of one byte and a text.
func (r *Reader) Text8() string { return string(r.Bytes8()) }

// Text16 is a length of two bytes and a text.
func (r *Reader) Text16() string { return string(r.Take(int(r.Uint16()))) }

// TextVar is a length as a varint and a text.
func (r *Reader) TextVar() string { return string(r.Take(r.Count(len(r.B)))) }

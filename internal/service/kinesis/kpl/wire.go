package kpl

import "encoding/binary"

// Wire types of protocol buffers.
//
// Source: protobuf.dev, "Encoding" (read 2026-11).
const (
	wireVarint  = 0
	wireFixed64 = 1
	wireBytes   = 2
	wireFixed32 = 5
)

// maxFieldNumber is the largest that the format has: 2^29-1.
const maxFieldNumber = 1<<29 - 1

// field is one field of a message as it stands there.
type field struct {
	number uint64
	wire   uint64
	value  uint64 // of a varint
	bytes  []byte // of wireBytes, never nil then
}

// kind tells fields apart: one with a known number and another wire type is not known.
type kind struct{ number, wire uint64 }

func (f *field) kind() kind { return kind{f.number, f.wire} }

// reader walks the fields of a message.
type reader struct{ b []byte }

func (r *reader) more() bool { return len(r.b) > 0 }

// next reads a field, whatever it is.
//
// Errors: ErrFormat.
func (r *reader) next() (field, error) {
	tag, ok := r.varint()
	f := field{number: tag >> 3, wire: tag & 7}
	if !ok || f.number == 0 || f.number > maxFieldNumber {
		return f, malformed("tag of a field")
	}
	switch f.wire {
	case wireVarint:
		f.value, ok = r.varint()
	case wireFixed64:
		_, ok = r.take(8)
	case wireFixed32:
		_, ok = r.take(4)
	case wireBytes:
		var n uint64
		if n, ok = r.varint(); ok {
			f.bytes, ok = r.take(n)
		}
	default:
		ok = false
	}
	if !ok {
		return f, malformed("value of a field")
	}
	return f, nil
}

func (r *reader) varint() (uint64, bool) {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		return 0, false
	}
	r.b = r.b[n:]
	return v, true
}

func (r *reader) take(n uint64) ([]byte, bool) {
	if n > uint64(len(r.b)) {
		return nil, false
	}
	taken := r.b[:n:n]
	r.b = r.b[n:]
	return taken, true
}

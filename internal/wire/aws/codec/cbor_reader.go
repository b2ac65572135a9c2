package codec

import (
	"encoding/binary"
	"math"
	"time"
	"unicode/utf8"
)

// CBOR's major types, in the upper three bits of an item's first byte.
const (
	majorUint   = 0
	majorNegint = 1
	majorBytes  = 2
	majorText   = 3
	majorArray  = 4
	majorMap    = 5
	majorTag    = 6
	majorSimple = 7
)

// The lower five bits of an item's first byte, where they are not a small value.
const (
	info8, info16, info32, info64 = 24, 25, 26, 27

	infoIndefinite = 31

	simpleFalse, simpleTrue, simpleNull, simpleUndefined = 20, 21, 22, 23
)

const cborBreak = majorSimple<<5 | infoIndefinite

// indefinite stands in the stack for a list or map that a break ends.
const indefinite = math.MaxUint64

// cborReader reads RFC 8949 CBOR. Tags are passed over: what a number means follows from its member,
// and the Java SDK's times are tag 1 with integer milliseconds, which no other reader would expect.
type cborReader struct {
	data    []byte
	pos     int
	left    []uint64 // elements left in each open list, pairs in each map
	scratch []byte   // holds a string that came in pieces
	rpc     bool     // times are seconds, as in Smithy RPC v2 CBOR
}

func (r *cborReader) end() bool { return r.pos == len(r.data) }

// head reads an item's first byte and argument at p, giving the position after them.
func (r *cborReader) head(p int) (major, info byte, arg uint64, next int, err error) {
	if p >= len(r.data) {
		return 0, 0, 0, 0, errSyntax
	}
	major, info = r.data[p]>>5, r.data[p]&31
	p++
	var size int
	switch {
	case info < info8:
		return major, info, uint64(info), p, nil
	case info <= info64:
		size = 1 << (info - info8)
	case info == infoIndefinite && (major >= majorBytes && major <= majorMap || major == majorSimple):
		return major, info, indefinite, p, nil
	default:
		return 0, 0, 0, 0, errSyntax
	}
	if len(r.data)-p < size {
		return 0, 0, 0, 0, errSyntax
	}
	var wide [8]byte
	copy(wide[8-size:], r.data[p:p+size])
	arg = binary.BigEndian.Uint64(wide[:])
	if arg == indefinite && major >= majorBytes && major <= majorMap {
		return 0, 0, 0, 0, errSyntax // a length no body can have
	}
	return major, info, arg, p + size, nil
}

// untag passes over tags.
func (r *cborReader) untag() error {
	for {
		major, _, _, next, err := r.head(r.pos)
		if err != nil {
			return err
		}
		if major != majorTag {
			return nil
		}
		r.pos = next
	}
}

func (r *cborReader) peek() (kind, error) {
	if err := r.untag(); err != nil {
		return 0, err
	}
	major, info, _, _, err := r.head(r.pos)
	if err != nil {
		return 0, err
	}
	switch major {
	case majorUint, majorNegint:
		return kindNumber, nil
	case majorBytes:
		return kindBytes, nil
	case majorText:
		return kindText, nil
	case majorArray:
		return kindList, nil
	case majorMap:
		return kindMap, nil
	}
	switch info {
	case simpleFalse, simpleTrue:
		return kindBool, nil
	case simpleNull, simpleUndefined:
		return kindNull, nil
	case info16, info32, info64:
		return kindNumber, nil
	}
	return 0, errSyntax
}

func (r *cborReader) null() { r.pos++ }

func (r *cborReader) boolean() bool {
	r.pos++
	return r.data[r.pos-1]&31 == simpleTrue
}

func (r *cborReader) begin() {
	_, _, arg, next, _ := r.head(r.pos) // peek has seen it
	r.pos = next
	r.left = append(r.left, arg)
}

// more takes one element from the open list or map, or closes it.
func (r *cborReader) more() (bool, error) {
	top := len(r.left) - 1
	switch r.left[top] {
	case indefinite:
		if r.pos >= len(r.data) {
			return false, errSyntax
		}
		if r.data[r.pos] != cborBreak {
			return true, nil
		}
		r.pos++
	case 0:
	default:
		r.left[top]--
		return true, nil
	}
	r.left = r.left[:top]
	return false, nil
}

func (r *cborReader) key() ([]byte, bool, error) {
	ok, err := r.more()
	if !ok || err != nil {
		return nil, false, err
	}
	if k, err := r.peek(); err != nil || k != kindText {
		return nil, false, errSyntax
	}
	name, err := r.text()
	return name, true, err
}

func (r *cborReader) number() (number, error) {
	major, info, arg, next, err := r.head(r.pos)
	if err != nil {
		return number{}, err
	}
	r.pos = next
	switch {
	case major == majorUint && arg <= math.MaxInt64:
		return number{i: int64(arg), exact: true}, nil
	case major == majorUint:
		return number{f: float64(arg)}, nil
	case major == majorNegint && arg <= math.MaxInt64:
		return number{i: -1 - int64(arg), exact: true}, nil
	case major == majorNegint:
		return number{f: -1 - float64(arg)}, nil
	case info == info16:
		return number{f: halfFloat(uint16(arg))}, nil
	case info == info32:
		return number{f: float64(math.Float32frombits(uint32(arg)))}, nil
	}
	return number{f: math.Float64frombits(arg)}, nil
}

// halfFloat widens an IEEE 754 half-precision number.
func halfFloat(h uint16) float64 {
	exp, frac := int(h>>10&31), float64(h&1023)
	var f float64
	switch exp {
	case 0:
		f = math.Ldexp(frac, -24)
	case 31:
		f = math.Inf(1)
		if frac != 0 {
			f = math.NaN()
		}
	default:
		f = math.Ldexp(frac+1024, exp-25)
	}
	if h>>15 != 0 {
		f = -f
	}
	return f
}

func (r *cborReader) timestamp() (time.Time, error) {
	n, err := r.number()
	if r.rpc {
		return seconds(n), err
	}
	return millis(n.truncate()), err
}

func (r *cborReader) text() ([]byte, error) {
	b, _, err := r.str(majorText)
	if err != nil || !utf8.Valid(b) {
		return nil, errSyntax
	}
	return b, nil
}

func (r *cborReader) bytes() ([]byte, bool, error) { return r.str(majorBytes) }

// str reads a string of the given major type: whole, which is a piece of the body, or in pieces.
func (r *cborReader) str(want byte) (b []byte, whole bool, err error) {
	major, _, arg, next, err := r.head(r.pos)
	if err != nil || major != want {
		return nil, false, errSyntax
	}
	if arg != indefinite {
		b, err := r.piece(arg, next)
		return b, true, err
	}
	r.pos = next
	r.scratch = r.scratch[:0]
	for {
		if r.pos < len(r.data) && r.data[r.pos] == cborBreak {
			r.pos++
			return r.scratch, false, nil
		}
		major, _, arg, next, err := r.head(r.pos)
		if err != nil || major != want || arg == indefinite {
			return nil, false, errSyntax
		}
		b, err := r.piece(arg, next)
		if err != nil {
			return nil, false, err
		}
		r.scratch = append(r.scratch, b...)
	}
}

func (r *cborReader) piece(n uint64, start int) ([]byte, error) {
	if n > uint64(len(r.data)-start) {
		return nil, errSyntax
	}
	r.pos = start + int(n)
	return r.data[start:r.pos], nil
}

package wirejson

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
	"unsafe"

	"millrace/internal/wire/jsonstring"
)

// peek is the next byte that is not white space, without taking it; 0 at the end and after an error.
func (d *Decoder) peek() byte {
	if d.pos < len(d.data) {
		if c := d.data[d.pos]; c > ' ' {
			return c
		}
	}
	return d.peekSpace()
}

func (d *Decoder) peekSpace() byte {
	for d.pos < len(d.data) {
		switch c := d.data[d.pos]; c {
		case ' ', '\t', '\n', '\r':
			d.pos++
		case 0:
			d.malformed()
			return 0
		default:
			return c
		}
	}
	return 0
}

// take takes c, which must be next.
func (d *Decoder) take(c byte) bool {
	if d.peek() != c {
		d.malformed()
		return false
	}
	d.pos++
	return true
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// special has the high bit of each byte set that ends the plain part of a string: a quote, a backslash, a
// control character or a byte of a letter beyond ASCII. A byte below n shows in the high bit of (w - n) &^ w; a false
// one can only stand above a true one, and the lowest is what counts.
func special(w uint64) uint64 {
	q, b := w^ones*'"', w^ones*'\\'
	return ((w-ones*0x20)&^w | (q-ones)&^q | (b-ones)&^b | w) & highs
}

// text reads a string whose opening quote is next. Without escapes it is a piece of the body.
func (d *Decoder) text() []byte {
	start := d.pos + 1
	i := start
	for {
		for i+8 <= len(d.data) {
			if m := special(binary.LittleEndian.Uint64(d.data[i:])); m != 0 {
				i += bits.TrailingZeros64(m) / 8
				goto found
			}
			i += 8
		}
		for i < len(d.data) && d.data[i] >= 0x20 && d.data[i] != '"' && d.data[i] != '\\' && d.data[i] < utf8.RuneSelf {
			i++
		}
	found:
		switch {
		case i >= len(d.data):
			d.malformed()
			return nil
		case d.data[i] == '"':
			d.pos = i + 1
			return d.data[start:i:i]
		case d.data[i] >= utf8.RuneSelf:
			_, n := utf8.DecodeRune(d.data[i:])
			if n == 1 { // no letter's encoding
				d.malformed()
				return nil
			}
			i += n
		case d.data[i] == '\\':
			return d.escaped(start, i)
		default:
			d.malformed()
			return nil
		}
	}
}

// escaped reads on from the first backslash of a string, into the memory of d.
func (d *Decoder) escaped(start, i int) []byte {
	if d.texts == nil {
		d.texts = make([]byte, 0, 512)
	}
	from := len(d.texts)
	out := append(d.texts, d.data[start:i]...)
	for i < len(d.data) {
		switch c := d.data[i]; {
		case c == '"':
			d.pos = i + 1
			d.texts = out
			return out[from:len(out):len(out)]
		case c == '\\':
			var n int
			if out, n = jsonstring.Unescape(out, d.data[i:]); n == 0 {
				d.malformed()
				return nil
			}
			i += n
		case c < 0x20:
			d.malformed()
			return nil
		case c < utf8.RuneSelf:
			out = append(out, c)
			i++
		default:
			_, n := utf8.DecodeRune(d.data[i:])
			if n == 1 {
				d.malformed()
				return nil
			}
			out = append(out, d.data[i:i+n]...)
			i += n
		}
	}
	d.malformed()
	return nil
}

// literal takes null, true or false, if that is next.
func (d *Decoder) literal(word string) bool {
	if rest := d.data[d.pos:]; len(rest) < len(word) || string(rest[:len(word)]) != word {
		d.malformed()
		return false
	}
	d.pos += len(word)
	return true
}

// null takes a null, if that is next.
func (d *Decoder) null() bool { return d.peek() == 'n' && d.literal("null") }

// number takes a number of JSON, if one is next. whole says that it has neither a point nor an exponent.
func (d *Decoder) number() (text []byte, whole bool) {
	start := d.pos
	if d.at('-') {
		d.pos++
	}
	if d.at('0') {
		d.pos++
	} else if d.digits() == 0 {
		d.malformed()
		return nil, false
	}
	whole = true
	if d.at('.') {
		d.pos++
		whole = false
		if d.digits() == 0 {
			d.malformed()
			return nil, false
		}
	}
	if d.at('e') || d.at('E') {
		d.pos++
		whole = false
		if d.at('+') || d.at('-') {
			d.pos++
		}
		if d.digits() == 0 {
			d.malformed()
			return nil, false
		}
	}
	return d.data[start:d.pos], whole
}

func (d *Decoder) at(c byte) bool { return d.pos < len(d.data) && d.data[d.pos] == c }

func (d *Decoder) digits() int {
	start := d.pos
	for d.pos < len(d.data) && d.data[d.pos]-'0' <= 9 {
		d.pos++
	}
	return d.pos - start
}

// maxNesting is how many lists and maps may stand in one another where they are passed over. AWS's parser has such a
// bound too; past it a body is not read.
const maxNesting = 1000

// Skip passes over the value of a member that nobody asked for, which must be JSON all the same.
func (d *Decoder) Skip() {
	var open [maxNesting]byte // the bytes that end what is open
	depth := 0
	for {
		switch c := d.peek(); c {
		case '{', '[':
			if depth == maxNesting {
				d.malformed()
				return
			}
			d.pos++
			open[depth] = c + 2 // ']' and '}' come two behind
			depth++
			if d.peek() == open[depth-1] {
				break // empty: what follows takes the end
			}
			if c == '{' && !d.skipName() {
				return
			}
			continue
		default:
			if !d.skipScalar(c) {
				return
			}
		}
		for {
			if depth == 0 {
				return
			}
			c := d.peek()
			if c == open[depth-1] {
				d.pos++
				depth--
				continue
			}
			if c != ',' {
				d.malformed()
				return
			}
			d.pos++
			if open[depth-1] == '}' && !d.skipName() {
				return
			}
			break
		}
	}
}

func (d *Decoder) skipName() bool {
	if d.peek() != '"' {
		d.malformed()
		return false
	}
	d.text()
	return d.take(':')
}

// skipScalar passes over what begins with c and is neither list nor map.
func (d *Decoder) skipScalar(c byte) bool {
	switch {
	case c == '"':
		d.text()
	case c == 't':
		d.literal("true")
	case c == 'f':
		d.literal("false")
	case c == 'n':
		d.literal("null")
	case c == '-' || c-'0' <= 9:
		d.number()
	default:
		d.malformed()
	}
	return d.err == nil
}

// alias is b as a string; b lives in the body or in the memory of d.
func alias(b []byte) string {
	return unsafe.String(unsafe.SliceData(b), len(b)) //nolint:gosec // neither is written until Reset
}

// bytesOf is s as bytes, which are only read.
func bytesOf(s string) []byte {
	return unsafe.Slice(unsafe.StringData(s), len(s)) //nolint:gosec // read only
}

package codec

import (
	"bytes"
	"encoding/binary"
	"strconv"
	"time"
	"unicode/utf8"

	"millrace/internal/wire/jsonstring"
)

// jsonReader reads RFC 8259 JSON, strictly.
type jsonReader struct {
	data    []byte
	pos     int
	first   bool   // just after '[' or '{': no comma comes before the next
	scratch []byte // holds a string that had escapes
}

func (r *jsonReader) space() {
	for r.pos < len(r.data) {
		switch r.data[r.pos] {
		case ' ', '\t', '\n', '\r':
			r.pos++
		default:
			return
		}
	}
}

func (r *jsonReader) end() bool {
	r.space()
	return r.pos == len(r.data)
}

func (r *jsonReader) peek() (kind, error) {
	r.space()
	if r.pos == len(r.data) {
		return 0, errSyntax
	}
	switch c := r.data[r.pos]; {
	case c == '"':
		return kindText, nil
	case c == '{':
		return kindMap, nil
	case c == '[':
		return kindList, nil
	case c == '-' || c >= '0' && c <= '9':
		return kindNumber, nil
	case bytes.HasPrefix(r.data[r.pos:], []byte("null")):
		return kindNull, nil
	case bytes.HasPrefix(r.data[r.pos:], []byte("true")), bytes.HasPrefix(r.data[r.pos:], []byte("false")):
		return kindBool, nil
	}
	return 0, errSyntax
}

func (r *jsonReader) null() { r.pos += len("null") }

func (r *jsonReader) boolean() bool {
	if r.data[r.pos] == 't' {
		r.pos += len("true")
		return true
	}
	r.pos += len("false")
	return false
}

func (r *jsonReader) begin() {
	r.pos++
	r.first = true
}

func (r *jsonReader) more() (bool, error) { return r.next(']') }

func (r *jsonReader) key() ([]byte, bool, error) {
	ok, err := r.next('}')
	if !ok || err != nil {
		return nil, false, err
	}
	r.space()
	if r.pos == len(r.data) || r.data[r.pos] != '"' {
		return nil, false, errSyntax
	}
	name, err := r.text()
	if err != nil {
		return nil, false, err
	}
	r.space()
	if r.pos == len(r.data) || r.data[r.pos] != ':' {
		return nil, false, errSyntax
	}
	r.pos++
	return name, true, nil
}

// next takes the end of a list or map, or the comma before another element. After a comma an element
// must follow, which the caller finds out.
func (r *jsonReader) next(end byte) (bool, error) {
	r.space()
	if r.pos == len(r.data) {
		return false, errSyntax
	}
	first := r.first
	r.first = false
	switch c := r.data[r.pos]; {
	case c == end:
		r.pos++
		return false, nil
	case first:
		return true, nil
	case c == ',':
		r.pos++
		return true, nil
	}
	return false, errSyntax
}

func (r *jsonReader) bytes() ([]byte, bool, error) { return nil, false, errSyntax }

func (r *jsonReader) timestamp() (time.Time, error) {
	n, err := r.number()
	return seconds(n), err
}

// number reads -?(0|[1-9][0-9]*)(.[0-9]+)?([eE][+-]?[0-9]+)?
func (r *jsonReader) number() (number, error) {
	start := r.pos
	if r.at('-') {
		r.pos++
	}
	switch {
	case r.at('0'):
		r.pos++
	case r.digits() == 0:
		return number{}, errSyntax
	}
	integer := true
	if r.at('.') {
		integer = false
		r.pos++
		if r.digits() == 0 {
			return number{}, errSyntax
		}
	}
	if r.at('e') || r.at('E') {
		integer = false
		r.pos++
		if r.at('+') || r.at('-') {
			r.pos++
		}
		if r.digits() == 0 {
			return number{}, errSyntax
		}
	}
	text := string(r.data[start:r.pos])
	if integer {
		if i, err := strconv.ParseInt(text, 10, 64); err == nil {
			return number{i: i, exact: true}, nil
		}
	}
	f, _ := strconv.ParseFloat(text, 64) // out of range gives an infinity, which is what we want
	return number{f: f}, nil
}

func (r *jsonReader) at(c byte) bool { return r.pos < len(r.data) && r.data[r.pos] == c }

func (r *jsonReader) digits() int {
	start := r.pos
	for r.pos < len(r.data) && r.data[r.pos] >= '0' && r.data[r.pos] <= '9' {
		r.pos++
	}
	return r.pos - start
}

// text reads a string; without escapes it is a piece of the body.
func (r *jsonReader) text() ([]byte, error) {
	rest := r.data[r.pos+1:]
	n := bytes.IndexByte(rest, '"')
	if n < 0 {
		return nil, errSyntax
	}
	raw := rest[:n]
	if bytes.IndexByte(raw, '\\') >= 0 {
		return r.escaped()
	}
	if hasControl(raw) || !utf8.Valid(raw) {
		return nil, errSyntax
	}
	r.pos += n + 2
	return raw, nil
}

// hasControl finds bytes below space, which JSON wants escaped, eight at a time.
func hasControl(b []byte) bool {
	const low, high = 0x0101010101010101, 0x8080808080808080
	for len(b) >= 8 {
		w := binary.LittleEndian.Uint64(b)
		if (w-low*0x20)&^w&high != 0 {
			return true
		}
		b = b[8:]
	}
	for _, c := range b {
		if c < 0x20 {
			return true
		}
	}
	return false
}

// escaped reads a string that has a backslash into scratch.
func (r *jsonReader) escaped() ([]byte, error) {
	out := r.scratch[:0]
	p := r.pos + 1
	for p < len(r.data) {
		switch c := r.data[p]; {
		case c == '"':
			r.pos = p + 1
			r.scratch = out
			if !utf8.Valid(out) {
				return nil, errSyntax
			}
			return out, nil
		case c < 0x20:
			return nil, errSyntax
		case c != '\\':
			out = append(out, c)
			p++
		default:
			var n int
			if out, n = jsonstring.Unescape(out, r.data[p:]); n == 0 {
				return nil, errSyntax
			}
			p += n
		}
	}
	return nil, errSyntax
}

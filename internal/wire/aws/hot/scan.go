package hot

import (
	"bytes"
	"encoding/binary"
	"unicode/utf8"
	"unsafe"

	"github.com/segmentio/asm/base64"
)

// scanner reads JSON of the plainest form. Each method gives false for anything else, and the caller
// gives up.
type scanner struct {
	data []byte
	pos  int
}

// next gives the next byte that is not white space, without taking it; 0 at the end.
func (c *scanner) next() byte {
	for c.pos < len(c.data) {
		switch b := c.data[c.pos]; b {
		case ' ', '\t', '\n', '\r':
			c.pos++
		default:
			return b
		}
	}
	return 0
}

// take takes b, if it is next.
func (c *scanner) take(b byte) bool {
	if c.next() != b {
		return false
	}
	c.pos++
	return true
}

// end says whether nothing is left.
func (c *scanner) end() bool { return c.next() == 0 && c.pos == len(c.data) }

// raw reads what stands between two quotes, unchecked.
func (c *scanner) raw() ([]byte, bool) {
	if !c.take('"') {
		return nil, false
	}
	n := bytes.IndexByte(c.data[c.pos:], '"')
	if n < 0 {
		return nil, false
	}
	b := c.data[c.pos : c.pos+n]
	c.pos += n + 1
	return b, true
}

// text reads a string without escapes.
func (c *scanner) text() ([]byte, bool) {
	b, ok := c.raw()
	if !ok {
		return nil, false
	}
	return b, plain(b)
}

// key reads a member's name and the colon.
func (c *scanner) key() ([]byte, bool) {
	b, ok := c.text()
	return b, ok && c.take(':')
}

// more takes the comma before another member or element, or the end of the list.
func (c *scanner) more(end byte) (more, ok bool) {
	switch c.next() {
	case ',':
		c.pos++
		return true, true
	case end:
		c.pos++
		return false, true
	}
	return false, false
}

// boolean reads true or false.
func (c *scanner) boolean() (value, ok bool) {
	c.next()
	rest := c.data[c.pos:]
	switch {
	case bytes.HasPrefix(rest, []byte("true")):
		c.pos += len("true")
		return true, true
	case bytes.HasPrefix(rest, []byte("false")):
		c.pos += len("false")
		return false, true
	}
	return false, false
}

// count reads a whole number of at most nine digits.
func (c *scanner) count() (int32, bool) {
	c.next()
	start := c.pos
	var n int32
	for c.pos < len(c.data) && c.data[c.pos] >= '0' && c.data[c.pos] <= '9' {
		if c.pos-start == 9 {
			return 0, false
		}
		n = n*10 + int32(c.data[c.pos]-'0')
		c.pos++
	}
	digits := c.pos - start
	if digits == 0 || digits > 1 && c.data[start] == '0' {
		return 0, false
	}
	if c.pos < len(c.data) {
		switch c.data[c.pos] {
		case '.', 'e', 'E':
			return 0, false
		}
	}
	return n, true
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// plain says that a string stands for itself between quotes: UTF-8 without control characters,
// backslashes and quotes. It looks at eight bytes at once: a byte below n shows in the high bits of
// (w - n)&^w, a byte equal to c is zero in w^c and so below 1.
func plain(b []byte) bool {
	var notASCII uint64
	rest := b
	for len(rest) >= 8 {
		w := binary.LittleEndian.Uint64(rest)
		x, y := w^ones*'\\', w^ones*'"'
		if ((w-ones*0x20)&^w|(x-ones)&^x|(y-ones)&^y)&highs != 0 {
			return false
		}
		notASCII |= w
		rest = rest[8:]
	}
	for _, c := range rest {
		if c < 0x20 || c == '\\' || c == '"' {
			return false
		}
		notASCII |= uint64(c)
	}
	return notASCII&highs == 0 || utf8.Valid(b)
}

// alias is a string over bytes that live until the answer is sent.
func alias(b []byte) string {
	return unsafe.String(unsafe.SliceData(b), len(b)) //nolint:gosec // the body is not written while it is in use
}

var strict = base64.StdEncoding.Strict()

// blob decodes base64 into s.data.
func (s *Scratch) blob(text []byte) ([]byte, bool) {
	n := len(text)
	if n%4 != 0 {
		return nil, false
	}
	want := n / 4 * 3
	if n > 0 && text[n-1] == '=' {
		want--
		if text[n-2] == '=' {
			want--
		}
	}
	room := s.data[s.used:]
	if len(room) < n/4*3 { // the decoder wants room for the padding too
		return nil, false
	}
	got, err := strict.Decode(room[:n/4*3], text)
	if err != nil || got != want { // fewer when there were line breaks, which AWS refuses
		return nil, false
	}
	s.used += want
	return room[:want:want], true
}

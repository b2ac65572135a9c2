package hot

import (
	"bytes"
	"unicode/utf8"

	"millrace/internal/wire/jsonstring"
)

// deepest is how deep lists and maps may nest in a value that is passed over: attribute values of 32 levels need 65.
const deepest = 80

// object passes over an object of any content, which it holds against JSON, and gives its text. Numbers and what nests deeper
// than attribute values do are not known.
func (c *scanner) object() ([]byte, bool) {
	if c.next() != '{' {
		return nil, false
	}
	start, depth := c.pos, 0
	var ends [deepest]byte
	for {
		switch b := c.next(); b {
		case '{', '[':
			if depth == deepest {
				return nil, false
			}
			c.pos++
			ends[depth] = b + 2 // ']' and '}' come two behind
			depth++
			if c.next() != b+2 {
				if b == '{' && !c.name() {
					return nil, false
				}
				continue
			}
		case '"':
			if !c.str() {
				return nil, false
			}
		default:
			if !c.word() {
				return nil, false
			}
		}
		for ; c.next() == ends[depth-1]; depth-- {
			c.pos++
			if depth == 1 {
				return c.data[start:c.pos:c.pos], true
			}
		}
		if !c.take(',') || ends[depth-1] == '}' && !c.name() {
			return nil, false
		}
	}
}

// name passes over the name of a member and its colon.
func (c *scanner) name() bool { return c.next() == '"' && c.str() && c.take(':') }

// str passes over a string whose opening quote is next.
func (c *scanner) str() bool {
	start := c.pos + 1
	n := bytes.IndexByte(c.data[start:], '"')
	if n < 0 {
		return false
	}
	if plain(c.data[start : start+n]) {
		c.pos = start + n + 1
		return true
	}
	for i := start; i < len(c.data); {
		switch b := c.data[i]; {
		case b == '"':
			c.pos = i + 1
			return utf8.Valid(c.data[start:i])
		case b < 0x20:
			return false
		case b == '\\':
			n := jsonstring.EscapeLen(c.data[i:])
			if n == 0 {
				return false
			}
			i += n
		default:
			i++
		}
	}
	return false
}

// word passes over true, false or null.
func (c *scanner) word() bool {
	for _, w := range [...]string{"true", "false", "null"} {
		if rest := c.data[c.pos:]; len(rest) >= len(w) && string(rest[:len(w)]) == w {
			c.pos += len(w)
			return true
		}
	}
	return false
}

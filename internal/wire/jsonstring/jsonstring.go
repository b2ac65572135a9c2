// Package jsonstring has what the readers and writers of JSON strings share: the escapes.
//
//	"a\n\u00e9\ud83d\ude00"  ── Unescape, one escape at a time ──►  a, line feed, é, U+1F600
//	a, line feed, quote      ── AppendEscape ──►  a\n\"
package jsonstring

import (
	"unicode/utf16"
	"unicode/utf8"
)

// Unescape appends what the escape at the start of in stands for and gives the escape's length, which is 0 if it is none.
// Half a surrogate pair becomes U+FFFD.
func Unescape(out, in []byte) ([]byte, int) {
	if len(in) < 2 {
		return out, 0
	}
	if c := single[in[1]]; c != 0 {
		return append(out, c), 2
	}
	if in[1] != 'u' {
		return out, 0
	}
	c, ok := hex4(in[2:])
	if !ok {
		return out, 0
	}
	if utf16.IsSurrogate(c) {
		if len(in) >= 12 && in[6] == '\\' && in[7] == 'u' {
			if low, ok := hex4(in[8:]); ok {
				if full := utf16.DecodeRune(c, low); full != utf8.RuneError {
					return utf8.AppendRune(out, full), 12
				}
			}
		}
		c = utf8.RuneError
	}
	return utf8.AppendRune(out, c), 6
}

// single are the escapes of one letter; 0 for what is none.
var single = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// EscapeLen is the length of the escape at the start of in, 0 if it is none. Of a surrogate pair it is that of the first
// half: the second is an escape of its own.
func EscapeLen(in []byte) int {
	switch {
	case len(in) < 2:
		return 0
	case single[in[1]] != 0:
		return 2
	case in[1] != 'u':
		return 0
	}
	if _, ok := hex4(in[2:]); !ok {
		return 0
	}
	return 6
}

func hex4(b []byte) (rune, bool) {
	if len(b) < 4 {
		return 0, false
	}
	var v rune
	for _, c := range b[:4] {
		switch {
		case c >= '0' && c <= '9':
			v = v<<4 | rune(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			v = v<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	return v, true
}

// AppendEscape appends the escape of c, which is a quote, a backslash or a control character.
func AppendEscape(dst []byte, c byte) []byte {
	const hex = "0123456789abcdef"
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	return append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
}

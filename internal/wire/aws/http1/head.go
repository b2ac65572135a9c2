// Package http1 reads the heads of the HTTP/1.1 requests that SDKs send most: a short POST to "/" with a
// Content-Length. It is strict where net/http is lenient: whatever is not of the plainest form is
// Unknown, and net/http gets the connection to say what it makes of it. What is Known here, net/http
// would read the same way; a fuzz test holds them equal.
//
// Known is
//
//	POST / HTTP/1.1 CRLF
//	at most 32 headers: token ":" optional space, printable value, CRLF; none continued on a next line
//	one Host, one Content-Length of at most nine digits, at most one of each header named in Head
//	no Transfer-Encoding, Trailer, Expect, Upgrade or Origin; no Connection but keep-alive
package http1

import (
	"bytes"
	"slices"
	"strings"
	"unsafe"
)

// Verdict says what ParseHead made of the bytes.
type Verdict uint8

// The verdicts.
const (
	Incomplete Verdict = iota // read more
	Known                     // the head is filled
	Unknown                   // leave the connection to net/http
)

// MaxHeaders is how many headers a known request has at most; SDKs send about ten.
const MaxHeaders = 32

// Header is one header; the strings point into the bytes that were parsed.
type Header struct{ Name, Value string }

// Head is a parsed head. Its strings point into the bytes that were parsed.
type Head struct {
	Host            string
	Target          string // X-Amz-Target
	ContentType     string
	Authorization   string
	ContentEncoding string
	Length          int64 // Content-Length

	headers [MaxHeaders]Header
	count   int
	one     [1]string
}

// Values gives the values of a header by its lower-case name. The slice is valid until the next call.
func (h *Head) Values(name string) []string {
	var out []string
	for i := range h.headers[:h.count] {
		if !strings.EqualFold(h.headers[i].Name, name) {
			continue
		}
		if out == nil {
			h.one[0] = h.headers[i].Value
			out = h.one[:]
			continue
		}
		out = append(slices.Clip(out), h.headers[i].Value)
	}
	return out
}

const requestLine = "POST / HTTP/1.1\r\n"

// ParseHead reads a head from the start of b and gives its length, which is 0 unless it is Known.
func ParseHead(b []byte, h *Head) (int, Verdict) {
	if n := min(len(b), len(requestLine)); string(b[:n]) != requestLine[:n] {
		return 0, Unknown
	}
	if len(b) < len(requestLine) {
		return 0, Incomplete
	}
	end := bytes.Index(b, []byte("\r\n\r\n"))
	if end < 0 {
		return 0, Incomplete
	}
	h.Host, h.Target, h.ContentType, h.Authorization, h.ContentEncoding = "", "", "", "", ""
	h.Length, h.count = -1, 0
	rest := b[len(requestLine):max(end+2, len(requestLine))]
	for len(rest) > 0 {
		n := bytes.IndexByte(rest, '\n')
		if n < 1 || rest[n-1] != '\r' || !h.add(rest[:n-1]) {
			return 0, Unknown
		}
		rest = rest[n+1:]
	}
	if h.Host == "" || h.Length < 0 {
		return 0, Unknown
	}
	return end + 4, Known
}

// add takes one header line, or refuses it.
func (h *Head) add(line []byte) bool {
	colon := bytes.IndexByte(line, ':')
	if colon < 1 || h.count == MaxHeaders {
		return false
	}
	for _, c := range line[:colon] {
		if !tokenByte[c] {
			return false
		}
	}
	raw := line[colon+1:]
	for _, c := range raw {
		if c < ' ' && c != '\t' || c >= 0x7f {
			return false
		}
	}
	header := Header{alias(line[:colon]), strings.Trim(alias(raw), " \t")}
	h.headers[h.count] = header
	h.count++
	return h.known(header.Name, header.Value)
}

// known looks at the headers that matter, by their length first.
func (h *Head) known(name, value string) bool {
	switch len(name) {
	case len("Host"):
		if strings.EqualFold(name, "Host") {
			return validHost(value) && setOnce(&h.Host, value)
		}
	case len("Origin"): // and Expect
		return !strings.EqualFold(name, "Origin") && !strings.EqualFold(name, "Expect")
	case len("Upgrade"): // and Trailer
		return !strings.EqualFold(name, "Upgrade") && !strings.EqualFold(name, "Trailer")
	case len("Connection"):
		return !strings.EqualFold(name, "Connection") || strings.EqualFold(value, "keep-alive")
	case len("X-Amz-Target"): // and Content-Type
		if strings.EqualFold(name, "X-Amz-Target") {
			return setOnce(&h.Target, value)
		}
		if strings.EqualFold(name, "Content-Type") {
			return setOnce(&h.ContentType, value)
		}
	case len("Authorization"):
		if strings.EqualFold(name, "Authorization") {
			return setOnce(&h.Authorization, value)
		}
	case len("Content-Length"):
		if strings.EqualFold(name, "Content-Length") {
			return h.setLength(value)
		}
	case len("Content-Encoding"):
		if strings.EqualFold(name, "Content-Encoding") {
			return setOnce(&h.ContentEncoding, value)
		}
	case len("Transfer-Encoding"):
		return !strings.EqualFold(name, "Transfer-Encoding")
	}
	return true
}

// setOnce refuses empty and repeated headers, whose meaning we leave to net/http.
func setOnce(field *string, value string) bool {
	if *field != "" || value == "" {
		return false
	}
	*field = value
	return true
}

func (h *Head) setLength(value string) bool {
	if h.Length >= 0 || len(value) < 1 || len(value) > 9 {
		return false
	}
	var n int64
	for i := range len(value) {
		if value[i] < '0' || value[i] > '9' {
			return false
		}
		n = n*10 + int64(value[i]-'0')
	}
	h.Length = n
	return true
}

// validHost takes names and addresses with a port, and nothing else that RFC 3986 allows.
func validHost(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("-._:[]", rune(c)) {
			return false
		}
	}
	return true
}

// tokenByte are the bytes of a header's name.
var tokenByte = func() (t [256]bool) {
	for _, c := range "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~" {
		t[c] = true
	}
	return t
}()

func alias(b []byte) string {
	return unsafe.String(unsafe.SliceData(b), len(b)) //nolint:gosec // ParseHead says how long the strings are valid
}

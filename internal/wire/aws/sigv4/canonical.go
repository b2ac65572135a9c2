package sigv4

import (
	"net/url"
	"slices"
	"strings"

	"millrace/internal/api"
)

// canonical rebuilds the text whose hash was signed.
func canonical(r *Request, s *Signature, bodyHash string) ([]byte, *api.Error) {
	b := make([]byte, 0, 1024)
	b = append(append(b, r.Method...), '\n')
	path := r.Path
	if path == "" {
		path = "/"
	}
	b = append(appendEncoded(b, path, true), '\n')
	b, ok := appendQuery(b, r.Query, s.Presigned)
	if !ok {
		return nil, incomplete("AWS query-string parameters could not be read. Re-examine the query-string parameters.")
	}
	b = append(b, '\n')
	for _, name := range s.signed {
		if name == "" || strings.ToLower(name) != name {
			return nil, incomplete("Header names in 'SignedHeaders' must be in lower case.")
		}
		b = append(append(b, name...), ':')
		for i, value := range r.Header(name) {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendTrimmed(b, value)
		}
		b = append(b, '\n')
	}
	b = append(b, '\n')
	for i, name := range s.signed {
		if i > 0 {
			b = append(b, ';')
		}
		b = append(b, name...)
	}
	b = append(b, '\n')
	return append(b, bodyHash...), nil
}

// appendTrimmed appends a header's value without outer spaces and with single inner ones.
func appendTrimmed(b []byte, value string) []byte {
	value = strings.Trim(value, " \t")
	if !strings.Contains(value, "  ") {
		return append(b, value...)
	}
	for i := range len(value) {
		if value[i] == ' ' && value[i-1] == ' ' {
			continue
		}
		b = append(b, value[i])
	}
	return b
}

// appendQuery appends the parameters, encoded anew and sorted by name and then value; the signature
// of a presigned URL does not cover itself.
func appendQuery(b []byte, query string, presigned bool) ([]byte, bool) {
	if query == "" {
		return b, true
	}
	var pairs [][2]string
	for part := range strings.SplitSeq(query, "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		name, err := url.QueryUnescape(name)
		if err != nil {
			return nil, false
		}
		if value, err = url.QueryUnescape(value); err != nil {
			return nil, false
		}
		if presigned && name == "X-Amz-Signature" {
			continue
		}
		pairs = append(pairs, [2]string{
			string(appendEncoded(nil, name, false)), string(appendEncoded(nil, value, false)),
		})
	}
	slices.SortFunc(pairs, func(x, y [2]string) int {
		if c := strings.Compare(x[0], y[0]); c != 0 {
			return c
		}
		return strings.Compare(x[1], y[1])
	})
	for i, p := range pairs {
		if i > 0 {
			b = append(b, '&')
		}
		b = append(append(append(b, p[0]...), '='), p[1]...)
	}
	return b, true
}

// appendEncoded percent-encodes all but RFC 3986's unreserved characters, and '/' in a path.
func appendEncoded(b []byte, s string, path bool) []byte {
	const hex = "0123456789ABCDEF"
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', c >= '0' && c <= '9',
			c == '-', c == '_', c == '.', c == '~', c == '/' && path:
			b = append(b, c)
		default:
			b = append(b, '%', hex[c>>4], hex[c&15])
		}
	}
	return b
}

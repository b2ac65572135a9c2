package aws

import (
	"bytes"
	"errors"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"

	"millrace/internal/api"
	"millrace/internal/wire/aws/bufpool"
)

// gzipRatio is more than gzip can shrink anything by: a body of n bytes stands for at most n*gzipRatio.
const gzipRatio = 1032

// packed says whether the body is in gzip.
func (x *exchange) packed() bool { return strings.EqualFold(x.encoding, "gzip") }

// share is how much of the memory bound a request needs: its body, and what the body may become.
func (x *exchange) share(limit int64) int64 {
	n := x.length
	if n < 0 {
		n = limit + 1
	}
	if x.packed() {
		n += min(n*gzipRatio, limit+1)
	}
	return n
}

var gzipReaders = sync.Pool{New: func() any { return new(gzip.Reader) }}

// unpack puts what the body stands for in its place, if it is in gzip, at most limit bytes of it, and gives back what
// is not needed of the memory bound.
func (s *Server) unpack(x *exchange, limit int64) *api.Error {
	if !x.packed() {
		return nil
	}
	z := gzipReaders.Get().(*gzip.Reader)
	defer gzipReaders.Put(z)
	if err := z.Reset(bytes.NewReader(x.data)); err != nil {
		return api.SerializationError("")
	}
	body, err := readUnannounced(z, int(limit))
	bufpool.Put(x.data)
	x.data = body
	switch {
	case errors.Is(err, errOverLimit):
		return tooLarge()
	case err != nil:
		return api.SerializationError("")
	}
	if rest := x.held - int64(cap(body)); rest > 0 {
		s.inFlight.Release(rest)
		x.held -= rest
	}
	return nil
}

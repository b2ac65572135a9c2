package aws

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"

	"millrace/internal/api"
	"millrace/internal/wire/aws/bufpool"
)

const (
	// compressFrom is the smallest answer that is compressed: what fits in one packet anyway gains nothing.
	compressFrom = 1400

	// gzipRatio is more than gzip can shrink anything by: a body of n bytes stands for at most n*gzipRatio.
	gzipRatio = 1032
)

// accepts says whether the client takes an encoding of answers.
func (x *exchange) accepts(encoding string) bool {
	for _, line := range x.Header("accept-encoding") {
		for part := range strings.SplitSeq(line, ",") {
			name, parameters, _ := strings.Cut(part, ";")
			if strings.EqualFold(strings.TrimSpace(name), encoding) {
				return !refused(parameters)
			}
		}
	}
	return false
}

// refused says whether the parameters of an encoding are a weight of nothing.
func refused(parameters string) bool {
	name, weight, _ := strings.Cut(strings.TrimSpace(parameters), "=")
	return strings.EqualFold(strings.TrimSpace(name), "q") && strings.Trim(strings.TrimSpace(weight), "0.") == "" && weight != ""
}

var gzipWriters = sync.Pool{New: func() any {
	w, err := gzip.NewWriterLevel(nil, gzip.BestSpeed)
	if err != nil {
		panic(err) // the level is a constant
	}
	return w
}}

// compress gives a pooled buffer with the body in gzip, or nil when that is no shorter.
func compress(body []byte) []byte {
	out := &fixed{buf: bufpool.Get(len(body))[:0], limit: len(body) - 1}
	w := gzipWriters.Get().(*gzip.Writer)
	defer gzipWriters.Put(w)
	w.Reset(out)
	_, err := w.Write(body)
	if err == nil {
		err = w.Close()
	}
	w.Reset(nil)
	if err != nil {
		bufpool.Put(out.buf)
		return nil
	}
	return out.buf
}

// fixed is a writer into a buffer that does not grow.
type fixed struct {
	buf   []byte
	limit int
}

func (f *fixed) Write(b []byte) (int, error) {
	if len(f.buf)+len(b) > f.limit {
		return 0, io.ErrShortWrite
	}
	f.buf = append(f.buf, b...)
	return len(b), nil
}

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

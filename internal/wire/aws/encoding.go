package aws

import (
	"io"
	"strconv"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"

	"millrace/internal/wire/aws/bufpool"
)

// compressFrom is the smallest answer, in bytes, that DynamoDB compresses.
// Source: ScyllaDB, test/alternator/test_compressed_response.py, which ran against the service (read 2026-11).
const compressFrom = 4096

// Encodings of answers; deflate is in the format of zlib, as RFC 9110, 8.4.1.2 has it.
const (
	encodingGzip    = "gzip"
	encodingDeflate = "deflate"
)

// answerEncoding is the encoding that the client likes best for an answer, "" for none. Of several Accept-Encoding lines the last
// one counts.
func (x *exchange) answerEncoding() string {
	lines := x.Header("accept-encoding")
	if len(lines) == 0 {
		return ""
	}
	return preferred(lines[len(lines)-1])
}

// preferred reads a value of Accept-Encoding as DynamoDB does, which differs from RFC 9110: identity is not looked at, a name may
// come again and its best weight counts, and what is no weight counts as 1. Of names that weigh the same the first wins; the
// asterisk stands for gzip, or for deflate where gzip has a weight of its own, and wins only when it weighs more than a name.
//
// Source: ScyllaDB, test/alternator/test_compressed_response.py (read 2026-11).
func preferred(accept string) string {
	var best string
	var bestWeight, anyWeight float64
	listed := map[string]bool{}
	for part := range strings.SplitSeq(accept, ",") {
		name, parameters, _ := strings.Cut(part, ";")
		switch name = strings.ToLower(strings.TrimSpace(name)); name {
		case encodingGzip, encodingDeflate:
			listed[name] = true
			if w := weight(parameters); w > bestWeight {
				best, bestWeight = name, w
			}
		case "*":
			anyWeight = max(anyWeight, weight(parameters))
		}
	}
	switch {
	case anyWeight <= bestWeight:
		return best
	case !listed[encodingGzip]:
		return encodingGzip
	case !listed[encodingDeflate]:
		return encodingDeflate
	}
	return best
}

// weight is the first weight among the parameters of an encoding, at most 1; 0 or less refuses it.
func weight(parameters string) float64 {
	for p := range strings.SplitSeq(parameters, ";") {
		name, value, _ := strings.Cut(p, "=")
		if !strings.EqualFold(strings.TrimSpace(name), "q") {
			continue
		}
		if w, err := strconv.ParseFloat(strings.TrimSpace(value), 64); err == nil {
			return min(w, 1)
		}
		break
	}
	return 1
}

// resetter is a writer of compressed bytes that can start again.
type resetter interface {
	io.WriteCloser
	Reset(w io.Writer)
}

// try is one way to compress: its writers, and the longest that may come of 16 bytes for it to be taken.
type try struct {
	pool  sync.Pool
	limit int
}

func newTry(limit int, open func() (resetter, error)) *try {
	return &try{limit: limit, pool: sync.Pool{New: func() any {
		w, err := open()
		if err != nil {
			panic(err) // the level is a constant
		}
		return w
	}}}
}

// tries are the ways for each encoding, in their order: what has no repetitions is left as it is by the fast levels, though its
// letters alone may be written shorter.
var tries = map[string][]*try{
	encodingGzip: {
		newTry(15, func() (resetter, error) { return gzip.NewWriterLevel(nil, gzip.BestSpeed) }),
		newTry(16, func() (resetter, error) { return gzip.NewWriterLevel(nil, gzip.HuffmanOnly) }),
	},
	encodingDeflate: {
		newTry(15, func() (resetter, error) { return zlib.NewWriterLevel(nil, zlib.BestSpeed) }),
		newTry(16, func() (resetter, error) { return zlib.NewWriterLevel(nil, zlib.HuffmanOnly) }),
	},
}

// compress gives a pooled buffer with the body in an encoding, or nil when that is no shorter.
func compress(body []byte, encoding string) []byte {
	for _, t := range tries[encoding] {
		if out := t.compress(body); out != nil {
			return out
		}
	}
	return nil
}

func (t *try) compress(body []byte) []byte {
	out := &fixed{buf: bufpool.Get(len(body))[:0], limit: len(body)*t.limit/16 - 1}
	w, _ := t.pool.Get().(resetter)
	defer t.pool.Put(w)
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

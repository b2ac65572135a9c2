package aws

import (
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"millrace/internal/wire/aws/bufpool"
)

// answerRoom holds the head and a body that goes out in the same write: a PutRecords answer for 100
// records has 11 KiB.
const answerRoom = 16 << 10

// fastAnswer writes answers as HTTP/1.1.
type fastAnswer struct {
	f       *fastConn
	out     []byte // pooled; what is not written yet
	begun   bool
	chunked bool
}

func (a *fastAnswer) reset() {
	if a.out == nil {
		a.out = bufpool.Get(answerRoom)
	}
	a.out = a.out[:0]
	a.begun, a.chunked = false, false
}

func (a *fastAnswer) drop() {
	if a.out != nil {
		bufpool.Put(a.out)
		a.out = nil
	}
}

// begin writes the head into the buffer. Whether the connection can go on is decided here, since the
// head says so.
func (a *fastAnswer) begin(h head, length int) {
	f := a.f
	f.over = !f.skipBody() || f.server.draining.Load()
	a.begun, a.chunked = true, length < 0
	b := a.out
	b = append(b, "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(h.status), 10)
	b = append(b, ' ')
	b = append(b, http.StatusText(h.status)...)
	if h.server {
		b = append(b, "\r\nServer: "+serverName...)
	}
	b = append(b, "\r\nx-amzn-RequestId: "...)
	b = append(b, h.requestID...)
	if h.id2 != "" {
		b = append(b, "\r\nx-amz-id-2: "...)
		b = append(b, h.id2...)
	}
	if h.errorType != "" {
		b = append(b, "\r\nx-amzn-ErrorType: "...)
		b = append(b, h.errorType...)
	}
	if h.queryError != "" {
		b = append(b, "\r\nx-amzn-query-error: "...)
		b = append(b, h.queryError...)
	}
	if h.contentType != "" {
		b = append(b, "\r\nContent-Type: "...)
		b = append(b, h.contentType...)
	}
	if h.encoding != "" {
		b = append(b, "\r\nContent-Encoding: "...)
		b = append(b, h.encoding...)
	}
	if h.hasCRC {
		b = append(b, "\r\nx-amz-crc32: "...)
		b = strconv.AppendUint(b, uint64(h.crc), 10)
	}
	if a.chunked {
		b = append(b, "\r\nTransfer-Encoding: chunked"...)
	} else {
		b = append(b, "\r\nContent-Length: "...)
		b = strconv.AppendInt(b, int64(length), 10)
	}
	if f.over {
		b = append(b, "\r\nConnection: close"...)
	}
	b = append(b, "\r\nDate: "...)
	b = append(b, f.server.date.text(time.Now())...)
	a.out = append(b, "\r\n\r\n"...)
}

// Write writes a piece of the body, together with what is in the buffer when both are small.
func (a *fastAnswer) Write(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil // an empty chunk would end the body
	}
	if a.chunked {
		a.out = strconv.AppendInt(a.out, int64(len(b)), 16)
		a.out = append(a.out, "\r\n"...)
	}
	if len(a.out)+len(b) <= answerRoom {
		a.out = append(a.out, b...)
		if err := a.flush(); err != nil {
			return 0, err
		}
	} else {
		if err := a.flush(); err != nil {
			return 0, err
		}
		if _, err := a.f.conn.Write(b); err != nil {
			a.f.over = true
			return 0, err
		}
	}
	if a.chunked {
		a.out = append(a.out, "\r\n"...)
	}
	return len(b), nil
}

// flush writes the buffer. A connection that cannot be written to ends.
func (a *fastAnswer) flush() error {
	_, err := a.f.conn.Write(a.out)
	a.out = a.out[:0]
	if err != nil {
		a.f.over = true
	}
	return err
}

// finish ends the answer. One that a panic cut is left as it is, so that the client sees it is cut.
func (a *fastAnswer) finish() {
	switch {
	case !a.begun, a.f.x.cut:
		a.f.over = true
	case a.chunked:
		a.out = append(a.out, "0\r\n\r\n"...)
		_ = a.flush()
	case len(a.out) > 0: // an answer without a body
		_ = a.flush()
	}
}

// dateCache keeps the text of the current second.
type dateCache struct{ last atomic.Pointer[dateText] }

type dateText struct {
	second int64
	text   string
}

func (c *dateCache) text(now time.Time) string {
	if d := c.last.Load(); d != nil && d.second == now.Unix() {
		return d.text
	}
	d := &dateText{now.Unix(), now.UTC().Format(http.TimeFormat)}
	c.last.Store(d)
	return d.text
}

package aws

import (
	"context"
	"errors"
	"io"
	"net/http"

	"millrace/internal/api"
	"millrace/internal/wire/aws/bufpool"
)

// body is a request's body in a pooled buffer.
type body struct {
	data   []byte
	server *Server
	held   int64 // bytes held in Server.inFlight
}

// release gives buffer and share back; nothing may point into data any more.
func (b *body) release() {
	bufpool.Put(b.data)
	b.server.inFlight.Release(b.held)
}

// readBody reads the body, at most the operation's limit, once it fits in the memory bound.
func (s *Server) readBody(x *exchange, o *operation) (*body, *api.Error) {
	if x.length > o.limit {
		return nil, tooLarge()
	}
	held := x.length
	if held < 0 {
		held = o.limit + 1
	}
	if !s.hold(x.ctx, held) {
		return nil, &api.Error{
			Code: "ServiceUnavailable", Status: http.StatusServiceUnavailable, Fault: api.FaultServer,
			Message: "Service is unable to handle request.", MessageKey: "message",
		}
	}
	b := &body{server: s, held: held}
	var err error
	if x.length >= 0 {
		b.data = bufpool.Get(int(x.length))
		_, err = io.ReadFull(x.body, b.data)
	} else {
		b.data, err = readUnannounced(x.body, int(o.limit))
	}
	if err == nil {
		return b, nil
	}
	b.release()
	var over *http.MaxBytesError
	if errors.Is(err, errOverLimit) || errors.As(err, &over) {
		return nil, tooLarge()
	}
	return nil, cut()
}

// hold takes n bytes of the memory bound, waiting at most bodyWait.
func (s *Server) hold(ctx context.Context, n int64) bool {
	if s.inFlight.TryAcquire(n) {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, bodyWait)
	defer cancel()
	return s.inFlight.Acquire(ctx, n) == nil
}

// tooLarge is AWS's answer to a body past the limit.
func tooLarge() *api.Error {
	return &api.Error{Code: "RequestEntityTooLargeException", Status: http.StatusRequestEntityTooLarge, MessageKey: "message"}
}

// cut is the answer, if anyone still listens, to a body that ended early or came too slowly.
func cut() *api.Error {
	return &api.Error{Code: "RequestTimeoutException", Status: http.StatusRequestTimeout, MessageKey: "message"}
}

var errOverLimit = errors.New("aws: body over its limit")

// readUnannounced reads a body whose length the client did not say.
func readUnannounced(r io.Reader, limit int) ([]byte, error) {
	buf := bufpool.Get(64 << 10)
	n := 0
	for {
		m, err := r.Read(buf[n:])
		n += m
		switch {
		case n > limit:
			return buf, errOverLimit
		case errors.Is(err, io.EOF):
			return buf[:n], nil
		case err != nil:
			return buf, err
		}
		if n == len(buf) {
			bigger := bufpool.Get(min(2*len(buf), limit+1))
			copy(bigger, buf)
			bufpool.Put(buf)
			buf = bigger
		}
	}
}

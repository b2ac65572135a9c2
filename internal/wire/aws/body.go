package aws

import (
	"context"
	"errors"
	"io"
	"net/http"

	"millrace/internal/api"
	"millrace/internal/wire/aws/bufpool"
)

// readBody reads the body into x.data, at most the operation's limit, once it fits in the memory bound.
func (s *Server) readBody(x *exchange, o *operation) *api.Error {
	if x.length > o.limit {
		return tooLarge()
	}
	held := x.share(o.limit)
	if err := s.holdMore(x, held); err != nil {
		return err
	}
	var err error
	if x.length >= 0 {
		x.data = bufpool.Get(int(x.length))
		_, err = io.ReadFull(x.body, x.data)
	} else {
		x.data, err = readUnannounced(x.body, int(o.limit))
	}
	x.in = len(x.data)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errOverLimit):
		return tooLarge()
	}
	return cut()
}

// releaseBody gives buffer and share back; nothing may point into the body any more.
func (s *Server) releaseBody(x *exchange) {
	if x.data != nil {
		bufpool.Put(x.data)
		x.data = nil
	}
	if x.held > 0 {
		s.inFlight.Release(x.held)
		x.held = 0
	}
}

// holdMore takes n bytes of the memory bound for the request until it is released.
func (s *Server) holdMore(x *exchange, n int64) *api.Error {
	if !s.hold(x.ctx, n) {
		return &api.Error{
			Code: "ServiceUnavailable", Status: http.StatusServiceUnavailable, Fault: api.FaultServer,
			Message: "Service is unable to handle request.", MessageKey: "message",
		}
	}
	x.held += n
	return nil
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

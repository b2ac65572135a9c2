package aws

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"time"

	"millrace/internal/api"
	"millrace/internal/wire/aws/bufpool"
	"millrace/internal/wire/aws/http1"
)

const (
	// headRoom is the largest head our loop reads; SDKs send under 1 KiB, 3 KiB with a session token.
	headRoom = 16 << 10

	// bufferIdle is how long a connection keeps its buffers while nothing comes.
	bufferIdle = 2 * time.Second

	handshakeTimeout = 10 * time.Second

	// drainMax is how much of a body nobody wants is read so that the connection can go on.
	drainMax = 256 << 10
	// lingerTime is how long a connection that ends with unread bytes waits for its peer, so that the
	// answer is not lost in a reset.
	lingerTime = 500 * time.Millisecond
)

// fastConn serves the plain requests of one connection. One goroutine runs it; others only look at
// idle and set deadlines.
type fastConn struct {
	server *Server
	conn   net.Conn
	idle   atomic.Bool // waits for a request

	buf        []byte // pooled; nil while idle for long
	start, end int    // of the bytes in buf that are not used yet
	head       http1.Head
	left       int64 // bytes of the current body that are not read yet
	reading    bool  // the deadline is the body's

	x      exchange
	answer fastAnswer
	over   bool // the connection ends after this answer
}

// serveFast serves c until it ends, and then gives nil, or until a request comes that is not for our
// loop, and then gives the connection with that request unread.
func (s *Server) serveFast(c net.Conn) net.Conn {
	if t, ok := c.(*tls.Conn); ok {
		ctx, cancel := context.WithTimeout(s.ctx, handshakeTimeout)
		err := t.HandshakeContext(ctx)
		cancel()
		if err != nil {
			c.Close()
			return nil
		}
		if t.ConnectionState().NegotiatedProtocol == "h2" {
			return c
		}
	}
	f := &fastConn{server: s, conn: c}
	f.answer.f = f
	f.x.callCtx = api.WithCall(s.ctx, &f.x.call) //nolint:fatcontext // once for each connection
	f.x.names.on, f.x.regions.on = true, true
	f.x.Header = f.values
	if !s.addFast(f) {
		c.Close()
		return nil
	}
	other := f.run()
	s.removeFast(f)
	return other
}

func (f *fastConn) run() net.Conn {
	defer f.dropBuffers()
	for {
		verdict := f.readHead()
		if verdict == http1.Unknown {
			if err := f.conn.SetReadDeadline(time.Time{}); err != nil {
				f.conn.Close()
				return nil
			}
			return &unread{Conn: f.conn, rest: append([]byte(nil), f.buf[f.start:f.end]...)}
		}
		if verdict == http1.Incomplete {
			f.conn.Close()
			return nil
		}
		f.serve()
		if f.over {
			f.close()
			return nil
		}
	}
}

// readHead reads until a head is known or known to be none of ours; Incomplete when the peer is gone,
// too slow, or we shut down.
func (f *fastConn) readHead() http1.Verdict {
	timed := false // the deadline is the head's
	for {
		if f.start < f.end {
			n, verdict := http1.ParseHead(f.buf[f.start:f.end], &f.head)
			if verdict == http1.Known && f.server.streams(f.head.Target) {
				return http1.Unknown
			}
			if verdict != http1.Incomplete {
				f.start += n
				return verdict
			}
			if f.start > 0 {
				f.end = copy(f.buf, f.buf[f.start:f.end])
				f.start = 0
			}
			if f.end == len(f.buf) {
				return http1.Unknown // net/http has a limit of its own
			}
			if !timed && f.conn.SetReadDeadline(time.Now().Add(readHeaderTimeout)) != nil {
				return http1.Incomplete
			}
			timed = true
			n, err := f.conn.Read(f.buf[f.end:])
			f.end += n
			if n == 0 && err != nil {
				return http1.Incomplete
			}
			continue
		}
		if !f.wait() {
			return http1.Incomplete
		}
	}
}

// wait waits for the first bytes of a request, for long without buffers. It gives false when the
// connection ends.
func (f *fastConn) wait() bool {
	f.idle.Store(true)
	defer f.idle.Store(false)
	f.start, f.end = 0, 0
	if f.buf == nil {
		f.buf = bufpool.Get(headRoom)
	}
	n, err := f.readIdle(f.buf, bufferIdle)
	if errors.Is(err, os.ErrDeadlineExceeded) && n == 0 {
		f.dropBuffers()
		var one [1]byte
		n, _ = f.readIdle(one[:], idleTimeout)
		f.buf = bufpool.Get(headRoom)
		f.buf[0] = one[0]
	}
	f.end = n
	return n > 0
}

// readIdle reads unless we shut down. The deadline is set before draining is looked at, and Shutdown
// sets draining before it cuts deadlines short: whatever the order, one of them sees the other.
func (f *fastConn) readIdle(b []byte, limit time.Duration) (int, error) {
	if err := f.conn.SetReadDeadline(time.Now().Add(limit)); err != nil {
		return 0, err
	}
	if f.server.draining.Load() {
		return 0, net.ErrClosed
	}
	return f.conn.Read(b)
}

func (f *fastConn) dropBuffers() {
	if f.buf != nil {
		bufpool.Put(f.buf)
		f.buf = nil
	}
	f.answer.drop()
}

// serve answers one request.
func (f *fastConn) serve() {
	x, h := &f.x, &f.head
	f.left, f.reading = h.Length, false
	f.answer.reset()
	x.reset()
	x.Method, x.Path, x.Query = "POST", "/", ""
	x.ctx = x.callCtx
	x.host, x.target, x.contentType, x.encoding, x.length = h.Host, h.Target, h.ContentType, h.ContentEncoding, h.Length
	x.body, x.out = fastBody{f}, &f.answer
	f.server.serve(x)
	f.answer.finish()
}

// reset makes an exchange ready for the next request of its connection.
func (x *exchange) reset() {
	x.call, x.service = api.Call{}, nil
	x.format = formatXML
	x.in, x.sent, x.code, x.cut = 0, 0, "", false
}

// values are the headers for the signature.
func (f *fastConn) values(name string) []string {
	if name == ":authority" {
		name = "host"
	}
	return f.head.Values(name)
}

// fastBody reads the current body: what came with the head, then from the connection.
type fastBody struct{ f *fastConn }

func (b fastBody) Read(p []byte) (int, error) {
	f := b.f
	if f.left == 0 {
		return 0, io.EOF
	}
	p = p[:min(int64(len(p)), f.left)]
	if f.start < f.end {
		n := copy(p, f.buf[f.start:f.end])
		f.start += n
		f.left -= int64(n)
		return n, nil
	}
	if !f.reading {
		f.reading = true
		if err := f.conn.SetReadDeadline(time.Now().Add(readTimeout)); err != nil {
			return 0, err
		}
	}
	n, err := f.conn.Read(p)
	f.left -= int64(n)
	return n, err
}

// skipBody reads what is left of a body so that the next request can be read, if that is little.
func (f *fastConn) skipBody() bool {
	if f.left > drainMax {
		return false
	}
	if f.left > 0 {
		scrap := bufpool.Get(bufpool.Smallest)
		defer bufpool.Put(scrap)
		for f.left > 0 {
			if _, err := (fastBody{f}).Read(scrap); err != nil {
				return false
			}
		}
	}
	return true
}

// close ends the connection; with bytes unread it lets the peer read the answer first.
func (f *fastConn) close() {
	defer f.conn.Close()
	if f.left == 0 || closeWrite(f.conn) != nil || f.conn.SetReadDeadline(time.Now().Add(lingerTime)) != nil {
		return
	}
	scrap := bufpool.Get(bufpool.Smallest)
	defer bufpool.Put(scrap)
	for {
		if _, err := f.conn.Read(scrap); err != nil {
			return
		}
	}
}

// addFast notes a connection for Shutdown; false when that has begun.
func (s *Server) addFast(f *fastConn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining.Load() {
		return false
	}
	s.fast[f] = struct{}{}
	return true
}

func (s *Server) removeFast(f *fastConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.fast, f)
	if len(s.fast) == 0 && s.fastDone != nil {
		close(s.fastDone)
		s.fastDone = nil
	}
}

// drainFast ends idle connections and waits for the others. draining is set already.
func (s *Server) drainFast(ctx context.Context) error {
	s.mu.Lock()
	if len(s.fast) == 0 {
		s.mu.Unlock()
		return nil
	}
	if s.fastDone == nil {
		s.fastDone = make(chan struct{})
	}
	done := s.fastDone
	for f := range s.fast {
		if f.idle.Load() {
			_ = f.conn.SetReadDeadline(time.Now()) // a closed one is on its way out
		}
	}
	s.mu.Unlock()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// cutFast closes what is left.
func (s *Server) cutFast() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for f := range s.fast {
		f.conn.Close()
	}
}

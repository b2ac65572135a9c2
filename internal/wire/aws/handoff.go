package aws

import (
	"net"
	"sync"
)

// handoff is the listener that net/http serves: it gives the connections our own loop leaves.
type handoff struct {
	addr  net.Addr
	conns chan net.Conn
	done  chan struct{} // closed by Close
	close func()
}

func newHandoff(addr net.Addr) *handoff {
	h := &handoff{addr: addr, conns: make(chan net.Conn), done: make(chan struct{})}
	h.close = sync.OnceFunc(func() { close(h.done) })
	return h
}

// give passes a connection on, or closes it when nobody takes any more.
func (h *handoff) give(c net.Conn) {
	select {
	case h.conns <- c:
	case <-h.done:
		c.Close()
	}
}

// Accept is called by net/http.
func (h *handoff) Accept() (net.Conn, error) {
	select {
	case c := <-h.conns:
		return c, nil
	case <-h.done:
		return nil, net.ErrClosed
	}
}

// Close is called by net/http.
func (h *handoff) Close() error {
	h.close()
	return nil
}

// Addr is the address of the port.
func (h *handoff) Addr() net.Addr { return h.addr }

// unread is a connection of which some bytes were read too many.
type unread struct {
	net.Conn
	rest []byte
}

// Read gives those bytes first.
func (u *unread) Read(b []byte) (int, error) {
	if len(u.rest) == 0 {
		return u.Conn.Read(b)
	}
	n := copy(b, u.rest)
	if u.rest = u.rest[n:]; len(u.rest) == 0 {
		u.rest = nil
	}
	return n, nil
}

// CloseWrite passes on what net/http uses to end a connection politely.
func (u *unread) CloseWrite() error { return closeWrite(u.Conn) }

func closeWrite(c net.Conn) error {
	if cw, ok := c.(interface{ CloseWrite() error }); ok {
		return cw.CloseWrite()
	}
	return nil
}

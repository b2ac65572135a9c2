package sniff

import (
	"io"
	"net"
	"time"
)

const (
	// writeTimeout is how long a peer may take no byte of what we write before it is given up.
	writeTimeout = 60 * time.Second

	// deadlineSlack is how stale a write deadline may be: it is set again only when older, since
	// setting it costs more than writing a small answer into the socket should.
	deadlineSlack = 15 * time.Second

	// writePiece is the most one write is given a deadline for: 256 KiB in 45 s is a peer of 6 KiB/s.
	writePiece = 256 << 10
)

// conn gives back the first byte, bounds how long a write may hang, and gives its slot back when
// closed.
type conn struct {
	net.Conn
	release func()
	first   byte
	peeked  bool      // first has not been read yet
	set     time.Time // when the write deadline was last set; written by the one writer
}

// peek waits for the first byte.
func (c *conn) peek() error {
	if err := c.SetReadDeadline(time.Now().Add(firstByteTimeout)); err != nil {
		return err
	}
	var b [1]byte
	if _, err := io.ReadFull(c.Conn, b[:]); err != nil {
		return err
	}
	c.first, c.peeked = b[0], true
	return c.SetReadDeadline(time.Time{})
}

// Read gives the first byte together with what has come after it.
func (c *conn) Read(b []byte) (int, error) {
	if !c.peeked || len(b) == 0 {
		return c.Conn.Read(b)
	}
	c.peeked = false
	b[0] = c.first
	return 1, nil
}

// Write writes in pieces, each of which must make progress before the deadline.
func (c *conn) Write(b []byte) (int, error) {
	done := 0
	for {
		if now := time.Now(); now.Sub(c.set) > deadlineSlack {
			if err := c.SetWriteDeadline(now.Add(writeTimeout)); err != nil {
				return done, err
			}
			c.set = now
		}
		n, err := c.Conn.Write(b[done:min(done+writePiece, len(b))])
		done += n
		if err != nil || done == len(b) {
			return done, err
		}
	}
}

// Close frees the connection's place.
func (c *conn) Close() error {
	defer c.release()
	return c.Conn.Close()
}

// CloseWrite passes on what net/http uses to end a connection politely.
func (c *conn) CloseWrite() error {
	if cw, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return cw.CloseWrite()
	}
	return nil
}

//go:build unix

package kafka

import (
	"errors"
	"io"
	"net"
	"syscall"
)

// directWrite writes to a socket without waiting for it. It is used by one goroutine at a time.
type directWrite struct {
	buf []byte
	n   int
	err error
	f   func(fd uintptr) bool // try, made once
}

func rawConn(c *net.TCPConn) syscall.RawConn {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil
	}
	return raw
}

// write writes what fits into the socket's buffer and gives how much that was.
func (d *directWrite) write(raw syscall.RawConn, buf []byte) (int, error) {
	if d.f == nil {
		d.f = d.try
	}
	d.buf, d.n, d.err = buf, 0, nil
	err := raw.Write(d.f)
	d.buf = nil
	return d.n, errors.Join(err, d.err)
}

// try is called with the descriptor, which does not block; true ends the call.
func (d *directWrite) try(fd uintptr) bool {
	for {
		n, err := syscall.Write(int(fd), d.buf[d.n:])
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case errors.Is(err, syscall.EAGAIN):
			return true
		case err != nil:
			d.err = err
			return true
		}
		if d.n += n; d.n == len(d.buf) || n == 0 {
			return true
		}
	}
}

// aheadRead reads from a socket as much as there is, up to aheadBytes. It is used by one goroutine at a time.
type aheadRead struct {
	c   *Conn
	p   []byte
	n   int
	err error
	f   func(fd uintptr) bool // try, made once
}

// read waits for bytes, fills p with the first, and leaves the others in the Conn.
func (r *aheadRead) read(c *Conn, p []byte) (int, error) {
	if r.f == nil {
		r.f = r.try
	}
	r.c, r.p, r.n, r.err = c, p, 0, nil
	if err := c.raw.Read(r.f); err != nil {
		return 0, err
	}
	return r.n, r.err
}

// try is called when there may be something to read; true ends the call. The buffer is only held while it is.
func (r *aheadRead) try(fd uintptr) bool {
	var held []byte
	into := r.p
	if _, waiting := r.c.state(); !waiting {
		held = getBuffer(aheadBytes)
		into = held
	}
	n, err := syscall.Read(int(fd), into)
	for errors.Is(err, syscall.EINTR) {
		n, err = syscall.Read(int(fd), into)
	}
	switch {
	case n > 0 && held != nil:
		r.n = copy(r.p, held[:n])
		if r.n < n {
			r.c.ahead, r.c.aheadBuf = held[r.n:n], held
			return true
		}
	case n > 0:
		r.n = n
	case err == nil:
		r.err = io.EOF
	case !errors.Is(err, syscall.EAGAIN):
		r.err = err
	}
	if held != nil {
		putBuffer(held)
	}
	return r.n > 0 || r.err != nil
}

//go:build unix

package kafka

import (
	"errors"
	"io"
	"syscall"
)

// aheadRead reads from a socket as much as there is, up to aheadSize. It is used by one goroutine at a time.
type aheadRead struct {
	c   *Conn
	p   []byte
	n   int
	err error
	f   func(fd uintptr) bool // try, made once

	receiver receiver
}

// read waits for bytes, fills p with the first, and leaves the others in the Conn. Requests that can be taken as they come
// (takeAtOnce) are, and the next is waited for.
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

// try is called when there may be something to read; true ends the call.
//
// The runtime remembers that something has come since it called last, as long as the call is not ended. So where the
// socket says that nothing was left behind, it is not asked again: the next request is waited for at once.
func (r *aheadRead) try(fd uintptr) bool {
	for {
		n, drained, err := r.once(int(fd))
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case errors.Is(err, syscall.EAGAIN):
			return false
		case n > 0 || err != nil:
			r.n, r.err = n, err
			return true
		case drained:
			return false
		}
	}
}

// once reads once. The buffer is only held while it does. Without bytes and error a request was taken.
func (r *aheadRead) once(fd int) (n int, drained bool, err error) {
	c := r.c
	if _, waiting := c.state(); waiting {
		n, err = syscall.Read(fd, r.p)
		return n, false, endOf(n, err)
	}
	buf := getBuffer(c.aheadSize())
	n, drained, err = r.receiver.read(fd, buf)
	if err = endOf(n, err); err != nil {
		putBuffer(buf)
		return 0, false, err
	}
	if c.atFrame && len(r.p) == headSize {
		if f := c.atOnce(buf[:n]); f.buf != nil {
			r.receiver.tell(fd)
			err = c.takeAtOnce(&f)
			return 0, drained && !f.silent, err
		}
	}
	got := copy(r.p, buf[:n])
	if got < n {
		c.ahead, c.aheadBuf = buf[got:n], buf
	} else {
		putBuffer(buf)
	}
	return got, false, nil
}

// endOf gives what a read that gave n and err means to who reads.
func endOf(n int, err error) error {
	if n == 0 && err == nil {
		return io.EOF
	}
	return err
}

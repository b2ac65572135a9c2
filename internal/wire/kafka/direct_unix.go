//go:build unix

package kafka

import (
	"errors"
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
		n, err := sendNow(int(fd), d.buf[d.n:])
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

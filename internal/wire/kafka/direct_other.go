//go:build !unix

package kafka

import (
	"net"
	"syscall"
)

// directWrite is not there on systems whose sockets cannot be written without waiting: a goroutine writes.
type directWrite struct{}

func rawConn(*net.TCPConn) syscall.RawConn { return nil }

func (*directWrite) write(syscall.RawConn, []byte) (int, error) { return 0, nil }

// aheadRead is not there either: what is asked for is read.
type aheadRead struct{}

func (aheadRead) read(c *Conn, p []byte) (int, error) { return c.conn.Read(p) }

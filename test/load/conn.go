package load

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

// Conn is one connection, for one goroutine.
type Conn interface {
	// Do sends req and returns the answer's body, which is valid until the next call.
	//
	// Errors: *StatusError for an answer that is not 200, else the connection is of no more use.
	Do(req *Request) ([]byte, error)
	Close() error
}

// StatusError is an answer other than 200.
type StatusError struct {
	Status int
	Body   string
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("answer %d: %.300s", e.Status, e.Body)
}

const (
	// callTimeout bounds one call, so that a server that hangs fails the run instead of stopping it.
	callTimeout = 60 * time.Second
	// answerMax is above the largest page of GetRecords: 10 MiB of data in base64, and its frame.
	answerMax = 32 << 20
	// lineMax bounds a header line.
	lineMax = 8 << 10
)

// http1Conn reads answers by hand: status, Content-Length or chunks.
type http1Conn struct {
	conn net.Conn
	in   *bufio.Reader
	body []byte // grows to the largest answer and stays
}

// DialHTTP1 connects to addr (HOST:PORT) for HTTP/1.1 in plain text.
func DialHTTP1(addr string) (Conn, error) {
	conn, err := net.DialTimeout("tcp", addr, 5*time.Second)
	if err != nil {
		return nil, err
	}
	return &http1Conn{conn: conn, in: bufio.NewReaderSize(conn, 64<<10)}, nil
}

func (c *http1Conn) Close() error { return c.conn.Close() }

func (c *http1Conn) Do(req *Request) ([]byte, error) {
	if err := c.conn.SetDeadline(time.Now().Add(callTimeout)); err != nil {
		return nil, err
	}
	if _, err := c.conn.Write(req.http1); err != nil {
		return nil, err
	}
	status, length, chunked, err := c.head()
	if err != nil {
		return nil, err
	}
	c.body = c.body[:0]
	if chunked {
		err = c.chunks()
	} else {
		err = c.take(length)
	}
	if err != nil {
		return nil, err
	}
	if status != 200 {
		return nil, &StatusError{status, string(c.body)}
	}
	return c.body, nil
}

// head reads the status line and the header.
func (c *http1Conn) head() (status, length int, chunked bool, err error) {
	line, err := c.line()
	if err != nil {
		return 0, 0, false, err
	}
	if len(line) < 12 || !bytes.HasPrefix(line, []byte("HTTP/1.1 ")) {
		return 0, 0, false, fmt.Errorf("status line %q", line)
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, 0, false, err
	}
	for {
		line, err = c.line()
		if err != nil || len(line) == 0 {
			return status, length, chunked, err
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimSpace(value)
		switch {
		case len(name) == 14 && bytes.EqualFold(name, []byte("content-length")):
			if length, err = strconv.Atoi(string(value)); err != nil {
				return 0, 0, false, err
			}
		case len(name) == 17 && bytes.EqualFold(name, []byte("transfer-encoding")):
			chunked = bytes.EqualFold(value, []byte("chunked"))
		}
	}
}

// line reads up to CRLF, which it drops; the bytes are valid until the next read.
func (c *http1Conn) line() ([]byte, error) {
	line, err := c.in.ReadSlice('\n')
	if err != nil {
		return nil, err
	}
	if len(line) > lineMax {
		return nil, errors.New("header line too long")
	}
	return bytes.TrimRight(line, "\r\n"), nil
}

func (c *http1Conn) chunks() error {
	for {
		line, err := c.line()
		if err != nil {
			return err
		}
		size, err := strconv.ParseUint(string(line), 16, 31)
		if err != nil {
			return fmt.Errorf("chunk size %q: %w", line, err)
		}
		if err := c.take(int(size)); err != nil {
			return err
		}
		if _, err := c.line(); err != nil || size == 0 {
			return err
		}
	}
}

// take appends n bytes of the connection to body.
func (c *http1Conn) take(n int) error {
	at := len(c.body)
	if n < 0 || at+n > answerMax {
		return fmt.Errorf("answer of more than %d bytes", answerMax)
	}
	if cap(c.body) < at+n {
		grown := make([]byte, at, max(at+n, 2*cap(c.body)))
		copy(grown, c.body)
		c.body = grown
	}
	c.body = c.body[:at+n]
	_, err := io.ReadFull(c.in, c.body[at:])
	return err
}

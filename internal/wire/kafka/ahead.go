package kafka

import "time"

// How much is read at once where a request may begin: all of most requests, so that they cost one system call and not two.
// Requests of clients that produce are longer than those of clients that do not, of which there may be many at a time.
const (
	aheadBytes        = 1 << 10
	aheadProduceBytes = 4 << 10
)

// fromClient reads what the client sends, for the reading goroutine. Nothing is read ahead while a request that may wait for
// long is outstanding: the connection holds no buffer then.
type fromClient struct{ c *Conn }

// Read implements io.Reader.
func (r fromClient) Read(p []byte) (int, error) {
	c := r.c
	if len(c.ahead) > 0 {
		n := copy(p, c.ahead)
		if c.ahead = c.ahead[n:]; len(c.ahead) == 0 {
			c.dropAhead()
		}
		return n, nil
	}
	if c.raw == nil || len(p) >= aheadProduceBytes {
		return c.conn.Read(p)
	}
	return c.aheadRead.read(c, p)
}

// aheadSize is how much is read at once from this client.
func (c *Conn) aheadSize() int {
	if c.produces {
		return aheadProduceBytes
	}
	return aheadBytes
}

// dropAhead gives back what was read ahead.
func (c *Conn) dropAhead() {
	if c.aheadBuf != nil {
		putBuffer(c.aheadBuf)
		c.ahead, c.aheadBuf = nil, nil
	}
}

// awaitUntil sets the time to which the first bytes of a request are waited for. It is seldom set anew, since that costs as
// much as a small read.
func (c *Conn) awaitUntil() error {
	idle := c.server.opts.IdleTimeout
	if until := c.lately.Add(idle); until.Sub(c.until) > idle/8 {
		if err := c.conn.SetReadDeadline(until); err != nil {
			return err
		}
		c.until = until
	}
	return nil
}

// awaitsMore says whether a client that has sent nothing until then is waited for longer.
func (c *Conn) awaitsMore() bool {
	c.until = time.Time{}
	last, waiting := c.state()
	switch {
	case last:
		return false
	case time.Since(c.lately) < c.server.opts.IdleTimeout:
		return true // the time was not set anew for its last request
	case !waiting && !c.answeredLately():
		return false
	}
	c.lately = time.Now()
	return true
}

// stepUntil sets the time to which the next bytes of a request are waited for.
func (c *Conn) stepUntil() error {
	c.until = time.Time{}
	return c.conn.SetReadDeadline(time.Now().Add(stepTime))
}

package kafka

import (
	"net"

	"millrace/internal/api/kafkaapi"
)

// atOnce gives the request in b, which is in a pooled buffer, where it can be handled as it is: one Produce
// and all of it, from who may, within the bounds. The buffer is the request's then. Else the frame is empty, and what
// is in b goes the way of all.
func (c *Conn) atOnce(b []byte) frame {
	if len(b) <= headSize {
		return frame{}
	}
	f := frameOf(b)
	c.produces = c.produces || f.key == kafkaapi.KeyProduce
	if f.key != kafkaapi.KeyProduce || f.size != len(b)-4 || f.size > c.server.opts.MaxFrameBytes || !f.key.Told(f.version) ||
		!c.Authenticated() || !c.mayTake() || !c.server.inFlight.TryAcquire(int64(cap(b))) {
		return frame{}
	}
	f.rest, f.buf, f.held = b[headSize:], b, cap(b)
	return f
}

// mayTake says whether the next request may be taken in now.
func (c *Conn) mayTake() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.dead && !c.last && c.queue.readable()
}

// takeAtOnce has the request of atOnce handled, and sets the time until which the next is waited for.
func (c *Conn) takeAtOnce(f *frame) error {
	if !c.take(f) {
		return errMalformed
	}
	if err := c.awaitUntil(); err != nil {
		return err
	}
	// Whoever sets last cuts the deadline short after it: one of the two sees the other.
	if last, _ := c.state(); last {
		return net.ErrClosed
	}
	return nil
}

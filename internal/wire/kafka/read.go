package kafka

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime/debug"
	"time"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/api/kafkaapi/kbin"
)

// frame is a request as it was read, without its size.
type frame struct {
	key     kafkaapi.Key
	version int16
	size    int    // of all of it
	rest    []byte // what follows key and version
	buf     []byte // pooled, rest is in it; nil when rest is left to the garbage collector
	held    int    // of the bound on frames

	silent bool // acks=0: nothing is answered; set when it is dispatched
}

// headSize is how many bytes of a frame are read into the Conn: size, key and version.
const headSize = 8

// next reads a request and has it handled; false when the connection is over. c.reason tells why, if it was us.
func (c *Conn) next() bool {
	if !c.Authenticated() {
		// What comes next, and in which form, depends on the answer.
		if !c.awaitTurn() {
			return false
		}
		if c.bareSASL && !c.Authenticated() {
			return c.nextToken()
		}
	}
	if !c.readHead(headSize) {
		return false
	}
	f := frameOf(c.head[:])
	if !c.admit(&f) || !c.awaitTurn() || !c.readRest(&f) {
		return false
	}
	return c.take(&f)
}

// frameOf reads what a frame begins with.
func frameOf(head []byte) frame {
	return frame{
		size:    int(int32(binary.BigEndian.Uint32(head))),
		key:     kafkaapi.Key(binary.BigEndian.Uint16(head[4:])),
		version: int16(binary.BigEndian.Uint16(head[6:])),
	}
}

// take has a request handled; false, with the reason, when it is not what it should be.
func (c *Conn) take(f *frame) bool {
	if err := c.dispatch(f); err != nil {
		c.reason = fmt.Sprintf("%s version %d: %s", f.key, f.version, err)
		return false
	}
	return true
}

// readHead waits for the first n bytes of a request, without a buffer. It does so also while others are
// outstanding: so a client that goes away is noticed while its Fetch or JoinGroup waits, and then nobody waits
// for these any more.
func (c *Conn) readHead(n int) bool {
	for {
		if c.awaitUntil() != nil {
			return false
		}
		// Whoever sets last cuts the deadline short after it: one of the two sees the other.
		if last, _ := c.state(); last {
			return false
		}
		c.atFrame = n == headSize
		got, err := io.ReadFull(fromClient{c}, c.head[:n])
		c.atFrame = false
		switch {
		case err == nil:
			return true
		case got > 0 && !errors.Is(err, net.ErrClosed):
			c.reason = fmt.Sprintf("request ends after %d bytes", got)
			return false
		case errors.Is(err, os.ErrDeadlineExceeded):
			if !c.awaitsMore() {
				return false
			}
		default:
			if _, waiting := c.state(); waiting {
				c.cut()
			}
			return false
		}
	}
}

// admit checks what is known of a request before memory is spent on it.
func (c *Conn) admit(f *frame) bool {
	known := c.Authenticated()
	limit := c.server.opts.MaxFrameBytes
	if !known {
		limit = min(limit, maxUnknownFrame)
	}
	switch {
	case f.size < headSize: // the correlation id follows key and version
		c.reason = fmt.Sprintf("request of %d bytes is too small", f.size)
	case f.size > limit:
		c.reason = fmt.Sprintf("request of %d bytes is larger than %d", f.size, limit)
	case !known && !passesUnknown(f.key):
		c.reason = fmt.Sprintf("%s before authentication", f.key)
	case !f.key.Told(f.version) && f.key != kafkaapi.KeyAPIVersions:
		c.reason = fmt.Sprintf("%s (%d) version %d is not served", f.key, int16(f.key), f.version)
	default:
		return true
	}
	return false
}

// passesUnknown says whether a request may come before authentication.
func passesUnknown(key kafkaapi.Key) bool {
	return key == kafkaapi.KeyAPIVersions || key == kafkaapi.KeySaslHandshake || key == kafkaapi.KeySaslAuthenticate
}

// readRest reads what follows the head into a buffer. Those of Produce and Fetch are pooled, since nothing points
// into them later; messages of package kafkaapi alias theirs, which is left to the garbage collector.
func (c *Conn) readRest(f *frame) bool {
	n := f.size - 4 // key and version are read
	if pooled(f.key) {
		f.held = 1 << (classOf(n) + smallestBits)
	} else {
		f.held = n
	}
	if !c.server.hold(f.held) {
		c.reason = fmt.Sprintf("no memory for a request of %d bytes within %s", f.size, holdTime)
		return false
	}
	if pooled(f.key) {
		f.buf = getBuffer(n)
		f.rest = f.buf
	} else {
		f.rest = make([]byte, n)
	}
	if c.readAll(f.rest) {
		return true
	}
	c.drop(f)
	return false
}

// pooled says whether the frames of the key are given back.
func pooled(key kafkaapi.Key) bool { return key == kafkaapi.KeyProduce || key == kafkaapi.KeyFetch }

// drop gives back a frame that nobody will use.
func (c *Conn) drop(f *frame) {
	c.server.freeFrame(f.buf, f.held)
	f.rest, f.buf, f.held = nil, nil, 0
}

// readAll fills buf, as long as the client sends a step in its time.
func (c *Conn) readAll(buf []byte) bool {
	for at := 0; at < len(buf); {
		step := buf[at:min(at+stepBytes, len(buf))]
		if len(c.ahead) < len(step) && c.stepUntil() != nil {
			return false
		}
		n, err := io.ReadFull(fromClient{c}, step)
		at += n
		if err == nil {
			continue
		}
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			c.reason = fmt.Sprintf("request stops after %d of %d bytes", at, len(buf))
		case !errors.Is(err, net.ErrClosed):
			c.reason = fmt.Sprintf("request ends after %d of %d bytes", at, len(buf))
		}
		return false
	}
	return true
}

// errMalformed is a request whose bytes are not the message they should be.
var errMalformed = errors.New("malformed")

// dispatch reads the header and gives the request to the handler.
func (c *Conn) dispatch(f *frame) error {
	r := kbin.NewReader(f.rest)
	correlation := r.Int32()
	if n := r.Int16(); n >= 0 { // never compact
		c.setClientID(r.Raw(int(n)))
	} else {
		c.setClientID(nil)
	}
	if r.Err() == nil && f.key.Flexible(f.version) {
		r.SkipTags()
	}
	if err := r.Err(); err != nil {
		c.drop(f)
		return fmt.Errorf("%w header: %w", errMalformed, err)
	}
	// All but Produce stand alone: see Order in the package comment.
	if f.key != kafkaapi.KeyProduce && !c.awaitAnswers() {
		c.drop(f)
		return net.ErrClosed
	}
	c.lately = time.Now()
	p := &pending{conn: c, key: f.key, version: f.version, correlation: correlation, start: c.lately, inBytes: f.size}
	switch {
	case f.key == kafkaapi.KeyProduce:
		return c.dispatchProduce(f, &r, p)
	case f.key == kafkaapi.KeyFetch:
		return c.dispatchFetch(f, &r, p)
	case !f.key.Told(f.version):
		return c.answerTooNew(f, p)
	}
	return c.dispatchOther(f, &r, p)
}

// call runs a handler for a request that is in the queue.
func (c *Conn) call(p *pending, handle func()) {
	c.enqueue(p)
	defer c.guard(p)
	handle()
	c.handled()
}

// guard is deferred around a handler: one that panics ends its connection and no more. The request's bytes are left to
// the garbage collector, since nobody knows who still uses them; its share of the bound is given back.
func (c *Conn) guard(p *pending) {
	v := recover()
	if v == nil {
		return
	}
	c.server.opts.Logger.Error("kafka: panic in a handler", "api", p.key.Name(), "version", p.version, "remote", c.RemoteAddr().String(),
		"panic", fmt.Sprint(v), "stack", string(debug.Stack()))
	c.cut()
	c.mu.Lock()
	answered := p.done
	c.mu.Unlock()
	if !answered {
		held := p.held
		p.frame, p.held = nil, 0
		c.server.freeFrame(nil, held)
	}
}

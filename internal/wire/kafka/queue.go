package kafka

import (
	"encoding/binary"
	"errors"
	"net"
	"os"
	"time"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/api/kafkaapi/kbin"
)

// pending is a request that has not been answered yet, in the queue of its connection.
type pending struct {
	conn        *Conn
	next        *pending // the request after this one; guarded by conn.mu
	key         kafkaapi.Key
	version     int16
	correlation int32
	start       time.Time
	inBytes     int // of the frame

	frame []byte // pooled, or nil
	held  int    // bytes of the server's bound on frames

	done    bool        // the answer is complete; guarded by conn.mu
	out     []byte      // the answer, pooled; nil when there is none
	rest    net.Buffers // what follows out
	outSize int         // of out and rest
	release func()      // called when rest is no longer used
	recycle func()      // called when the pending is no longer used
}

// queue is the outstanding requests of a connection, in order.
type queue struct {
	first, last *pending
	count       int // of those not answered, also while the answer is being written
	bytes       int // of their frames
	others      int // of those that are not Produce
}

// readable says whether the next request may be read.
func (q *queue) readable() bool {
	return q.count == 0 || (q.others == 0 && q.count < maxPipelined && q.bytes < maxPipelinedBytes)
}

// enqueue puts a request behind those that are outstanding.
func (c *Conn) enqueue(p *pending) {
	c.mu.Lock()
	q := &c.queue
	if q.last == nil {
		q.first = p
	} else {
		q.last.next = p
	}
	q.last = p
	q.count++
	q.bytes += p.inBytes
	if p.key != kafkaapi.KeyProduce {
		q.others++
	}
	c.handling = true
	c.mu.Unlock()
}

// handled ends the reader's call of a handler: what was completed in the meantime is written here.
func (c *Conn) handled() {
	c.mu.Lock()
	c.handling = false
	if c.writing || c.queue.first == nil || !c.queue.first.done {
		c.mu.Unlock()
		return
	}
	c.writing = true
	c.mu.Unlock()
	c.flush(true)
}

// complete marks the answer as ready and writes it unless others are before it or someone else will. It does
// not wait for the socket.
//
// With more requests behind it, it leaves the writing to a goroutine: who answers one of a group of requests is
// about to answer the others, and one write for five answers costs a third less CPU for each, also of the client.
func (p *pending) complete() {
	c := p.conn
	if o := c.server.opts.Observe; o != nil {
		o(p.key, time.Since(p.start), p.inBytes, p.outSize)
	}
	c.mu.Lock()
	if p.done {
		c.mu.Unlock()
		panic("kafka: a request was answered twice")
	}
	p.done = true
	if c.queue.first != p || c.writing || c.handling {
		c.mu.Unlock()
		return
	}
	c.writing = true
	more := p.next != nil
	c.mu.Unlock()
	if more {
		go c.flush(true)
		return
	}
	c.flush(false)
}

// flush writes what is complete from the front of the queue until nothing is. The caller has set writing. Unless
// block, it does not wait for the socket but leaves the rest to a goroutine.
func (c *Conn) flush(block bool) {
	for {
		batch := c.takeDone()
		if batch == nil {
			return
		}
		rest, failed := c.writeDirect(batch)
		if rest == nil {
			c.written(batch, failed)
			continue
		}
		if !block {
			go func() {
				c.written(batch, c.writeWaiting(rest))
				c.flush(true)
			}()
			return
		}
		c.written(batch, c.writeWaiting(rest))
	}
}

// takeDone takes the complete requests at the front; without any it ends writing.
func (c *Conn) takeDone() *pending {
	c.mu.Lock()
	defer c.mu.Unlock()
	q := &c.queue
	batch := q.first
	if batch == nil || !batch.done {
		c.writing = false
		c.turn.Broadcast()
		return nil
	}
	end := batch
	for end.next != nil && end.next.done {
		end = end.next
	}
	q.first = end.next
	if q.first == nil {
		q.last = nil
	}
	end.next = nil
	return batch
}

// written gives back what the answers and their requests held, and lets the reader go on. err ends the connection.
func (c *Conn) written(batch *pending, err error) {
	if err != nil {
		c.cut()
	}
	var count, bytes, others int
	for p := batch; p != nil; {
		next := p.next
		count++
		bytes += p.inBytes
		if p.key != kafkaapi.KeyProduce {
			others++
		}
		p.free()
		p = next
	}
	c.mu.Lock()
	if others > 0 {
		c.answered = time.Now()
	}
	c.queue.count -= count
	c.queue.bytes -= bytes
	c.queue.others -= others
	c.turn.Broadcast()
	c.mu.Unlock()
}

// free gives back everything. The pending must not be used after it.
func (p *pending) free() {
	p.conn.server.freeFrame(p.frame, p.held)
	p.frame, p.held = nil, 0
	if p.out != nil {
		putBuffer(p.out)
		p.out = nil
	}
	if p.release != nil {
		p.release()
		p.release = nil
	}
	if p.recycle != nil {
		p.recycle()
	}
}

// begin starts the answer's frame in a buffer of at least size bytes: room for its length, and the header.
func (p *pending) begin(size int) kbin.Writer {
	w := kbin.NewWriter(getBuffer(size)[:0])
	w.Int32(0)
	w.Int32(p.correlation)
	flexible := p.key.Flexible(p.version)
	if flexible && p.key != kafkaapi.KeyAPIVersions {
		w.Tags(0)
	}
	w.SetFlexible(flexible)
	return w
}

// finish takes the answer that was begun with begin; rest follows it and is used until release.
func (p *pending) finish(w *kbin.Writer, rest net.Buffers, restSize int, release func()) {
	p.out, p.rest, p.release = w.Bytes(), rest, release
	p.outSize = len(p.out) + restSize
	binary.BigEndian.PutUint32(p.out, uint32(p.outSize-4))
	p.complete()
}

// gather gives the bytes of all answers of the batch in one pooled buffer, or the only one's own.
func gather(batch *pending, size int) (buf []byte, pooled bool) {
	if batch.next == nil && batch.rest == nil {
		return batch.out, false
	}
	buf = getBuffer(size)[:0]
	for p := batch; p != nil; p = p.next {
		buf = append(buf, p.out...)
		for _, b := range p.rest {
			buf = append(buf, b...)
		}
	}
	return buf, true
}

// writeDirect writes as much as the socket takes at once. What is left is for writeWaiting; nil when all
// is done or the connection is dead, and then the error says so.
func (c *Conn) writeDirect(batch *pending) (net.Buffers, error) {
	size := 0
	for p := batch; p != nil; p = p.next {
		size += p.outSize
	}
	if size == 0 { // acks=0
		return nil, nil
	}
	c.mu.Lock()
	dead := c.dead
	c.mu.Unlock()
	if dead {
		return nil, net.ErrClosed
	}
	if size > directBytes {
		return vectors(batch), nil
	}
	buf, pooled := gather(batch, size)
	n, err := 0, error(nil)
	if c.raw != nil {
		n, err = c.direct.write(c.raw, buf)
	}
	if err != nil || n == len(buf) {
		if pooled {
			putBuffer(buf)
		}
		return nil, err
	}
	return net.Buffers{buf[n:]}, nil // a pooled one goes to the garbage collector; sockets are rarely full
}

func vectors(batch *pending) net.Buffers {
	var all net.Buffers
	for p := batch; p != nil; p = p.next {
		if p.out != nil {
			all = append(all, p.out)
		}
		all = append(all, p.rest...)
	}
	return all
}

// writeWaiting writes everything, as long as the client takes a step in its time.
func (c *Conn) writeWaiting(bufs net.Buffers) error {
	for len(bufs) > 0 {
		var step net.Buffers
		step, bufs = split(bufs, stepBytes)
		if err := c.conn.SetWriteDeadline(time.Now().Add(c.server.opts.writeTimeout)); err != nil {
			return err
		}
		if err := c.writeStep(step); err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				c.server.opts.Logger.Info("kafka: client takes no answer and is cut", "remote", c.RemoteAddr().String(), "client", c.ClientID())
			}
			return err
		}
	}
	return c.conn.SetWriteDeadline(time.Time{})
}

// writeStep writes with one system call where it can; TLS gets records of 16 KiB instead of one for each slice.
func (c *Conn) writeStep(step net.Buffers) error {
	if _, ok := c.conn.(*net.TCPConn); ok || len(step) == 1 {
		_, err := step.WriteTo(c.conn)
		return err
	}
	scratch := getBuffer(directBytes)[:0]
	defer func() { putBuffer(scratch) }()
	for _, b := range step {
		for len(b) > 0 {
			n := min(len(b), cap(scratch)-len(scratch))
			scratch = append(scratch, b[:n]...)
			b = b[n:]
			if len(scratch) < cap(scratch) {
				continue
			}
			if _, err := c.conn.Write(scratch); err != nil {
				return err
			}
			scratch = scratch[:0]
		}
	}
	_, err := c.conn.Write(scratch)
	return err
}

// split takes the first limit bytes off.
func split(bufs net.Buffers, limit int) (first, rest net.Buffers) {
	for i, b := range bufs {
		if len(b) < limit {
			limit -= len(b)
			continue
		}
		first = append(bufs[:i:i], b[:limit])
		rest = bufs[i:]
		if rest[0] = b[limit:]; len(rest[0]) == 0 {
			rest = rest[1:]
		}
		return first, rest
	}
	return bufs, nil
}

// state says whether nothing more is read, and whether a request other than Produce is outstanding.
func (c *Conn) state() (last, waiting bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last, c.queue.others > 0
}

// answeredLately says whether a request that may have waited was answered within the idle time.
func (c *Conn) answeredLately() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Since(c.answered) < c.server.opts.IdleTimeout
}

// awaitTurn waits until the next request may be taken in; false when there is none to come.
func (c *Conn) awaitTurn() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for !c.dead && !c.last && !c.queue.readable() {
		c.turn.Wait()
	}
	return !c.dead && !c.last
}

// awaitAnswers waits until everything is answered, or the connection is cut.
func (c *Conn) awaitAnswers() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for !c.dead && c.queue.count > 0 {
		c.turn.Wait()
	}
	return !c.dead
}

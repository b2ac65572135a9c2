package kafka

import (
	"encoding/binary"
	"fmt"
	"time"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/api/kafkaapi/kbin"
)

// Request is any request but Produce and Fetch.
type Request struct {
	// Body is the message, of the type that belongs to Key. Its strings and bytes alias one buffer, which is never
	// used again: they may be kept, but each keeps all of the request in memory; copy what is kept for long.
	Body kafkaapi.Request

	p    pending
	bare bool // a SASL token without header; so is its answer
}

// Conn is the connection that the request came by.
func (r *Request) Conn() *Conn { return r.p.conn }

// Key is the API that is asked for.
func (r *Request) Key() kafkaapi.Key { return r.p.key }

// Version is the version of request and response.
func (r *Request) Version() int16 { return r.p.version }

// ClientID is the client id of the request, empty when it has none.
func (r *Request) ClientID() string { return r.p.conn.ClientID() }

// Reply answers the request, once; m must be the response of the request's API. The message is encoded before
// Reply returns. It does not wait for the client.
//
// A message that cannot be encoded (a string above 32,767 bytes) ends the connection.
func (r *Request) Reply(m kafkaapi.Message) { r.reply(m, false) }

// ReplyAndClose is Reply, and the connection ends when the answer has gone and the client has left, or soon after: for
// failed authentication.
func (r *Request) ReplyAndClose(m kafkaapi.Message) { r.reply(m, true) }

func (r *Request) reply(m kafkaapi.Message, end bool) {
	c := r.p.conn
	if end {
		c.mu.Lock()
		c.last, c.refused = true, true
		c.mu.Unlock()
	}
	if r.bare {
		r.replyBare(m)
		return
	}
	w := r.p.begin(0)
	m.Encode(&w, r.p.version)
	if err := w.Err(); err != nil {
		c.server.opts.Logger.Error("kafka: answer cannot be encoded", "api", r.p.key.Name(), "version", r.p.version, "err", err)
		c.cut()
	}
	r.p.finish(&w, nil, 0, nil)
}

// replyBare answers a bare SASL token: with the bytes alone, or, since there is no room for an error, by
// closing the connection.
func (r *Request) replyBare(m kafkaapi.Message) {
	answer, ok := m.(*kafkaapi.SaslAuthenticateResponse)
	w := kbin.NewWriter(getBuffer(0)[:0])
	w.Int32(0)
	if ok && answer.ErrorCode == kafkaapi.None {
		w.Raw(answer.AuthBytes)
	} else {
		r.p.conn.cut()
	}
	r.p.finish(&w, nil, 0, nil)
}

// dispatchOther decodes a message of package kafkaapi and gives it to the handler.
func (c *Conn) dispatchOther(f *frame, r *kbin.Reader, p *pending) error {
	body := f.key.NewRequest()
	in := *r // so that only this one is on the heap, and not that of Produce and Fetch
	if err := body.Decode(&in, f.version); err != nil {
		c.drop(f)
		return fmt.Errorf("%w: %w", errMalformed, err)
	}
	if v, ok := body.(*kafkaapi.APIVersionsRequest); ok && v.ClientSoftwareName != "" {
		c.software.Store(&software{v.ClientSoftwareName, v.ClientSoftwareVersion})
	}
	q := &Request{Body: body, p: *p}
	q.p.held = f.held
	// From now on tokens come bare, unless the handler refuses the mechanism: then the client gives up.
	c.bareSASL = f.key == kafkaapi.KeySaslHandshake && f.version == 0 || c.bareSASL && f.key != kafkaapi.KeySaslHandshake
	c.call(&q.p, func() { c.server.handler.Handle(q) })
	return nil
}

// nextToken reads a bare SASL token: a size and that many bytes.
func (c *Conn) nextToken() bool {
	if !c.readHead(4) {
		return false
	}
	n := int(int32(binary.BigEndian.Uint32(c.head[:4])))
	if n < 0 || n > maxUnknownFrame {
		c.reason = fmt.Sprintf("SASL token of %d bytes", n)
		return false
	}
	f := frame{key: kafkaapi.KeySaslAuthenticate, size: n + 4}
	if !c.readRest(&f) {
		return false
	}
	q := &Request{
		Body: &kafkaapi.SaslAuthenticateRequest{AuthBytes: f.rest}, bare: true,
		p: pending{conn: c, key: f.key, start: time.Now(), inBytes: f.size, held: f.held},
	}
	c.call(&q.p, func() { c.server.handler.Handle(q) })
	return true
}

// answerTooNew tells a client that asks for a version of ApiVersions that is not served which are: with an error,
// in the form of version 0, which every client reads (KIP-511).
func (c *Conn) answerTooNew(f *frame, p *pending) error {
	c.drop(f)
	q := &Request{p: *p}
	q.p.version = 0
	answer := kafkaapi.NewAPIVersionsResponse()
	answer.ErrorCode = kafkaapi.UnsupportedVersion
	for _, api := range kafkaapi.Served() {
		answer.APIKeys = append(answer.APIKeys, kafkaapi.APIVersionsResponseAPIVersion{
			APIKey: int16(api.Key), MinVersion: api.Min, MaxVersion: api.Max,
		})
	}
	c.call(&q.p, func() { q.Reply(&answer) })
	return nil
}

package aws

import (
	"context"
	"fmt"
	"net/http"
	"runtime/debug"
	"time"

	"millrace/internal/api"
	"millrace/internal/wire/aws/bufpool"
	"millrace/internal/wire/aws/codec"
	"millrace/internal/wire/aws/eventstream"
)

// eventWait is how long a client may take to accept an event before its stream is cut, and at most twice that.
// Clients read at once what comes; a pause of their collector or a restart of their reader takes seconds. A
// service has an event at least as often.
const eventWait = 30 * time.Second

// streamer is an answerer that can stay open.
type streamer interface {
	answerer
	// unbound lifts the deadline under which the request was read.
	unbound() error
	// push sends b to the client, which has d to take it. The next push follows within d.
	push(b []byte, d time.Duration) (int, error)
}

// streamContext is ctx until Shutdown begins: an answer that stays open must not hold it up.
func (s *Server) streamContext(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(s.streaming, cancel)
	return ctx, func() {
		stop()
		cancel()
	}
}

// stream is an answer that stays open: the initial response at once, so that the client knows that its request
// was accepted, then each event as it comes, in the encoding of the request. It holds no buffer between them, and
// little else.
type stream struct {
	server *Server
	w      streamer
	ctx    context.Context
	done   func()    // ends ctx
	call   *api.Call // not the exchange's, which is gone
	op     *operation
	out    any // of the operation
	head   head
	cbor   bool
	cut    bool // the connection is to be broken
	start  time.Time
	took   time.Duration // until it began
	in     int           // bytes of the request
	sent   int
	code   string // of the error it ended with
}

// openStream calls the operation and leaves the answer to x.open, unless it is an error.
func (s *Server) openStream(x *exchange, o *operation, in any, start time.Time) {
	call := new(x.call)
	ctx, done := s.streamContext(x.ctx)
	defer func() {
		if x.open == nil {
			call.Sent()
			done()
		}
	}()
	out, err := o.Invoke(api.WithCall(ctx, call), in)
	if err != nil {
		s.fail(x, api.AsError(err))
		return
	}
	h := s.head(x, http.StatusOK)
	h.contentType = eventstream.ContentType
	x.open = &stream{
		server: s, w: x.out.(streamer), ctx: ctx, done: done, call: call, op: o, out: out, head: h,
		cbor: x.format == formatCBOR, start: start, in: x.in,
	}
}

// run writes the stream to its end and says whether the connection is to be broken.
func (t *stream) run() bool {
	t.serve()
	return t.cut
}

func (t *stream) serve() {
	defer t.close()
	if t.begin() {
		t.op.Events(t.out)(t.event)
	}
}

// begin writes head and initial response; no operation of ours has members beside its events.
func (t *stream) begin() bool {
	if err := t.w.unbound(); err != nil {
		t.server.opts.Logger.Debug("read deadline of a stream", "requestId", t.call.RequestID, "err", err)
	}
	t.w.begin(t.head, -1)
	ok := t.send("event", ":event-type", "initial-response", func(b []byte) []byte {
		if t.cbor {
			return codec.CloseCBORMap(codec.OpenCBORMap(b))
		}
		return append(b, "{}"...)
	})
	t.head = head{}
	t.took = time.Since(t.start)
	return ok
}

// close ends the stream. It is observed with the time until it began, since how long it lasts is its client's choice.
func (t *stream) close() {
	if p := recover(); p != nil {
		t.server.opts.Logger.Error("panic in stream", "requestId", t.call.RequestID, "operation", t.call.Operation,
			"panic", fmt.Sprint(p), "stack", string(debug.Stack()))
		t.cut = true
	}
	t.done()
	t.call.Sent()
	t.server.opts.Observe(t.call.Service, t.op.Name, t.code, t.took, t.in, t.sent)
}

// event writes one event, or the error that ends the stream; false when nothing more is to come.
func (t *stream) event(event any, err error) bool {
	if err != nil {
		t.fail(api.AsError(err))
		return false
	}
	name, shape, value := codec.Event(t.op.stream, event)
	return t.send("event", ":event-type", name, func(b []byte) []byte {
		if t.cbor {
			return codec.AppendCBOR(b, shape, value)
		}
		return codec.AppendJSON(b, shape, value)
	})
}

// fail writes the error that ends a stream, unless nobody listens any more.
func (t *stream) fail(err *api.Error) {
	if t.ctx.Err() != nil {
		t.cut = true
		return
	}
	t.code = err.Code
	if err.Fault == api.FaultServer {
		t.server.opts.Logger.Error("stream failed", "requestId", t.call.RequestID, "service", t.call.Service,
			"operation", t.call.Operation, "account", t.call.Account, "err", err)
	}
	t.send("exception", ":exception-type", err.Code, func(b []byte) []byte {
		if t.cbor {
			return codec.AppendErrorCBOR(b, err)
		}
		return codec.AppendErrorJSON(b, "", err)
	})
}

// send writes one message and waits until it is on its way; false when the client is gone.
func (t *stream) send(message, kind, name string, payload func([]byte) []byte) bool {
	contentType := "application/json"
	if t.cbor {
		contentType = "application/cbor"
	}
	b := bufpool.Get(bufpool.Smallest)[:0]
	b = eventstream.Open(b,
		eventstream.Header{Name: kind, Value: name},
		eventstream.Header{Name: ":content-type", Value: contentType},
		eventstream.Header{Name: ":message-type", Value: message})
	b = eventstream.Close(payload(b), 0)
	n, err := t.w.push(b, t.server.opts.eventWait)
	t.sent += n
	bufpool.Put(b)
	t.cut = t.cut || err != nil
	return err == nil
}

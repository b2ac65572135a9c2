package aws

import (
	"context"
	"net/http"
	"time"

	"millrace/internal/api"
	"millrace/internal/wire/aws/bufpool"
	"millrace/internal/wire/aws/codec"
	"millrace/internal/wire/aws/eventstream"
)

// eventWait is how long a client may take to accept an event before its stream is cut. Clients read at
// once what comes; a pause of their collector or a restart of their reader takes seconds.
const eventWait = 30 * time.Second

// streamer is an answerer that can stay open.
type streamer interface {
	answerer
	// unbound lifts the deadline under which the request was read.
	unbound() error
	// push sends what was written to the client. Write and push together are given d.
	push(write func() error, d time.Duration) error
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

// stream answers with the events of out: the initial response at once, so that the client knows that
// its request was accepted, then each event as it comes, in the encoding of the request.
func (s *Server) stream(x *exchange, o *operation, out any, start time.Time) {
	s.releaseBody(x) // an answer of minutes holds no share of what bodies may take
	w := x.out.(streamer)
	h := s.head(x, http.StatusOK)
	h.contentType = eventstream.ContentType
	if err := w.unbound(); err != nil {
		s.opts.Logger.Debug("read deadline of a stream", "requestId", x.call.RequestID, "err", err)
	}
	w.begin(h, -1)
	e := events{x: x, w: w, shape: o.stream, wait: s.opts.eventWait}
	ok := e.initial()
	x.answered = time.Since(start)
	if !ok {
		x.cut = true
		return
	}
	for event, err := range o.Events(out) {
		if err != nil {
			e.failure(s, api.AsError(err))
			break
		}
		if !e.event(event) {
			x.cut = true
			break
		}
	}
}

// events writes the messages of one stream. It holds no buffer between them.
type events struct {
	x     *exchange
	w     streamer
	wait  time.Duration
	shape *api.Shape // of the events: a structure with one member for each type of event
}

// initial writes what the operation answers beside its events, which no operation of ours does.
func (e *events) initial() bool {
	return e.send("event", ":event-type", "initial-response", func(b []byte) []byte {
		if e.x.format == formatCBOR {
			return codec.CloseCBORMap(codec.OpenCBORMap(b))
		}
		return append(b, "{}"...)
	})
}

// event writes one event; false when the client is gone.
func (e *events) event(event any) bool {
	name, shape, value := codec.Event(e.shape, event)
	return e.send("event", ":event-type", name, func(b []byte) []byte {
		if e.x.format == formatCBOR {
			return codec.AppendCBOR(b, shape, value)
		}
		return codec.AppendJSON(b, shape, value)
	})
}

// failure writes the error that ends a stream, unless nobody listens any more.
func (e *events) failure(s *Server, err *api.Error) {
	x := e.x
	if x.ctx.Err() != nil {
		x.cut = true
		return
	}
	x.code = err.Code
	if err.Fault == api.FaultServer {
		s.opts.Logger.Error("stream failed", "requestId", x.call.RequestID, "service", x.call.Service,
			"operation", x.call.Operation, "account", x.call.Account, "err", err)
	}
	x.cut = !e.send("exception", ":exception-type", err.Code, func(b []byte) []byte {
		if x.format == formatCBOR {
			return codec.AppendErrorCBOR(b, err)
		}
		return codec.AppendErrorJSON(b, err)
	})
}

// send writes one message and waits until it is on its way.
func (e *events) send(message, kind, name string, payload func([]byte) []byte) bool {
	contentType := "application/json"
	if e.x.format == formatCBOR {
		contentType = "application/cbor"
	}
	b := bufpool.Get(bufpool.Smallest)[:0]
	b = eventstream.Open(b,
		eventstream.Header{Name: kind, Value: name},
		eventstream.Header{Name: ":content-type", Value: contentType},
		eventstream.Header{Name: ":message-type", Value: message})
	b = eventstream.Close(payload(b), 0)
	err := e.w.push(func() error {
		n, err := e.w.Write(b)
		e.x.sent += n
		return err
	}, e.wait)
	bufpool.Put(b)
	return err == nil
}

package aws

import (
	"context"
	"fmt"
	"io"
	"runtime/debug"
	"strings"
	"time"

	"millrace/internal/api"
	"millrace/internal/wire/aws/codec"
	"millrace/internal/wire/aws/hot"
	"millrace/internal/wire/aws/sigv4"
)

// exchange is one request and its answer, without the HTTP library that carries them.
type exchange struct {
	sigv4.Request
	ctx         context.Context
	host        string
	origin      string
	target      string // X-Amz-Target
	contentType string
	encoding    string // Content-Encoding
	length      int64  // of the body; -1 when not announced
	body        io.Reader
	out         answerer

	// names and regions keep who calls apart from the buffer of a connection that reuses one.
	names, regions interned
	callCtx        context.Context // ctx with call, where the exchange is used again; else nil

	call    api.Call
	service *service // nil until it is known
	format  format
	data    []byte       // the body, pooled; given back after the answer, as the next two
	held    int64        // bytes of Server.inFlight
	scratch *hot.Scratch // of a decoder by hand
	pieces  pieces       // of its answer
	in      int          // bytes of the body
	sent    int          // bytes of the answer
	code    string       // of the error answered
	open    *stream      // an answer that stays open: whoever carries the exchange runs it next
	cut     bool         // the answer cannot be finished: whoever carries it must break the connection
}

// answerer writes an answer. begin is called once, then Write as often as the body needs.
type answerer interface {
	// begin writes the head. length is the body's, -1 when it is not known yet.
	begin(head head, length int)
	io.Writer
}

// head is what an answer carries beside its body.
type head struct {
	status      int
	requestID   string
	id2         string // x-amz-id-2; empty in answers to preflights
	contentType string
	errorType   string // x-amzn-ErrorType
	encoding    string // Content-Encoding
	crc         uint32 // x-amz-crc32, if hasCRC
	hasCRC      bool
	queryError  string // x-amzn-query-error
	rpc         bool   // smithy-protocol: rpc-v2-cbor
	server      bool   // Server: Server
	cors        *cors
}

// serve answers one request, or opens the stream that does. It must not touch the exchange after the answer.
func (s *Server) serve(x *exchange) {
	start := time.Now()
	prefix, _, _ := strings.Cut(x.target, ".")
	if x.service = s.targets[prefix]; x.service == nil {
		x.service = s.untargeted(x)
	}
	if x.dynamodb() {
		x.call.RequestID = s.ids.long()
	} else {
		x.call.RequestID = s.ids.request()
	}
	defer func() {
		if p := recover(); p != nil {
			s.opts.Logger.Error("panic in handler", "requestId", x.call.RequestID, "operation", x.call.Operation,
				"panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			x.abandon()
			if x.cut = x.sent > 0; !x.cut {
				s.fail(x, api.InternalFailure(nil))
			}
		}
		s.release(x)
		if x.open == nil {
			s.opts.Observe(x.call.Service, x.call.Operation, x.code, time.Since(start), x.in, x.sent)
		}
	}()
	if !s.admit(x) {
		return
	}
	o := s.route(x)
	if o == nil {
		return
	}
	s.perform(x, o, start)
}

// perform authenticates, reads, decodes, calls and answers.
func (s *Server) perform(x *exchange, o *operation, start time.Time) {
	sig, err := s.authenticate(x, o)
	if err != nil {
		s.refuse(x, err)
		return
	}
	if err := s.readBody(x, o); err != nil {
		s.fail(x, err)
		return
	}
	if sig != nil {
		if err := s.verifier.Finish(&x.Request, sig, x.data); err != nil {
			s.fail(x, err)
			return
		}
	}
	if err := s.unpack(x, o.limit); err != nil {
		s.fail(x, undecoded(x, err))
		return
	}
	if x.dynamodb() && !x.encoded() {
		s.fail(x, api.InternalFailure(nil))
		return
	}
	if x.format == formatQuery {
		if o, err = s.nameForm(x); err != nil {
			s.fail(x, err)
			return
		}
	}
	in, err := s.decode(x, o)
	if err != nil {
		s.fail(x, misshapen(x, o, err))
		return
	}
	x.call.Form = o.form()
	if o.stream != nil {
		s.openStream(x, o, in, start)
		return
	}
	ctx := x.callCtx
	if ctx == nil {
		ctx = api.WithCall(x.ctx, &x.call)
	}
	out, callErr := o.Invoke(ctx, in)
	if callErr != nil {
		s.fail(x, misshapen(x, o, api.AsError(callErr)))
		return
	}
	s.answer(x, o, out)
}

// release gives back what the answer needed: the service's memory first, then what its input lives in.
func (s *Server) release(x *exchange) {
	x.call.Sent()
	if x.scratch != nil {
		x.scratch.Put()
		x.scratch = nil
	}
	s.releaseBody(x)
}

// abandon leaves the input's memory to the garbage collector: whoever panicked may have handed it to
// someone who still reads it.
func (x *exchange) abandon() { x.data, x.scratch = nil, nil }

// undecoded gives what DynamoDB answers to a body that is not in gzip though it says so, and to any other encoding: that it has failed.
// Source: ScyllaDB, test/alternator/test_compressed_request.py, which ran against the service (read 2026-11).
func undecoded(x *exchange, err *api.Error) *api.Error {
	if x.dynamodb() && err.Code == "SerializationException" {
		return api.InternalFailure(nil)
	}
	return err
}

// encoded says whether the encoding that a body is said to have is one that AWS knows; amz-1.0, which old clients send, is none.
func (x *exchange) encoded() bool {
	return x.encoding == "" || x.packed() || strings.EqualFold(x.encoding, "identity") || strings.EqualFold(x.encoding, "amz-1.0")
}

// misshapen gives the error that DynamoDB finds before err, as it reads a whole body before it looks at what it means: of values that
// decode left to the service, which may have stopped before it read them. It costs only those who made another mistake.
func misshapen(x *exchange, o *operation, err *api.Error) *api.Error {
	if !x.dynamodb() || x.format != formatJSON {
		return err
	}
	switch err.Code {
	case "SerializationException", "ValidationException", "ResourceNotFoundException":
		if e := codec.CheckDynamoDB(x.data, o.Input); e != nil {
			return e
		}
	}
	return err
}

// decode reads and checks the input.
func (s *Server) decode(x *exchange, o *operation) (any, *api.Error) {
	if o.hot != nil && x.format == formatJSON {
		x.scratch = hot.Get()
		if in := o.hot.Decode(x.data, x.scratch); in != nil {
			x.call.Checked = true
			return in, nil
		}
	}
	in, memory := o.New(), codec.Memory(func(n int) *api.Error { return s.holdMore(x, int64(n)) })
	var err *api.Error
	switch {
	case x.format == formatCBOR:
		err = memory.DecodeCBOR(x.data, o.Input, in)
	case x.format == formatRPC:
		err = memory.DecodeRPC(x.data, o.Input, in)
	case x.format == formatQuery:
		err = memory.DecodeQuery(x.data, o.Input, in)
	case x.dynamodb():
		err = memory.DecodeDynamoDB(x.data, o.Input, in)
	default:
		err = memory.DecodeJSON(x.data, o.Input, in)
	}
	if err == nil && !o.service.OwnChecks {
		err = api.Validate(o.Input, in)
	}
	return in, err
}

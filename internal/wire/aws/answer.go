package aws

import (
	"net/http"

	"millrace/internal/api"
	"millrace/internal/wire/aws/codec"
)

// head is the head of an answer to x, which every answer has.
func (s *Server) head(x *exchange, status int) head {
	h := head{status: status, requestID: x.call.RequestID, id2: s.ids.id2()}
	if x.origin != "" {
		h.cors = &cors{origin: x.origin}
	}
	return h
}

// answer writes the output. An operation without one is answered with an empty body.
func (s *Server) answer(x *exchange, o *operation, out any) {
	buf := getBuffer(1 << smallestClass)[:0]
	if o.Output != nil {
		if x.format == formatCBOR {
			buf = codec.AppendCBOR(buf, o.Output, out)
		} else {
			buf = codec.AppendJSON(buf, o.Output, out)
		}
	}
	h := s.head(x, http.StatusOK)
	h.contentType = x.contentType
	x.send(h, buf)
	putBuffer(buf)
}

// fail answers an error in the format of the request.
func (s *Server) fail(x *exchange, e *api.Error) {
	x.code = e.Code
	if e.Fault == api.FaultServer && x.ctx.Err() == nil {
		s.opts.Logger.Error("request failed", "requestId", x.call.RequestID, "service", x.call.Service,
			"operation", x.call.Operation, "account", x.call.Account, "err", e)
	}
	h := s.head(x, e.Status)
	h.errorType = e.Code
	buf := getBuffer(1 << smallestClass)[:0]
	switch x.format {
	case formatCBOR:
		h.contentType = x.contentType
		buf = codec.AppendErrorCBOR(buf, e)
	case formatJSON:
		h.contentType = x.contentType
		buf = codec.AppendErrorJSON(buf, e)
	case formatDeprecated:
		h.contentType = x.contentType
		buf = append(buf, `{"Output":{"__type":"com.amazon.coral.service#`+e.Code+`"},"Version":"1.0"}`...)
	default:
		h.errorType = ""
		buf = appendXML(buf, e)
	}
	x.send(h, buf)
	putBuffer(buf)
}

// appendXML writes an error of the outermost front. Code and text are ours alone, so nothing needs
// escaping.
func appendXML(b []byte, e *api.Error) []byte {
	if e.Message == "" {
		return append(b, "<"+e.Code+"/>\n"...)
	}
	return append(b, "<"+e.Code+">\n  <Message>"+e.Message+"</Message>\n</"+e.Code+">\n"...)
}

// send writes a whole answer.
func (x *exchange) send(h head, body []byte) {
	x.sent += len(body)
	x.out.begin(h, len(body))
	if len(body) > 0 {
		_, _ = x.out.Write(body) // a client that is gone needs no answer
	}
}

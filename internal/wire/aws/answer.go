package aws

import (
	"net/http"

	"millrace/internal/api"
	"millrace/internal/wire/aws/bufpool"
	"millrace/internal/wire/aws/codec"
	"millrace/internal/wire/aws/hot"
)

// head is the head of an answer to x, which every answer has.
func (s *Server) head(x *exchange, status int) head {
	h := head{status: status, requestID: x.call.RequestID}
	if h.server = x.dynamodb(); !h.server {
		h.id2 = s.ids.id2()
	}
	h.rpc = x.format == formatRPC
	if x.origin != "" {
		h.cors = &cors{origin: s.allows(x)}
	}
	return h
}

// answer writes the output. An operation without one is answered with an empty body.
func (s *Server) answer(x *exchange, o *operation, out any) {
	if encode := o.encoder(x); encode != nil {
		s.answerInPieces(x, encode, out)
		return
	}
	if o.hot != nil && o.hot.Append != nil {
		buf := o.hot.Append(bufpool.Get(o.hot.Size(out))[:0], out)
		h := s.head(x, http.StatusOK)
		h.contentType = x.contentType
		x.send(h, buf)
		bufpool.Put(buf)
		return
	}
	buf := bufpool.Get(bufpool.Smallest)[:0]
	if o.Output != nil {
		buf = x.append(buf, o, out)
	} else if x.format == formatQuery || x.format == formatRPC {
		buf = x.append(buf, o, nil)
	}
	h := s.head(x, http.StatusOK)
	h.contentType = x.contentType
	x.send(h, buf)
	bufpool.Put(buf)
}

// append encodes an output. In the query protocol and RPC v2 CBOR an answer without one is not empty.
func (x *exchange) append(buf []byte, o *operation, out any) []byte {
	switch x.format {
	case formatQuery:
		return codec.AppendQuery(buf, codec.QueryAnswer{
			Operation: o.Name, Namespace: x.service.XMLNamespace, RequestID: x.call.RequestID,
		}, o.Output, out)
	case formatRPC:
		if out == nil {
			return codec.CloseCBORMap(codec.OpenCBORMap(buf))
		}
		return codec.AppendRPC(buf, o.Output, out)
	case formatCBOR:
		return codec.AppendCBOR(buf, o.Output, out)
	default:
		return codec.AppendJSON(buf, o.Output, out)
	}
}

// encoder is the encoder by hand for an answer to x, nil for most.
func (o *operation) encoder(x *exchange) func([]byte, any, hot.Sink) []byte {
	switch {
	case o.hot == nil:
		return nil
	case x.format == formatCBOR:
		return o.hot.EncodeCBOR
	}
	return o.hot.Encode
}

// answerInPieces writes the output of a call that has a codec of its own. Only an answer larger than
// one piece is sent without its length.
func (s *Server) answerInPieces(x *exchange, encode func([]byte, any, hot.Sink) []byte, out any) {
	p := &x.pieces
	*p = pieces{x: x, head: s.head(x, http.StatusOK)}
	p.head.contentType = x.contentType
	buf := encode(bufpool.Get(hot.Room)[:0], out, p)
	if p.begun {
		p.Flush(buf)
	} else {
		x.send(p.head, buf)
	}
	bufpool.Put(buf)
}

// pieces is the hot.Sink of an exchange.
type pieces struct {
	x     *exchange
	head  head
	begun bool
}

// Flush writes the next piece. Once a client is gone the rest is encoded for nobody, which its
// context tells the service, not the codec.
func (p *pieces) Flush(b []byte) []byte {
	if !p.begun {
		p.begun = true
		p.x.out.begin(p.head, -1)
	}
	n, _ := p.x.out.Write(b)
	p.x.sent += n
	return b[:0]
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
	h.queryError = x.queryError(e)
	e = x.named(e)
	buf := bufpool.Get(bufpool.Smallest)[:0]
	switch x.format {
	case formatCBOR, formatRPC:
		h.contentType = x.contentType
		buf = codec.AppendErrorCBOR(buf, e)
	case formatQuery:
		h.contentType, h.errorType = x.contentType, ""
		buf = codec.AppendErrorQuery(buf, e, x.xmlNamespace(), x.call.RequestID)
	case formatJSON:
		h.contentType = x.contentType
		buf = codec.AppendErrorJSON(buf, x.namespace(e.Code), e)
	case formatDeprecated:
		h.contentType = x.contentType
		buf = append(buf, `{"Output":{"__type":"com.amazon.coral.service#`+e.Code+`"},"Version":"1.0"}`...)
	default:
		h.errorType = ""
		buf = appendXML(buf, e)
	}
	x.send(h, buf)
	bufpool.Put(buf)
}

// xmlNamespace is that of XML in an answer to x.
func (x *exchange) xmlNamespace() string {
	if x.service == nil {
		return ""
	}
	return x.service.XMLNamespace
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
	if x.dynamodb() {
		x.sendDynamoDB(h, body)
		return
	}
	x.sendPlain(h, body)
}

func (x *exchange) sendPlain(h head, body []byte) {
	x.sent += len(body)
	x.out.begin(h, len(body))
	if len(body) > 0 {
		_, _ = x.out.Write(body) // a client that is gone needs no answer
	}
}

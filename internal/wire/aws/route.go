package aws

import (
	"net/http"
	"slices"
	"strings"

	"millrace/internal/api"
	"millrace/internal/wire/aws/hot"
)

// service is a binding with its operations as the front wants them.
type service struct {
	*api.Binding
	operations map[string]*operation
}

type operation struct {
	*api.Operation
	service *service
	limit   int64
	hot     *hot.Codec // nil for most
	streams bool       // answers for as long as the client listens
}

func newService(b *api.Binding) *service {
	s := &service{Binding: b, operations: make(map[string]*operation, len(b.Operations))}
	for name, op := range b.Operations {
		o := &operation{Operation: op, service: s, limit: controlLimit, hot: hot.For(b, name)}
		if op.BodyLimit > 0 {
			o.limit = op.BodyLimit
		}
		o.streams = op.Output != nil && slices.ContainsFunc(op.Output.Members, func(m api.Member) bool {
			return m.Shape.Kind == api.KindStream
		})
		s.operations[name] = o
	}
	return s
}

// streams says whether a target's answer is a stream, during which the client must be seen to leave.
func (s *Server) streams(target string) bool {
	prefix, name, _ := strings.Cut(target, ".")
	svc := s.targets[prefix]
	if svc == nil {
		return false
	}
	o := svc.operations[name]
	return o != nil && o.streams
}

// format is how the answer is written, errors included.
type format uint8

const (
	formatXML        format = iota // the errors of AWS's outermost front: no content type
	formatJSON                     // application/x-amz-json-1.0 or 1.1
	formatCBOR                     // application/x-amz-cbor-1.1
	formatDeprecated               // application/json, which AWS answers in a form of its own
)

const (
	typeJSON10     = "application/x-amz-json-1.0"
	typeJSON11     = "application/x-amz-json-1.1"
	typeCBOR       = "application/x-amz-cbor-1.1"
	typeDeprecated = "application/json"
)

// route finds the operation, or answers the error and gives nil. What AWS answers to requests that are
// none was recorded by kinesalite (index.js and test/connection.js of 3.3).
func (s *Server) route(x *exchange) *operation {
	if x.Method != http.MethodPost {
		s.fail(x, undetermined())
		return nil
	}
	x.setFormat()
	prefix, name, _ := strings.Cut(x.target, ".")
	svc := s.targets[prefix]
	var o *operation
	if svc != nil {
		o = svc.operations[name]
		x.call.Service = svc.Name
	}
	switch {
	case x.length == 0:
		return s.routeEmpty(x, o)
	case x.format == formatXML && (prefix == "" || name == ""):
		s.fail(x, undetermined())
		return nil
	case x.format == formatXML, o != nil && !o.speaks(x):
		x.format = formatXML
		s.fail(x, &api.Error{Code: "UnknownOperationException", Status: http.StatusNotFound})
		return nil
	case x.format == formatDeprecated:
		s.fail(x, &api.Error{Code: "UnknownOperationException", Status: http.StatusNotFound})
		return nil
	case o == nil:
		s.fail(x, api.UnknownOperation())
		return nil
	}
	x.call.Operation = o.Name
	return o
}

// routeEmpty answers a request without a body: no operation takes one.
func (s *Server) routeEmpty(x *exchange, o *operation) *operation {
	if x.format != formatJSON {
		x.format, x.contentType = formatCBOR, typeCBOR
	}
	if o == nil {
		s.fail(x, api.UnknownOperation())
	} else {
		s.fail(x, api.SerializationError(""))
	}
	return nil
}

// setFormat cuts parameters off the content type and says what it stands for.
func (x *exchange) setFormat() {
	if i := strings.IndexByte(x.contentType, ';'); i >= 0 {
		x.contentType = strings.TrimSpace(x.contentType[:i])
	}
	switch x.contentType {
	case typeJSON10, typeJSON11:
		x.format = formatJSON
	case typeCBOR:
		x.format = formatCBOR
		x.call.Encoding = api.EncodingCBOR
	case typeDeprecated:
		x.format = formatDeprecated
	}
}

// speaks says whether the service takes the request's content type.
func (o *operation) speaks(x *exchange) bool {
	switch x.format {
	case formatCBOR:
		return o.service.CBOR
	case formatJSON:
		return strings.HasSuffix(x.contentType, o.service.JSONVersion)
	default:
		return true
	}
}

// undetermined is AWS's answer to a request that is for no operation at all.
func undetermined() *api.Error {
	return &api.Error{
		Code: "AccessDeniedException", Status: http.StatusForbidden,
		Message: "Unable to determine service/operation name to be authorized",
	}
}

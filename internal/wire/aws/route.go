package aws

import (
	"fmt"
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
	form       *operation // stands for all of them in the query protocol; nil where that is not spoken
}

type operation struct {
	*api.Operation
	service *service
	limit   int64
	hot     *hot.Codec // nil for most
	stream  *api.Shape // of the events of an answer that stays open; nil for most
}

// form says that answers may have values in the service's form.
func (o *operation) form() bool { return o.hot != nil && o.hot.Append != nil && o.service.Form != nil }

func newService(b *api.Binding) *service {
	s := &service{Binding: b, operations: make(map[string]*operation, len(b.Operations))}
	for name, op := range b.Operations {
		o := &operation{Operation: op, service: s, limit: controlLimit, hot: hot.For(b, name)}
		if op.BodyLimit > 0 {
			o.limit = op.BodyLimit
		}
		if i := streamIndex(op.Output); i >= 0 {
			o.stream = op.Output.Members[i].Shape.Elem
		}
		s.operations[name] = o
	}
	return s
}

// streamIndex is the place of the member that is a stream of events, -1 without one.
func streamIndex(shape *api.Shape) int {
	if shape == nil {
		return -1
	}
	return slices.IndexFunc(shape.Members, func(m api.Member) bool { return m.Shape.Kind == api.KindStream })
}

// check says why a binding cannot be served; an error here is a mistake of the program.
func check(b *api.Binding) error {
	for _, p := range b.Protocols {
		if p != api.ProtocolJSON && p != api.ProtocolRPCv2CBOR && p != api.ProtocolQuery {
			return fmt.Errorf("aws: %s: protocol %d is not served", b.Name, p)
		}
	}
	if b.TargetPrefix == "" || b.JSONVersion != "1.0" && b.JSONVersion != "1.1" {
		return fmt.Errorf("aws: %s: JSON %q, target %q is not served", b.Name, b.JSONVersion, b.TargetPrefix)
	}
	for name, op := range b.Operations {
		streams := streamIndex(op.Output)
		switch {
		case streamIndex(op.Input) >= 0:
			return fmt.Errorf("aws: %s.%s: streams of the client are not served", b.Name, name)
		case streams >= 0 && len(op.Output.Members) > 1:
			return fmt.Errorf("aws: %s.%s: members beside a stream are not served", b.Name, name)
		case (streams >= 0) != (op.Events != nil):
			return fmt.Errorf("aws: %s.%s: stream and Events do not go together", b.Name, name)
		}
	}
	return nil
}

// streams says whether a target's answer is a stream, during which the client must be seen to leave.
func (s *Server) streams(target string) bool {
	prefix, name, _ := strings.Cut(target, ".")
	svc := s.targets[prefix]
	if svc == nil {
		return false
	}
	o := svc.operations[name]
	return o != nil && o.stream != nil
}

// format is how the answer is written, errors included.
type format uint8

const (
	formatXML        format = iota // the errors of AWS's outermost front: no content type
	formatJSON                     // application/x-amz-json-1.0 or 1.1
	formatCBOR                     // application/x-amz-cbor-1.1
	formatDeprecated               // application/json, which AWS answers in a form of its own
	formatRPC                      // application/cbor of Smithy RPC v2 CBOR, told by its path
	formatQuery                    // XML, for forms
)

const (
	typeJSON10     = "application/x-amz-json-1.0"
	typeJSON11     = "application/x-amz-json-1.1"
	typeCBOR       = "application/x-amz-cbor-1.1"
	typeDeprecated = "application/json"
	typeRPC        = "application/cbor"
	typeForm       = "application/x-www-form-urlencoded"
	typeXML        = "text/xml"
)

// route finds the operation, or answers the error and gives nil. What AWS answers to requests that are
// none was recorded by kinesalite (index.js and test/connection.js of 3.3).
func (s *Server) route(x *exchange) *operation {
	if x.Method != http.MethodPost {
		s.unposted(x)
		return nil
	}
	if o, is := s.routeRPC(x); is {
		return o
	}
	x.setFormat()
	if x.contentType == typeForm && x.target == "" && x.length != 0 && len(s.forms) > 0 && x.service == nil {
		return s.routeForm(x)
	}
	prefix, name, _ := strings.Cut(x.target, ".")
	svc := x.service
	var o *operation
	if svc != nil {
		x.call.Service = svc.Name
		if svc.TargetPrefix == prefix {
			o = svc.operations[name]
		}
	}
	switch {
	case x.length == 0:
		return s.routeEmpty(x, svc, o)
	case svc != nil && !svc.speaks(x):
		x.format = formatXML
	}
	switch {
	case x.format == formatXML && (prefix == "" || name == "") && !x.dynamodb():
		s.fail(x, undetermined())
		return nil
	case x.format == formatXML, x.format == formatDeprecated:
		s.refuse(x, &api.Error{Code: "UnknownOperationException", Status: http.StatusNotFound})
		return nil
	case o == nil:
		s.refuse(x, api.UnknownOperation())
		return nil
	}
	x.call.Operation = o.Name
	return o
}

// routeEmpty answers a request without a body: no operation takes one. DynamoDB asks first who sent it.
func (s *Server) routeEmpty(x *exchange, svc *service, o *operation) *operation {
	switch {
	case x.dynamodb() && x.format != formatJSON:
		x.format, x.contentType = formatJSON, typeDeprecated
	case x.dynamodb():
	case x.format != formatJSON || svc != nil && !svc.speaks(x):
		x.format, x.contentType = formatCBOR, typeCBOR
	}
	switch {
	case o == nil:
		s.fail(x, api.UnknownOperation())
	case x.packed():
		s.fail(x, undecoded(x, api.SerializationError("")))
	case x.dynamodb():
		x.call.Operation = o.Name
		return o // which finds no object in its body
	default:
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
		if x.dynamodb() {
			x.format = formatJSON
		}
	}
}

// speaks says whether the service takes the request's content type.
func (s *service) speaks(x *exchange) bool {
	switch x.format {
	case formatCBOR:
		return s.CBOR
	case formatJSON:
		return strings.HasSuffix(x.contentType, s.JSONVersion) || x.contentType == typeDeprecated
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

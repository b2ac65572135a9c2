package aws

import (
	"cmp"
	"slices"
	"strings"

	"millrace/internal/api"
	"millrace/internal/wire/aws/codec"
	"millrace/internal/wire/aws/sigv4"
)

// routeRPC finds the operation of a request of Smithy RPC v2 CBOR, or answers the error and gives nil; is tells
// whether the request is one at all.
//
//	POST /service/GraniteServiceVersion20100801/operation/PutMetricData
//	smithy-protocol: rpc-v2-cbor
//
// Source: Smithy, "Smithy RPC v2 CBOR protocol" (read 2026-11).
func (s *Server) routeRPC(x *exchange) (o *operation, is bool) {
	rest, ok := strings.CutPrefix(x.Path, "/service/")
	if !ok {
		return nil, false
	}
	prefix, name, ok := strings.Cut(rest, "/operation/")
	svc := s.targets[prefix]
	if !ok || svc == nil || !slices.Contains(svc.Protocols, api.ProtocolRPCv2CBOR) {
		return nil, false
	}
	x.format, x.contentType, x.service = formatRPC, typeRPC, svc
	x.call.Service, x.call.Encoding = svc.Name, api.EncodingCBOR
	if !slices.Contains(x.Header("smithy-protocol"), "rpc-v2-cbor") {
		s.fail(x, api.SerializationError("")) // another protocol at this path, as the specification wants it
		return nil, true
	}
	if o = svc.operations[name]; o == nil {
		s.refuse(x, api.UnknownOperation())
		return nil, true
	}
	x.call.Operation = o.Name
	return o, true
}

// routeForm gives what stands for the operation of a request in the query protocol until its body has been read, which
// is where it is named; see nameForm.
func (s *Server) routeForm(x *exchange) *operation {
	x.format, x.contentType = formatQuery, typeXML
	if _, _, name, ok := sigv4.Scope(&x.Request); ok {
		for _, svc := range s.forms {
			if svc.Name == name {
				x.service = svc
				x.call.Service = svc.Name
				return svc.form
			}
		}
	}
	if s.verifier != nil {
		x.format = formatXML
		s.fail(x, undetermined())
		return nil
	}
	return slices.MaxFunc(s.forms, func(a, b *service) int { return cmp.Compare(a.form.limit, b.form.limit) }).form
}

// nameForm finds the operation that the body of a request in the query protocol names.
func (s *Server) nameForm(x *exchange) (*operation, *api.Error) {
	action, version := codec.Action(x.data)
	if x.service == nil { // nobody has signed: the version tells the services apart
		for _, svc := range s.forms {
			if svc.APIVersion == version {
				x.service = svc
				x.call.Service = svc.Name
			}
		}
	}
	if action == "" || x.service == nil {
		x.format = formatXML
		return nil, undetermined()
	}
	o := x.service.operations[action]
	if o == nil || version != x.service.APIVersion {
		return nil, unknownAction(action, version)
	}
	x.call.Operation = o.Name
	return o, nil
}

// unknownAction is AWS's answer to an operation that does not exist, in the query protocol.
func unknownAction(action, version string) *api.Error {
	return api.ClientError("InvalidAction", "Could not find operation "+action+" for version "+version)
}

// newForm makes what stands for any operation of a service that speaks the query protocol.
func newForm(svc *service) *operation {
	form := &operation{Operation: &api.Operation{}, service: svc, limit: controlLimit}
	for _, o := range svc.operations {
		form.limit = max(form.limit, o.limit)
	}
	return form
}

// queryCode is the code that the query protocol has for the errors of the front.
var queryCode = map[string]string{
	"ValidationException":                 "ValidationError",
	"SerializationException":              "MalformedInput",
	"InvalidSignatureException":           "SignatureDoesNotMatch",
	"UnrecognizedClientException":         "InvalidClientTokenId",
	"MissingAuthenticationTokenException": "MissingAuthenticationToken",
	"IncompleteSignatureException":        "IncompleteSignature",
	"RequestEntityTooLargeException":      "RequestEntityTooLarge",
	"ServiceUnavailable":                  "ServiceUnavailable",
}

// named is e as the protocol of x and its service write it: with the query protocol's code or with the full name.
func (x *exchange) named(e *api.Error) *api.Error {
	if x.service == nil || x.format != formatQuery && !x.service.QueryCompatible {
		return e
	}
	c := *e
	switch x.format {
	case formatQuery:
	case formatRPC, formatCBOR:
		c.Code = x.service.ErrorPrefix + e.Code
		return &c
	default:
		return e // namespace stands before the code
	}
	if e.Code == "UnknownOperationException" {
		return unknownAction(x.call.Operation, x.service.APIVersion)
	}
	if code := queryCode[e.Code]; code != "" && e.QueryCode == "" {
		c.QueryCode = code
	}
	return &c
}

// queryError is the header x-amzn-query-error: the code that the query protocol has for an error, and whose mistake
// it is.
func (x *exchange) queryError(e *api.Error) string {
	if x.service == nil || !x.service.QueryCompatible || x.format == formatQuery {
		return ""
	}
	code := e.QueryName()
	if c := queryCode[e.Code]; c != "" && e.QueryCode == "" {
		code = c
	}
	return code + ";" + codec.QueryFault(e)
}

package aws

import (
	"net/http"
	"strings"

	"millrace/internal/api"
	"millrace/internal/wire/aws/sigv4"
)

// untargeted gives the service in whose dialect a request is answered whose target names none: DynamoDB's for one that is sent to its
// host name or signed for it, and for one in awsJson 1.0, which Kinesis does not take, that nobody has signed for another service. All others,
// nil, are answered as by Kinesis.
func (s *Server) untargeted(x *exchange) *service {
	if s.tables == nil || strings.HasPrefix(x.Path, "/service/") { // the latter are RPC v2 CBOR
		return nil
	}
	_, _, name, signed := sigv4.Scope(&x.Request)
	switch {
	case strings.HasPrefix(x.host, s.tables.Name+"."), signed && name == s.tables.Name, !signed && strings.HasPrefix(x.contentType, typeJSON10):
		return s.tables
	}
	return nil
}

// unposted answers what is no POST. DynamoDB says to a GET of its root that it is well.
//
// Source: kinesalite and dynalite, test/connection.js, recorded against AWS; ScyllaDB's test/alternator/test_health.py, which passes
// there (read 2026-11).
func (s *Server) unposted(x *exchange) {
	switch {
	case !x.dynamodb():
		s.fail(x, undetermined())
	case x.Method == http.MethodGet && x.Path == "/":
		x.send(s.head(x, http.StatusOK), []byte("healthy: "+x.service.Name+"."+s.opts.DefaultRegion+".amazonaws.com "))
	default:
		s.fail(x, &api.Error{Code: "UnknownOperationException", Status: http.StatusNotFound})
	}
}

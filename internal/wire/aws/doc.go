// Package aws is the front: one listener for every AWS service.
//
//	                                 ┌─ short awsJson POSTs of HTTP/1.1 (fast.go) ─┐
//	conn ── sniff ──► TLS or plain ──┤   │ the first request of any other form      ├──► exchange
//	                                 └───┴──► net/http (HTTP/1.1, HTTP/2) ─────────┘
//
//	exchange:  web page? (origin.go) ─► which operation? (route*.go) ─► who? (auth.go: scope, clock)
//	           ─► body, within its limit and the memory bound (body.go) ─► signature (auth.go)
//	           ─► decode, validate ─► the service ─┬► encode ─► answer (answer.go) ─► Call.Sent
//	                                               └► events, each encoded and flushed (stream.go)
//
// A request is told apart by X-Amz-Target and content type, never by the host name: clients come with
// any. Errors look as AWS's do, down to which of them are XML; the order of checks is AWS's as
// kinesalite recorded it, except that a signature is verified before the body is parsed, and that an
// unsigned body is only looked at when it is short (glance.go).
//
// # Bounds
//
//	header          64 KiB, 10 s
//	body            Operation.BodyLimit, else 1 MiB; 60 s
//	unpacked body   the same limit; its share is held before it is unpacked
//	bodies at once  Options.MaxInFlightBytes in all; past it requests wait, then are told to slow down
//	connections     Options.MaxConns; past it they wait in the kernel
//	streams         10,000 for each HTTP/2 connection
//	event           30 to 60 s for a client to take one (HTTP/2), else the connection's 60 s
//
// # Dialects
//
// What AWS's front answers beside the model differs between services. api.Binding.Dialect says which it is: that of
// Kinesis, or that of DynamoDB with sums, namespaces and compressed answers (dialect.go, codec/words.go).
//
// # Protocols
//
// awsJson 1.0 and 1.1, application/x-amz-cbor-1.1, Smithy RPC v2 CBOR, which is told by its path, and the query
// protocol, whose operation stands in its body (route_protocols.go); Handle refuses services that need others. Answers that
// stay open are application/vnd.amazon.eventstream (package eventstream) over HTTP/1.1 and HTTP/2: the
// goroutine of the request runs the service's iterator of events, and nothing is buffered between two of
// them. They end cleanly when Shutdown begins. An exchange does not know HTTP libraries: it reads
// from and answers through small interfaces, so that our own loop for short requests, which spends a
// third less CPU on a call, stands beside net/http. A connection stays with our loop as long as it
// sends what that knows and then belongs to net/http for good.
package aws

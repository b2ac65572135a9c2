// Package api is what the generated service packages share: the model tables a codec walks, the
// checks of a request's values, errors as clients see them, and what a handler knows of its call.
//
// tools/apigen reads a service model and writes one package for each service below this one
// (kinesisapi, ...). Such a package holds
//
//	plain structs        one for each input, output and nested shape
//	typed strings        one for each enum
//	error constructors   one for each exception, returning *Error
//	Service              an interface with one method for each operation
//	Unimplemented        a Service whose every method answers as AWS answers an unknown operation
//	Bind                 a Service as a *Binding: operations by name, with their shapes
//
// A request flows through it like this:
//
//	body ── codec + Operation.Input ──► *PutRecordsInput ── Validate ──► Operation.Invoke
//	                                                                          │
//	answer ◄── codec + Operation.Output ── *PutRecordsOutput or *Error ◄──────┘
//
// In Go, a required string, number, bool or timestamp is a plain value and an optional one a
// pointer; structures are pointers; lists are slices, maps are maps and blobs are []byte, nil when
// absent; what a service reads by hand is JSON. A list holds plain elements. Whether a required
// plain value was really in the request is kept in the struct's Missing set, which only codecs write
// and only Validate reads.
package api

//go:generate go run millrace/tools/apigen -parts ../../build/parts/botocore -out .

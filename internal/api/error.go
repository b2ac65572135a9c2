package api

import (
	"errors"
	"net/http"
)

// Fault says whose mistake an error is.
type Fault uint8

// The two faults of AWS's protocols.
const (
	FaultClient Fault = iota // repeating the same request gives the same error
	FaultServer              // the request was fine
)

// Error is an error as a client sees it. Code and Message are AWS's words; our own go to Cause, which
// is logged beside the request id and never sent.
type Error struct {
	Code    string // "ResourceNotFoundException"; sent as __type and x-amzn-ErrorType
	Message string // empty: the answer carries no message at all, as AWS does for an unknown operation
	Status  int    // HTTP status, 400 to 599
	Fault   Fault
	// MessageKey is the member that carries Message: "message", except "Message" in the errors that
	// AWS's front answers before a service sees the request.
	MessageKey string
	// Fields holds the members an exception has beside its message, a pointer to a generated struct,
	// described by FieldsShape; nil for most.
	Fields      any
	FieldsShape *Shape
	Cause       error
	// QueryCode is the code in the query protocol where it is not Code.
	QueryCode string
}

// QueryName is the error's code in the query protocol.
func (e *Error) QueryName() string {
	if e.QueryCode != "" {
		return e.QueryCode
	}
	return e.Code
}

// Error gives code, message and cause for the log.
func (e *Error) Error() string {
	s := e.Code
	if e.Message != "" {
		s += ": " + e.Message
	}
	if e.Cause != nil {
		s += " (" + e.Cause.Error() + ")"
	}
	return s
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Is makes errors.Is(err, ResourceNotFoundException("")) compare codes alone.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// ClientError is an error of the client's making, answered with status 400.
func ClientError(code, message string) *Error {
	return &Error{Code: code, Message: message, Status: http.StatusBadRequest, MessageKey: "message"}
}

// ServerError is an error of our making, answered with status 500.
func ServerError(code, message string) *Error {
	return &Error{
		Code: code, Message: message, Status: http.StatusInternalServerError,
		Fault: FaultServer, MessageKey: "message",
	}
}

// InternalFailure hides cause from the client behind AWS's answer to a failure of its own.
func InternalFailure(cause error) *Error {
	e := ServerError("InternalFailure", "")
	e.Cause = cause
	return e
}

// UnknownOperation is AWS's answer to an operation that does not exist: a code and no message.
func UnknownOperation() *Error { return ClientError("UnknownOperationException", "") }

// SerializationError is AWS's answer to a body it cannot read. The text, if any, travels as "Message".
//
// Source: kinesalite, validations/index.js and test/connection.js (recorded against AWS).
func SerializationError(message string) *Error {
	e := ClientError("SerializationException", message)
	e.MessageKey = "Message"
	return e
}

// AsError finds the *Error in err; any other error becomes InternalFailure with err as its cause.
// It returns nil for nil.
func AsError(err error) *Error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return InternalFailure(err)
}

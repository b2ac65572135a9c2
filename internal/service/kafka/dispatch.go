package kafka

import (
	"millrace/internal/api/kafkaapi"
)

// operation answers one request, before it returns or later, exactly once.
type operation func(b *Broker, c *Call, req kafkaapi.Request, answer func(kafkaapi.Message))

// now makes an operation of a method that answers when it returns.
func now[Q any, P interface {
	*Q
	kafkaapi.Request
}, A kafkaapi.Message](fn func(*Broker, *Call, P) A) operation {
	return func(b *Broker, c *Call, req kafkaapi.Request, answer func(kafkaapi.Message)) {
		answer(fn(b, c, req.(P)))
	}
}

// later makes an operation of a method that may answer after it has returned.
func later[Q any, P interface {
	*Q
	kafkaapi.Request
}, A kafkaapi.Message](fn func(*Broker, *Call, P, func(A))) operation {
	return func(b *Broker, c *Call, req kafkaapi.Request, answer func(kafkaapi.Message)) {
		fn(b, c, req.(P), func(a A) { answer(a) })
	}
}

// operations are all that is served by key, but for Produce and Fetch, which have ways of their own, and what the
// connection itself answers. A test holds it equal to what ApiVersions advertises.
var operations = map[kafkaapi.Key]operation{
	kafkaapi.KeyAPIVersions:                  now((*Broker).apiVersions),
	kafkaapi.KeyAlterUserScramCredentials:    now((*Broker).alterUserScramCredentials),
	kafkaapi.KeyDescribeUserScramCredentials: now((*Broker).describeUserScramCredentials),
	kafkaapi.KeyFindCoordinator:              now((*Broker).findCoordinator),
}

// Serve answers a request of any kind but Produce and Fetch; false when its key is not served. answer is called
// exactly once, possibly after Serve has returned.
func (b *Broker) Serve(c *Call, req kafkaapi.Request, answer func(kafkaapi.Message)) bool {
	op := operations[req.RequestKey()]
	if op == nil {
		return false
	}
	op(b, c, req, answer)
	return true
}

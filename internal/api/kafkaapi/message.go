package kafkaapi

import "millrace/internal/api/kafkaapi/kbin"

// Message is a message of the protocol, without its header. Every generated message is one.
type Message interface {
	// Decode fills the message from r at a version in the range of its definition; what a version does not
	// have gets its default. Strings and bytes alias the reader's input. The error is that of package kbin, and
	// what was decoded before it is of no use. Bytes after the message are left in r.
	Decode(r *kbin.Reader, version int16) error

	// Encode appends the message to w at a version in the range of its definition. What the version does not
	// have is left out, and nil where it knows no null is written as empty. w.Err tells whether it went well.
	Encode(w *kbin.Writer, version int16)
}

// Request is a message that a client sends.
type Request interface {
	Message

	// RequestKey is the key that stands in the request's header.
	RequestKey() Key
}

// UUID is a topic's or directory's id.
type UUID = kbin.UUID

// Key is the number of an API.
type Key int16

// definition is what a message definition says of an API.
type definition struct {
	name     string
	min, max int16
	flexible int16 // the first version with compact forms and tagged fields
	unstable bool  // whether max is not final in this release
	broker   bool  // whether clients may send it to a broker
}

// Name is the API's name, such as CreateTopics, or Unknown.
func (k Key) Name() string {
	if k < 0 || int(k) >= len(definitions) {
		return "Unknown"
	}
	return definitions[k].name
}

// String is Name.
func (k Key) String() string { return k.Name() }

// Flexible says whether request and response at the version are in the compact forms. The request's header is
// then version 2 and the response's version 1, but for ApiVersions, whose response header is always version 0.
func (k Key) Flexible(version int16) bool {
	return k >= 0 && int(k) < len(definitions) && version >= definitions[k].flexible
}

package kafka

import (
	"context"

	"millrace/internal/api/kafkaapi"
)

// Call is what an operation knows of a request beside its message. It belongs to the operation until it has answered.
type Call struct {
	Context  context.Context // ends with the connection
	Key      kafkaapi.Key
	Version  int16
	ClientID string // as the client says; may be empty
	Client   Client
	Listener Listener

	state func() *connState // of the connection; nil in tests of single operations
}

// OnClose has f called when the connection ends, unless forget is called before.
func (c *Call) OnClose(f func()) (forget func()) {
	if c.state == nil {
		return func() {}
	}
	return c.state().onClose(f)
}

// Client is who sends requests on a connection.
type Client struct {
	Principal string // as Kafka writes it: User:NAME after SASL, else Anonymous
	Host      string // address, without port

	// As ApiVersions told (KIP-511); empty before and from old clients.
	SoftwareName, SoftwareVersion string
}

// Anonymous is the principal of clients that need not sign in.
const Anonymous = userPrefix + "ANONYMOUS"

const userPrefix = "User:"

// Listener is where a connection came in, and the address under which its client is told to find the broker: a client is
// never sent to another listener.
type Listener struct {
	Name string
	Host string
	Port int32
	TLS  bool
}

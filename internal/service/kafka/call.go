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
}

// Client is who sends requests on a connection.
type Client struct {
	Principal string // user after SASL; AnonymousUser without
	Host      string // address, without port

	// As ApiVersions told (KIP-511); empty before and from old clients.
	SoftwareName, SoftwareVersion string
}

// AnonymousUser is the principal of clients that need not sign in, without Kafka's prefix "User:".
const AnonymousUser = "ANONYMOUS"

// Listener is where a connection came in, and the address under which its client is told to find the broker: a client is
// never sent to another listener.
type Listener struct {
	Name string
	Host string
	Port int32
	TLS  bool
	SASL bool
}

package kafka

import (
	"net"
	"sync"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/service/kafka/sasl"
	wire "millrace/internal/wire/kafka"
)

// Handle answers what a connection has read, but for Produce and Fetch, which have methods of their own: with these
// three and Closed the broker is a wire.Handler.
func (b *Broker) Handle(r *wire.Request) {
	switch req := r.Body.(type) {
	case *kafkaapi.SaslHandshakeRequest:
		b.saslHandshake(r, req)
	case *kafkaapi.SaslAuthenticateRequest:
		b.saslAuthenticate(r, req)
	default:
		c := b.callOf(r.Conn(), r.Key(), r.Version())
		if !b.Serve(c, r.Body, r.Reply) {
			panic("kafka: " + r.Key().Name() + " is advertised and has no operation")
		}
	}
}

// Closed forgets what is kept for a connection.
func (b *Broker) Closed(c *wire.Conn) {
	if s, ok := c.Attached().(*connState); ok {
		s.close()
	}
}

// callOf is what an operation is told of a request.
func (b *Broker) callOf(c *wire.Conn, key kafkaapi.Key, version int16) *Call {
	call := &Call{
		Context: b.ctx, Key: key, Version: version, ClientID: c.ClientID(),
		Client:   Client{Principal: c.Principal(), Host: hostOf(c.RemoteAddr())},
		Listener: Listener{Name: c.Listener(), TLS: c.Secure()},
		state:    func() *connState { return stateOf(c) },
	}
	call.Client.SoftwareName, call.Client.SoftwareVersion = c.Software()
	host, port := c.Endpoint()
	call.Listener.Host, call.Listener.Port = host, int32(port)
	return call
}

func hostOf(a net.Addr) string {
	if host, _, err := net.SplitHostPort(a.String()); err == nil {
		return host
	}
	return a.String()
}

// connState is what the broker keeps with a connection: its authentication, and what has to be undone when it ends.
type connState struct {
	mu      sync.Mutex
	sasl    *sasl.Session    // that goes on, or nil; guarded by mu
	pending map[*func()]bool // called when the connection ends; guarded by mu
	closed  bool             // guarded by mu
}

// stateOf makes a connection's state when first asked for; by the goroutine that reads the connection.
func stateOf(c *wire.Conn) *connState {
	if s, ok := c.Attached().(*connState); ok {
		return s
	}
	s := &connState{}
	c.Attach(s)
	return s
}

// onClose has f called when the connection ends, unless forget is called before.
func (s *connState) onClose(f func()) (forget func()) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		f()
		return func() {}
	}
	if s.pending == nil {
		s.pending = map[*func()]bool{}
	}
	s.pending[&f] = true
	s.mu.Unlock()
	return func() {
		s.mu.Lock()
		delete(s.pending, &f)
		s.mu.Unlock()
	}
}

func (s *connState) close() {
	s.mu.Lock()
	s.closed = true
	pending := s.pending
	s.pending = nil
	s.mu.Unlock()
	for f := range pending {
		(*f)()
	}
}

package kafka

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Conn is one client's connection. Its methods are safe for concurrent use.
type Conn struct {
	server   *Server
	listener *ListenerOptions
	conn     net.Conn        // what is read and written, TLS or not
	raw      syscall.RawConn // for writing without waiting; nil where that cannot be done
	id       uint64
	head     [8]byte // size, key and version of the frame that is awaited

	clientID atomic.Pointer[string]
	identity atomic.Pointer[identity]
	software atomic.Pointer[software]
	attached atomic.Value
	reason   string // why we end it, for the log; the reading goroutine's

	// Of the reading goroutine.
	ahead     []byte    // read and not yet taken; in aheadBuf, which is pooled
	aheadBuf  []byte    // nil when ahead is empty
	lately    time.Time // when the last request came
	until     time.Time // to when the first bytes of the next are waited for; zero: that is not set
	atFrame   bool      // what is read next begins a frame
	produces  bool      // a Produce has come
	aheadRead aheadRead

	direct directWrite

	mu       sync.Mutex
	turn     sync.Cond // on mu: something was answered, or the connection was cut
	queue    queue     // guarded by mu
	handling bool      // the reader is in a handler and writes what was completed meanwhile; guarded by mu
	writing  bool      // someone writes; guarded by mu
	answered time.Time // when a request other than Produce was last answered; guarded by mu
	last     bool      // no further request is read; guarded by mu
	refused  bool      // the client is told so and left some time to go; guarded by mu
	dead     bool      // the socket is closed or about to be; guarded by mu
	bareSASL bool      // tokens come without headers; the reading goroutine's
}

// identity is who a client is.
type identity struct {
	principal string
	expires   time.Time // zero when it does not
}

// software is what a client says it is, in ApiVersions.
type software struct{ name, version string }

// anonymous is the principal of clients that need not authenticate, as in Apache Kafka.
const anonymous = "User:ANONYMOUS"

func newConn(s *Server, nc net.Conn, l *ListenerOptions) *Conn {
	c := &Conn{server: s, listener: l, conn: nc, id: s.lastID.Add(1)}
	c.turn.L = &c.mu
	if tcp, ok := nc.(*net.TCPConn); ok && l.TLS == nil {
		c.raw = rawConn(tcp)
	}
	if l.TLS != nil {
		c.conn = tls.Server(nc, l.TLS)
	}
	return c
}

// ID is a number that no other connection of this server has had.
func (c *Conn) ID() uint64 { return c.id }

// Listener is the name of the listener that the client came in by.
func (c *Conn) Listener() string { return c.listener.Name }

// RemoteAddr is the client's address.
func (c *Conn) RemoteAddr() net.Addr { return c.conn.RemoteAddr() }

// LocalAddr is the address that the client came in on.
func (c *Conn) LocalAddr() net.Addr { return c.conn.LocalAddr() }

// Endpoint is what this client is told to connect to for this node.
func (c *Conn) Endpoint() (host string, port int) {
	host, port = c.listener.AdvertisedHost, c.listener.AdvertisedPort
	if host != "" && port != 0 {
		return host, port
	}
	in, err := netip.ParseAddrPort(c.conn.LocalAddr().String())
	if err != nil { // a listener of another kind than TCP
		return host, port
	}
	if host == "" {
		host = in.Addr().Unmap().WithZone("").String()
	}
	if port == 0 {
		port = int(in.Port())
	}
	return host, port
}

// ClientID is the client id of the latest request, empty when it has none.
func (c *Conn) ClientID() string {
	if id := c.clientID.Load(); id != nil {
		return *id
	}
	return ""
}

func (c *Conn) setClientID(id []byte) {
	if string(id) != c.ClientID() {
		text := string(id)
		c.clientID.Store(&text)
	}
}

// Software is the client's name and version, as it said in ApiVersions; both empty when it did not.
func (c *Conn) Software() (name, version string) {
	if s := c.software.Load(); s != nil {
		return s.name, s.version
	}
	return "", ""
}

// Principal is who the client is, "User:ANONYMOUS" until SetPrincipal.
func (c *Conn) Principal() string {
	if i := c.identity.Load(); i != nil {
		return i.principal
	}
	return anonymous
}

// SetPrincipal says who the client is, and lets its requests pass. After expires, unless zero, only SASL
// passes until it was called again (KIP-368).
func (c *Conn) SetPrincipal(principal string, expires time.Time) {
	c.identity.Store(&identity{principal: principal, expires: expires})
}

// Authenticated says whether all requests pass: the listener does not demand authentication, or SetPrincipal was
// called and what it said has not expired.
func (c *Conn) Authenticated() bool {
	if !c.listener.Authenticate {
		return true
	}
	i := c.identity.Load()
	return i != nil && (i.expires.IsZero() || time.Now().Before(i.expires))
}

// Secure says whether the connection is TLS.
func (c *Conn) Secure() bool { return c.listener.TLS != nil }

// Attach keeps a value of the handler's with the connection, such as the state of its authentication. All values
// attached to a connection have the same type.
func (c *Conn) Attach(v any) { c.attached.Store(v) }

// Attached is the value that Attach was last given, or nil.
func (c *Conn) Attached() any { return c.attached.Load() }

// Close cuts the connection: answers that have not gone are lost.
func (c *Conn) Close() { c.cut() }

// run serves the connection until it ends. Its frame, and those of dispatch and below, are kept small: a Fetch that waits is to
// leave a stack of 4 KiB behind and not of 8.
func (c *Conn) run() {
	c.lately = time.Now()
	defer c.dropAhead()
	if c.handshake() {
		for c.next() {
		}
	}
	c.conclude()
}

// conclude ends the connection after its last request.
func (c *Conn) conclude() {
	if c.wasRefused() && c.awaitAnswers() {
		c.awaitLeave()
	}
	if t, ok := c.conn.(*tls.Conn); ok && c.awaitAnswers() {
		_ = t.CloseWrite() // says that nothing is missing; waits for the socket, which cut must not
	}
	c.awaitAnswers()
	c.end()
	if c.reason != "" {
		c.server.opts.Logger.LogAttrs(c.server.ctx, slog.LevelInfo, "kafka: connection ended",
			slog.String("reason", c.reason), slog.String("listener", c.listener.Name),
			slog.String("remote", c.RemoteAddr().String()), slog.String("client", c.ClientID()))
	}
	c.server.handler.Closed(c)
	c.server.removeConn(c)
}

// handshake does that of TLS, within its time.
func (c *Conn) handshake() bool {
	t, ok := c.conn.(*tls.Conn)
	if !ok {
		return true
	}
	ctx, cancel := context.WithTimeout(c.server.ctx, handshakeTimeout)
	defer cancel()
	if err := t.HandshakeContext(ctx); err != nil {
		c.reason = "TLS handshake: " + err.Error()
		return false
	}
	return true
}

func (c *Conn) wasRefused() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.refused
}

// awaitLeave gives a client that was refused the time to read why and to go by itself. Some look at the end of a connection
// before they look at what came with it (kafka-python), and would only know that it ended.
func (c *Conn) awaitLeave() {
	if c.conn.SetReadDeadline(time.Now().Add(c.server.opts.leaveTime)) != nil {
		return
	}
	var ignored [256]byte
	for {
		if _, err := c.conn.Read(ignored[:]); err != nil {
			return // gone, or out of time
		}
	}
}

// stopReading ends the connection once what it has sent is answered.
func (c *Conn) stopReading() {
	c.mu.Lock()
	c.last = true
	c.turn.Broadcast()
	c.mu.Unlock()
	_ = c.conn.SetReadDeadline(time.Now()) // a closed one is on its way out
}

// cut closes the socket, which ends all reading and writing. It does not wait: whoever calls may be in a handler that was
// called as its request was read, and the socket is used until that has returned.
func (c *Conn) cut() {
	if c.die() {
		go c.closeSocket()
	}
}

// end is cut for the reading goroutine, when it is done.
func (c *Conn) end() {
	if c.die() {
		c.closeSocket()
	}
}

// die says whether the caller is who has to close the socket.
func (c *Conn) die() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	was := c.dead
	c.dead = true
	c.turn.Broadcast()
	return !was
}

func (c *Conn) closeSocket() {
	nc := c.conn
	if t, ok := nc.(*tls.Conn); ok {
		nc = t.NetConn() // whose own Close waits until its farewell is written
	}
	_ = nc.Close() // nothing is lost that was not lost before
}

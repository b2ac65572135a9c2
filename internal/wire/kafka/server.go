package kafka

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"
)

// Handler answers requests. Its methods are called in the goroutine that reads the connection: requests of
// one connection come in order, and the next is not read before the method has returned. A method must not wait
// for other requests: it answers later, from another goroutine, exactly once.
type Handler interface {
	// Produce appends records. The request belongs to the handler until its Done.
	Produce(r *ProduceRequest)
	// Fetch reads records. The request is valid until Fetch returns, its Call until it was used.
	Fetch(r *FetchRequest)
	// Handle answers any other request, also SASL and ApiVersions.
	Handle(r *Request)
	// Closed is called once for each connection, after its last request was answered or it was cut; requests
	// that are still outstanding then may be answered, to nobody.
	Closed(c *Conn)
}

// Server serves Kafka clients on any number of listeners. All methods are safe for concurrent use.
type Server struct {
	opts     Options
	handler  Handler
	inFlight *semaphore.Weighted // bytes of frames
	slots    *semaphore.Weighted // connections

	ctx      context.Context // ends when the server is down, for what waits for its turn
	cancel   context.CancelFunc
	draining atomic.Bool
	lastID   atomic.Uint64

	mu        sync.Mutex
	listeners map[net.Listener]struct{} // guarded by mu
	conns     map[*Conn]struct{}        // guarded by mu
	empty     chan struct{}             // closed when conns is empty while draining; guarded by mu
}

// NewServer makes a server without listeners.
func NewServer(h Handler, opts Options) *Server {
	opts = opts.withDefaults()
	s := &Server{
		opts: opts, handler: h,
		inFlight:  semaphore.NewWeighted(opts.MaxInFlightBytes),
		slots:     semaphore.NewWeighted(int64(opts.MaxConns)),
		listeners: map[net.Listener]struct{}{}, conns: map[*Conn]struct{}{}, empty: make(chan struct{}),
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// Serve accepts connections from l, which it closes, until Shutdown; then it returns nil once l's connections
// are being drained. An error of l ends it too.
func (s *Server) Serve(l net.Listener, opts ListenerOptions) error {
	if !s.addListener(l) {
		return l.Close()
	}
	defer s.removeListener(l)
	for {
		if s.slots.Acquire(s.ctx, 1) != nil {
			return nil
		}
		nc, err := l.Accept()
		if err != nil {
			s.slots.Release(1)
			if s.draining.Load() || errors.Is(err, net.ErrClosed) {
				return nil
			}
			if !pause(s.ctx, err) {
				return err
			}
			continue
		}
		c := newConn(s, nc, &opts)
		if !s.addConn(c) {
			s.slots.Release(1)
			_ = nc.Close() // we are going down
			continue
		}
		go c.run()
	}
}

// acceptPause lets descriptors become free when there are none.
const acceptPause = 50 * time.Millisecond

// pause waits when an Accept that failed may work again.
func pause(ctx context.Context, err error) bool {
	var temporary interface{ Temporary() bool }
	if !errors.As(err, &temporary) || !temporary.Temporary() {
		return false
	}
	select {
	case <-time.After(acceptPause):
		return true
	case <-ctx.Done():
		return true
	}
}

// Shutdown stops accepting and reading, waits until the requests that are in are answered, and closes the
// connections. When ctx ends first it cuts those that are left and returns ctx's error. A second call is fine.
//
// Requests that wait for something (Fetch, JoinGroup) are the handler's to end before.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	if !s.draining.Swap(true) && len(s.conns) == 0 {
		close(s.empty)
	}
	for l := range s.listeners {
		_ = l.Close() // Serve returns
	}
	for c := range s.conns {
		c.stopReading()
	}
	s.mu.Unlock()
	defer s.cancel()
	select {
	case <-s.empty:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	for c := range s.conns {
		c.cut()
	}
	s.mu.Unlock()
	return ctx.Err()
}

// Conns is the number of open connections.
func (s *Server) Conns() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

func (s *Server) addListener(l net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining.Load() {
		return false
	}
	s.listeners[l] = struct{}{}
	return true
}

func (s *Server) removeListener(l net.Listener) {
	_ = l.Close() // also after Shutdown has
	s.mu.Lock()
	delete(s.listeners, l)
	s.mu.Unlock()
}

func (s *Server) addConn(c *Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining.Load() {
		return false
	}
	s.conns[c] = struct{}{}
	return true
}

func (s *Server) removeConn(c *Conn) {
	s.slots.Release(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	if len(s.conns) == 0 && s.draining.Load() {
		close(s.empty)
	}
}

// hold takes n bytes of the bound on frames, waiting at most holdTime.
func (s *Server) hold(n int) bool {
	if s.inFlight.TryAcquire(int64(n)) {
		return true
	}
	ctx, cancel := context.WithTimeout(s.ctx, holdTime)
	defer cancel()
	return s.inFlight.Acquire(ctx, int64(n)) == nil
}

// freeFrame gives back a pooled frame, which may be nil, and its share of the bound.
func (s *Server) freeFrame(frame []byte, held int) {
	if frame != nil {
		putBuffer(frame)
	}
	if held > 0 {
		s.inFlight.Release(int64(held))
	}
}

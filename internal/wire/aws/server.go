package aws

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/semaphore"

	"millrace/internal/api"
	"millrace/internal/wire/aws/sigv4"
	"millrace/internal/wire/aws/sniff"
)

// Server answers requests for the services bound to it. Bind services with Handle, then Serve.
type Server struct {
	opts     Options
	verifier *sigv4.Verifier // nil without credentials
	http     *http.Server
	inFlight *semaphore.Weighted // bytes of bodies
	targets  map[string]*service // by target prefix; written before Serve
	forms    []*service          // those that speak the query protocol; written before Serve
	tables   *service            // the first in the dialect of DynamoDB, nil without one; written before Serve
	ids      ids

	ctx         context.Context // of requests outside net/http; ends with Shutdown
	cancel      context.CancelFunc
	streaming   context.Context // of answers that stay open; ends when Shutdown begins
	stopStreams context.CancelFunc
	down        chan struct{} // closed when Shutdown is done
	downOnce    func()
	draining    atomic.Bool
	date        dateCache
	lastHost    atomic.Pointer[string] // the Host header that was last found to be known

	mu        sync.Mutex
	listeners []*sniff.Listener      // guarded by mu
	fast      map[*fastConn]struct{} // guarded by mu
	fastDone  chan struct{}          // closed when fast is empty while draining; guarded by mu
}

// NewServer makes a server without services.
func NewServer(opts Options) *Server {
	s := &Server{opts: opts.withDefaults(), targets: map[string]*service{}}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.streaming, s.stopStreams = context.WithCancel(s.ctx)
	s.down = make(chan struct{})
	s.downOnce = sync.OnceFunc(func() { close(s.down) })
	s.fast = map[*fastConn]struct{}{}
	s.inFlight = semaphore.NewWeighted(s.opts.MaxInFlightBytes)
	if s.opts.Credentials != nil {
		s.verifier = sigv4.NewVerifier(s.opts.Credentials, s.opts.Now)
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	s.http = &http.Server{
		Handler: (*httpServer)(s), Protocols: protocols,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: maxStreams},
		MaxHeaderBytes:    maxHeaderBytes,
		ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout, IdleTimeout: idleTimeout,
		ErrorLog: slog.NewLogLogger(s.opts.Logger.Handler(), slog.LevelDebug),
	}
	return s
}

// Handle adds a service. It panics when another has the same target prefix or the binding holds what
// cannot be served (a protocol that is not awsJson, streams from the client), and must not be called after
// Serve.
func (s *Server) Handle(b *api.Binding) {
	if err := check(b); err != nil {
		panic(err.Error())
	}
	if s.targets[b.TargetPrefix] != nil {
		panic(fmt.Sprintf("aws: two services for target %s", b.TargetPrefix))
	}
	svc := newService(b)
	s.targets[b.TargetPrefix] = svc
	if b.Dialect == api.DialectDynamoDB && s.tables == nil {
		s.tables = svc
	}
	if slices.Contains(b.Protocols, api.ProtocolQuery) {
		svc.form = newForm(svc)
		s.forms = append(s.forms, svc)
	}
}

// Serve accepts connections from l, which it closes, until Shutdown; then it returns nil. It can be
// called for several listeners.
func (s *Server) Serve(l net.Listener) error {
	opts := sniff.Options{MaxConns: s.opts.MaxConns}
	if s.opts.TLS != nil {
		opts.TLS = s.opts.TLS.Clone()
		for _, p := range []string{"h2", "http/1.1"} {
			if !slices.Contains(opts.TLS.NextProtos, p) {
				opts.TLS.NextProtos = append(opts.TLS.NextProtos, p)
			}
		}
	}
	in := sniff.Listen(l, opts)
	if !s.addListener(in) {
		return in.Close()
	}
	rest := newHandoff(l.Addr())
	served := make(chan error, 1)
	go func() { served <- s.http.Serve(rest) }()
	for {
		c, err := in.Accept()
		if err != nil {
			break
		}
		go s.serveConn(c, rest)
	}
	if s.draining.Load() {
		<-s.down // Shutdown has closed in and ends rest once all is answered
	}
	err := errors.Join(in.Close(), rest.Close())
	if served := <-served; !errors.Is(served, http.ErrServerClosed) && !errors.Is(served, net.ErrClosed) {
		err = errors.Join(err, served)
	}
	return err
}

// addListener notes a listener for Shutdown; false when that has begun.
func (s *Server) addListener(l *sniff.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining.Load() {
		return false
	}
	s.listeners = append(s.listeners, l)
	return true
}

// serveConn serves the plain requests of a connection and leaves the rest of it to net/http.
func (s *Server) serveConn(c net.Conn, rest *handoff) {
	if s.opts.netHTTPOnly {
		rest.give(c)
		return
	}
	if other := s.serveFast(c); other != nil {
		rest.give(other)
	}
}

// Shutdown stops accepting, ends answers that stay open, and waits until the requests that are in are answered. When ctx ends
// first, it cuts the connections that are left and returns ctx's error. A second call is fine.
func (s *Server) Shutdown(ctx context.Context) error {
	s.stopAccepting()
	s.stopStreams()
	err := s.drainFast(ctx)
	if err == nil {
		err = s.http.Shutdown(ctx)
	}
	s.cancel()
	if err != nil {
		s.cutFast()
		err = errors.Join(err, s.http.Close())
	}
	s.downOnce()
	return err
}

func (s *Server) stopAccepting() {
	s.mu.Lock()
	s.draining.Store(true)
	listeners := s.listeners
	s.listeners = nil
	s.mu.Unlock()
	for _, l := range listeners {
		if err := l.Close(); err != nil {
			s.opts.Logger.Debug("close listener", "err", err)
		}
	}
}

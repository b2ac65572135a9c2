package aws

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"

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
	ids      ids
}

// NewServer makes a server without services.
func NewServer(opts Options) *Server {
	s := &Server{opts: opts.withDefaults(), targets: map[string]*service{}}
	s.inFlight = semaphore.NewWeighted(s.opts.MaxInFlightBytes)
	if s.opts.Credentials != nil {
		s.verifier = sigv4.NewVerifier(s.opts.Credentials, s.opts.Now)
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	s.http = &http.Server{
		Handler: http.HandlerFunc(s.serveHTTP), Protocols: protocols,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: maxStreams},
		MaxHeaderBytes:    maxHeaderBytes,
		ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout, IdleTimeout: idleTimeout,
		ErrorLog: slog.NewLogLogger(s.opts.Logger.Handler(), slog.LevelDebug),
	}
	return s
}

// Handle adds a service. It panics when another has the same target prefix, and must not be called
// after Serve.
func (s *Server) Handle(b *api.Binding) {
	if s.targets[b.TargetPrefix] != nil {
		panic(fmt.Sprintf("aws: two services for target %s", b.TargetPrefix))
	}
	s.targets[b.TargetPrefix] = newService(b)
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
	err := s.http.Serve(sniff.Listen(l, opts))
	if errors.Is(err, http.ErrServerClosed) || errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// Shutdown stops accepting and waits until the requests that are in are answered. When ctx ends
// first, it cuts the connections that are left and returns ctx's error. A second call is fine.
func (s *Server) Shutdown(ctx context.Context) error {
	err := s.http.Shutdown(ctx)
	if err != nil {
		return errors.Join(err, s.http.Close())
	}
	return nil
}

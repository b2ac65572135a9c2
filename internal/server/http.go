package server

import (
	"errors"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// listenHTTP serves metrics and health, and on loopback pprof.
func (s *Server) listenHTTP() error {
	listeners, err := listen(s.opts.HTTPListen)
	if err != nil || len(listeners) == 0 {
		return err
	}
	s.addr.HTTP = listeners[0].Addr().String()
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.metrics.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write([]byte("ok\n")) // the client is gone, then
	})
	mux.HandleFunc("/debug/pprof/", local(pprof.Index))
	mux.HandleFunc("/debug/pprof/profile", local(pprof.Profile))
	mux.HandleFunc("/debug/pprof/trace", local(pprof.Trace))
	mux.HandleFunc("/debug/pprof/symbol", local(pprof.Symbol))
	s.http = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: 64 << 10}
	for _, l := range listeners {
		s.serve(func() error {
			if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				return err
			}
			return nil
		})
	}
	return nil
}

// local serves only this machine, and only under a name that no web page can make its own.
func local(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		_, noAddress := netip.ParseAddr(host)
		if !loopback(r.RemoteAddr) || host != "localhost" && noAddress != nil || r.Header.Get("Origin") != "" {
			http.NotFound(w, r)
			return
		}
		h(w, r)
	}
}

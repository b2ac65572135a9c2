package aws

import (
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
	"time"
)

// httpServer is what net/http calls: a type instead of an http.HandlerFunc, which would put two more frames on the
// stack under each open stream.
type httpServer Server

// ServeHTTP carries an exchange over net/http. A stream runs when nothing of its exchange is left on the stack
// or in memory: thousands may be open.
func (s *httpServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	open, cut := (*Server)(s).serveOne(w, r)
	if open != nil {
		cut = open.run()
	}
	if cut {
		panic(http.ErrAbortHandler)
	}
}

// serveOne answers a request, or gives the stream that does, and whether the connection is to be broken.
func (s *Server) serveOne(w http.ResponseWriter, r *http.Request) (open *stream, cut bool) {
	in := r.Header
	x := &exchange{
		ctx: r.Context(), host: r.Host, origin: in.Get("Origin"), target: in.Get("X-Amz-Target"),
		contentType: in.Get("Content-Type"), encoding: in.Get("Content-Encoding"), length: r.ContentLength, body: r.Body, out: &httpAnswer{w: w, http2: r.ProtoMajor == 2},
	}
	x.Method = r.Method
	x.Path, x.Query, _ = strings.Cut(r.RequestURI, "?")
	if i := strings.Index(x.Path, "://"); i >= 0 { // absolute form, sent through proxies
		x.Path = r.URL.EscapedPath()
	}
	x.Header = func(name string) []string { return headerValues(r, name) }
	s.serve(x)
	return x.open, x.cut
}

// headerValues gives back the headers that net/http moves elsewhere.
func headerValues(r *http.Request, name string) []string {
	switch name {
	case "host", ":authority":
		return []string{r.Host}
	case "content-length":
		if r.ContentLength >= 0 {
			return []string{strconv.FormatInt(r.ContentLength, 10)}
		}
		return nil
	}
	return r.Header[textproto.CanonicalMIMEHeaderKey(name)]
}

// httpAnswer writes an answer through net/http. The values of its headers share one array, which with
// the struct is one allocation.
type httpAnswer struct {
	w      http.ResponseWriter
	http2  bool
	until  time.Time // of the stream's write deadline; zero: none
	values [10]string
}

func (a *httpAnswer) Write(b []byte) (int, error) { return a.w.Write(b) }

// unbound is needed for HTTP/1.1 alone, where net/http goes on reading to see the client leave.
func (a *httpAnswer) unbound() error {
	if a.http2 {
		return nil
	}
	return http.NewResponseController(a.w).SetReadDeadline(time.Time{})
}

// push has a deadline for HTTP/2 alone, where a client can stop to take one stream while the connection
// lives; that of HTTP/1.1 stands with the connection (package sniff). It is between d and twice d away and is
// moved on with the events, which are never d apart: to set and lift it for each costs more than the event.
func (a *httpAnswer) push(b []byte, d time.Duration) (int, error) {
	c := http.NewResponseController(a.w)
	if now := time.Now(); a.http2 && a.until.Sub(now) < d {
		a.until = now.Add(2 * d)
		if err := c.SetWriteDeadline(a.until); err != nil {
			return 0, err
		}
	}
	n, err := a.w.Write(b) //nolint:gosec // frames of an event stream, by its content type no page
	if err != nil {
		return n, err
	}
	return n, c.Flush()
}

func (a *httpAnswer) begin(h head, length int) {
	out := a.w.Header()
	set := func(i int, name, value string) {
		a.values[i] = value
		out[name] = a.values[i : i+1 : i+1]
	}
	set(0, "x-amzn-RequestId", h.requestID)
	if h.id2 != "" {
		set(1, "x-amz-id-2", h.id2)
	}
	out["Content-Type"] = nil // nothing is guessed
	if h.contentType != "" {
		set(2, "Content-Type", h.contentType)
	}
	if length >= 0 {
		set(3, "Content-Length", strconv.Itoa(length))
	}
	if h.errorType != "" {
		set(4, "x-amzn-ErrorType", h.errorType)
	}
	if h.encoding != "" {
		set(5, "Content-Encoding", h.encoding)
	}
	if h.hasCRC {
		set(6, "x-amz-crc32", strconv.FormatUint(uint64(h.crc), 10))
	}
	if h.queryError != "" {
		set(7, "x-amzn-query-error", h.queryError)
	}
	if h.rpc {
		set(8, "smithy-protocol", "rpc-v2-cbor")
	}
	if h.server {
		set(9, "Server", serverName)
	}
	if h.cors != nil {
		setCORS(out, h.cors)
	}
	a.w.WriteHeader(h.status)
}

func setCORS(out http.Header, c *cors) {
	out.Set("Access-Control-Allow-Origin", c.origin)
	if c.origin != "*" {
		out.Add("Vary", "Origin")
	}
	if !c.preflight {
		out.Set("Access-Control-Expose-Headers", corsExposed)
		return
	}
	if c.headers != "" {
		out.Set("Access-Control-Allow-Headers", c.headers)
	}
	if c.methods != "" {
		out.Set("Access-Control-Allow-Methods", c.methods)
	}
	out.Set("Access-Control-Max-Age", corsMaxAge)
}

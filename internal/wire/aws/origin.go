package aws

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"millrace/internal/api"
)

// cors are the headers of an answer to a web page that may call.
type cors struct {
	origin string
	// Of a preflight only, as it asked.
	preflight        bool
	headers, methods string
}

const (
	// corsExposed and corsMaxAge are what AWS answers; source: kinesalite, index.js.
	corsExposed = "x-amzn-RequestId,x-amzn-ErrorType,x-amz-request-id,x-amz-id-2,x-amzn-ErrorMessage,Date"
	corsMaxAge  = "172800"
)

// admit refuses what a foreign web page could have sent, and answers preflights of allowed ones. It
// gives false when the request is answered.
//
// A page's requests carry its Origin. Where no credentials are needed, a page can also point a name of
// its own at our address and so become same-origin (DNS rebinding); such requests carry that name as
// Host, so only names that a foreigner cannot own are served there.
func (s *Server) admit(x *exchange) bool {
	if s.verifier == nil && !s.knownHost(x.host) {
		s.fail(x, forbidden("Host is not known to this server; name it with --advertise-host"))
		return false
	}
	if x.origin == "" {
		return true
	}
	if !slices.Contains(s.opts.AllowedOrigins, x.origin) && !slices.Contains(s.opts.AllowedOrigins, "*") {
		s.fail(x, forbidden("Origin is not allowed"))
		return false
	}
	if x.Method != http.MethodOptions {
		return true
	}
	s.preflight(x)
	return false
}

// allows is what Access-Control-Allow-Origin says: AWS names no page, and neither does who allows all.
func (s *Server) allows(x *exchange) string {
	if slices.Contains(s.opts.AllowedOrigins, "*") {
		return "*"
	}
	return x.origin
}

func forbidden(text string) *api.Error {
	return &api.Error{Code: "AccessDeniedException", Status: http.StatusForbidden, Message: text}
}

func (s *Server) preflight(x *exchange) {
	first := func(name string) string {
		if v := x.Header(name); len(v) > 0 {
			return v[0]
		}
		return ""
	}
	h := s.head(x, http.StatusOK)
	h.id2 = ""
	h.cors = &cors{
		origin: s.allows(x), preflight: true,
		headers: first("access-control-request-headers"), methods: first("access-control-request-method"),
	}
	x.out.begin(h, 0)
}

// awsSuffixes end the names under which AWS itself is reached: clients keep them when the name is
// made to resolve to us.
var awsSuffixes = []string{".amazonaws.com", ".amazonaws.com.cn", ".amazonaws.eu", ".api.aws"}

// knownHost says whether no foreigner can own the name in a Host header.
func (s *Server) knownHost(host string) bool {
	if last := s.lastHost.Load(); last != nil && *last == host {
		return true
	}
	if !s.ownName(host) {
		return false
	}
	s.lastHost.Store(new(strings.Clone(host)))
	return true
}

func (s *Server) ownName(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return true
	}
	if !strings.Contains(host, ".") || strings.HasSuffix(host, ".localhost") || host == "host.docker.internal" {
		return true
	}
	if slices.ContainsFunc(awsSuffixes, func(suffix string) bool { return strings.HasSuffix(host, suffix) }) {
		return true
	}
	return slices.ContainsFunc(s.opts.AdvertisedHosts, func(h string) bool { return strings.EqualFold(h, host) })
}

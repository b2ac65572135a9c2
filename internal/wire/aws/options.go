package aws

import (
	"crypto/tls"
	"log/slog"
	"time"

	"millrace/internal/api"
	"millrace/internal/wire/aws/sigv4"
)

// Options configure a Server. The zero value serves plain text to anyone.
type Options struct {
	// Logger gets failures of ours, with the request id; nothing by default.
	Logger *slog.Logger
	// Credentials verify every request. Nil accepts requests with any signature or none, believes
	// their scope, and then refuses hosts a browser could have been tricked into (see AdvertisedHosts).
	Credentials sigv4.Credentials
	// DefaultRegion is the region of requests that name none, api.DefaultRegion by default.
	DefaultRegion string
	// TLS serves connections that begin a handshake; ALPN is added. Nil closes them.
	TLS *tls.Config
	// AllowedOrigins are the web origins ("https://console.example.com", or "*") whose pages may call;
	// requests with any other Origin are refused. None by default.
	AllowedOrigins []string
	// AdvertisedHosts are further names, without port, under which clients know this server.
	AdvertisedHosts []string
	// MaxInFlightBytes bounds the bodies held at once, 256 MiB by default: sixteen of the largest.
	MaxInFlightBytes int64
	// MaxConns bounds open connections, 10,000 by default.
	MaxConns int
	// Observe, if set, is called after each answer. operation is empty when it is none of ours, so that
	// labels stay bounded; code is empty on success, else the error's code.
	Observe func(service, operation, code string, d time.Duration, inBytes, outBytes int)
	// Now is the clock for signatures, time.Now by default.
	Now func() time.Time

	eventWait   time.Duration // eventWait by default
	netHTTPOnly bool          // our own loop serves nothing; tests compare the two
}

const (
	// controlLimit is the body limit of operations that carry no data. The largest real one, a
	// resource policy, is 20 KiB.
	controlLimit = 1 << 20

	defaultInFlight = 256 << 20

	// maxStreams is what KCL needs that opens a stream for each shard of a large stream.
	maxStreams = 10_000

	maxHeaderBytes    = 64 << 10
	readHeaderTimeout = 10 * time.Second
	readTimeout       = 60 * time.Second
	// idleTimeout is longer than the SDKs keep idle connections (60 s at most), so that it is the
	// client who closes and no request meets a closing connection.
	idleTimeout = 3 * time.Minute
	// bodyWait is how long a request waits for its share of MaxInFlightBytes.
	bodyWait = 10 * time.Second
)

func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.DefaultRegion == "" {
		o.DefaultRegion = api.DefaultRegion
	}
	if o.MaxInFlightBytes <= 0 {
		o.MaxInFlightBytes = defaultInFlight
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.eventWait == 0 {
		o.eventWait = eventWait
	}
	if o.Observe == nil {
		o.Observe = func(string, string, string, time.Duration, int, int) {}
	}
	return o
}

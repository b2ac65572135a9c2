package kafka

import (
	"crypto/tls"
	"log/slog"
	"time"

	"millrace/internal/api/kafkaapi"
)

// Options configure a Server. The zero value serves.
type Options struct {
	// Logger gets one line for each connection that we end, and why; nothing by default.
	Logger *slog.Logger
	// MaxFrameBytes is the largest request, socket.request.max.bytes; 100 MiB by default, as in Apache Kafka.
	MaxFrameBytes int
	// MaxInFlightBytes bounds the requests in memory at once, 256 MiB by default, at least MaxFrameBytes.
	MaxInFlightBytes int64
	// MaxConns bounds open connections, over all listeners, 10,000 by default.
	MaxConns int
	// IdleTimeout ends connections that send nothing, connections.max.idle.ms; 10 minutes by default.
	IdleTimeout time.Duration
	// Observe, if set, is called after each answer has been completed: the time since the request was read, its
	// bytes and those of the answer (0 when there was none). It must not block.
	Observe func(key kafkaapi.Key, d time.Duration, inBytes, outBytes int)

	leaveTime    time.Duration // leaveTime by default; tests wait less, or longer
	writeTimeout time.Duration // writeTimeout by default; tests cut slow readers sooner
}

// ListenerOptions describe one listener of a Server.
type ListenerOptions struct {
	// Name is the listener's name, as in advertised.listeners; clients never see it.
	Name string
	// AdvertisedHost and AdvertisedPort are what clients that came in here are told to connect to. Without a
	// host it is the address, without a port the port that they came in on.
	AdvertisedHost string
	AdvertisedPort int
	// TLS, if set, is spoken on every connection.
	TLS *tls.Config
	// Authenticate lets nothing but ApiVersions and SASL pass until Conn.SetPrincipal was called.
	Authenticate bool
}

const (
	defaultMaxFrame = 100 << 20
	defaultInFlight = 256 << 20
	defaultMaxConns = 10_000
	defaultIdle     = 10 * time.Minute

	// maxUnknownFrame is the largest frame of a client that has not said who it is: SASL tokens are a few
	// KiB, Kerberos tickets with many groups 64 KiB.
	maxUnknownFrame = 512 << 10

	// maxPipelined and maxPipelinedBytes bound what one connection has outstanding. The Java client has 5
	// requests in flight, librdkafka as many as it likes; 32 MiB are several groups of the store.
	maxPipelined      = 128
	maxPipelinedBytes = 32 << 20

	// stepBytes is what a peer has stepTime for, to send or to take: 35 KB/s at least.
	stepBytes = 1 << 20
	stepTime  = 30 * time.Second

	// holdTime is how long a request waits for its share of MaxInFlightBytes.
	holdTime = 10 * time.Second

	handshakeTimeout = 10 * time.Second

	// leaveTime is how long a client that was refused may take to go: connection.failed.authentication.delay.ms of Kafka.
	leaveTime = 100 * time.Millisecond

	// directBytes is the largest answer that is gathered into one buffer and written without waiting; copying
	// it takes some 5 µs. Larger ones are written from where they are.
	directBytes = 64 << 10
)

func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.MaxFrameBytes <= 0 {
		o.MaxFrameBytes = defaultMaxFrame
	}
	if o.MaxInFlightBytes <= 0 {
		o.MaxInFlightBytes = defaultInFlight
	}
	// Buffers have the size of their class, up to twice the frame's.
	o.MaxInFlightBytes = max(o.MaxInFlightBytes, 2*int64(o.MaxFrameBytes))
	if o.MaxConns <= 0 {
		o.MaxConns = defaultMaxConns
	}
	if o.IdleTimeout <= 0 {
		o.IdleTimeout = defaultIdle
	}
	if o.writeTimeout <= 0 {
		o.writeTimeout = stepTime
	}
	if o.leaveTime <= 0 {
		o.leaveTime = leaveTime
	}
	return o
}

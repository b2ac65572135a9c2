package txn

import (
	"log/slog"
	"time"

	"millrace/internal/core/clock"
	"millrace/internal/core/store"
)

// Options of a coordinator. The zero value of every field but Store works.
type Options struct {
	Store  store.Store
	Clock  clock.Clock  // of the background work alone; times of transactions are store time. Default: the real one
	Logger *slog.Logger // default: slog.Default

	// MaxTimeout is transaction.max.timeout.ms: what a client may ask for; default 15 minutes.
	MaxTimeout time.Duration
	// CheckInterval is how often open transactions are looked at; a transaction is aborted at most that much
	// after its timeout. Kafka's transaction.abort.timed.out.transaction.cleanup.interval.ms; default 1 s.
	CheckInterval time.Duration
	// IDExpiration is transactional.id.expiration.ms: after which an idle transactional id is forgotten; default 7 days.
	IDExpiration time.Duration
	// ProducerExpiration is producer.id.expiration.ms: after which an idle idempotent producer is forgotten; default 1 day.
	ProducerExpiration time.Duration
	// SweepInterval is how often idle ids and producers are looked for; default 10 minutes.
	SweepInterval time.Duration

	// SliceParts is how many partitions get their markers in one commit; 1 … 10,000, default 9,000 because the same
	// commit may hold other changes.
	SliceParts int
	// SliceOffsets is how many offsets become visible in one commit; 1 … 3,000, default 3,000: each takes up to three
	// of the 10,000 keys that a commit of the store may write.
	SliceOffsets int
}

func (o Options) withDefaults() Options {
	if o.Clock == nil {
		o.Clock = clock.Real()
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&o.MaxTimeout, 15 * time.Minute},
		{&o.CheckInterval, time.Second},
		{&o.IDExpiration, 7 * 24 * time.Hour},
		{&o.ProducerExpiration, 24 * time.Hour},
		{&o.SweepInterval, 10 * time.Minute},
	} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	if o.SliceParts <= 0 {
		o.SliceParts = 9000
	}
	if o.SliceOffsets <= 0 {
		o.SliceOffsets = 3000
	}
	return o
}

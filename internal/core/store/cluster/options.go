package cluster

import (
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"millrace/internal/core/clock"
	"millrace/internal/core/datakey"
)

// Options of a store. The zero value of every field but DSN works.
type Options struct {
	DSN    string // of a PostgreSQL server, as a URL or in key=value form
	Schema string // that holds the tables; made when it is not there. Default "millrace"

	Clock  clock.Clock  // default: the real one
	Logger *slog.Logger // default: slog.Default

	MaxConns       int32         // connections for readers and transactions, beside the committer's; default 16
	MaxQueuedBytes int64         // of requests that wait for their group, beyond which ErrOverloaded; default 64 MiB
	LockWait       time.Duration // how long Open waits for a process that has just died to be let go; default 1 s

	// SettleTime is how long a group is tried again or settled before its callers are told that it
	// is not known; default 30 s, which is what a supervised failover needs.
	SettleTime time.Duration

	PurgeEvery     time.Duration // between purges of deleted rows; default 10 s
	RetentionEvery time.Duration // between rounds of retention; default 1 min, negative for none

	// RootKey wraps the data keys that batches are sealed with; nil: sealed batches can be neither written nor read.
	RootKey *datakey.Root

	dial pgconn.DialFunc // of tests that cut connections; nil: the driver's own
}

func (o Options) withDefaults() Options {
	if o.Schema == "" {
		o.Schema = "millrace"
	}
	if o.Clock == nil {
		o.Clock = clock.Real()
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.MaxConns == 0 {
		o.MaxConns = 16
	}
	if o.MaxQueuedBytes == 0 {
		o.MaxQueuedBytes = 64 << 20
	}
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&o.LockWait, time.Second},
		{&o.SettleTime, 30 * time.Second},
		{&o.PurgeEvery, 10 * time.Second},
		{&o.RetentionEvery, time.Minute},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	return o
}

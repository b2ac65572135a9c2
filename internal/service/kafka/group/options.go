package group

import (
	"crypto/rand"
	"fmt"
	"log/slog"
	"time"

	"millrace/internal/core/clock"
	"millrace/internal/core/store"
)

// MaxGroupID is the longest group id in bytes. Kafka has no bound of its own; ours leaves room in keys
// (32 KiB) for a topic's name or number beside it.
const MaxGroupID = 4 << 10

// newMemberTimeout is how long a new member may wait for its first rebalance: its client may be gone, and
// without an id it cannot send heartbeats. Kafka's constant is the same.
const newMemberTimeout = 5 * time.Minute

// Options of a coordinator. Only Store has no default.
type Options struct {
	Store  store.Store
	Clock  clock.Clock  // of timeouts; default: the real one
	Logger *slog.Logger // default: slog.Default

	MinSessionTimeout time.Duration // group.min.session.timeout.ms; default 6 s
	MaxSessionTimeout time.Duration // group.max.session.timeout.ms; default 30 min

	// InitialRebalanceDelay is how long an empty group waits for more members after the first
	// (group.initial.rebalance.delay.ms). Default 0, as in the configuration that Kafka ships; Kafka's
	// built-in default is 3 s. With 0 members that start together need a second rebalance.
	InitialRebalanceDelay time.Duration

	MaxMembers    int   // of a group, and as many ids given out and not used (group.max.size); default 10,000
	MaxGroups     int   // of the coordinator; default 100,000
	MaxGroupBytes int64 // of names, subscriptions and assignments of one group; 1 … 48 MiB, default 16 MiB
	MaxBytes      int64 // of those of all groups; default 256 MiB

	// OnDelete removes what belongs to a group that is being deleted (its offsets), in the
	// transaction that deletes it. more: there was too much for one transaction; it is called again
	// in the next one, and the group goes with the last. Default: nothing.
	OnDelete func(tx store.Tx, group string) (more bool, err error)

	// NewID makes the unique part of a member id. Default: a random UUID, as Kafka's.
	NewID func() string
}

// maxStored bounds MaxGroupBytes: a record is one transaction of at most 64 MiB.
const maxStored = 48 << 20

func (o Options) withDefaults() Options {
	if o.Clock == nil {
		o.Clock = clock.Real()
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.NewID == nil {
		o.NewID = newUUID
	}
	if o.OnDelete == nil {
		o.OnDelete = func(store.Tx, string) (bool, error) { return false, nil }
	}
	setDefault(&o.MinSessionTimeout, 6*time.Second)
	setDefault(&o.MaxSessionTimeout, 30*time.Minute)
	setDefault(&o.MaxMembers, 10_000)
	setDefault(&o.MaxGroups, 100_000)
	setDefault(&o.MaxGroupBytes, 16<<20)
	setDefault(&o.MaxBytes, 256<<20)
	o.MaxGroupBytes = min(o.MaxGroupBytes, maxStored)
	return o
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// newUUID is a random UUID (RFC 9562, version 4).
func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails since Go 1.24
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

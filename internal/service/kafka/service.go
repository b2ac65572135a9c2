package kafka

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"millrace/internal/core/clock"
	"millrace/internal/core/store"
	"millrace/internal/service/kafka/config"
)

// nodeID is the broker's id, and the controller's.
const nodeID = 0

// Options is what a broker needs and may be told. Only Store is required.
type Options struct {
	Store  store.Store
	Logger *slog.Logger // default: nothing is logged
	Clock  clock.Clock  // of timeouts; what is durable goes by store time. Default: the machine's

	// DefaultRegion is as in package kinesis: topics of Kafka belong to it, once it is known.
	DefaultRegion string
	// Users are configured user names and passwords, for all SASL mechanisms.
	Users map[string]string
	// Configs are broker configs by Kafka's names, such as num.partitions; those that are set while the broker runs go
	// before them. Package config has the names and defaults.
	Configs map[string]string
	// Streams is what is asked of Kinesis; nil when it is not served.
	Streams Streams
}

func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Clock == nil {
		o.Clock = clock.Real()
	}
	return o
}

// Broker answers Kafka's requests. Safe for concurrent use.
type Broker struct {
	opts    Options
	store   store.Store
	log     *slog.Logger
	cluster string // cluster id
	topics  topics

	ctx  context.Context // ends when Close begins
	stop context.CancelFunc
	work sync.WaitGroup // the workers
}

// New returns a broker on a store and starts its workers. Close ends them; the store stays open.
//
// Errors: a config that is unknown or has no valid value, those of the store.
func New(opts Options) (*Broker, error) {
	if opts.Store == nil {
		return nil, errors.New("kafka: Options.Store is missing")
	}
	opts = opts.withDefaults()
	b := &Broker{opts: opts, store: opts.Store, log: opts.Logger}
	b.ctx, b.stop = context.WithCancel(context.Background())
	if err := b.prepare(); err != nil {
		b.stop()
		return nil, err
	}
	return b, nil
}

// prepare reads, and on an empty store writes, what all nodes share.
func (b *Broker) prepare() error {
	configs := config.Set(b.opts.Configs).Clone()
	if err := config.CheckStatic(configs); err != nil {
		return fmt.Errorf("kafka: Options.Configs: %w", err)
	}
	b.opts.Configs = configs
	var err error
	if b.cluster, err = clusterID(b.ctx, b.store); err != nil {
		return err
	}
	return b.loadBroker(b.ctx)
}

// Close ends the workers and waits for them; who waits is answered. Close twice is fine.
func (b *Broker) Close() error {
	b.stop()
	b.work.Wait()
	return nil
}

// clusterKey keeps the cluster's id: version 1, then 22 characters.
var clusterKey = append([]byte{byte(store.FamilySetting)}, "kafka.cluster"...)

const clusterVersion = 1

// clusterID reads the cluster's id, 16 random bytes in base64 as Kafka makes them, or makes it once and for all.
func clusterID(ctx context.Context, s store.Store) (id string, err error) {
	_, err = s.Update(ctx, func(tx store.Tx) error {
		v, ok, err := tx.Get(clusterKey)
		switch {
		case err != nil:
			return err
		case ok && (len(v) < 2 || v[0] != clusterVersion):
			return &store.CorruptError{File: fmt.Sprintf("key %x", clusterKey), Reason: "not a cluster id"}
		case ok:
			id = string(v[1:])
			return nil
		}
		var random [16]byte
		_, _ = rand.Read(random[:]) // never fails since Go 1.24
		id = base64.RawURLEncoding.EncodeToString(random[:])
		return tx.Set(clusterKey, append([]byte{clusterVersion}, id...))
	})
	return id, err
}

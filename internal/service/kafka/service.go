package kafka

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	"millrace/internal/core/clock"
	"millrace/internal/core/store"
	"millrace/internal/service/kafka/config"
	"millrace/internal/service/kafka/fetch"
	"millrace/internal/service/kafka/group"
	"millrace/internal/service/kafka/offset"
	"millrace/internal/service/kafka/produce"
	"millrace/internal/service/kafka/sasl"
	"millrace/internal/service/kafka/txn"
)

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
	// Tables shows changes of tables; nil when there are none. Topics of tables are then not shown.
	Tables Tables
}

func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Clock == nil {
		o.Clock = clock.Real()
	}
	configs := config.Set{"group.initial.rebalance.delay.ms": "0"} // as in the configuration that Kafka ships
	maps.Copy(configs, o.Configs)
	o.Configs = configs
	return o
}

// Broker answers Kafka's requests. Safe for concurrent use.
type Broker struct {
	opts    Options
	store   store.Store
	log     *slog.Logger
	node    int32   // the broker's id, and the controller's
	alone   []int32 // node: the replicas and in-sync replicas of every partition. Nobody changes it
	cluster string  // cluster id
	topics  topics

	internals internals
	users     *sasl.Users
	groups    *group.Coordinator
	txns      *txn.Coordinator

	producer      *produce.Producer
	fetcher       *fetch.Fetcher
	answerProduce func(*produce.Request) // methods, made values once
	answerFetch   func(*fetch.Request)
	noted         sync.Map // number of a stream of Kinesis → when KafkaProduced was last kept, ns of the clock

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
	b := &Broker{opts: opts, store: opts.Store, log: opts.Logger, users: sasl.NewUsers(opts.Store, opts.Users)}
	b.ctx, b.stop = context.WithCancel(context.Background())
	if err := b.prepare(); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	b.work.Go(func() { b.workOffsets(b.ctx) })
	return b, nil
}

// prepare reads, and on an empty store writes, what all nodes share.
func (b *Broker) prepare() error {
	if err := config.CheckStatic(b.opts.Configs); err != nil {
		return fmt.Errorf("kafka: Options.Configs: %w", err)
	}
	var err error
	if b.node, err = nodeID(b.opts.Configs); err != nil {
		return fmt.Errorf("kafka: Options.Configs: %w", err)
	}
	b.alone = []int32{b.node}
	if b.cluster, err = clusterID(b.ctx, b.store); err != nil {
		return err
	}
	if err = b.loadBroker(b.ctx); err != nil {
		return err
	}
	if err = b.startCoordinators(); err != nil {
		return err
	}
	b.startData()
	b.showInternals()
	return nil
}

// startCoordinators starts those of groups and transactions with the broker's configs as they are at the start.
func (b *Broker) startCoordinators() (err error) {
	configs := b.topics.broker.Load()
	millis := func(name string) time.Duration { return time.Duration(configs.Int(name)) * time.Millisecond }
	b.groups, err = group.New(group.Options{
		Store: b.store, Clock: b.opts.Clock, Logger: b.log,
		MinSessionTimeout: millis("group.min.session.timeout.ms"), MaxSessionTimeout: millis("group.max.session.timeout.ms"),
		InitialRebalanceDelay: millis("group.initial.rebalance.delay.ms"), MaxMembers: int(min(configs.Int("group.max.size"), maxMembers)),
		OnDelete: func(tx store.Tx, id string) (bool, error) { return offset.DeleteGroup(tx, id, offset.MaxEntries) },
	})
	if err != nil {
		return err
	}
	if err := b.addSimpleGroups(); err != nil {
		return err
	}
	b.txns, err = txn.New(b.ctx, txn.Options{
		Store: b.store, Clock: b.opts.Clock, Logger: b.log,
		MaxTimeout: millis("transaction.max.timeout.ms"), IDExpiration: millis("transactional.id.expiration.ms"),
		ProducerExpiration: millis("producer.id.expiration.ms"),
	})
	return err
}

// simplePage is how many groups with offsets one view reads.
const simplePage = 1000

// addSimpleGroups makes known the groups that have offsets and never had a member: they are listed, deleted and expire
// as others.
func (b *Broker) addSimpleGroups() error {
	for since, more := "", true; more; {
		var ids []string
		err := b.store.View(b.ctx, func(tx store.ReadTx) (err error) {
			ids, err = offset.Groups(tx, since, simplePage)
			return err
		})
		if err != nil {
			return err
		}
		b.groups.AddSimple(ids...)
		if more = len(ids) == simplePage; more {
			since = ids[len(ids)-1]
		}
	}
	return nil
}

// maxMembers bounds group.max.size, which Kafka leaves open: members are held in memory.
const maxMembers = 10_000

// Close answers who waits, ends the workers and waits for them. Close twice is fine.
func (b *Broker) Close() error {
	b.stop()
	var errs []error
	if b.fetcher != nil {
		errs = append(errs, b.fetcher.Close())
	}
	if b.groups != nil {
		errs = append(errs, b.groups.Close())
	}
	if b.txns != nil {
		errs = append(errs, b.txns.Close())
	}
	b.work.Wait()
	return errors.Join(errs...)
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

package dynamodb

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"millrace/internal/api"
	"millrace/internal/api/dynamodbapi"
	"millrace/internal/api/dynamodbstreamsapi"
	"millrace/internal/core/catalog"
	"millrace/internal/core/clock"
	"millrace/internal/core/datakey"
	"millrace/internal/core/store"
	"millrace/internal/core/ticket"
	"millrace/internal/core/worker"
	"millrace/internal/service/dynamodb/expr"
)

// Options is what a service needs and may be told. Only Store is required.
type Options struct {
	Store  store.Store
	Logger *slog.Logger // default: nothing is logged

	// RootKey wraps the data keys of encrypted tables, as it does those of Store. Without it no table is encrypted, nor read if it was.
	RootKey *datakey.Root
	// DefaultRegion is kept as that of the store, as kinesis.Options has it. Default: that of the first signed request
	// of the default account, to any service.
	DefaultRegion string
	// Endpoint is HOST:PORT of the front, for DescribeEndpoints. Default: localhost:4566.
	Endpoint func() string
	// StateDelay is how long a table is CREATING, UPDATING and DELETING. Default 100 ms; negative: as short as possible.
	StateDelay time.Duration
	// TimeToLiveLag is how long after their time expired items are deleted at the earliest; AWS takes up to two days. They can
	// be read until then. Default 0; a look for them is made every second.
	TimeToLiveLag time.Duration
	// IndexDelay is how long reads of global indexes lag behind writes, so that tests can see what is only eventually
	// consistent on AWS. Default 0: they are as fresh as the table. All nodes have the same.
	IndexDelay time.Duration
	// MaxTables is how many tables an account has in a region at most. Default 2,500, as on AWS.
	MaxTables int
	// Throttle holds tables to the units that they have. Default: whatever is asked for is served.
	Throttle bool
	// StreamRotation is after how long a shard of a stream is ended and a child goes on. Default 4 hours.
	StreamRotation time.Duration
	// StreamSplitRate is how many changes a second a shard has on average, over its life, to be split into two when it is ended. Default
	// 1,000, what a partition of AWS can take; up to 64 open shards.
	StreamSplitRate int
	// Clock wakes the workers, by differences alone; states and tokens go by store time. Default: the machine's.
	Clock clock.Clock
}

func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Clock == nil {
		o.Clock = clock.Real()
	}
	if o.Endpoint == nil {
		o.Endpoint = func() string { return "localhost:4566" }
	}
	if o.StateDelay == 0 {
		o.StateDelay = 100 * time.Millisecond
	}
	if o.MaxTables == 0 {
		o.MaxTables = defaultTables
	}
	o.StateDelay, o.TimeToLiveLag = max(o.StateDelay, 0), max(o.TimeToLiveLag, 0)
	if o.StreamRotation <= 0 {
		o.StreamRotation = 4 * time.Hour
	}
	if o.StreamSplitRate <= 0 {
		o.StreamSplitRate = 1000
	}
	return o
}

// Service serves DynamoDB. Safe for concurrent use.
type Service struct {
	dynamodbapi.Unimplemented

	opts    Options
	store   store.Store
	log     *slog.Logger
	cat     catalog.Catalog // for the default region alone
	cache   sync.Map        // of a table's key to *cached
	expr    *expr.Cache
	metrics metrics
	vault   *vault

	tickets  *ticket.Sealer // of iterators
	counter  counter        // what counts is to do
	throttle throttle       // what tables have used

	states   *worker.Worker // poked when a state was given a due time
	expiry   *worker.Worker // poked when a time to live was changed
	counts   *worker.Worker // poked when something is to be counted
	online   *worker.Worker // poked when an index may be filled or deleted
	turns    *worker.Worker // poked when a stream was given a due time
	recalled bool           // of turns alone: no stream waits for the end of a longer rotation
	seals    *worker.Worker // poked when a table was encrypted
	stop     context.CancelFunc
	work     sync.WaitGroup // the workers
}

var (
	_ dynamodbapi.Service        = (*Service)(nil)
	_ dynamodbstreamsapi.Service = (*Service)(nil)
)

// New returns a service on a store and starts its workers. Close ends it; the store stays open.
//
// Errors: those of the store.
func New(opts Options) (*Service, error) {
	if opts.Store == nil {
		return nil, errors.New("dynamodb: Options.Store is missing")
	}
	opts = opts.withDefaults()
	s := &Service{
		opts: opts, store: opts.Store, log: opts.Logger, expr: expr.NewCache(0), vault: newVault(opts.RootKey),
	}
	s.states = worker.New(worker.Options{Step: s.step, What: "tables could not be moved on", Clock: opts.Clock, Logger: s.log})
	s.expiry = worker.New(worker.Options{Step: s.stepTTL, What: "items could not be expired", Clock: opts.Clock, Logger: s.log})
	s.throttle.on, s.throttle.clock = opts.Throttle, opts.Clock
	s.counts = worker.New(worker.Options{Step: s.stepCount, What: "items could not be counted", Clock: opts.Clock, Logger: s.log})
	s.turns = worker.New(worker.Options{Step: s.turnStreams, What: "streams of tables could not be moved on", Clock: opts.Clock, Logger: s.log})
	s.online = worker.New(worker.Options{Step: s.stepIndexes, What: "indexes could not be moved on", Clock: opts.Clock, Logger: s.log})
	s.seals = worker.New(worker.Options{Step: s.stepSeals, What: "tables could not be sealed", Clock: opts.Clock, Logger: s.log})
	keys := worker.New(worker.Options{
		First: keysEvery, Retry: keysEvery, Step: s.stepKeys, What: "data keys of tables could not be replaced", Clock: opts.Clock, Logger: s.log,
	})
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	if opts.DefaultRegion != "" {
		if err := s.fixRegion(ctx, opts.DefaultRegion); err != nil {
			stop()
			return nil, err
		}
	}
	key, err := ticket.Key(ctx, s.store, "dynamodb.tokens")
	if err != nil {
		stop()
		return nil, err
	}
	s.tickets = ticket.NewSealer(key)
	s.work.Go(func() { s.states.Run(ctx) })
	s.work.Go(func() { s.expiry.Run(ctx) })
	s.work.Go(func() { s.counts.Run(ctx) })
	s.work.Go(func() { s.online.Run(ctx) })
	s.work.Go(func() { s.turns.Run(ctx) })
	s.work.Go(func() { s.seals.Run(ctx) })
	s.work.Go(func() { keys.Run(ctx) })
	return s, nil
}

// Close ends the workers and waits for them. Calls that are still served go on. Close twice is fine.
func (s *Service) Close() error {
	s.stop()
	s.work.Wait()
	return nil
}

// resolve finds where the table is that a request names, by name or ARN; it may not exist.
//
// Errors: ValidationException.
func (s *Service) resolve(ctx context.Context, name string) (place, error) {
	call := api.CallFrom(ctx)
	p, err := address(call, name)
	if err != nil {
		return p, err
	}
	return p, s.settle(ctx, call)
}

// settle fixes the default region by the first signed request of the default account.
func (s *Service) settle(ctx context.Context, call *api.Call) error {
	if _, ok := s.cat.Region(); ok || call.AccessKeyID == "" || call.Account != catalog.DefaultAccount {
		return nil
	}
	return apiError(s.fixRegion(ctx, call.Region))
}

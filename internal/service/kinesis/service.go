package kinesis

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"millrace/internal/api"
	"millrace/internal/api/kinesisapi"
	"millrace/internal/core/catalog"
	"millrace/internal/core/clock"
	"millrace/internal/core/datakey"
	"millrace/internal/core/store"
	"millrace/internal/core/ticket"
	"millrace/internal/core/worker"
)

// Options is what a service needs and may be told. Only Store is required.
type Options struct {
	Store  store.Store
	Logger *slog.Logger // default: nothing is logged

	// Quotas says how many of AWS's quotas apply. Default: as AWS.
	Quotas Quotas
	// DefaultRegion is the region whose streams have plain Kafka names. Default: that of the first signed
	// request of the default account. The first one ever known to the store is kept in it and wins.
	DefaultRegion string
	// RootKey wraps the data keys of encrypted streams, as it does those of Store. Without it encryption is not started.
	RootKey *datakey.Root
	// StateDelay is how long a stream is CREATING and DELETING. Default 100 ms; negative: as short as
	// possible, though a deletion still lasts until the next second begins.
	StateDelay time.Duration
	// ScaleInterval is how long the load of on-demand streams is observed before they are scaled. Default: a minute.
	ScaleInterval time.Duration
	// Clock counts quotas and wakes the worker, by differences alone; expiry and states go by store time. Default: the
	// machine's.
	Clock clock.Clock
}

func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Clock == nil {
		o.Clock = clock.Real()
	}
	o.Quotas = o.Quotas.withDefaults()
	if o.StateDelay == 0 {
		o.StateDelay = 100 * time.Millisecond
	}
	o.StateDelay = max(o.StateDelay, 0)
	if o.ScaleInterval <= 0 {
		o.ScaleInterval = time.Minute
	}
	return o
}

// Service serves Kinesis Data Streams. Safe for concurrent use.
type Service struct {
	kinesisapi.Unimplemented

	opts   Options
	store  store.Store
	log    *slog.Logger
	cat    catalog.Catalog
	tokens *tokens
	cache  cache
	rates  rates
	puts   sync.Pool // of *putScratch
	pages  sync.Pool // of *page

	reading *semaphore.Weighted // of maxReading
	counts  counts
	traffic trafficTable
	claims  claims

	began time.Time // of the service's clock: what nowNS counts from

	states *worker.Worker // poked when a state was given a due time
	stop   context.CancelFunc
	work   sync.WaitGroup // the workers
}

var _ kinesisapi.Service = (*Service)(nil)

// New returns a service on a store and starts its workers. Close ends them; the store stays open.
//
// Errors: those of the store.
func New(opts Options) (*Service, error) {
	if opts.Store == nil {
		return nil, errors.New("kinesis: Options.Store is missing")
	}
	opts = opts.withDefaults()
	s := &Service{
		opts: opts, store: opts.Store, log: opts.Logger, began: opts.Clock.Now(),
	}
	s.puts.New, s.pages.New = s.newScratch, s.newPage
	s.reading = semaphore.NewWeighted(maxReading)
	s.states = worker.New(worker.Options{Step: s.finishDue, What: "streams could not be moved on", Clock: opts.Clock, Logger: s.log})
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	if err := s.prepare(ctx); err != nil {
		stop()
		return nil, err
	}
	s.work.Go(func() { s.states.Run(ctx) })
	s.work.Go(func() { s.workScaling().Run(ctx) })
	s.work.Go(func() { s.workKeys().Run(ctx) })
	return s, nil
}

// prepare reads, and on an empty store writes, what all nodes share.
func (s *Service) prepare(ctx context.Context) error {
	key, err := ticket.Key(ctx, s.store, "kinesis.tokens")
	if err != nil {
		return err
	}
	s.tokens = newTokens(key)
	if s.opts.DefaultRegion == "" {
		// The worker must know it before the first request does: usage is counted by region.
		return s.store.View(ctx, func(tx store.ReadTx) error { return s.cat.LoadRegion(tx) })
	}
	if err := s.fixRegion(ctx, s.opts.DefaultRegion); err != nil {
		return err
	}
	if kept, _ := s.cat.Region(); kept != s.opts.DefaultRegion {
		s.log.Warn("the default region of this store is already fixed", "kept", kept, "asked", s.opts.DefaultRegion)
	}
	return nil
}

// Close ends the workers and waits for them, and ends subscriptions. Other calls that are still served go on. Close
// twice is fine.
func (s *Service) Close() error {
	s.stop()
	s.claims.close()
	s.work.Wait()
	return nil
}

// nowNS is what quotas, claims and the cache count on; only differences mean something. It goes on evenly when the
// machine's clock is set: a clock that is set back by an hour would else keep a spent quota spent for that hour.
func (s *Service) nowNS() int64 { return s.ns(s.opts.Clock.Now()) }

// ns is nowNS at a time of the service's clock, whose differences are monotonic.
func (s *Service) ns(t time.Time) int64 { return s.began.UnixNano() + int64(t.Sub(s.began)) }

// admit counts a control-plane call against its rate.
func (s *Service) admit(operation string, p place) error {
	if s.opts.Quotas.off() {
		return nil
	}
	k := rateKey{operation: operation, place: p}
	if accountRates[operation] {
		k.place.stream = ""
	}
	if !s.rates.admit(k, s.nowNS(), s.opts.Quotas) {
		s.counts.throttled.Add(1)
		return errRate(p)
	}
	return nil
}

// resolve finds where the stream is that a request is about; it may not exist.
func (s *Service) resolve(ctx context.Context, name, arn *string) (place, error) {
	call := api.CallFrom(ctx)
	p, err := address(call, name, arn)
	if err != nil {
		return p, err
	}
	return p, s.settle(ctx, call)
}

// begin is resolve for operations whose calls AWS counts by stream, or by account where that is said.
func (s *Service) begin(ctx context.Context, operation string, name, arn *string) (place, error) {
	p, err := s.resolve(ctx, name, arn)
	if err != nil {
		return p, err
	}
	return p, s.admit(operation, p)
}

// settle fixes the default region by the first signed request of the default account.
func (s *Service) settle(ctx context.Context, call *api.Call) error {
	if _, ok := s.cat.Region(); ok || call.AccessKeyID == "" || call.Account != catalog.DefaultAccount {
		return nil
	}
	return apiError(s.fixRegion(ctx, call.Region))
}

package cloudwatch

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"sync"
	"time"

	"millrace/internal/api"
	"millrace/internal/api/cloudwatchapi"
	"millrace/internal/core/clock"
	"millrace/internal/core/store"
	"millrace/internal/core/worker"
)

// Options is what a service needs and may be told. Only Store is required.
type Options struct {
	Store  store.Store
	Logger *slog.Logger // default: nothing is logged

	// MaxBytes bounds the metrics in memory, about. Default: 32 MiB; at least 64 KiB.
	MaxBytes int
	// Sources are asked each minute for what the platform's own services have counted.
	Sources []Source
	// Clock tells the time of data without a timestamp, and wakes the workers. Default: the machine's.
	Clock clock.Clock
}

// Source gives what a service has counted since it was last asked. It is asked by one goroutine at a time.
type Source func() iter.Seq[Sample]

// Sample is a metric of the platform for one minute.
type Sample struct {
	Account, Region, Namespace, Name string
	Dimensions                       []Dimension
	Unit                             cloudwatchapi.StandardUnit
	Count, Sum, Min, Max             float64
}

func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Clock == nil {
		o.Clock = clock.Real()
	}
	if o.MaxBytes <= 0 {
		o.MaxBytes = defaultBytes
	}
	o.MaxBytes = max(o.MaxBytes, 64<<10)
	return o
}

// Service serves CloudWatch. Safe for concurrent use.
type Service struct {
	cloudwatchapi.Unimplemented

	opts   Options
	store  store.Store
	log    *slog.Logger
	data   *data
	loaded chan struct{} // closed when what the store has is in data

	stop context.CancelFunc
	work sync.WaitGroup // the workers
	once sync.Once
	err  error // of Close
}

var _ cloudwatchapi.Service = (*Service)(nil)

// New returns a service on a store and starts its workers, which first read the metrics that the store has: calls wait for
// that. Close ends them; the store stays open.
func New(opts Options) (*Service, error) {
	if opts.Store == nil {
		return nil, errors.New("cloudwatch: Options.Store is missing")
	}
	opts = opts.withDefaults()
	s := &Service{
		opts: opts, store: opts.Store, log: opts.Logger, data: newData(opts.MaxBytes, opts.Logger),
		loaded: make(chan struct{}),
	}
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.work.Go(func() { s.run(ctx) })
	return s, nil
}

// Bind makes s ready for the front. CloudWatch checks its input itself, with texts of its own.
func Bind(s cloudwatchapi.Service) *api.Binding {
	b := cloudwatchapi.Bind(s)
	b.OwnChecks = true
	return b
}

// Close ends the workers and writes what has changed to the store. Close twice is fine.
func (s *Service) Close() error {
	s.once.Do(func() {
		s.stop()
		s.work.Wait()
		select {
		case <-s.loaded:
		default:
			return // what is here is not whole
		}
		ctx, cancel := context.WithTimeout(context.Background(), closeTime)
		defer cancel()
		s.sample(s.opts.Clock.Now())
		s.err = s.flush(ctx)
	})
	return s.err
}

// closeTime bounds the last write.
const closeTime = 10 * time.Second

// now is the current second.
func (s *Service) now() int64 { return s.opts.Clock.Now().Unix() }

// ready waits until the metrics of the store are there, and gives whose call it is.
func (s *Service) ready(ctx context.Context) (place, error) {
	call := api.CallFrom(ctx)
	select {
	case <-s.loaded:
		return place{call.Account, call.Region}, nil
	case <-ctx.Done():
		return place{}, ctx.Err()
	}
}

// run loads, and then counts each minute and writes every five, until ctx is done.
func (s *Service) run(ctx context.Context) {
	err := s.load(ctx)
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		s.log.Error("metrics could not be read from the store", "err", err)
	}
	close(s.loaded)
	s.work.Go(func() {
		worker.New(worker.Options{
			First: flushEvery, Retry: flushRetry, What: "metrics could not be written to the store", Clock: s.opts.Clock, Logger: s.log,
			Step: func(ctx context.Context) (time.Duration, error) { return flushEvery, s.flush(ctx) },
		}).Run(ctx)
	})
	swept := s.opts.Clock.Now()
	worker.New(worker.Options{
		First: untilMinute(swept), What: "metrics could not be counted", Clock: s.opts.Clock, Logger: s.log,
		Step: func(context.Context) (time.Duration, error) {
			now := s.opts.Clock.Now()
			s.sample(now)
			if now.Sub(swept) >= sweepEvery {
				s.data.sweep(now.Unix())
				swept = now
			}
			return untilMinute(s.opts.Clock.Now()), nil
		},
	}).Run(ctx)
}

// untilMinute is how long it is to the next full minute.
func untilMinute(now time.Time) time.Duration {
	return now.Truncate(time.Minute).Add(time.Minute).Sub(now)
}

// sample puts what the sources have counted into the minute that ends at now.
func (s *Service) sample(now time.Time) {
	at := floor(now.Unix()-1, 60)
	for _, source := range s.opts.Sources {
		for v := range source() {
			unit, _ := unitNumber(&v.Unit)
			one := datum{identity: newIdentity(v.Namespace, v.Name, v.Dimensions), unit: unit, at: at, summary: set(v.Count, v.Sum, v.Min, v.Max)}
			s.data.put(place{v.Account, v.Region}, []datum{one}, now.Unix())
		}
	}
}

package fetch

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/clock"
	"millrace/internal/core/store"
	"millrace/internal/service/kafka/session"
)

// Place is where a partition is in the store.
type Place struct {
	// ID is 0 for a partition that exists but has no records any more and no place: it is empty, with offsets 0.
	ID store.PartitionID
	// View is how the partition's batches are shown; nil: as they are.
	View View
}

// View shows stored batches as something else, for topics that are read only.
type View interface {
	// Show returns a batch with other records in place of those of batch, which is not changed: as many, at the same offsets and
	// times.
	Show(batch []byte) ([]byte, error)
}

// Options of a Fetcher. Store and Resolve are required.
type Options struct {
	Store  store.Store
	Clock  clock.Clock  // of waits; default: the real one
	Logger *slog.Logger // default: nothing is logged

	// Resolve finds a partition; it is called for each look at one. The code, if not None, is the partition's answer.
	Resolve func(ctx context.Context, key *session.Key) (Place, kafkaapi.Code)

	MaxBytes     int   // of one answer, whatever the client asks for: fetch.max.bytes; default 55 MiB
	MaxHeldBytes int64 // of all answers on their way; default 256 MiB
	// MaxWaiting is how many requests wait at once: 100 MB with what they hold. Beyond it the one whose time is over first is
	// answered early. Default 50,000: five times the connections, since dead ones count until their wait ends.
	MaxWaiting   int
	SessionSlots int // max.incremental.fetch.session.cache.slots; default 1,000
	Workers      int // goroutines that look again after a wait; they end when nothing is to be done. Default 16
}

func (o Options) withDefaults() Options {
	if o.Clock == nil {
		o.Clock = clock.Real()
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.MaxBytes <= 0 {
		o.MaxBytes = 55 << 20
	}
	if o.MaxHeldBytes <= 0 {
		o.MaxHeldBytes = 256 << 20
	}
	if o.MaxWaiting <= 0 {
		o.MaxWaiting = 50_000
	}
	if o.Workers <= 0 {
		o.Workers = 16
	}
	return o
}

// Fetcher answers fetches of all connections. Safe for concurrent use.
type Fetcher struct {
	opts     Options
	sessions *session.Cache
	timers   timers
	workers  workers
	budget   budget

	ctx     context.Context // ends when Close begins; looks are finished then, and do not end with it
	stop    context.CancelFunc
	running sync.WaitGroup // the timers' goroutine
}

// New starts a Fetcher. Close ends it.
func New(opts Options) *Fetcher {
	opts = opts.withDefaults()
	f := &Fetcher{
		opts:     opts,
		sessions: session.NewCache(session.Options{Watcher: opts.Store, Clock: opts.Clock, Slots: opts.SessionSlots}),
		budget:   budget{free: opts.MaxHeldBytes, all: opts.MaxHeldBytes},
	}
	f.ctx, f.stop = context.WithCancel(context.Background())
	f.timers.most = opts.MaxWaiting
	f.timers.kick = make(chan struct{}, 1)
	f.workers.most = opts.Workers
	f.running.Go(func() { f.timers.run(f.ctx, opts.Clock) })
	return f
}

// Close answers all who wait with what there is and waits until that is done. Later requests are answered at once. It
// may be called again.
func (f *Fetcher) Close() error {
	f.stop()
	f.running.Wait()
	f.budget.close()
	f.workers.wait()
	return nil
}

// Sessions is the number of fetch sessions, and of partitions in them.
func (f *Fetcher) Sessions() (sessions, partitions int) { return f.sessions.Len() }

// Waiting is the number of requests that wait for records.
func (f *Fetcher) Waiting() int { return f.timers.len() }

// Fetch answers a request and calls done once with it: before it returns, or later from a goroutine of its own, that may
// block. done reads what stands in the request's answer; Free gives it back.
func (f *Fetcher) Fetch(r *Request, done func(*Request)) {
	r.f, r.done = f, done
	if r.Code = f.sessions.Begin(&r.poll, &r.Request); r.Code != kafkaapi.None {
		r.AnswerID = 0
		done(r)
		return
	}
	r.limit = max(min(r.MaxBytes, f.opts.MaxBytes), 0)
	r.need = min(r.MinBytes, r.limit)
	if r.MaxWait > 0 {
		r.deadline = f.opts.Clock.Now().Add(min(r.MaxWait, maxWait)).Truncate(tick).Add(tick)
	}
	r.run()
}

// over tells whether a request is to be answered now, with whatever there is.
func (r *Request) over() bool {
	return r.MaxWait <= 0 || r.expired.Load() || r.f.ctx.Err() != nil || r.f.sessions.Crowded() || !r.f.opts.Clock.Now().Before(r.deadline)
}

// run looks until the request is answered or waits.
func (r *Request) run() {
	for {
		switch r.look() {
		case again:
		case later:
			return
		case answered:
			r.done(r)
			return
		}
	}
}

const (
	// tick is what deadlines are rounded up to, so that many which end at about the same time wake one goroutine once.
	tick = time.Millisecond
	// maxWait is the longest wait: nobody ends the wait of a connection that is gone.
	maxWait = 5 * time.Minute
)

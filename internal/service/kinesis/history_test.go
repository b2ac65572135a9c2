package kinesis

import (
	"flag"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"millrace/internal/api"
	"millrace/internal/api/kinesisapi"
	"millrace/internal/core/clock"
	"millrace/internal/core/store"
	"millrace/internal/core/store/storetest"
)

var (
	seed      = flag.Uint64("seed", 0, "of the random histories; 0: by the clock")
	histories = flag.Int("histories", 100, "how many random histories are played on the model of the store; a twentieth of them on a disk")
)

// historyCount is how many are played: few under the race detector.
func historyCount() int {
	if testing.Short() {
		return min(*histories, 20)
	}
	return *histories
}

func chooseSeed(t *testing.T) uint64 {
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano())
	}
	t.Logf("seed %d", *seed)
	return *seed
}

// chronicle is a service, the ledger of what was done to it, and how to go on after a stop.
type chronicle struct {
	*caller
	r       *rand.Rand
	skew    *atomic.Int64
	st      store.Store
	reopen  func(crash bool) store.Store
	trims   bool // the store applies retention by itself
	streams map[place]*knownStream
	highest map[place]string // sequence number that a stream of the name has given out
	readers []*cursor
	name    int // of the next consumer
}

// Random operations on streams, shards, records and consumers, compared with the ledger, while the service is started
// anew and the clock is set back and forth.
func TestRandomHistoriesAgreeWithTheLedger(t *testing.T) {
	first := chooseSeed(t)
	for i := range uint64(historyCount()) {
		synctest.Test(t, func(t *testing.T) {
			h := newHistory(t, first+i)
			h.st = storetest.NewModel(storetest.WithModelClock(func() int64 { return h.clock().Now().UnixMilli() }))
			h.reopen = func(bool) store.Store { return h.st }
			h.play(first+i, 150)
		})
	}
}

func newHistory(t *testing.T, seed uint64) *chronicle {
	return &chronicle{
		caller: &caller{t: t}, r: rand.New(rand.NewPCG(seed, 7)), skew: &atomic.Int64{},
		streams: map[place]*knownStream{}, highest: map[place]string{},
	}
}

func (h *chronicle) clock() clock.Clock { return wallClock{clock.Real(), h.skew} }

func (h *chronicle) now() int64 { return h.st.Now() }

func (h *chronicle) play(seed uint64, steps int) {
	h.start()
	defer func() { _ = h.svc.Close() }()
	for step := range steps {
		if h.t.Failed() {
			h.t.Fatalf("seed %d, step %d", seed, step)
		}
		h.step()
	}
	h.finish()
	if h.t.Failed() {
		h.t.Fatalf("seed %d, at the end", seed)
	}
}

// finish lets every change end, starts anew and compares everything.
func (h *chronicle) finish() {
	for range 24 * 60 {
		if !slices.ContainsFunc(h.places(), func(p place) bool { return h.streams[p] != nil && h.streams[p].status != kinesisapi.StreamStatusActive }) {
			break
		}
		h.pass(time.Minute)
	}
	h.restart()
	for _, p := range h.places() {
		h.at(p)
		h.check(p)
	}
}

func (h *chronicle) start() {
	svc, err := New(Options{
		Store: h.st, Quotas: QuotasOff, StateDelay: time.Duration(1+h.r.IntN(200)) * time.Millisecond, RootKey: storetest.RootKey,
	})
	if err != nil {
		h.t.Fatalf("New: %v", err)
	}
	h.svc = svc
	h.wait()
}

// places are where streams may be: two accounts, the same names.
func (h *chronicle) places() []place {
	var all []place
	for _, account := range []string{"000000000000", "123456789012"} {
		for _, name := range []string{"a", "b"} {
			all = append(all, place{account, "us-east-1", name})
		}
	}
	return all
}

// at makes the account of a place the caller.
func (h *chronicle) at(p place) { h.account, h.region = p.account, p.region }

// wait returns when the service does nothing but wait, and notes which changes have ended.
func (h *chronicle) wait() {
	synctest.Wait()
	h.age()
	for _, p := range h.places() {
		if k := h.streams[p]; k != nil && k.status != kinesisapi.StreamStatusActive {
			h.at(p)
			h.follow(p, k)
		}
	}
}

// age notes which records and shards may be gone for good by now.
func (h *chronicle) age() {
	now := h.now()
	for _, k := range h.streams {
		for _, s := range k.shards {
			if h.trims {
				s.trim(now, k.hours)
			}
			s.forgotten = s.forgotten || s.closed && s.from+(k.hours+1)*hourMS <= now
		}
	}
}

// pass lets time go by.
func (h *chronicle) pass(d time.Duration) {
	time.Sleep(d) // of the bubble: no time passes
	h.wait()
}

// follow looks whether a change of a stream has ended.
func (h *chronicle) follow(p place, k *knownStream) {
	out, err := h.svc.DescribeStreamSummary(h.ctx(), &kinesisapi.DescribeStreamSummaryInput{StreamName: &p.stream})
	if err != nil {
		wantCode(h.t, "DescribeStreamSummary", err, "ResourceNotFoundException")
		if k.status != kinesisapi.StreamStatusDeleting {
			h.t.Errorf("%v is gone while it was %s", p, k.status)
		}
		h.forget(p)
		return
	}
	switch got := out.StreamDescriptionSummary.StreamStatus; {
	case got == k.status:
	case got == kinesisapi.StreamStatusActive && k.status != kinesisapi.StreamStatusDeleting:
		k.status = got
		h.adopt(p, k)
	default:
		h.t.Errorf("%v is %s after %s", p, got, k.status)
	}
}

// forget takes a stream and its readers out of the ledger.
func (h *chronicle) forget(p place) {
	for _, s := range h.streams[p].shards {
		for _, r := range s.records {
			h.highest[p] = max(h.highest[p], r.number)
		}
		h.highest[p] = max(h.highest[p], s.first)
	}
	h.readers = slices.DeleteFunc(h.readers, func(r *cursor) bool { return r.place == p })
	delete(h.streams, p)
}

func (h *chronicle) step() {
	h.wait()
	all := h.places()
	p := all[h.r.IntN(len(all))]
	h.at(p)
	k := h.streams[p]
	switch n := h.r.IntN(100); {
	case n < 12:
		h.machine(n)
	case k == nil:
		h.absent(p, n)
	case k.status == kinesisapi.StreamStatusCreating:
		h.young(p, k, n)
	case k.status == kinesisapi.StreamStatusDeleting:
		h.old(p, n)
	default:
		h.living(p, k, n)
	}
}

// machine is what happens to all streams at once.
func (h *chronicle) machine(n int) {
	switch {
	case n < 3:
		h.setClock()
	case n < 5:
		h.restart()
	case n < 6:
		h.applyRetention()
	default:
		h.pass(time.Duration(h.r.IntN(3000)) * time.Millisecond)
	}
}

// setClock sets the clock back or forth by minutes, or on to about where something becomes too old.
func (h *chronicle) setClock() {
	if h.r.IntN(3) > 0 {
		h.skew.Add(int64(h.r.IntN(2*600_000) - 600_000))
		return
	}
	k := h.streams[h.places()[h.r.IntN(len(h.places()))]]
	if k == nil || len(k.shards) == 0 {
		h.skew.Add(int64(h.r.IntN(40)) * hourMS)
		return
	}
	s := k.shards[h.r.IntN(len(k.shards))]
	born := s.from // when it was closed
	if n := len(s.records); n > 0 && (!s.closed || h.r.IntN(2) == 0) {
		born = s.records[h.r.IntN(n)].from
	}
	near := [...]int64{-1, 0, 1, -hourMS / 2, hourMS - 1, hourMS, hourMS + 1, 2 * hourMS}
	at := born + k.hours*hourMS + near[h.r.IntN(len(near))]
	h.skew.Store(max(h.skew.Load(), at-time.Now().UnixMilli()))
	if h.r.IntN(2) == 0 {
		h.pass(10 * time.Second) // longer than the worker sleeps
	}
}

// restart stops the service and the store, or the machine, and starts again, with the clock as it is found then.
func (h *chronicle) restart() {
	crash := h.r.IntN(2) == 0
	if !crash {
		_ = h.svc.Close()
	}
	was := h.svc
	h.st = h.reopen(crash)
	_ = was.Close() // twice is fine
	if h.r.IntN(2) == 0 {
		h.skew.Add(int64(h.r.IntN(2*600_000) - 600_000))
	}
	account, region := h.account, h.region
	h.start()
	h.account, h.region = account, region
}

func (h *chronicle) applyRetention() {
	now := h.now()
	if _, err := store.ApplyRetention(h.t.Context(), h.st); err != nil {
		h.t.Errorf("ApplyRetention: %v", err)
	}
	for _, k := range h.streams {
		for _, s := range k.shards {
			s.trim(max(now, h.now()), k.hours)
		}
	}
}

// absent is a step where there is no stream.
func (h *chronicle) absent(p place, n int) {
	if n < 40 {
		_, err := h.svc.PutRecord(h.ctx(), &kinesisapi.PutRecordInput{StreamName: &p.stream, PartitionKey: new("k"), Data: []byte("x")})
		wantCode(h.t, "PutRecord", err, "ResourceNotFoundException")
		return
	}
	count := 1 + h.r.IntN(4)
	if _, err := h.svc.CreateStream(h.ctx(), &kinesisapi.CreateStreamInput{StreamName: p.stream, ShardCount: new(int32(count))}); err != nil {
		h.t.Errorf("CreateStream %v: %v", p, err)
		return
	}
	h.streams[p] = &knownStream{status: kinesisapi.StreamStatusCreating, hours: 24, count: count, asked: h.now()}
}

// young is a step on a stream that is being made.
func (h *chronicle) young(p place, k *knownStream, n int) {
	switch {
	case n < 40:
		h.pass(300 * time.Millisecond)
	case n < 50:
		h.delete(p, k)
	case n < 75:
		_, err := h.svc.PutRecord(h.ctx(), &kinesisapi.PutRecordInput{StreamName: &p.stream, PartitionKey: new("k"), Data: []byte("x")})
		wantCode(h.t, "PutRecord", err, "ResourceNotFoundException")
	default:
		_, err := h.svc.SplitShard(h.ctx(), &kinesisapi.SplitShardInput{StreamName: &p.stream, ShardToSplit: "shardId-000000000000", NewStartingHashKey: "7"})
		wantCode(h.t, "SplitShard", err, "ResourceNotFoundException") // it has no shards yet
	}
}

// old is a step on a stream that is being deleted.
func (h *chronicle) old(p place, n int) {
	if n < 50 {
		h.pass(time.Second)
		return
	}
	_, err := h.svc.CreateStream(h.ctx(), &kinesisapi.CreateStreamInput{StreamName: p.stream, ShardCount: new(int32(1))})
	wantCode(h.t, "CreateStream", err, "ResourceInUseException")
}

// living is a step on a stream that takes records.
func (h *chronicle) living(p place, k *knownStream, n int) {
	switch {
	case n < 36:
		h.put(p, k)
	case n < 52:
		h.newReader(p, k)
	case n < 70:
		h.readOn()
	case n < 82:
		h.reshard(p, k)
	case n < 85:
		h.retain(p, k)
	case n < 87:
		h.encrypt(p, k)
	case n < 90:
		h.consumers(p, k)
	case n < 94:
		h.subscribe(p, k)
	case n < 96:
		h.delete(p, k)
	default:
		h.check(p)
	}
}

func (h *chronicle) delete(p place, k *knownStream) {
	in := &kinesisapi.DeleteStreamInput{StreamName: &p.stream, EnforceConsumerDeletion: new(true)}
	if _, err := h.svc.DeleteStream(h.ctx(), in); err != nil {
		h.t.Errorf("DeleteStream %v: %v", p, err)
	}
	k.status, k.consumers = kinesisapi.StreamStatusDeleting, nil
	h.readers = slices.DeleteFunc(h.readers, func(r *cursor) bool { return r.place == p })
}

func wantCode(tb testing.TB, what string, err error, code string) {
	tb.Helper()
	if e := api.AsError(err); e == nil || e.Code != code {
		tb.Errorf("%s: got %v, want %s", what, err, code)
	}
}

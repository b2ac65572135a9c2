package session

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/clock"
	"millrace/internal/core/store"
)

// rig is a cache over a log that the test changes by hand: partition n of topic "t" is store partition n+1.
type rig struct {
	t     testing.TB
	cache *Cache
	clock *clock.Manual
	watch *fakeWatch
	ids   int32
}

func newRig(tb testing.TB, slots int) *rig {
	tb.Helper()
	r := &rig{t: tb, clock: clock.NewManual(time.Unix(1000, 0)), watch: &fakeWatch{}}
	r.cache = NewCache(Options{Watcher: r.watch, Clock: r.clock, Slots: slots, Random: func() int32 { r.ids++; return r.ids }})
	return r
}

// fakeWatch keeps registrations in order.
type fakeWatch struct {
	regs []*registration
}

type registration struct {
	ids  []store.PartitionID
	fn   func(store.Event)
	gone bool
}

func (w *fakeWatch) Watch(ids []store.PartitionID, fn func(store.Event)) func() {
	reg := &registration{ids: slices.Clone(ids), fn: fn}
	w.regs = append(w.regs, reg)
	return func() { reg.gone = true }
}

func (w *fakeWatch) tell(e store.Event) {
	for _, reg := range slices.Clone(w.regs) {
		if !reg.gone && slices.Contains(reg.ids, e.Partition) {
			reg.fn(e)
		}
	}
}

func (w *fakeWatch) live() (registrations, ids int) {
	for _, reg := range w.regs {
		if !reg.gone {
			registrations, ids = registrations+1, ids+len(reg.ids)
		}
	}
	return registrations, ids
}

func key(n int) Key { return Key{Name: "t", Index: int32(n)} }

func wanted(ns ...int) []Wanted {
	w := make([]Wanted, len(ns))
	for i, n := range ns {
		w[i] = Wanted{Key: key(n), Params: Params{LeaderEpoch: -1, MaxBytes: 1 << 20}}
	}
	return w
}

func (r *rig) begin(req Request) *Poll {
	r.t.Helper()
	p := &Poll{}
	if code := r.cache.Begin(p, &req); code != kafkaapi.None {
		r.t.Fatalf("begin %+v: got %v, want no error", req, code)
	}
	return p
}

func (r *rig) wantCode(req Request, want kafkaapi.Code) {
	r.t.Helper()
	if got := r.cache.Begin(&Poll{}, &req); got != want {
		r.t.Fatalf("begin %+v: got %v, want %v", req, got, want)
	}
}

// look takes what there is to look at, finds nothing new in it, and returns the indexes.
func look(p *Poll) []int32 {
	p.Lock()
	defer p.Unlock()
	return lookLocked(p)
}

func lookLocked(p *Poll) []int32 {
	parts := p.Take(nil)
	taken := []int32{}
	for _, part := range parts {
		p.Bind(part, store.PartitionID(part.Index+1))
		taken = append(taken, part.Index)
	}
	p.Register()
	for _, part := range parts {
		p.Done(part)
	}
	return taken
}

// open makes a session that is told of commits, and returns its id.
func (r *rig) open(ns ...int) int32 {
	p := r.begin(Request{Wanted: wanted(ns...)})
	look(p)
	p.Lock()
	defer p.Unlock()
	p.Watch()
	lookLocked(p)
	return p.Finish()
}

func (r *rig) finish(p *Poll) int32 {
	p.Lock()
	defer p.Unlock()
	return p.Finish()
}

func wantLooked(tb testing.TB, got []int32, want ...int32) {
	tb.Helper()
	if !slices.Equal(got, want) {
		tb.Fatalf("looked at: got %v, want %v", got, want)
	}
}

func TestFullFetchWithFinalEpochOpensNoSession(t *testing.T) {
	r := newRig(t, 10)
	p := r.begin(Request{Epoch: EpochFinal, Wanted: wanted(0)})
	wantLooked(t, look(p), 0)
	if id := r.finish(p); id != 0 {
		t.Fatalf("session id: got %d, want 0", id)
	}
}

func TestSessionEpochsGoUpByOneAndAreHeldTo(t *testing.T) {
	r := newRig(t, 10)
	id := r.open(0)
	r.wantCode(Request{SessionID: id, Epoch: 2}, kafkaapi.InvalidFetchSessionEpoch)
	for epoch := int32(1); epoch < 5; epoch++ {
		r.finish(r.begin(Request{SessionID: id, Epoch: epoch}))
		r.wantCode(Request{SessionID: id, Epoch: epoch}, kafkaapi.InvalidFetchSessionEpoch)
	}
	r.wantCode(Request{SessionID: id + 1, Epoch: 5}, kafkaapi.FetchSessionIDNotFound)
}

func TestSessionEpochGoesOnWithOneAfterTheLargest(t *testing.T) {
	r := newRig(t, 10)
	id := r.open(0)
	r.cache.sessions[id].epoch = math.MaxInt32
	r.finish(r.begin(Request{SessionID: id, Epoch: math.MaxInt32}))
	r.finish(r.begin(Request{SessionID: id, Epoch: 1}))
}

func TestSessionThatUsesIdsRefusesNames(t *testing.T) {
	r := newRig(t, 10)
	id := r.open(0)
	r.wantCode(Request{SessionID: id, Epoch: 1, UsesIDs: true}, kafkaapi.FetchSessionTopicIDError)
}

func TestFinalEpochEndsTheSessionItNames(t *testing.T) {
	r := newRig(t, 10)
	id := r.open(0, 1)
	p := r.begin(Request{SessionID: id, Epoch: EpochFinal})
	if got := r.finish(p); got != 0 {
		t.Fatalf("session id: got %d, want 0", got)
	}
	r.wantCode(Request{SessionID: id, Epoch: 1}, kafkaapi.FetchSessionIDNotFound)
	if regs, _ := r.watch.live(); regs != 0 {
		t.Fatalf("registrations after the end: got %d, want 0", regs)
	}
}

func TestSessionWithoutPartitionsEnds(t *testing.T) {
	r := newRig(t, 10)
	id := r.open(0)
	p := r.begin(Request{SessionID: id, Epoch: 1, Forgotten: []Key{key(0)}})
	wantLooked(t, look(p))
	if got := r.finish(p); got != 0 {
		t.Fatalf("session id: got %d, want 0", got)
	}
	r.wantCode(Request{SessionID: id, Epoch: 2}, kafkaapi.FetchSessionIDNotFound)
}

func TestIdlePollLooksAtNothing(t *testing.T) {
	r := newRig(t, 10)
	id := r.open(0, 1, 2, 3)
	p := r.begin(Request{SessionID: id, Epoch: 1})
	wantLooked(t, look(p))
	r.finish(p)
	r.watch.tell(store.Event{Partition: 3, Change: store.ChangedRecords, Bytes: 10})
	p = r.begin(Request{SessionID: id, Epoch: 2, Wanted: wanted(0)})
	wantLooked(t, look(p), 2, 0)
}

func TestCommitBetweenLookAndWaitIsNotMissed(t *testing.T) {
	r := newRig(t, 10)
	id := r.open(0)
	p := r.begin(Request{SessionID: id, Epoch: 1})
	look(p)
	r.watch.tell(store.Event{Partition: 1, Change: store.ChangedRecords, Bytes: 10})
	if p.Wait(10, func() {}) {
		t.Fatal("wait for 10 bytes: got a wait, want none, since they have come")
	}
	if !p.Wait(11, func() {}) {
		t.Fatal("wait for 11 bytes: got none, want a wait")
	}
}

func TestWaitEndsWhenEnoughBytesHaveCome(t *testing.T) {
	r := newRig(t, 10)
	id := r.open(0, 1)
	p := r.begin(Request{SessionID: id, Epoch: 1})
	look(p)
	woken := 0
	p.Wait(100, func() { woken++ })
	for _, step := range []struct {
		e    store.Event
		want int
	}{
		{store.Event{Partition: 1, Change: store.ChangedRecords, Bytes: 60}, 0},
		{store.Event{Partition: 9, Change: store.ChangedRecords, Bytes: 60}, 0},
		{store.Event{Partition: 2, Change: store.ChangedRecords, Bytes: 39}, 0},
		{store.Event{Partition: 2, Change: store.ChangedRecords, Bytes: 1}, 1},
		{store.Event{Partition: 2, Change: store.ChangedRecords, Bytes: 100}, 1},
	} {
		if r.watch.tell(step.e); woken != step.want {
			t.Fatalf("after %+v: woken %d times, want %d", step.e, woken, step.want)
		}
	}
	if p.Disarm() {
		t.Fatal("disarm after wake: got true, want false")
	}
}

func TestReaderOfCommittedRecordsIsWokenByTheLastStableOffset(t *testing.T) {
	r := newRig(t, 10)
	id := r.open(0)
	p := r.begin(Request{SessionID: id, Epoch: 1, Committed: true})
	look(p)
	woken := 0
	p.Wait(1, func() { woken++ })
	r.watch.tell(store.Event{Partition: 1, Change: store.ChangedRecords, Bytes: 500})
	if woken != 0 {
		t.Fatalf("after records of an open transaction: woken %d times, want 0", woken)
	}
	r.watch.tell(store.Event{Partition: 1, Change: store.ChangedRecords | store.ChangedStable, Bytes: 78})
	if woken != 1 {
		t.Fatalf("after its end: woken %d times, want 1", woken)
	}
}

func TestDeletedPartitionAndNewEpochWakeAtOnce(t *testing.T) {
	for _, change := range []store.Change{store.ChangedDeleted, store.ChangedEpoch} {
		r := newRig(t, 10)
		id := r.open(0)
		p := r.begin(Request{SessionID: id, Epoch: 1})
		look(p)
		woken := 0
		p.Wait(1000, func() { woken++ })
		if r.watch.tell(store.Event{Partition: 1, Change: change}); woken != 1 {
			t.Fatalf("after change %v: woken %d times, want 1", change, woken)
		}
		wantLooked(t, look(p), 0)
	}
}

func TestFetchThatWaitsEndsWhenTheNextOfItsSessionComes(t *testing.T) {
	r := newRig(t, 10)
	id := r.open(0)
	first := r.begin(Request{SessionID: id, Epoch: 1})
	look(first)
	woken := 0
	first.Wait(1, func() { woken++ })
	second := r.begin(Request{SessionID: id, Epoch: 2})
	if woken != 1 {
		t.Fatalf("woken %d times, want 1", woken)
	}
	if first.Lock() {
		t.Fatal("the first fetch is still the newest, want not")
	}
	first.Unlock()
	second.Wait(1, func() {})
	if first.Disarm() {
		t.Fatal("the first fetch disarmed the second")
	}
}

func TestPartitionThatWasSentGoesBehindTheOthers(t *testing.T) {
	r := newRig(t, 10)
	id := r.open(0, 1, 2)
	for n := range 3 {
		r.watch.tell(store.Event{Partition: store.PartitionID(n + 1), Change: store.ChangedRecords, Bytes: 1})
	}
	for _, want := range [][]int32{{0, 1, 2}, {1, 2, 0}, {2, 0, 1}, {0, 1, 2}} {
		p := r.begin(Request{SessionID: id, Epoch: r.cache.sessions[id].epoch})
		p.Lock()
		parts := p.Take(nil)
		var got []int32
		for _, part := range parts {
			got = append(got, part.Index)
		}
		p.Again(parts[0])
		p.First(parts[1:])
		p.Finish()
		p.Unlock()
		wantLooked(t, got, want...)
	}
}

func TestPartitionIsToldWhenAnOffsetOrAnErrorIsNew(t *testing.T) {
	r := newRig(t, 10)
	p := r.begin(Request{Wanted: wanted(0)})
	p.Lock()
	part := p.Take(nil)[0]
	p.Tell(part, Told{HighWatermark: 5, LogStart: 1})
	id := p.Finish()
	p.Unlock()
	p = r.begin(Request{SessionID: id, Epoch: 1})
	for i, step := range []struct {
		told Told
		want bool
	}{
		{Told{HighWatermark: 5, LogStart: 1}, false},
		{Told{HighWatermark: 6, LogStart: 1}, true},
		{Told{HighWatermark: 6, LogStart: 1}, false},
		{Told{HighWatermark: 6, LogStart: 2}, true},
		{Told{HighWatermark: 6, LogStart: 2, Records: true}, true},
		{Told{Code: kafkaapi.OffsetOutOfRange, HighWatermark: -1, LogStart: -1}, true},
		{Told{Code: kafkaapi.OffsetOutOfRange, HighWatermark: -1, LogStart: -1}, true},
		{Told{HighWatermark: 6, LogStart: 2}, true},
		{Told{HighWatermark: 6, LogStart: 2}, false},
	} {
		if got := p.Tell(part, step.told); got != step.want {
			t.Fatalf("step %d, %+v: told %v, want %v", i, step.told, got, step.want)
		}
	}
}

func TestFullCacheEvictsOnlyStaleOrSmallerOldSessions(t *testing.T) {
	r := newRig(t, 2)
	a, b := r.open(0), r.open(0, 1)
	if id := r.open(0, 1, 2); id != 0 {
		t.Fatalf("session in a full cache: got id %d, want 0", id)
	}
	r.clock.Advance(evictAfter + time.Second)
	r.finish(r.begin(Request{SessionID: a, Epoch: 1}))
	r.finish(r.begin(Request{SessionID: b, Epoch: 1}))
	if id := r.open(0); id != 0 {
		t.Fatalf("session as small as the smallest old one: got id %d, want 0", id)
	}
	c := r.open(0, 1, 2)
	if c == 0 {
		t.Fatal("session larger than the smallest old one: got none, want one")
	}
	r.wantCode(Request{SessionID: a, Epoch: 2}, kafkaapi.FetchSessionIDNotFound)
	r.clock.Advance(evictAfter + time.Second)
	if id := r.open(0); id == 0 {
		t.Fatal("session while another is stale: got none, want one")
	}
	r.wantCode(Request{SessionID: b, Epoch: 2}, kafkaapi.FetchSessionIDNotFound)
	if sessions, partitions := r.cache.Len(); sessions != 2 || partitions != 4 {
		t.Fatalf("sessions, partitions: got %d, %d; want 2, 4", sessions, partitions)
	}
}

func TestPartitionsThatComeAndGoAreNotRegisteredAnew(t *testing.T) {
	r := newRig(t, 10)
	var ns []int
	for n := range 100 {
		ns = append(ns, n)
	}
	id := r.open(ns...)
	for epoch := int32(1); epoch < 400; epoch += 2 {
		n := int(epoch) % 100
		look(r.begin(Request{SessionID: id, Epoch: epoch, Forgotten: []Key{key(n)}}))
		r.watch.tell(store.Event{Partition: store.PartitionID(n + 1), Change: store.ChangedRecords, Bytes: 1})
		wantLooked(t, look(r.begin(Request{SessionID: id, Epoch: epoch + 1, Wanted: wanted(n)})), int32(n))
	}
	if regs, ids := r.watch.live(); regs != 1 || ids != 100 {
		t.Fatalf("registrations: got %d of %d partitions, want 1 of 100", regs, ids)
	}
}

func TestRegistrationsStayBoundedWhenTheSubscriptionMoves(t *testing.T) {
	r := newRig(t, 10)
	id := r.open(0)
	for n := 1; n < 2000; n++ {
		p := r.begin(Request{SessionID: id, Epoch: int32(n), Wanted: wanted(n), Forgotten: []Key{key(n - 1)}})
		wantLooked(t, look(p), int32(n))
		if regs, ids := r.watch.live(); regs > 70 || ids > 80 {
			t.Fatalf("after %d changes: got %d registrations of %d partitions, want at most 70 of 80", n, regs, ids)
		}
		r.watch.tell(store.Event{Partition: store.PartitionID(n + 1), Change: store.ChangedRecords, Bytes: 1})
		wantLooked(t, look(p), int32(n))
	}
}

func TestPartitionsOfAllSessionsAreBounded(t *testing.T) {
	r := newRig(t, 10)
	r.cache.opts.MaxPartitions = 4
	a := r.open(0, 1)
	if id := r.open(0, 1, 2); id != 0 {
		t.Fatalf("session beyond the bound: got id %d, want 0", id)
	}
	b := r.open(0, 1)
	if a == 0 || b == 0 || r.cache.Crowded() {
		t.Fatalf("sessions within the bound: got ids %d, %d, crowded %v", a, b, r.cache.Crowded())
	}
	p := r.begin(Request{SessionID: a, Epoch: 1, Wanted: wanted(2)})
	if !r.cache.Crowded() {
		t.Fatal("beyond the bound: not crowded")
	}
	if id := r.finish(p); id != 0 {
		t.Fatalf("session that grew: got id %d, want its end", id)
	}
	r.wantCode(Request{SessionID: a, Epoch: 2}, kafkaapi.FetchSessionIDNotFound)
	r.finish(r.begin(Request{SessionID: b, Epoch: EpochFinal}))
	if n := r.cache.parts.Load(); n != 0 {
		t.Fatalf("partitions at the end: got %d, want 0", n)
	}
}

func TestEvictedSessionEndsWhenItsFetchIsDone(t *testing.T) {
	r := newRig(t, 1)
	a := r.open(0)
	p := r.begin(Request{SessionID: a, Epoch: 1})
	p.Lock()
	r.clock.Advance(evictAfter + time.Second)
	if id := r.open(0); id == 0 {
		t.Fatal("session while another is stale: got none, want one")
	}
	if regs, _ := r.watch.live(); regs != 2 {
		t.Fatalf("registrations while the evicted session's fetch looks: got %d, want 2", regs)
	}
	p.Unlock()
	if regs, _ := r.watch.live(); regs != 1 {
		t.Fatalf("registrations after it: got %d, want 1", regs)
	}
}

func ExampleCache() {
	c := NewCache(Options{Watcher: &fakeWatch{}, Random: func() int32 { return 7 }})
	var p Poll
	code := c.Begin(&p, &Request{Epoch: EpochFull, Wanted: []Wanted{{Key: Key{Name: "orders", Index: 3}}}})
	p.Lock()
	for _, part := range p.Take(nil) {
		fmt.Println(part.Name, part.Index, p.Tell(part, Told{HighWatermark: 12}))
	}
	fmt.Println(code, p.Finish())
	p.Unlock()
	// Output:
	// orders 3 true
	// NONE 7
}

package session

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/store"
)

// model is what Kafka does: each fetch goes through all partitions of its session.
type model struct {
	sessions map[int32]*modelSession
}

type modelSession struct {
	epoch   int32
	usesIDs bool
	parts   map[Key]*modelPart
}

type modelPart struct {
	offset int64
	told   int64
}

// world is a cache, the model, and the log both look at.
type world struct {
	*rig
	model model
	next  [6]int64 // of each partition
	gone  [6]bool  // deleted
}

// step is one operation, made of a few bytes so that a fuzz target can make them.
type step struct{ op, a, b, c byte }

func (w *world) do(s step) {
	switch s.op % 8 {
	case 0:
		n := int(s.a) % len(w.next)
		w.next[n] += int64(s.b%3) + 1
		w.watch.tell(store.Event{Partition: store.PartitionID(n + 1), Change: store.ChangedRecords | store.ChangedStable, Bytes: 1})
	case 1:
		n := int(s.a) % len(w.next)
		w.gone[n] = !w.gone[n]
		w.watch.tell(store.Event{Partition: store.PartitionID(n + 1), Change: store.ChangedDeleted})
	case 2:
		w.clock.Advance(time.Duration(s.a) * time.Second)
	default:
		w.fetch(s)
	}
}

// request makes a fetch out of a step: mostly of a session that exists, with its epoch.
func (w *world) request(s step) Request {
	req := Request{UsesIDs: s.c == 255}
	if ids := slices.Sorted(maps.Keys(w.model.sessions)); len(ids) > 0 && s.op%8 != 3 {
		req.SessionID = ids[int(s.a)%len(ids)]
		req.Epoch = w.model.sessions[req.SessionID].epoch
	}
	switch s.c {
	case 254:
		req.Epoch++
	case 253:
		req.SessionID += 1000
	case 252:
		req.Epoch = EpochFinal
	case 251:
		req.Epoch = EpochFull
	}
	for n := range w.next {
		switch {
		case s.b&(1<<n) != 0 && s.c&(1<<n) == 0:
			offset := max(w.next[n]-int64(s.a%3), 0)
			req.Wanted = append(req.Wanted, Wanted{Key: key(n), Params: Params{Offset: offset, LeaderEpoch: -1}})
		case s.b&(1<<n) != 0:
			req.Forgotten = append(req.Forgotten, key(n))
		}
	}
	return req
}

// told is what the log says of a partition at an offset.
func (w *world) told(n int32, offset int64) Told {
	if w.gone[n] {
		return Told{Code: kafkaapi.UnknownTopicOrPartition, HighWatermark: -1, LogStart: -1}
	}
	return Told{HighWatermark: w.next[n], Records: offset < w.next[n]}
}

func (w *world) fetch(s step) {
	req := w.request(s)
	var p Poll
	code := w.cache.Begin(&p, &req)
	m, wantCode := w.model.begin(&req)
	if code != wantCode {
		w.t.Fatalf("begin %+v: got %v, want %v", req, code, wantCode)
	}
	if code != kafkaapi.None {
		return
	}
	got, id := w.answer(&p, s.a%2 == 0)
	want := m.answer(w, req.Epoch <= 0)
	if !slices.Equal(got, want) {
		w.t.Fatalf("fetch %+v: answered partitions %v, want %v", req, got, want)
	}
	w.model.finish(m, &req, id, w.cache)
}

// answer looks as a fetch does, and returns the indexes it answers, in order.
func (w *world) answer(p *Poll, wait bool) ([]int32, int32) {
	p.Lock()
	defer p.Unlock()
	answered := w.look(p)
	if wait && len(answered) == 0 && p.Watch() {
		answered = w.look(p)
	}
	slices.Sort(answered)
	return answered, p.Finish()
}

func (w *world) look(p *Poll) []int32 {
	var answered []int32
	parts := p.Take(nil)
	for _, part := range parts {
		id := store.PartitionID(part.Index + 1)
		if w.gone[part.Index] {
			id = 0
		}
		p.Bind(part, id)
	}
	p.Register()
	for _, part := range parts {
		t := w.told(part.Index, part.Offset)
		if p.Tell(part, t) {
			answered = append(answered, part.Index)
		}
		if t.Code != kafkaapi.None || t.Records {
			p.Again(part)
		} else {
			p.Done(part)
		}
	}
	return answered
}

func (m *model) begin(req *Request) (*modelSession, kafkaapi.Code) {
	if req.Epoch == EpochFull || req.Epoch == EpochFinal {
		delete(m.sessions, req.SessionID)
		s := &modelSession{parts: map[Key]*modelPart{}, usesIDs: req.UsesIDs}
		s.update(req)
		return s, kafkaapi.None
	}
	s := m.sessions[req.SessionID]
	switch {
	case s == nil:
		return nil, kafkaapi.FetchSessionIDNotFound
	case s.epoch != req.Epoch:
		return nil, kafkaapi.InvalidFetchSessionEpoch
	case s.usesIDs != req.UsesIDs:
		return nil, kafkaapi.FetchSessionTopicIDError
	}
	s.epoch++
	s.update(req)
	return s, kafkaapi.None
}

func (s *modelSession) update(req *Request) {
	for _, w := range req.Wanted {
		if s.parts[w.Key] == nil {
			s.parts[w.Key] = &modelPart{told: -1}
		}
		s.parts[w.Key].offset = w.Offset
	}
	for _, k := range req.Forgotten {
		delete(s.parts, k)
	}
}

func (s *modelSession) answer(w *world, full bool) []int32 {
	var answered []int32
	for k, p := range s.parts {
		t := w.told(k.Index, p.offset)
		if full || t.Records || t.Code != kafkaapi.None || t.HighWatermark != p.told {
			answered = append(answered, k.Index)
		}
		p.told = t.HighWatermark
	}
	slices.Sort(answered)
	return answered
}

// finish takes over which sessions the cache has opened and evicted: eviction has tests of its own.
func (m *model) finish(s *modelSession, req *Request, id int32, c *Cache) {
	if req.Epoch == EpochFull && id != 0 {
		s.epoch = 1
		m.sessions[id] = s
	}
	maps.DeleteFunc(m.sessions, func(id int32, s *modelSession) bool {
		return len(s.parts) == 0 || c.sessions[id] == nil
	})
}

func run(tb testing.TB, data []byte) {
	tb.Helper()
	w := &world{rig: newRig(tb, 3), model: model{map[int32]*modelSession{}}}
	for ; len(data) >= 4; data = data[4:] {
		w.do(step{data[0], data[1], data[2], data[3]})
	}
	held := 0
	for _, s := range w.cache.sessions {
		held += s.parts.len()
	}
	if n := w.cache.parts.Load(); n != int64(held) {
		tb.Fatalf("partitions counted at the end: got %d, want %d", n, held)
	}
	if sessions, _ := w.cache.Len(); sessions > 3 || sessions != len(w.model.sessions) {
		tb.Fatalf("sessions at the end: got %d, want %d, at most 3", sessions, len(w.model.sessions))
	}
}

func TestRandomFetchesAreAnsweredAsWithoutSessions(t *testing.T) {
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(seed, 1))
		data := make([]byte, 4*200)
		for i := range data {
			data[i] = byte(random.Uint32())
		}
		run(t, data)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func FuzzFetchesAreAnsweredAsWithoutSessions(f *testing.F) {
	f.Add([]byte{3, 0, 63, 0, 4, 0, 0, 0, 0, 1, 1, 1, 4, 0, 0, 0})
	f.Add([]byte{3, 0, 3, 0, 1, 0, 0, 0, 4, 1, 0, 0, 1, 0, 0, 0, 4, 1, 0, 0, 2, 200, 0, 0, 3, 0, 7, 0})
	f.Fuzz(func(t *testing.T, data []byte) { run(t, data) })
}

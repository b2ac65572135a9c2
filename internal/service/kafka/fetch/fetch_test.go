package fetch

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/batch"
	"millrace/internal/core/store"
	"millrace/internal/service/kafka/logtest"
	"millrace/internal/service/kafka/session"
)

// rig is a fetcher on a store whose topic "t" has the partitions of ids.
type rig struct {
	testing.TB
	s   store.Store
	f   *Fetcher
	ids []store.PartitionID

	mu    sync.Mutex
	codes map[int32]kafkaapi.Code // what resolving a partition answers instead
}

func newRig(tb testing.TB, s store.Store, parts int, change ...func(*Options)) *rig {
	tb.Helper()
	r := &rig{TB: tb, s: s, codes: map[int32]kafkaapi.Code{}}
	if parts > 0 {
		r.ids = logtest.Partitions(tb, s, parts)
	}
	opts := Options{Store: s, Resolve: r.resolve}
	for _, c := range change {
		c(&opts)
	}
	r.f = New(opts)
	tb.Cleanup(func() { _ = r.f.Close() })
	return r
}

func (r *rig) resolve(_ context.Context, key *session.Key) (Place, kafkaapi.Code) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if code := r.codes[key.Index]; code != kafkaapi.None {
		return Place{}, code
	}
	if int(key.Index) >= len(r.ids) {
		return Place{}, kafkaapi.UnknownTopicOrPartition
	}
	return Place{ID: r.ids[key.Index]}, kafkaapi.None
}

func (r *rig) setCode(part int32, code kafkaapi.Code) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.codes[part] = code
}

func onEach(t *testing.T, parts int, fn func(r *rig)) {
	logtest.EachStore(t, func(t *testing.T, s store.Store) { fn(newRig(t, s, parts)) })
}

// append appends one batch of values.
func (r *rig) append(part int, values ...string) {
	r.Helper()
	logtest.Append(r, r.s, r.ids[part], logtest.Values(logtest.Fields{}, 0, values...))
}

// appendTxn appends a batch of a producer's transaction to partition 0.
func (r *rig) appendTxn(producer int64, seq int32, values ...string) {
	r.Helper()
	logtest.Append(r, r.s, r.ids[0], logtest.Values(logtest.Fields{Producer: producer, Sequence: seq, Transactional: true}, 0, values...))
}

// ask is a fetch without a session of partition 0 from offset on.
func ask(offset int64, change ...func(*Request)) *Request {
	q := NewRequest()
	q.Epoch = session.EpochFinal
	q.MinBytes, q.MaxBytes = 1, 50<<20
	want(q, 0, offset)
	for _, c := range change {
		c(q)
	}
	return q
}

func want(q *Request, part int32, offset int64) *session.Wanted {
	q.Wanted = append(q.Wanted, session.Wanted{
		Key:    session.Key{Name: "t", Index: part},
		Params: session.Params{Offset: offset, LeaderEpoch: -1, MaxBytes: 1 << 20},
	})
	return &q.Wanted[len(q.Wanted)-1]
}

func wait(d time.Duration) func(*Request) { return func(q *Request) { q.MaxWait = d } }

func committed(q *Request) { q.Committed = true }

// start sends a fetch; its answer comes on the channel.
func (r *rig) start(q *Request) chan *Request {
	done := make(chan *Request, 2)
	r.f.Fetch(q, func(q *Request) { done <- q })
	return done
}

// fetch sends a fetch and waits for its answer, which is given back at the end of the test.
func (r *rig) fetch(q *Request) *Request {
	r.Helper()
	a := <-r.start(q)
	r.Cleanup(a.Free)
	return a
}

// untilWaiting waits until n requests wait.
func (r *rig) untilWaiting(n int) {
	r.Helper()
	for end := time.Now().Add(10 * time.Second); r.f.Waiting() != n; {
		if time.Now().After(end) {
			r.Fatalf("requests that wait: got %d, want %d", r.f.Waiting(), n)
		}
		time.Sleep(100 * time.Microsecond)
	}
}

// show writes an answer in one line: part@base:values, or the code.
func show(q *Request) string {
	if q.Code != kafkaapi.None {
		return q.Code.Name()
	}
	var parts []string
	for i := range q.Parts {
		p := &q.Parts[i]
		if p.Code != kafkaapi.None {
			parts = append(parts, fmt.Sprintf("%d!%s", p.Key.Index, p.Code))
			continue
		}
		s := fmt.Sprint(p.Key.Index)
		for _, b := range p.Batches {
			s += fmt.Sprintf("@%d:", b.Base)
			h, err := batch.Verify(b.Bytes)
			if err != nil {
				return err.Error()
			}
			if h.Control() {
				s += "marker"
				continue
			}
			for rec, err := range batch.Records(b.Bytes, batch.Limits{}) {
				if err != nil {
					return err.Error()
				}
				s += string(rec.Value)
			}
		}
		parts = append(parts, s)
	}
	return strings.Join(parts, " ")
}

func (r *rig) wantAnswer(q *Request, want string) {
	r.Helper()
	if got := show(q); got != want {
		r.Fatalf("answer: got %q, want %q", got, want)
	}
}

func TestOffsetInsideABatchReturnsTheWholeBatch(t *testing.T) {
	onEach(t, 1, func(r *rig) {
		r.append(0, "a", "b", "c")
		r.append(0, "d")
		r.wantAnswer(r.fetch(ask(1)), "0@0:abc@3:d")
		r.wantAnswer(r.fetch(ask(3)), "0@3:d")
	})
}

func TestOneBatchIsReturnedEvenAboveMaxBytes(t *testing.T) {
	onEach(t, 2, func(r *rig) {
		big := strings.Repeat("x", 1000)
		for part := range 2 {
			r.append(part, big)
			r.append(part, "y")
		}
		q := ask(0)
		q.Wanted[0].MaxBytes = 1
		want(q, 1, 0).MaxBytes = 1
		r.wantAnswer(r.fetch(q), "0@0:"+big+" 1")
		q = ask(0)
		q.MaxBytes = 1
		want(q, 1, 0)
		r.wantAnswer(r.fetch(q), "0@0:"+big+" 1")
		q = ask(0)
		q.MaxBytes = 1200
		want(q, 1, 0)
		r.wantAnswer(r.fetch(q), "0@0:"+big+"@1:y 1")
	})
}

func TestOffsetsAreToldWithTheAnswer(t *testing.T) {
	onEach(t, 1, func(r *rig) {
		logtest.Producer(r, r.s, 7, 0)
		r.append(0, "a", "b")
		r.append(0, "c")
		r.appendTxn(7, 0, "d")
		logtest.Update(r, r.s, func(tx store.Tx) error { return tx.TrimPartition(r.ids[0], 2) })
		for _, q := range []*Request{ask(2), ask(4), ask(3, committed)} {
			p := r.fetch(q).Parts[0]
			if p.HighWatermark != 4 || p.LastStable != 3 || p.LogStart != 2 {
				r.Fatalf("high watermark, last stable, start: got %d, %d, %d; want 4, 3, 2", p.HighWatermark, p.LastStable, p.LogStart)
			}
		}
	})
}

func TestOffsetIsOutOfRangeOnlyWhenTrulyOut(t *testing.T) {
	onEach(t, 1, func(r *rig) {
		for range 4 {
			r.append(0, "a")
		}
		logtest.Update(r, r.s, func(tx store.Tx) error { return tx.TrimPartition(r.ids[0], 2) })
		for offset, out := range map[int64]bool{-1: true, 0: true, 1: true, 2: false, 3: false, 4: false, 5: true, 1 << 60: true} {
			a := r.fetch(ask(offset))
			p := a.Parts[0]
			if got := p.Code == kafkaapi.OffsetOutOfRange; got != out || p.Code != kafkaapi.None && !got {
				r.Errorf("offset %d: got %v, want out of range %v", offset, p.Code, out)
			}
			if out && (p.HighWatermark != -1 || p.LogStart != -1 || p.LastStable != -1) {
				r.Errorf("offset %d: offsets beside the error: got %+v, want -1", offset, p)
			}
		}
	})
}

func TestReaderOfCommittedRecordsNeverPassesTheLastStableOffset(t *testing.T) {
	onEach(t, 1, func(r *rig) {
		logtest.Producer(r, r.s, 7, 0)
		r.append(0, "a")
		r.appendTxn(7, 0, "b")
		r.append(0, "c")
		r.wantAnswer(r.fetch(ask(0, committed)), "0@0:a")
		r.wantAnswer(r.fetch(ask(1, committed)), "0")
		r.wantAnswer(r.fetch(ask(2, committed)), "0")
		r.wantAnswer(r.fetch(ask(0)), "0@0:a@1:b@2:c")
		logtest.End(r, r.s, 7, 0, true)
		r.wantAnswer(r.fetch(ask(0, committed)), "0@0:a@1:b@2:c@3:marker")
	})
}

func TestAbortedListIsOfExactlyWhatIsReturned(t *testing.T) {
	onEach(t, 1, func(r *rig) {
		for i := range int64(3) { // aborted transactions at 0-2, 3-5, 6-8: two records and a marker each
			logtest.Producer(r, r.s, store.ProducerID(7+i), 0)
			r.appendTxn(7+i, 0, "a")
			r.appendTxn(7+i, 1, "b")
			logtest.End(r, r.s, store.ProducerID(7+i), 0, false)
		}
		for _, c := range []struct {
			offset int64
			limit  int32 // in batches of 69 bytes
			want   string
		}{
			{0, 10, "7@0 8@3 9@6"},
			{0, 1, "7@0"},
			{4, 1, "8@3"},
			{2, 2, "7@0 8@3"},
			{8, 10, "9@6"},
		} {
			q := ask(c.offset, committed)
			q.Wanted[0].MaxBytes = 78 * c.limit
			p := r.fetch(q).Parts[0]
			var got []string
			for _, a := range p.Aborted {
				got = append(got, fmt.Sprintf("%d@%d", a.Producer, a.First))
			}
			if s := strings.Join(got, " "); s != c.want {
				r.Errorf("aborted from %d in %d batches: got %q, want %q", c.offset, len(p.Batches), s, c.want)
			}
		}
	})
}

func TestNoAbortedListForReadersOfUncommittedRecords(t *testing.T) {
	onEach(t, 1, func(r *rig) {
		logtest.Producer(r, r.s, 7, 0)
		r.appendTxn(7, 0, "a")
		logtest.End(r, r.s, 7, 0, false)
		if p := r.fetch(ask(0)).Parts[0]; p.Aborted != nil || p.Bytes == 0 {
			r.Fatalf("got %d bytes, aborted %v; want records and none", p.Bytes, p.Aborted)
		}
	})
}

func TestFetchOfOnlyAbortedOrControlRecordsLetsThePositionAdvance(t *testing.T) {
	onEach(t, 1, func(r *rig) {
		logtest.Producer(r, r.s, 7, 0)
		for i := range int32(3) {
			r.appendTxn(7, i, "x")
			logtest.End(r, r.s, 7, 0, false)
		}
		position := int64(0)
		for range 6 {
			q := ask(position, committed)
			q.Wanted[0].MaxBytes = 1
			p := r.fetch(q).Parts[0]
			if len(p.Batches) != 1 {
				r.Fatalf("at %d: got %d batches, want 1", position, len(p.Batches))
			}
			position = int64(p.Batches[0].Next)
		}
		if position != 6 {
			r.Fatalf("position: got %d, want 6", position)
		}
	})
}

func TestLeaderEpochsOfThePastAndTheFutureAreRefused(t *testing.T) {
	onEach(t, 1, func(r *rig) {
		logtest.Update(r, r.s, func(tx store.Tx) error { return tx.SetEpoch(r.ids[0], 3) })
		for epoch, want := range map[int32]kafkaapi.Code{
			-1: kafkaapi.None, 2: kafkaapi.FencedLeaderEpoch, 3: kafkaapi.None, 4: kafkaapi.UnknownLeaderEpoch,
		} {
			q := ask(0, wait(0))
			q.Wanted[0].LeaderEpoch = epoch
			if got := r.fetch(q).Parts[0].Code; got != want {
				r.Errorf("epoch %d: got %v, want %v", epoch, got, want)
			}
		}
	})
}

// holed is a store whose partitions end in a hole that compaction has left: their heads tell of records, reads find none.
// sessionOf opens a session over partitions 0 to n-1 from offset 0 and returns its id.
// next is the next fetch of a session, without any change.

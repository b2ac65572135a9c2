package fetch

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/batch"
	"millrace/internal/core/store"
	"millrace/internal/core/store/storetest"
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

func TestFetchWaitsForRecords(t *testing.T) {
	onEach(t, 2, func(r *rig) {
		q := ask(0, wait(time.Minute))
		want(q, 1, 0)
		done := r.start(q)
		r.untilWaiting(1)
		r.append(1, "a")
		a := <-done
		defer a.Free()
		r.wantAnswer(a, "0 1@0:a")
	})
}

func TestFetchWaitsForMinBytes(t *testing.T) {
	onEach(t, 2, func(r *rig) {
		r.append(0, "a") // 69 bytes
		q := ask(0, wait(time.Minute))
		q.MinBytes = 3 * 69
		want(q, 1, 0)
		done := r.start(q)
		r.untilWaiting(1)
		r.append(1, "b")
		r.append(0, "c")
		a := <-done
		defer a.Free()
		r.wantAnswer(a, "0@0:a@1:c 1@0:b")
	})
}

func TestMinBytesAboveMaxBytesAreMaxBytes(t *testing.T) {
	onEach(t, 1, func(r *rig) {
		r.append(0, "a")
		r.append(0, "b")
		q := ask(0, wait(time.Minute))
		q.MinBytes, q.MaxBytes = 1<<30, 2*69
		r.wantAnswer(r.fetch(q), "0@0:a@1:b")
	})
}

// holed is a store whose partitions end in a hole that compaction has left: their heads tell of records, reads find none.
type holed struct {
	store.Store
	reads atomic.Int32
}

func (s *holed) Read(ctx context.Context, req store.ReadRequest) (store.ReadResult, error) {
	s.reads.Add(1)
	h, err := s.Head(ctx, req.Partition)
	return store.NewReadResult(h, nil, nil, nil), err
}

func TestHoleAtTheEndNeverMakesAConsumerLoop(t *testing.T) {
	logtest.EachStore(t, func(t *testing.T, s store.Store) {
		h := &holed{Store: s}
		r := newRig(t, h, 1)
		r.append(0, "a")
		start := time.Now()
		for range 3 {
			r.wantAnswer(r.fetch(ask(0, wait(20*time.Millisecond))), "0")
		}
		if took, n := time.Since(start), h.reads.Load(); took < 60*time.Millisecond || n > 9 {
			t.Fatalf("3 fetches of 20ms: took %v and %d reads, want 60ms and at most 9", took, n)
		}
	})
}

func TestFetchThatWaitedLongEnoughReturnsWhatThereIs(t *testing.T) {
	onEach(t, 1, func(r *rig) {
		r.append(0, "a")
		q := ask(0, wait(20*time.Millisecond))
		q.MinBytes = 1000
		start := time.Now()
		r.wantAnswer(r.fetch(q), "0@0:a")
		if took := time.Since(start); took < 20*time.Millisecond {
			r.Fatalf("answered after %v, want at least 20ms", took)
		}
		r.wantAnswer(r.fetch(ask(1, wait(5*time.Millisecond))), "0")
	})
}

func TestReaderOfCommittedRecordsIsWokenWhenATransactionEnds(t *testing.T) {
	onEach(t, 1, func(r *rig) {
		logtest.Producer(r, r.s, 7, 0)
		done := r.start(ask(0, wait(time.Minute), committed))
		r.untilWaiting(1)
		r.appendTxn(7, 0, "a")
		select {
		case a := <-done:
			r.Fatalf("answered %q while the transaction is open", show(a))
		default:
		}
		logtest.End(r, r.s, 7, 0, true)
		a := <-done
		defer a.Free()
		r.wantAnswer(a, "0@0:a@1:marker")
	})
}

func TestDeletedPartitionEndsTheWait(t *testing.T) {
	onEach(t, 1, func(r *rig) {
		done := r.start(ask(0, wait(time.Minute)))
		r.untilWaiting(1)
		logtest.Update(r, r.s, func(tx store.Tx) error { return tx.DeletePartition(r.ids[0]) })
		a := <-done
		defer a.Free()
		r.wantAnswer(a, "0!UNKNOWN_TOPIC_OR_PARTITION")
	})
}

func TestNewLeaderEpochEndsTheWait(t *testing.T) {
	onEach(t, 1, func(r *rig) {
		q := ask(0, wait(time.Minute))
		q.Wanted[0].LeaderEpoch = 0
		done := r.start(q)
		r.untilWaiting(1)
		logtest.Update(r, r.s, func(tx store.Tx) error { return tx.SetEpoch(r.ids[0], 1) })
		a := <-done
		defer a.Free()
		r.wantAnswer(a, "0!FENCED_LEADER_EPOCH")
	})
}

func TestUnknownTopicIsAnsweredAtOnceOnlyWhenNothingElseIsAsked(t *testing.T) {
	onEach(t, 1, func(r *rig) {
		q := NewRequest()
		q.Epoch, q.MaxWait, q.MinBytes, q.MaxBytes = session.EpochFinal, time.Minute, 1, 1<<20
		want(q, 9, 0)
		r.wantAnswer(r.fetch(q), "9!UNKNOWN_TOPIC_OR_PARTITION")

		q = ask(0, wait(time.Minute))
		want(q, 9, 0)
		done := r.start(q)
		r.untilWaiting(1)
		r.append(0, "a")
		a := <-done
		defer a.Free()
		r.wantAnswer(a, "0@0:a 9!UNKNOWN_TOPIC_OR_PARTITION")
	})
}

func TestPartitionThatWasForgottenIsEmptyAndCanBeWaitedFor(t *testing.T) {
	onEach(t, 1, func(r *rig) {
		r.ids = append(r.ids, 0)
		q := ask(0, wait(5*time.Millisecond))
		q.Wanted = q.Wanted[:0]
		want(q, 1, 0)
		done := r.start(q)
		a := <-done
		defer a.Free()
		r.wantAnswer(a, "1")
		if p := a.Parts[0]; p.HighWatermark != 0 || p.LogStart != 0 {
			r.Fatalf("offsets: got %+v, want 0", p)
		}
	})
}

// sessionOf opens a session over partitions 0 to n-1 from offset 0 and returns its id.
func (r *rig) sessionOf(n int) int32 {
	r.Helper()
	q := ask(0, wait(time.Millisecond))
	q.Epoch = session.EpochFull
	for part := 1; part < n; part++ {
		want(q, int32(part), 0)
	}
	a := <-r.start(q)
	defer a.Free()
	if a.AnswerID == 0 {
		r.Fatal("session id: got 0")
	}
	return a.AnswerID
}

// next is the next fetch of a session, without any change.
func next(id, epoch int32, d time.Duration) *Request {
	q := NewRequest()
	q.SessionID, q.Epoch, q.MaxWait, q.MinBytes, q.MaxBytes = id, epoch, d, 1, 50<<20
	return q
}

func TestIncrementalFetchAnswersOnlyWhatHasChanged(t *testing.T) {
	onEach(t, 5, func(r *rig) {
		id := r.sessionOf(5)
		r.wantAnswer(r.fetch(next(id, 1, time.Millisecond)), "")
		r.append(3, "a")
		r.wantAnswer(r.fetch(next(id, 2, time.Minute)), "3@0:a")
		r.wantAnswer(r.fetch(next(id, 3, time.Minute)), "3@0:a") // the client has not moved
		q := next(id, 4, time.Millisecond)
		want(q, 3, 1)
		r.wantAnswer(r.fetch(q), "")
		done := r.start(next(id, 5, time.Minute))
		r.untilWaiting(1)
		r.append(4, "b")
		a := <-done
		defer a.Free()
		r.wantAnswer(a, "4@0:b")
	})
}

func TestPartitionThatComesBackIsToldAgain(t *testing.T) {
	onEach(t, 2, func(r *rig) {
		id := r.sessionOf(2)
		r.setCode(1, kafkaapi.UnknownTopicOrPartition)
		q := next(id, 1, time.Millisecond)
		want(q, 1, 0)
		r.wantAnswer(r.fetch(q), "1!UNKNOWN_TOPIC_OR_PARTITION")
		r.wantAnswer(r.fetch(next(id, 2, time.Millisecond)), "1!UNKNOWN_TOPIC_OR_PARTITION")
		r.setCode(1, kafkaapi.None)
		r.wantAnswer(r.fetch(next(id, 3, time.Millisecond)), "1")
		r.wantAnswer(r.fetch(next(id, 4, time.Millisecond)), "")
		done := r.start(next(id, 5, time.Minute))
		r.untilWaiting(1)
		r.append(1, "a")
		a := <-done
		defer a.Free()
		r.wantAnswer(a, "1@0:a")
	})
}

func TestPartitionOfATopicThatWasMadeAgainIsFollowed(t *testing.T) {
	onEach(t, 1, func(r *rig) {
		r.append(0, "old")
		id := r.sessionOf(1)
		q := next(id, 1, time.Millisecond)
		want(q, 0, 1)
		r.wantAnswer(r.fetch(q), "")
		logtest.Update(r, r.s, func(tx store.Tx) error { return tx.DeletePartition(r.ids[0]) })
		r.ids[0] = logtest.Partition(r, r.s)
		r.wantAnswer(r.fetch(next(id, 2, time.Minute)), "0!OFFSET_OUT_OF_RANGE")
		q = next(id, 3, time.Minute)
		want(q, 0, 0)
		done := r.start(q)
		r.untilWaiting(1)
		r.append(0, "new")
		a := <-done
		defer a.Free()
		r.wantAnswer(a, "0@0:new")
	})
}

func TestTrimmedStartIsToldToASession(t *testing.T) {
	onEach(t, 1, func(r *rig) {
		r.append(0, "a")
		id := r.sessionOf(1)
		q := next(id, 1, time.Millisecond)
		want(q, 0, 1)
		r.wantAnswer(r.fetch(q), "")
		logtest.Update(r, r.s, func(tx store.Tx) error { return tx.TrimPartition(r.ids[0], 1) })
		a := r.fetch(next(id, 2, time.Millisecond))
		if r.wantAnswer(a, "0"); a.Parts[0].LogStart != 1 {
			r.Fatalf("start: got %d, want 1", a.Parts[0].LogStart)
		}
	})
}

func TestLargePartitionDoesNotStarveTheOthersOfASession(t *testing.T) {
	onEach(t, 3, func(r *rig) {
		for part := range 3 {
			for range 5 {
				r.append(part, "x")
			}
		}
		id := r.sessionOf(3)
		var position [3]int64
		for epoch := int32(1); epoch <= 15; epoch++ {
			q := next(id, epoch, time.Minute)
			q.MaxBytes = 69
			for part := range int32(3) {
				want(q, part, position[part])
			}
			for _, p := range r.fetch(q).Parts {
				for _, b := range p.Batches {
					position[p.Key.Index] = int64(b.Next)
				}
			}
			lo, hi := min(position[0], position[1], position[2]), max(position[0], position[1], position[2])
			if hi-lo > 1 {
				r.Fatalf("after %d fetches: positions %v, want them side by side", epoch, position)
			}
		}
	})
}

func TestEpochOfASessionThatHasPassedIsAnsweredWithAnError(t *testing.T) {
	onEach(t, 1, func(r *rig) {
		id := r.sessionOf(1)
		first := r.start(next(id, 1, time.Minute))
		r.untilWaiting(1)
		second := r.start(next(id, 2, time.Millisecond))
		a, b := <-first, <-second
		defer a.Free()
		defer b.Free()
		r.wantAnswer(a, "INVALID_FETCH_SESSION_EPOCH")
		r.wantAnswer(b, "")
		r.wantAnswer(r.fetch(next(id, 9, 0)), "INVALID_FETCH_SESSION_EPOCH")
		r.wantAnswer(r.fetch(next(id+1, 9, 0)), "FETCH_SESSION_ID_NOT_FOUND")
	})
}

func TestAnswersOnTheirWayAreBoundedAndEachGetsItsTurn(t *testing.T) {
	logtest.EachStore(t, func(t *testing.T, s store.Store) {
		r := newRig(t, s, 1, func(o *Options) { o.MaxHeldBytes = 3000 })
		r.append(0, strings.Repeat("x", 1000))
		var answers []chan *Request
		for range 10 {
			q := ask(0, wait(time.Minute))
			q.MaxBytes = 1200
			answers = append(answers, r.start(q))
		}
		for i, done := range answers {
			a := <-done
			if a.Bytes < 1000 {
				t.Fatalf("answer %d: got %d bytes, want the batch", i, a.Bytes)
			}
			ahead := 0
			for _, later := range answers[i+1:] {
				ahead += len(later)
			}
			if ahead > 2 {
				t.Fatalf("answers on their way beside one of 1,069 bytes: got %d, want at most 2 of a budget of 3,000", ahead)
			}
			a.Free()
		}
		r.f.budget.mu.Lock()
		defer r.f.budget.mu.Unlock()
		if r.f.budget.free != 3000 {
			t.Fatalf("budget at the end: got %d, want 3000", r.f.budget.free)
		}
	})
}

func TestRequestsThatWaitAreBounded(t *testing.T) {
	logtest.EachStore(t, func(t *testing.T, s store.Store) {
		r := newRig(t, s, 1, func(o *Options) { o.MaxWaiting = 2 })
		first := r.start(ask(0, wait(time.Minute)))
		r.untilWaiting(1)
		second := r.start(ask(0, wait(2*time.Minute)))
		r.untilWaiting(2)
		third := r.start(ask(0, wait(3*time.Minute)))
		a := <-first
		defer a.Free()
		r.wantAnswer(a, "0")
		r.append(0, "a")
		for _, done := range []chan *Request{second, third} {
			a := <-done
			defer a.Free()
			r.wantAnswer(a, "0@0:a")
		}
	})
}

func TestAnswersGetSmallerWhenMuchIsHeld(t *testing.T) {
	r := newRig(t, storetest.NewModel(), 1, func(o *Options) { o.MaxHeldBytes = 32 << 20 })
	for range 12 {
		r.append(0, strings.Repeat("x", 1<<20-100))
	}
	for i, want := range []int{12, 4, 4} { // of 1 MiB: all there is, and what is modest when half is held
		q := ask(0)
		q.MaxBytes, q.Wanted[0].MaxBytes = 16<<20, 16<<20
		if got := len(r.fetch(q).Parts[0].Batches); got != want {
			t.Fatalf("answer %d: got %d batches, want %d", i, got, want)
		}
	}
}

func TestCloseAnswersWhoWaits(t *testing.T) {
	onEach(t, 1, func(r *rig) {
		done := r.start(ask(0, wait(time.Hour)))
		r.untilWaiting(1)
		if err := r.f.Close(); err != nil {
			r.Fatal(err)
		}
		a := <-done
		defer a.Free()
		r.wantAnswer(a, "0")
		r.wantAnswer(r.fetch(ask(0, wait(time.Hour))), "0")
	})
}

func TestSessionThatIsGivenUpWhileItsFetchWaitsAnswersIt(t *testing.T) {
	onEach(t, 1, func(r *rig) {
		id := r.sessionOf(1)
		done := r.start(next(id, 1, time.Hour))
		r.untilWaiting(1)
		end := ask(0)
		end.SessionID = id
		r.fetch(end)
		a := <-done
		defer a.Free()
		r.wantAnswer(a, "")
	})
}

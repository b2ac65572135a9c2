package fetch

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"millrace/internal/core/store"
	"millrace/internal/core/store/storetest"
	"millrace/internal/service/kafka/logtest"
	"millrace/internal/service/kafka/session"
)

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

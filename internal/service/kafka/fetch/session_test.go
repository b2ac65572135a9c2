package fetch

import (
	"testing"
	"time"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/store"
	"millrace/internal/service/kafka/logtest"
	"millrace/internal/service/kafka/session"
)

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

package fetch

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"millrace/internal/service/kafka/logtest"
	"millrace/internal/service/kafka/session"
)

// BenchmarkIdlePoll is a fetch of a session in which nothing has changed: budget 3 µs, whatever is subscribed.
func BenchmarkIdlePoll(b *testing.B) {
	for _, parts := range []int{1, 1000} {
		b.Run(fmt.Sprintf("partitions=%d", parts), func(b *testing.B) {
			r := newRig(b, logtest.InMemory(b), parts)
			id := r.sessionOf(parts)
			epoch := int32(1)
			b.ReportAllocs()
			for b.Loop() {
				q := next(id, epoch, 0)
				r.f.Fetch(q, (*Request).Free)
				epoch++
			}
		})
	}
}

// BenchmarkWaitAndTimeOut is a fetch without records from its begin to its end after max_wait, with 1,000 others that do
// the same: budget 10 µs.
func BenchmarkWaitAndTimeOut(b *testing.B) {
	for _, full := range []bool{false, true} {
		b.Run(fmt.Sprintf("session=%v", !full), func(b *testing.B) {
			r := newRig(b, logtest.InMemory(b), 1)
			const pollers = 1000
			var left atomic.Int64
			left.Store(int64(b.N))
			ended := make(chan struct{}, pollers)
			b.ReportAllocs()
			b.ResetTimer()
			start := time.Now()
			for range pollers {
				var id, epoch int32
				var poll func(*Request)
				poll = func(a *Request) {
					if !full && id == 0 {
						id = a.AnswerID
					}
					epoch++
					a.Free()
					if left.Add(-1) < 0 {
						ended <- struct{}{}
						return
					}
					q := ask(0, wait(20*time.Millisecond))
					if id != 0 {
						q.SessionID, q.Epoch, q.Wanted = id, epoch, q.Wanted[:0]
					}
					r.f.Fetch(q, poll)
				}
				q := ask(0, wait(20*time.Millisecond))
				if !full {
					q.Epoch = session.EpochFull
				}
				r.f.Fetch(q, poll)
			}
			for range pollers {
				<-ended
			}
			b.ReportMetric(float64(b.N)/time.Since(start).Seconds(), "polls/s")
		})
	}
}

// BenchmarkTail reads batches near the end of the log: budget 6 allocations and 2 µs beside the store's.
func BenchmarkTail(b *testing.B) {
	for _, size := range []int{1 << 10, 1<<20 - 100} {
		b.Run(fmt.Sprintf("batch=%d", size), func(b *testing.B) {
			r := newRig(b, logtest.InMemory(b), 1)
			r.append(0, strings.Repeat("x", size))
			id := r.sessionOf(1)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			epoch := int32(1)
			for b.Loop() {
				q := next(id, epoch, 0)
				want(q, 0, 0)
				r.f.Fetch(q, func(a *Request) {
					if a.Bytes == 0 {
						b.Errorf("got %q", show(a))
					}
					a.Free()
				})
				epoch++
			}
		})
	}
}

// BenchmarkWake is the time from a commit to the answer of a fetch that waits for it, commit included.
func BenchmarkWake(b *testing.B) {
	r := newRig(b, logtest.InMemory(b), 1)
	id := r.sessionOf(1)
	done := make(chan int64, 1)
	offset, epoch := int64(0), int32(1)
	batch := logtest.Values(logtest.Fields{}, 0, strings.Repeat("x", 1024))
	b.ReportAllocs()
	for b.Loop() {
		q := next(id, epoch, time.Minute)
		want(q, 0, offset)
		r.f.Fetch(q, func(a *Request) {
			next := int64(a.Parts[0].Batches[len(a.Parts[0].Batches)-1].Next)
			a.Free()
			done <- next
		})
		logtest.Append(b, r.s, r.ids[0], batch)
		offset = <-done
		epoch++
	}
}

// BenchmarkCatchUp reads a partition of 64 MiB from its start on, in answers of 1 MiB of batches of 16 KiB, each batch
// held to its sum: the most of it is older than the tail cache.
func BenchmarkCatchUp(b *testing.B) {
	r := newRig(b, logtest.OnDisk(b), 1)
	batch := logtest.Values(logtest.Fields{}, 0, slices.Repeat([]string{strings.Repeat("x", 1024)}, 16)...)
	end := int64(0)
	for range 64 << 20 / len(batch) {
		end = int64(logtest.Append(b, r.s, r.ids[0], batch)) + 16
	}
	id, epoch, offset := r.sessionOf(1), int32(1), int64(0)
	b.SetBytes(1 << 20)
	b.ReportAllocs()
	for b.Loop() {
		q := next(id, epoch, 0)
		want(q, 0, offset)
		r.f.Fetch(q, func(a *Request) {
			if a.Bytes == 0 {
				b.Fatalf("at %d: got %q", offset, show(a))
			}
			last := a.Parts[0].Batches
			if offset = int64(last[len(last)-1].Next); offset == end {
				offset = 0
			}
			a.Free()
		})
		epoch++
	}
}

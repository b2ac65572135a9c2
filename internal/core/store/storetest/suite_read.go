package storetest

import (
	"errors"
	"fmt"
	"slices"

	"millrace/internal/core/store"
)

var readTests = []test{
	{"ReadBeginsWithTheBatchThatHoldsTheOffset", func(e *env) {
		id := e.partition()
		e.add(0, plain("a", "b", "c").to(id))
		e.add(3, plain("d", "e").to(id))
		for from, want := range []store.Offset{0, 0, 0, 3, 3} {
			res := e.read(store.ReadRequest{Partition: id, From: store.Offset(from), MaxBytes: 1})
			if len(res.Batches) != 1 || res.Batches[0].Base != want {
				e.Errorf("Read from %d: got %+v, want the batch at %d", from, res.Batches, want)
			}
		}
	}},
	{"ReadReturnsAtLeastOneBatchAndElseAtMostMaxBytes", func(e *env) {
		id := e.partition()
		for i := range 10 {
			e.add(store.Offset(i), plain(fmt.Sprint(i)).to(id))
		}
		size := len(plain("0").bytes())
		for _, maxBytes := range []int{0, 1, size - 1, size, 2*size - 1, 2 * size, 5 * size, 100 * size} {
			res := e.read(store.ReadRequest{Partition: id, From: 0, MaxBytes: maxBytes})
			n := len(res.Batches)
			if n == 0 || n > 1 && n*size > maxBytes {
				e.Errorf("Read of %d bytes: got %d batches of %d bytes", maxBytes, n, size)
			}
			if got := e.readBatches(id, 0, maxBytes, store.ReadUncommitted); len(got) != 10 {
				e.Errorf("Read of the whole in pieces of %d bytes: got %d batches, want 10", maxBytes, len(got))
			}
		}
	}},
	{"ReadAtTheEndReturnsNothing", func(e *env) {
		id := e.partition()
		for _, next := range []store.Offset{0, 1} {
			res := e.read(store.ReadRequest{Partition: id, From: next, MaxBytes: 100})
			if len(res.Batches) != 0 || res.Head.Next != next {
				e.Fatalf("Read at the end: got %+v", res)
			}
			e.add(next, loose(id, "a"))
		}
	}},
	{"ReadBeyondTheEndIsOutOfRange", func(e *env) {
		id := e.partition()
		e.add(0, loose(id, "a"))
		if _, err := e.s.Read(e.ctx, store.ReadRequest{Partition: id, From: 2, MaxBytes: 100}); !errors.Is(err, store.ErrOffsetOutOfRange) {
			e.Fatalf("got %v", err)
		}
	}},
	{"ReadBeforeTheStartIsTrimmed", func(e *env) {
		id := e.partition()
		var trimmed *store.TrimmedError
		if _, err := e.s.Read(e.ctx, store.ReadRequest{Partition: id, From: -1, MaxBytes: 100}); !errors.As(err, &trimmed) {
			e.Fatalf("got %v", err)
		}
	}},
	{"ReadTellsTheHeadItWasMadeUnder", func(e *env) {
		id := e.partition()
		e.add(0, loose(id, "a"))
		res := e.read(store.ReadRequest{Partition: id, MaxBytes: 100})
		wantEqual(e, "head", res.Head, e.head(id))
		wantEqual(e, "append time of the batch", res.Batches[0].AppendTime, res.Head.LastAppend)
	}},
	{"CommittedReadAboveLastStableReturnsNothing", func(e *env) {
		id := e.partition()
		e.producer(7, 0)
		e.add(0, inTxn(7, 0, "a").to(id))
		e.add(1, loose(id, "b"))
		for from := range store.Offset(3) {
			res := e.read(store.ReadRequest{Partition: id, From: from, MaxBytes: 100, Isolation: store.ReadCommitted})
			if len(res.Batches) != 0 || res.Head.LastStable != 0 || res.Head.Next != 2 {
				e.Errorf("committed read from %d: got %+v", from, res)
			}
		}
	}},
	{"SeekFindsTheFirstBatchAtOrAfterATimestamp", func(e *env) {
		id := e.partition()
		for i, ms := range []int64{100, 300, 200, 400} { // timestamps may go back
			e.add(store.Offset(2*i), made{producer: store.NoProducer, epoch: -1, seq: -1, time: ms, values: []string{"a", "b"}}.to(id))
		}
		for _, c := range []struct {
			ms   int64
			want store.Offset
			ok   bool
		}{{0, 0, true}, {100, 0, true}, {101, 2, true}, {200, 2, true}, {300, 2, true}, {301, 6, true}, {400, 6, true}, {401, 8, false}} {
			got, ok, err := e.s.Seek(e.ctx, id, c.ms, store.SeekTimestamp)
			if err != nil || got != c.want || ok != c.ok {
				e.Errorf("Seek(%d): got %d, %v, %v; want %d, %v", c.ms, got, ok, err, c.want, c.ok)
			}
		}
	}},
	{"SeekOfAnEmptyPartitionGivesNext", func(e *env) {
		id := e.partition()
		if at, ok, err := e.s.Seek(e.ctx, id, 0, store.SeekAppendTime); at != 0 || ok || err != nil {
			e.Fatalf("got %d, %v, %v", at, ok, err)
		}
	}},
	{"SeekByAppendTimeFindsEachBatch", func(e *env) {
		id := e.partition()
		for i := range 8 {
			e.add(store.Offset(i), plain("x").to(id))
		}
		checkSeek(e, id)
		last := e.head(id)
		if at, ok, err := e.s.Seek(e.ctx, id, last.LastAppend+1, store.SeekAppendTime); at != last.Next || ok || err != nil {
			e.Fatalf("Seek after the last batch: got %d, %v, %v", at, ok, err)
		}
	}},
	{"ReleasedBytesAreNotNeededTwice", func(e *env) {
		id := e.partition()
		e.add(0, loose(id, "a"))
		res, err := e.s.Read(e.ctx, store.ReadRequest{Partition: id, MaxBytes: 100})
		if err != nil {
			e.Fatal(err)
		}
		res.Release()
		res.Release()
		e.wantValues(id, store.ReadUncommitted, "a")
	}},
	{"OldAndNewRecordsAreReadWhileOthersAreWritten", func(e *env) {
		id := e.partition()
		const n = 60
		done := make(chan struct{})
		go func() {
			defer close(done)
			for i := range n {
				if res, err := e.s.Append(e.ctx, []store.AppendRequest{loose(id, fmt.Sprint(i))}); err != nil || res[0].Err != nil {
					e.Errorf("Append: %+v, %v", res, err)
					return
				}
			}
		}()
		var got []string
		for len(got) < n && !e.Failed() {
			for _, r := range e.records(e.readBatches(id, store.Offset(len(got)), 500, store.ReadUncommitted)) {
				got = append(got, string(r.Value))
			}
		}
		<-done
		for i, v := range got {
			if v != fmt.Sprint(i) {
				e.Fatalf("record %d: got %q; all: %q", i, v, got)
			}
		}
	}},
}

// checkSeek compares Seek with what the batches of a partition say.
func checkSeek(e *env, id store.PartitionID) {
	e.Helper()
	h := e.head(id)
	all := e.readBatches(id, h.Start, 1<<20, store.ReadUncommitted)
	for _, by := range []store.SeekBy{store.SeekAppendTime, store.SeekTimestamp} {
		of := func(b store.Batch) int64 {
			if by == store.SeekAppendTime {
				return b.AppendTime
			}
			return header(e, b).MaxTimestamp
		}
		for _, b := range all {
			for _, ms := range []int64{of(b) - 1, of(b), of(b) + 1} {
				want, found := h.Next, false
				if i := slices.IndexFunc(all, func(b store.Batch) bool { return of(b) >= ms }); i >= 0 {
					want, found = max(all[i].Base, h.Start), true
				}
				got, ok, err := e.s.Seek(e.ctx, id, ms, by)
				if err != nil || got != want || ok != found {
					e.Fatalf("Seek(partition %d, %d, by %d): got %d, %v, %v; want %d, %v", id, ms, by, got, ok, err, want, found)
				}
			}
		}
	}
}

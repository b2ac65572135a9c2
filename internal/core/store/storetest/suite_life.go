package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"millrace/internal/core/store"
)

var lifeTests = []test{
	{"CancelledContextIsRefusedAndWritesNothing", func(e *env) {
		id := e.partition()
		ctx, cancel := context.WithCancel(e.ctx)
		cancel()
		if _, err := e.s.Update(ctx, func(tx store.Tx) error { return tx.Set(key("a"), nil) }); !errors.Is(err, context.Canceled) {
			e.Errorf("Update: got %v", err)
		}
		if _, err := e.s.Append(ctx, []store.AppendRequest{loose(id, "a")}); !errors.Is(err, context.Canceled) {
			e.Errorf("Append: got %v", err)
		}
		if err := e.s.View(ctx, func(store.ReadTx) error { return nil }); !errors.Is(err, context.Canceled) {
			e.Errorf("View: got %v", err)
		}
		e.wantGet(key("a"), "-")
		wantEqual(e, "next offset", e.head(id).Next, 0)
	}},
	{"PassedDeadlineIsRefused", func(e *env) {
		id := e.partition()
		ctx, cancel := context.WithDeadline(e.ctx, time.Now().Add(-time.Second))
		defer cancel()
		if _, err := e.s.Append(ctx, []store.AppendRequest{loose(id, "a")}); !errors.Is(err, context.DeadlineExceeded) {
			e.Errorf("Append: got %v", err)
		}
		wantEqual(e, "next offset", e.head(id).Next, 0)
	}},
	{"ContextCancelledInFnWritesNothing", func(e *env) {
		ctx, cancel := context.WithCancel(e.ctx)
		_, err := e.s.Update(ctx, func(tx store.Tx) error { cancel(); return tx.Set(key("a"), []byte("1")) })
		if got := e.get(key("a")); err == nil && got != "1" || errors.Is(err, context.Canceled) && got != "-" {
			e.Fatalf("Update: got error %v, and the key is %q", err, got)
		}
	}},
	{"ErrorOfFnIsReturnedAsItIs", func(e *env) {
		mine := errors.New("mine")
		e.refuses(mine, func(store.Tx) error { return fmt.Errorf("wrapped: %w", mine) })
		if err := e.s.View(e.ctx, func(store.ReadTx) error { return mine }); !errors.Is(err, mine) {
			e.Fatalf("View: got %v", err)
		}
	}},
	{"PanicInFnReachesTheCallerAndLeavesTheStoreWorking", func(e *env) {
		caught := func(call func()) (v any) {
			defer func() { v = recover() }()
			call()
			return nil
		}
		for range 3 {
			if v := caught(func() {
				_, _ = e.s.Update(e.ctx, func(tx store.Tx) error { _ = tx.Set(key("a"), nil); panic("in update") })
			}); v != "in update" {
				e.Errorf("Update: got panic %v", v)
			}
			if v := caught(func() { _ = e.s.View(e.ctx, func(store.ReadTx) error { panic("in view") }) }); v != "in view" {
				e.Errorf("View: got panic %v", v)
			}
		}
		e.wantGet(key("a"), "-")
		e.set(key("a"), "1")
		e.wantGet(key("a"), "1")
	}},
	{"NowNeverGoesBack", func(e *env) {
		last := e.s.Now()
		for range 200 {
			now := e.s.Now()
			if now < last {
				e.Fatalf("Now: got %d after %d", now, last)
			}
			last = now
		}
		c := e.update(func(tx store.Tx) error {
			if tx.Now() < last {
				e.Errorf("Now in a transaction: got %d after %d", tx.Now(), last)
			}
			return tx.Set(key("a"), nil)
		})
		if c.Time < last || e.s.Now() < c.Time {
			e.Fatalf("commit at %d between %d and %d", c.Time, last, e.s.Now())
		}
	}},
	{"ClosedStoreRefusesEverything", func(e *env) {
		id := e.partition()
		for range 2 {
			if err := e.s.Close(); err != nil {
				e.Fatalf("Close: %v", err)
			}
		}
		_, update := e.s.Update(e.ctx, func(tx store.Tx) error { return tx.Set(key("a"), nil) })
		_, add := e.s.Append(e.ctx, []store.AppendRequest{loose(id, "a")})
		view := e.s.View(e.ctx, func(store.ReadTx) error { return nil })
		_, read := e.s.Read(e.ctx, store.ReadRequest{Partition: id})
		_, head := e.s.Head(e.ctx, id)
		_, stat := e.s.Stat(e.ctx, id)
		_, _, seek := e.s.Seek(e.ctx, id, 0, store.SeekAppendTime)
		_, list := e.s.Partitions(e.ctx, 0, 1)
		for what, err := range map[string]error{"Update": update, "Append": add, "View": view, "Read": read, "Head": head, "Stat": stat, "Seek": seek, "Partitions": list} {
			if !errors.Is(err, store.ErrStopped) {
				e.Errorf("%s after Close: got %v, want %v", what, err, store.ErrStopped)
			}
		}
		e.s.Watch([]store.PartitionID{id}, func(store.Event) {})()
		e.s.Now()
	}},
	{"CloseAnswersEverybodyWhoWaits", func(e *env) {
		id := e.partition()
		var wg sync.WaitGroup
		started := make(chan struct{}, 64)
		for w := range 8 {
			wg.Go(func() {
				for i := 0; ; i++ {
					var err error
					if w%2 == 0 {
						_, err = e.s.Append(e.ctx, []store.AppendRequest{loose(id, "a")})
					} else {
						_, err = e.s.Update(e.ctx, func(tx store.Tx) error { return tx.Set(key("%d", w), nil) })
					}
					if i == 0 {
						started <- struct{}{}
					}
					if errors.Is(err, store.ErrStopped) {
						return
					}
					if err != nil {
						e.Errorf("writer %d: got %v", w, err)
						return
					}
				}
			})
		}
		for range 8 {
			<-started
		}
		if err := e.s.Close(); err != nil {
			e.Errorf("Close: %v", err)
		}
		wg.Wait()
	}},
	{"ManyKindsOfCallsAtOnceAllSucceed", manyKinds},
}

func manyKinds(e *env) {
	ids := e.partitions(3)
	for p := range store.ProducerID(3) {
		e.producer(p, 0)
	}
	var wg sync.WaitGroup
	for w := range 3 {
		wg.Go(func() {
			for i := range 12 {
				if err := oneRound(e, ids, w, i); err != nil {
					e.Errorf("writer %d, round %d: %v", w, i, err)
					return
				}
			}
		})
	}
	wg.Wait()
	for _, id := range ids {
		h := e.head(id)
		if h.LastStable != h.Next {
			e.Errorf("partition %d: last stable %d, next %d after all transactions ended", id, h.LastStable, h.Next)
		}
		wantEqual(e, "records", store.Offset(len(e.values(id, store.ReadUncommitted))), h.Next)
		checkSeek(e, id)
	}
}

// oneRound writes in a transaction of producer w to all partitions and ends it.
func oneRound(e *env, ids []store.PartitionID, w, i int) error {
	var req []store.AppendRequest
	for _, id := range ids {
		req = append(req, inTxn(store.ProducerID(w), int32(i), "t").to(id), loose(id, "x"))
	}
	res, err := e.s.Append(e.ctx, req)
	if err != nil {
		return err
	}
	for _, r := range res {
		if r.Err != nil {
			return r.Err
		}
	}
	_, err = e.retryContention(func(tx store.Tx) error {
		remain, err := tx.EndTransaction(store.ProducerID(w), 0, i%2 == 0, 10)
		if remain != 0 {
			return fmt.Errorf("remain is %d", remain)
		}
		return errors.Join(err, tx.SetOrdered(key("log/"), nil), increment(key("n%d", w))(tx))
	})
	return err
}

// runClock tests with a clock of its own.
func runClock(t *testing.T, c *config) {
	if c.clock == nil {
		return
	}
	for _, x := range []struct {
		name string
		fn   func(e *env, now *int64, set func(ms int64))
	}{
		{"StoreTimeFollowsTheClockAndStaysWhenItGoesBack", storeTimeStays},
		{"SeekByAppendTimeFollowsTheClock", func(e *env, now *int64, set func(int64)) {
			id := e.partition()
			base := *now
			for i := range int64(5) {
				set(base + 100*i)
				e.add(store.Offset(i), loose(id, "x"))
			}
			for i := range int64(5) {
				for _, ms := range []int64{base + 100*i - 99, base + 100*i} {
					if at, ok, err := e.s.Seek(e.ctx, id, ms, store.SeekAppendTime); at != store.Offset(i) || !ok || err != nil {
						e.Errorf("Seek(%d): got %d, %v, %v; want %d", ms-base, at, ok, err, i)
					}
				}
			}
			checkSeek(e, id)
		}},
		{"RetentionByAgeTrimsOldBatches", retentionByAge},
	} {
		t.Run(x.name, func(t *testing.T) {
			var mu sync.Mutex
			now := int64(1_700_000_000_000)
			s := c.clock(t, func() int64 { mu.Lock(); defer mu.Unlock(); return now })
			x.fn(newEnv(t, s), &now, func(ms int64) { mu.Lock(); defer mu.Unlock(); now = ms })
		})
	}
	for _, r := range c.reopen {
		t.Run("StoreTimeDoesNotGoBackAcrossReopen"+r.name, func(t *testing.T) {
			var mu sync.Mutex
			now := int64(1_700_000_000_000)
			e := newEnv(t, c.clock(t, func() int64 { mu.Lock(); defer mu.Unlock(); return now }))
			e.set(key("a"), "1")
			mu.Lock()
			now += 500
			mu.Unlock()
			told := e.set(key("b"), "1").Time // what was told beside commits means nothing after a crash
			mu.Lock()
			now -= 3_600_000
			mu.Unlock()
			e.s = r.fn(t, e.s)
			if got := e.s.Now(); got < told {
				e.Fatalf("Now after reopening: got %d, before it was %d", got, told)
			}
			if c := e.set(key("a"), "2"); c.Time < told {
				e.Fatalf("commit after reopening: got %+v, Now was %d before", c, told)
			}
		})
	}
}

func storeTimeStays(e *env, now *int64, set func(int64)) {
	id := e.partition()
	start := *now
	set(start + 5000)
	if c := e.set(key("a"), "1"); c.Time != start+5000 {
		e.Fatalf("commit: got time %d, want %d", c.Time, start+5000)
	}
	if res := e.add(0, loose(id, "x")); res.AppendTime != start+5000 {
		e.Fatalf("append: got time %d, want %d", res.AppendTime, start+5000)
	}
	set(start)
	if got := e.s.Now(); got != start+5000 {
		e.Fatalf("Now after the clock went back: got %d, want %d", got, start+5000)
	}
	if res := e.add(1, loose(id, "x")); res.AppendTime != start+5000 {
		e.Fatalf("append after the clock went back: got time %d, want %d", res.AppendTime, start+5000)
	}
	e.view(func(tx store.ReadTx) error { wantEqual(e, "Now of a view", tx.Now(), start+5000); return nil })
	set(start + 6000)
	wantEqual(e, "Now", e.s.Now(), start+6000)
	set(start + 5500)
	wantEqual(e, "Now after the clock went back from a time that only Now has told", e.s.Now(), start+6000)
	if c := e.set(key("a"), "2"); c.Time < start+6000 {
		e.Fatalf("commit: got time %d after Now was %d", c.Time, start+6000)
	}
}

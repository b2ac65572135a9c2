package txn

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/batch"
	"millrace/internal/core/store"
)

// after lets time pass, with the work that is due.
func after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// timed runs a test under both versions with a clock of its own.
func timed(t *testing.T, change func(o *Options), fn func(t *testing.T, e *env, v2 bool)) {
	t.Helper()
	both(t, func(t *testing.T, v2 bool) {
		synctest.Test(t, func(t *testing.T) { fn(t, newEnv(t, change), v2) })
	})
}

func TestTimeoutAbortsAlthoughTheClientNeverReturns(t *testing.T) {
	timed(t, nil, func(t *testing.T, e *env, v2 bool) {
		c := e.client("a", v2)
		c.append(e.ids[0], "x")
		c.offsets(at(0, 5))
		after(timeout - time.Second)
		e.wantState("a", Ongoing)
		after(2 * time.Second)
		e.wantState("a", CompleteAbort)
		if n := e.stable(e.ids[0]); n != 0 {
			t.Fatalf("%d records wait for a marker", n)
		}
		e.want(e.ids[0])
		if got := e.group(); got != "-1 -1" {
			t.Fatalf("offsets: got %q", got)
		}
		if n := e.Open(); n != 0 {
			t.Fatalf("%d transactions are open", n)
		}
		// The client that comes late is fenced; it never commits what was aborted.
		c.wantAppend(e.ids[0], kafkaapi.InvalidProducerEpoch)
		if !v2 {
			c.wantEnd(true, kafkaapi.ProducerFenced)
			return
		}
		c.wantEnd(true, kafkaapi.InvalidTxnState)
		c.end(false) // and goes on after an abort
		c.append(e.ids[0], "y")
		c.end(true)
		e.want(e.ids[0], "y")
	})
}

func TestTransactionsInTimeAreLeftAlone(t *testing.T) {
	timed(t, nil, func(_ *testing.T, e *env, v2 bool) {
		c := e.client("a", v2)
		for range 5 {
			c.append(e.ids[0], "x")
			after(timeout * 3 / 4)
			c.end(true)
			after(timeout / 2)
		}
		e.want(e.ids[0], "x", "x", "x", "x", "x")
	})
}

func TestTimeoutGoesOnOverARestart(t *testing.T) {
	timed(t, nil, func(t *testing.T, e *env, v2 bool) {
		c := e.client("a", v2)
		c.append(e.ids[0], "x")
		after(timeout / 2)
		e.restart()
		left := timeout / 2 // the start is kept when a request began the transaction
		if v2 {
			left = timeout // appends alone: counted from the restart
		}
		after(left - 2*time.Second)
		e.wantState("a", Ongoing)
		after(4 * time.Second)
		e.wantState("a", CompleteAbort)
		if n := e.stable(e.ids[0]); n != 0 {
			t.Fatalf("%d records wait for a marker", n)
		}
	})
}

func TestAdmittedAppendThatFailedTimesOutQuietly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t, nil)
		c := e.client("a", true)
		if code, err := c.try(99, "x"); code != kafkaapi.None || err == nil {
			t.Fatalf("append to no partition: got %s, %v", code, err)
		}
		if n := e.Open(); n != 1 {
			t.Fatalf("%d transactions are open, want 1", n)
		}
		after(timeout + 2*time.Second)
		if n := e.Open(); n != 0 {
			t.Fatalf("%d transactions are open", n)
		}
		c.append(e.ids[0], "x") // not fenced: there was nothing to abort
		c.end(true)
	})
}

func TestIdleTransactionalIdIsForgotten(t *testing.T) {
	timed(t, func(o *Options) { o.CheckInterval = time.Hour }, func(t *testing.T, e *env, v2 bool) {
		c := e.client("a", v2)
		c.append(e.ids[0], "x")
		c.end(true)
		after(7*24*time.Hour - time.Hour)
		e.wantState("a", CompleteCommit)
		after(2 * time.Hour)
		if _, code := e.Describe(t.Context(), "a"); code != kafkaapi.TransactionalIDNotFound {
			t.Fatalf("Describe: got %s", code)
		}
		c.wantAppend(e.ids[0], kafkaapi.InvalidProducerIDMapping)
		c.wantEnd(true, kafkaapi.InvalidProducerIDMapping)
		fresh := e.client("a", v2)
		if fresh.Producer == c.Producer || fresh.Epoch != 0 {
			t.Fatalf("got %+v after %+v", fresh.Ident, c.Ident)
		}
		e.update(func(tx store.Tx) error {
			if _, ok, err := tx.Producer(c.Producer); ok || err != nil {
				t.Errorf("producer %d: got %v, %v", c.Producer, ok, err)
			}
			return nil
		})
	})
}

func TestIdleIdempotentProducerIsForgottenAndABusyOneIsNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t, func(o *Options) { o.CheckInterval = time.Hour })
		idle, _ := e.InitIdempotent(t.Context())
		busy, _ := e.InitIdempotent(t.Context())
		for i := range int32(5) {
			after(10 * time.Hour)
			e.plain(busy, e.ids[0], i)
			if i == 2 {
				e.restart()
			}
		}
		found, err := e.Producers(t.Context(), e.ids[0], 0, 10)
		if err != nil || len(found) != 1 || found[0].Producer != busy.ID || found[0].LastSequence != 4 {
			t.Fatalf("producers of the partition: got %+v, %v", found, err)
		}
		e.update(func(tx store.Tx) error {
			_, there, err := tx.Producer(idle.ID)
			_, there2, err2 := tx.Producer(busy.ID)
			if there || !there2 || err != nil || err2 != nil {
				t.Errorf("idle: %v, busy: %v; errors %v, %v", there, there2, err, err2)
			}
			return nil
		})
		after(48 * time.Hour)
		e.update(func(tx store.Tx) error {
			left, err := tx.Scan(idempotentKey(0), []byte{byte(store.FamilyKafkaTxn), kindIdempotent + 1}, 10, false)
			if len(left) > 0 || err != nil {
				t.Errorf("keys are left: %x, %v", left, err)
			}
			return nil
		})
	})
}

// plain appends one record without a transaction.
func (e *env) plain(p Producer, id store.PartitionID, seq int32) {
	e.Helper()
	var b batch.Builder
	b.Start(nil, 1)
	b.Add(&batch.Record{Value: []byte("p"), Timestamp: 1})
	res, err := e.o.Store.Append(e.Context(), []store.AppendRequest{{Partition: id, Batch: b.Finish(batch.Fields{
		FirstTimestamp: 1, MaxTimestamp: 1, ProducerID: int64(p.ID), ProducerEpoch: p.Epoch, BaseSequence: seq,
	})}})
	if err != nil || res[0].Err != nil {
		e.Fatalf("append by %+v: got %+v, %v", p, res, err)
	}
}

func TestTransactionsAreListedByStateProducerAgeAndPattern(t *testing.T) {
	timed(t, nil, func(t *testing.T, e *env, v2 bool) {
		a, b, c := e.client("order-1", v2), e.client("order-2", v2), e.client("other", v2)
		a.append(e.ids[0], "x")
		after(10 * time.Second)
		b.append(e.ids[0], "x")
		b.end(false)
		c.append(e.ids[1], "x")
		for _, x := range []struct {
			f    Filter
			want string
		}{
			{Filter{}, "order-1 order-2 other"},
			{Filter{States: []string{"Ongoing"}}, "order-1 other"},
			{Filter{States: []string{"CompleteAbort", "Empty"}}, "order-2"},
			{Filter{States: []string{"Nonsense"}}, "? Nonsense"},
			{Filter{States: []string{"Nonsense", "CompleteAbort"}}, "order-2 ? Nonsense"},
			{Filter{Producers: []store.ProducerID{b.Producer, c.Producer}}, "order-2 other"},
			{Filter{Longer: 5 * time.Second}, "order-1"},
			{Filter{Pattern: "order-.*"}, "order-1 order-2"},
			{Filter{Pattern: "order"}, ""},
			{Filter{Pattern: "order-.*", States: []string{"Ongoing"}}, "order-1"},
			{Filter{Pattern: "("}, "INVALID_REGULAR_EXPRESSION"},
		} {
			if got := e.listed(x.f); got != x.want {
				t.Errorf("List of %+v: got %q, want %q", x.f, got, x.want)
			}
		}
		d := e.wantState("order-1", Ongoing)
		if d.Timeout != timeout || d.Start != e.o.Store.Now()-10_000 || !slices.Equal(d.Partitions, e.ids[:1]) || d.Producer.ID != a.Producer {
			t.Errorf("Describe: got %+v at %d", d, e.o.Store.Now())
		}
		if d := e.wantState("order-2", CompleteAbort); d.Start != -1 || len(d.Partitions) > 0 {
			t.Errorf("Describe of what has ended: got %+v", d)
		}
	})
}

func (e *env) listed(f Filter) string {
	found, unknown, code := e.List(f)
	if code != kafkaapi.None {
		return code.Name()
	}
	s := ""
	add := func(v string) {
		if s != "" {
			s += " "
		}
		s += v
	}
	for _, l := range found {
		add(l.ID)
	}
	for _, u := range unknown {
		add("? " + u)
	}
	return s
}

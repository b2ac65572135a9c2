package txn

import (
	"strings"
	"testing"
	"time"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/store"
)

func (e *env) wantInit(req InitRequest, want Producer, wantCode kafkaapi.Code) {
	e.Helper()
	if req.Timeout == 0 {
		req.Timeout = timeout
	}
	if p, code := e.Init(e.Context(), req); p != want || code != wantCode {
		e.Fatalf("Init of %+v (expected %+v): got %+v, %s; want %+v, %s", req, req.Expected, p, code, want, wantCode)
	}
}

var nobody = Producer{store.NoProducer, noEpoch}

func TestIdempotentProducersGetIdsOfTheirOwn(t *testing.T) {
	e := newEnv(t, nil)
	seen := map[store.ProducerID]bool{}
	for range 3 {
		p, code := e.InitIdempotent(t.Context())
		if code != kafkaapi.None || p.Epoch != 0 || seen[p.ID] || p.ID < 0 {
			t.Fatalf("got %+v, %s after %v", p, code, seen)
		}
		seen[p.ID] = true
		e.update(func(tx store.Tx) error {
			if _, ok, err := tx.Producer(p.ID); !ok || err != nil {
				t.Errorf("producer %d: got %v, %v", p.ID, ok, err)
			}
			return nil
		})
	}
}

func TestNewIncarnationFencesAndAborts(t *testing.T) {
	both(t, func(t *testing.T, v2 bool) {
		e := newEnv(t, nil)
		old := e.client("a", v2)
		old.append(e.ids[0], "old")
		old.offsets(at(0, 9))
		fresh := e.client("a", v2) // answered at once, with the abort in the same commit
		if fresh.Producer != old.Producer || fresh.Epoch != old.Epoch+1 {
			t.Fatalf("got %+v after %+v", fresh.Ident, old.Ident)
		}
		e.wantState("a", Empty)
		old.wantAppend(e.ids[0], kafkaapi.InvalidProducerEpoch)
		for _, commit := range []bool{true, false} {
			old.wantEnd(commit, kafkaapi.ProducerFenced)
		}
		if code := e.AddPartitions(t.Context(), old.Ident, e.ids); code != kafkaapi.ProducerFenced {
			t.Fatalf("AddPartitions: got %s", code)
		}
		fresh.append(e.ids[0], "new")
		old.wantEnd(false, kafkaapi.ProducerFenced)
		fresh.end(true)
		for _, commit := range []bool{true, false} { // also when the successor has ended one, an epoch later
			old.wantEnd(commit, kafkaapi.ProducerFenced)
		}
		e.want(e.ids[0], "new")
		if got := e.group(); got != "-1 -1" {
			t.Fatalf("offsets: got %q", got)
		}
	})
}

func TestInitChecksWhatItIsTold(t *testing.T) {
	e := newEnv(t, nil)
	e.wantInit(InitRequest{ID: ""}, nobody, kafkaapi.InvalidRequest)
	e.wantInit(InitRequest{ID: strings.Repeat("x", MaxID+1)}, nobody, kafkaapi.InvalidRequest)
	e.wantInit(InitRequest{ID: "a", Expected: &Producer{1, -1}}, nobody, kafkaapi.InvalidRequest)
	e.wantInit(InitRequest{ID: "a", Timeout: 15*time.Minute + 1}, nobody, kafkaapi.InvalidTransactionTimeout)
	e.wantInit(InitRequest{ID: "a", Timeout: -1}, nobody, kafkaapi.InvalidTransactionTimeout)
	if n := len(e.all()); n != 0 {
		t.Fatalf("%d ids are remembered", n)
	}
	p, code := e.Init(t.Context(), InitRequest{ID: "a", Timeout: 15 * time.Minute})
	if code != kafkaapi.None || p.Epoch != 0 {
		t.Fatalf("got %+v, %s", p, code)
	}
}

func TestProducerGoesOnAfterAnError(t *testing.T) {
	e := newEnv(t, nil)
	c := e.client("a", false)
	id := c.Producer
	c.append(e.ids[0], "x")
	// KIP-360: the client tells who it is, and is not fenced by itself.
	e.wantInit(InitRequest{ID: "a", Expected: &Producer{id, 0}}, Producer{id, 1}, kafkaapi.None)
	e.wantInit(InitRequest{ID: "a", Expected: &Producer{id, 0}}, Producer{id, 1}, kafkaapi.None) // a repeat
	e.want(e.ids[0])
	e.wantInit(InitRequest{ID: "a", Expected: &Producer{id, 1}}, Producer{id, 2}, kafkaapi.None)
	e.wantInit(InitRequest{ID: "a", Expected: &Producer{id, 0}}, nobody, kafkaapi.ProducerFenced)
	e.wantInit(InitRequest{ID: "a", Expected: &Producer{id + 1, 2}}, nobody, kafkaapi.ProducerFenced)

	c.became("a", Producer{id, 2})
	c.append(e.ids[0], "y")
	e.wantInit(InitRequest{ID: "a", Expected: &Producer{id, 1}}, Producer{id, 2}, kafkaapi.None) // late, and harmless
	e.wantInit(InitRequest{ID: "a", Expected: &Producer{id, 0}}, nobody, kafkaapi.ProducerFenced)
	c.end(true)
	e.want(e.ids[0], "y")

	e.wantInit(InitRequest{ID: "a"}, Producer{id, 3}, kafkaapi.None) // another incarnation
	e.wantInit(InitRequest{ID: "a", Expected: &Producer{id, 2}}, nobody, kafkaapi.ProducerFenced)
	e.wantInit(InitRequest{ID: "new", Expected: &Producer{99, 4}}, Producer{id + 1, 0}, kafkaapi.None) // an id that was forgotten
}

func TestInitWithUsedUpEpochsGivesANewProducerID(t *testing.T) {
	for _, open := range []bool{false, true} {
		for _, expected := range []bool{false, true} {
			e := newEnv(t, nil)
			c := e.client("a", true)
			e.useUp(c)
			old := Producer{c.Producer, c.Epoch}
			if open {
				c.append(e.ids[0], "x")
			}
			req := InitRequest{ID: "a"}
			if expected {
				req.Expected = &old
			}
			e.wantInit(req, Producer{old.ID + 1, 0}, kafkaapi.None)
			if expected {
				e.wantInit(req, Producer{old.ID + 1, 0}, kafkaapi.None) // a repeat
			}
			c.wantAppend(e.ids[0], kafkaapi.InvalidProducerIDMapping)
			e.want(e.ids[0])
			if n := e.stable(e.ids[0]); n != 0 {
				t.Fatalf("open %v, expected %v: %d records wait for a marker", open, expected, n)
			}
		}
	}
}

func TestInitAbortsInSlices(t *testing.T) {
	for _, expected := range []bool{false, true} {
		e := newEnv(t, func(o *Options) { o.SliceParts = 2 })
		e.partitions(5)
		c := e.client("a", true)
		for _, id := range e.ids {
			c.append(id, "x")
		}
		req := InitRequest{ID: "a"}
		if expected {
			req.Expected = &Producer{c.Producer, c.Epoch}
		}
		e.wantInit(req, Producer{c.Producer, 2}, kafkaapi.None)
		if expected {
			e.wantInit(req, Producer{c.Producer, 2}, kafkaapi.None) // a repeat
		}
		for _, id := range e.ids {
			if n := e.stable(id); n != 0 {
				t.Fatalf("partition %d: %d records wait for a marker", id, n)
			}
		}
	}
}

func TestForgottenIdempotentProducerIsRevived(t *testing.T) {
	e := newEnv(t, nil)
	p, _ := e.InitIdempotent(t.Context())
	e.update(func(tx store.Tx) error { return tx.DeleteProducer(p.ID) })
	for _, x := range []struct {
		p    Producer
		want kafkaapi.Code
	}{
		{Producer{p.ID, 3}, kafkaapi.None},
		{Producer{p.ID, 0}, kafkaapi.None}, // known again: nothing to do
		{Producer{p.ID + 1, 0}, kafkaapi.UnknownProducerID},
		{Producer{0, 0}, kafkaapi.UnknownProducerID},
		{Producer{-1, 0}, kafkaapi.UnknownProducerID},
		{Producer{p.ID, -1}, kafkaapi.UnknownProducerID},
	} {
		if code := e.Revive(t.Context(), x.p); code != x.want {
			t.Errorf("Revive of %+v: got %s, want %s", x.p, code, x.want)
		}
	}
	e.update(func(tx store.Tx) error {
		if got, _, err := tx.Producer(p.ID); got.Epoch != 3 || err != nil {
			t.Errorf("revived: got %+v, %v", got, err)
		}
		return nil
	})
}

func TestEpochThatTheStoreKnowsBetterIsTakenOver(t *testing.T) {
	both(t, func(t *testing.T, v2 bool) {
		e := newEnv(t, nil)
		c := e.client("a", v2)
		c.append(e.ids[0], "x")
		e.update(func(tx store.Tx) error { return tx.InitProducer(c.Producer, 5) })
		c.wantEnd(true, kafkaapi.ProducerFenced)
		e.wantInit(InitRequest{ID: "a"}, Producer{c.Producer, 6}, kafkaapi.None)
		e.want(e.ids[0])
		c.became("a", Producer{c.Producer, 6})
		c.append(e.ids[0], "y")
		c.end(true)
		e.want(e.ids[0], "y")
	})
}

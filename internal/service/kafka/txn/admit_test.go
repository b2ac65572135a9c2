package txn

import (
	"context"
	"slices"
	"testing"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/store"
	"millrace/internal/service/kafka/offset"
)

func TestZombieCannotAppendToAPartitionItNeverTouched(t *testing.T) {
	both(t, func(t *testing.T, v2 bool) {
		e := newEnv(t, nil)
		zombie := e.client("a", v2)
		zombie.append(e.ids[0], "x")
		e.client("a", v2)
		zombie.wantAppend(e.ids[1], kafkaapi.InvalidProducerEpoch)
		// Also where nobody looks into memory first, the store refuses.
		res, err := e.o.Store.Append(t.Context(), []store.AppendRequest{zombie.batch(e.ids[1], "late")})
		if err != nil || res[0].Err != store.ErrProducerFenced { //nolint:errorlint // the store's own
			t.Fatalf("append: got %+v, %v", res, err)
		}
		e.want(e.ids[1])
	})
}

func TestAppendToAPartitionThatWasNotAddedIsRefused(t *testing.T) {
	e := newEnv(t, nil)
	c := e.client("a", false)
	c.wantAppend(e.ids[0], kafkaapi.InvalidTxnState)
	c.append(e.ids[0], "x")
	c.wantAppend(e.ids[1], kafkaapi.InvalidTxnState)
	ticket, code := e.Admit(Admission{Ident: c.Ident, Abortable: true})
	if code != kafkaapi.None || ticket.Check(e.ids[1]) != kafkaapi.TransactionAbortable || ticket.Check(e.ids[0]) != kafkaapi.None {
		t.Fatalf("newer client: got %s, %s", code, ticket.Check(e.ids[1]))
	}
	ticket.Release()
	e.restart() // what was added is durable
	c.next[e.ids[0]] = 1
	c.append(e.ids[0], "y")
	c.wantAppend(e.ids[1], kafkaapi.InvalidTxnState)
	c.end(true)
	// A batch that was delayed over the end must not begin a transaction that nobody ends.
	c.wantAppend(e.ids[0], kafkaapi.InvalidTxnState)
	if n := e.stable(e.ids[0]); n != 0 {
		t.Fatalf("%d records wait for a marker", n)
	}
	e.want(e.ids[0], "x", "y")
}

func TestDelayedBatchOfAnEndedTransactionIsRefusedByTheStore(t *testing.T) {
	e := newEnv(t, nil)
	c := e.client("a", true)
	c.append(e.ids[0], "x")
	late := c.batch(e.ids[0], "late")
	c.end(true)
	c.append(e.ids[0], "y") // the next transaction is open
	res, err := e.o.Store.Append(t.Context(), []store.AppendRequest{late})
	if err != nil || res[0].Err != store.ErrProducerFenced { //nolint:errorlint // the store's own
		t.Fatalf("got %+v, %v", res, err)
	}
	c.end(true)
	e.want(e.ids[0], "x", "y")
}

func TestTransactionDoesNotEndWhileAnAppendIsQueued(t *testing.T) {
	both(t, func(t *testing.T, v2 bool) {
		e := newEnv(t, nil)
		c := e.client("a", v2)
		c.append(e.ids[0], "x")
		ticket, code := e.Admit(Admission{Ident: c.Ident, V2: v2})
		if code != kafkaapi.None {
			t.Fatal(code)
		}
		ended := make(chan kafkaapi.Code, 1)
		go func() {
			_, code := e.End(context.Background(), c.Ident, true, v2)
			ended <- code
		}()
		for {
			// The end waits for the ticket, and nobody else is let in.
			again, code := e.Admit(Admission{Ident: c.Ident, V2: v2})
			if code == later(v2) {
				break
			}
			if code != kafkaapi.None {
				t.Fatalf("Admit beside the end: got %s", code)
			}
			again.Release()
		}
		e.wantState("a", Ongoing)
		res, err := e.o.Store.Append(t.Context(), []store.AppendRequest{c.batch(e.ids[0], "y")})
		if err != nil || res[0].Err != nil {
			t.Fatalf("append: got %+v, %v", res, err)
		}
		ticket.Release()
		if code := <-ended; code != kafkaapi.None {
			t.Fatalf("End: got %s", code)
		}
		e.want(e.ids[0], "x", "y")
	})
}

func TestAdmitRefusesWhoIsNotTheProducer(t *testing.T) {
	e := newEnv(t, nil)
	c := e.client("a", true)
	e.client("b", true)
	for _, x := range []struct {
		who  Ident
		want kafkaapi.Code
	}{
		{Ident{"b", c.Producer, c.Epoch}, kafkaapi.InvalidProducerIDMapping},
		{Ident{"a", c.Producer + 9, c.Epoch}, kafkaapi.InvalidProducerIDMapping},
		{Ident{"a", c.Producer, c.Epoch + 1}, kafkaapi.InvalidProducerEpoch},
		{Ident{"a", -1, -1}, kafkaapi.InvalidProducerIDMapping},
	} {
		if _, code := e.Admit(Admission{Ident: x.who, V2: true}); code != x.want {
			t.Errorf("Admit of %+v: got %s, want %s", x.who, code, x.want)
		}
	}
}

func TestVerifyTellsOfEachPartition(t *testing.T) {
	both(t, func(t *testing.T, v2 bool) {
		e := newEnv(t, nil)
		c := e.client("a", v2)
		c.append(e.ids[1], "x")
		got := e.Verify(t.Context(), c.Ident, e.ids)
		if want := []kafkaapi.Code{kafkaapi.TransactionAbortable, kafkaapi.None}; !slices.Equal(got, want) {
			t.Fatalf("got %v, want %v", got, want)
		}
		c.end(true)
		got = e.Verify(t.Context(), c.Ident, e.ids)
		if want := []kafkaapi.Code{kafkaapi.TransactionAbortable, kafkaapi.TransactionAbortable}; !slices.Equal(got, want) {
			t.Fatalf("after the end: got %v, want %v", got, want)
		}
		got = e.Verify(t.Context(), Ident{"a", c.Producer, c.Epoch + 1}, e.ids[:1])
		if want := []kafkaapi.Code{kafkaapi.ProducerFenced}; !slices.Equal(got, want) {
			t.Fatalf("another epoch: got %v, want %v", got, want)
		}
		if got = e.Verify(t.Context(), Ident{"?", 1, 1}, e.ids[:1]); got[0] != kafkaapi.InvalidProducerIDMapping {
			t.Fatalf("unknown id: got %v", got)
		}
	})
}

func TestAddedTwiceIsOneCommit(t *testing.T) {
	e := newEnv(t, nil)
	c := e.client("a", false)
	c.add(e.ids...)
	before := e.sequence()
	c.add(e.ids[1], e.ids[0])
	if got := e.sequence(); got != before+1 {
		t.Fatalf("adding what is known took %d commits", got-before-1)
	}
	if got := e.wantState("a", Ongoing).Partitions; !slices.Equal(got, e.ids) {
		t.Fatalf("partitions: got %v, want %v", got, e.ids)
	}
}

// sequence is that of a commit which it makes.
func (e *env) sequence() uint64 {
	e.Helper()
	c, err := e.o.Store.Update(context.Background(), func(tx store.Tx) error {
		return tx.Set([]byte{byte(store.FamilySetting), 'n'}, nil)
	})
	if err != nil {
		e.Fatal(err)
	}
	return c.Sequence
}

func TestTransactionOfOneAppendIsTwoCommitsUnderVersion2(t *testing.T) {
	e := newEnv(t, nil)
	c := e.client("a", true)
	before := e.sequence()
	c.append(e.ids[0], "x")
	c.end(true)
	if got := e.sequence() - before - 1; got != 2 {
		t.Fatalf("got %d commits, want 2", got)
	}
}

func TestOffsetsOfATransactionAreChecked(t *testing.T) {
	both(t, func(t *testing.T, v2 bool) {
		e := newEnv(t, nil)
		c := e.client("a", v2)
		req := OffsetCommit{Ident: c.Ident, Group: "g", Offsets: []offset.Entry{at(0, 1)}, V2: v2}
		if !v2 {
			if code := e.CommitOffsets(t.Context(), req); code != kafkaapi.InvalidTxnState {
				t.Fatalf("group that was not added: got %s", code)
			}
			req.Abortable = true
			if code := e.CommitOffsets(t.Context(), req); code != kafkaapi.TransactionAbortable {
				t.Fatalf("group that was not added, newer client: got %s", code)
			}
			if code := e.AddOffsets(t.Context(), c.Ident, "g"); code != kafkaapi.None {
				t.Fatal(code)
			}
		}
		req.Check = func(store.Tx) kafkaapi.Code { return kafkaapi.IllegalGeneration }
		if code := e.CommitOffsets(t.Context(), req); code != kafkaapi.IllegalGeneration {
			t.Fatalf("older generation: got %s", code)
		}
		req.Check = func(store.Tx) kafkaapi.Code { return kafkaapi.None }
		old := req
		old.Epoch++
		if code := e.CommitOffsets(t.Context(), old); code != kafkaapi.InvalidProducerEpoch {
			t.Fatalf("another epoch: got %s", code)
		}
		if got := e.group(); got != "-1 -1" {
			t.Fatalf("offsets after refusals: got %q", got)
		}
		if code := e.CommitOffsets(t.Context(), req); code != kafkaapi.None {
			t.Fatalf("got %s", code)
		}
		c.end(true)
		if got := e.group(); got != "1 -1" {
			t.Fatalf("offsets: got %q", got)
		}
	})
}

func TestTransactionOfOffsetsAloneMoreThanFitIntoOneCommit(t *testing.T) {
	e := newEnv(t, nil)
	c := e.client("a", true)
	const n = offset.MaxEntries*2 + 10
	entries := make([]offset.Entry, n)
	for i := range entries {
		entries[i] = at(int32(i), int64(i))
	}
	c.offsets(entries...)
	c.end(true)
	err := e.o.Store.View(t.Context(), func(tx store.ReadTx) error {
		found, err := offset.FetchAll(tx, "g", nil, store.MaxScanKeys, true)
		if len(found) != n || found[n-1].Offset != n-1 || found[n-1].Unstable {
			t.Errorf("got %d offsets, last %+v", len(found), found[len(found)-1])
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

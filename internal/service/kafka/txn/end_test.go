package txn

import (
	"fmt"
	"math"
	"testing"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/store"
)

// both runs a test under both transaction versions.
func both(t *testing.T, fn func(t *testing.T, v2 bool)) {
	t.Helper()
	for _, v2 := range []bool{false, true} {
		t.Run(fmt.Sprintf("version=%d", map[bool]int{false: 1, true: 2}[v2]), func(t *testing.T) { fn(t, v2) })
	}
}

func TestCommittedTransactionIsSeenWhole(t *testing.T) {
	both(t, func(t *testing.T, v2 bool) {
		e := newEnv(t, nil)
		c := e.client("a", v2)
		for i := range 3 {
			for _, id := range e.ids {
				c.append(id, fmt.Sprint(i))
			}
			c.offsets(at(0, int64(i)))
			if got, want := e.group(), fmt.Sprint(i-1)+"* -1"; got != want {
				t.Fatalf("offsets before the end: got %q, want %q", got, want)
			}
			c.end(true)
			if got, want := e.group(), fmt.Sprint(i)+" -1"; got != want {
				t.Fatalf("offsets after the end: got %q, want %q", got, want)
			}
		}
		for _, id := range e.ids {
			e.want(id, "0", "1", "2")
		}
		e.wantState("a", CompleteCommit)
	})
}

func TestAbortedTransactionLeavesNothing(t *testing.T) {
	both(t, func(t *testing.T, v2 bool) {
		e := newEnv(t, nil)
		c := e.client("a", v2)
		c.append(e.ids[0], "x")
		c.offsets(at(0, 5))
		c.end(false)
		c.append(e.ids[0], "y")
		c.end(true)
		e.want(e.ids[0], "y")
		if got := e.group(); got != "-1 -1" {
			t.Fatalf("offsets: got %q", got)
		}
	})
}

func TestEveryEndRaisesTheEpochUnderVersion2(t *testing.T) {
	e := newEnv(t, nil)
	c := e.client("a", true)
	for i := range int16(4) {
		if c.Epoch != i {
			t.Fatalf("epoch of transaction %d: got %d", i, c.Epoch)
		}
		c.append(e.ids[0], "x")
		c.end(i%2 == 0)
	}
}

func TestDelayedEndOfAnEarlierTransactionChangesNothing(t *testing.T) {
	e := newEnv(t, nil)
	c := e.client("a", true)
	var late []Ident
	for i := range 3 {
		late = append(late, c.Ident)
		c.append(e.ids[0], fmt.Sprint(i))
		c.end(true)
	}
	c.append(e.ids[0], "open")
	for i, who := range late {
		for _, commit := range []bool{true, false} {
			p, code := e.End(t.Context(), who, commit, true)
			want := kafkaapi.ProducerFenced
			switch {
			case i == 2 && commit:
				want = kafkaapi.None // the repeat of the last end
			case i == 2:
				want = kafkaapi.InvalidTxnState
			}
			if code != want || code == kafkaapi.None && p.Epoch != c.Epoch {
				t.Errorf("end of transaction %d, commit %v: got %+v, %s; want %s", i, commit, p, code, want)
			}
		}
	}
	e.wantState("a", Ongoing)
	e.want(e.ids[0], "0", "1", "2")
	c.end(true)
	e.want(e.ids[0], "0", "1", "2", "open")
}

func TestRepeatedEndGetsTheSameAnswer(t *testing.T) {
	both(t, func(t *testing.T, v2 bool) {
		for _, commit := range []bool{true, false} {
			e := newEnv(t, nil)
			c := e.client("a", v2)
			c.append(e.ids[0], "x")
			who := c.Ident
			c.end(commit)
			for _, restart := range []bool{false, true} {
				if restart {
					e.restart()
				}
				p, code := e.End(t.Context(), who, commit, v2)
				if code != kafkaapi.None || p.ID != c.Producer || p.Epoch != c.Epoch {
					t.Fatalf("repeat, commit %v, restarted %v: got %+v, %s; want %+v", commit, restart, p, code, c.Ident)
				}
				if _, code := e.End(t.Context(), who, !commit, v2); code != kafkaapi.InvalidTxnState {
					t.Fatalf("the other end, commit %v: got %s", !commit, code)
				}
			}
		}
	})
}

func TestTransactionWithoutRecordsCommitsUnderVersion2(t *testing.T) {
	e := newEnv(t, nil)
	c := e.client("a", true)
	c.end(true)
	c.end(true)
	c.end(false)
	c.end(true)
	if c.Epoch != 4 {
		t.Fatalf("epoch: got %d, want 4", c.Epoch)
	}
	c.append(e.ids[0], "x")
	c.end(true)
	e.want(e.ids[0], "x")
}

func TestTransactionWithAPartitionButNoRecordsCommitsUnderVersion1(t *testing.T) {
	e := newEnv(t, nil)
	c := e.client("a", false)
	c.wantEnd(true, kafkaapi.InvalidTxnState) // as Kafka: nothing was begun
	c.add(e.ids[0])
	c.end(true)
	c.add(e.ids[0])
	c.end(false)
	c.wantEnd(true, kafkaapi.InvalidTxnState)
}

func TestEndOfAnotherIdentityIsRefused(t *testing.T) {
	both(t, func(t *testing.T, v2 bool) {
		e := newEnv(t, nil)
		c := e.client("a", v2)
		c.append(e.ids[0], "x")
		for _, x := range []struct {
			who  Ident
			want kafkaapi.Code
		}{
			{Ident{"b", c.Producer, c.Epoch}, kafkaapi.InvalidProducerIDMapping},
			{Ident{"a", c.Producer + 1, c.Epoch}, kafkaapi.InvalidProducerIDMapping},
			{Ident{"a", -1, -1}, kafkaapi.InvalidProducerIDMapping},
			{Ident{"a", c.Producer, c.Epoch + 1}, kafkaapi.ProducerFenced},
			{Ident{"a", c.Producer, -1}, kafkaapi.ProducerFenced},
			{Ident{"", c.Producer, c.Epoch}, kafkaapi.InvalidRequest},
		} {
			if _, code := e.End(t.Context(), x.who, true, v2); code != x.want {
				t.Errorf("End of %+v: got %s, want %s", x.who, code, x.want)
			}
		}
		e.wantState("a", Ongoing)
	})
}

func TestUsedUpEpochsGiveANewProducerID(t *testing.T) {
	e := newEnv(t, nil)
	c := e.client("a", true)
	e.useUp(c)
	c.append(e.ids[0], "x")
	before := c.Ident
	c.end(true)
	if c.Producer == before.Producer || c.Epoch != 0 {
		t.Fatalf("after epoch %d: got %+v", lastGiven, c.Ident)
	}
	if p, code := e.End(t.Context(), before, true, true); code != kafkaapi.None || p != (Producer{c.Producer, 0}) {
		t.Fatalf("repeat over the change of the producer id: got %+v, %s", p, code)
	}
	c.append(e.ids[0], "y")
	late := &client{env: e, Ident: before, v2: true, next: map[store.PartitionID]int32{e.ids[0]: 1}}
	late.wantAppend(e.ids[0], kafkaapi.InvalidProducerIDMapping)
	c.end(true)
	e.want(e.ids[0], "x", "y")

	e.useUp(c) // a second change forgets the first id
	c.append(e.ids[0], "z")
	c.end(true)
	e.update(func(tx store.Tx) error {
		if _, ok, err := tx.Producer(before.Producer); ok || err != nil {
			t.Errorf("producer %d: still there, %v", before.Producer, err)
		}
		return nil
	})
	e.want(e.ids[0], "x", "y", "z")
}

// useUp gives a client the last epoch of its producer id, as after so many transactions.
func (e *env) useUp(c *client) {
	e.Helper()
	s := e.find(c.ID)
	err := e.change(e.Context(), s, func(tx store.Tx, r *record) (did, error) {
		r.epoch, r.lastEpoch, r.ended = lastGiven, noEpoch, noEpoch
		return wrote, tx.InitProducer(r.producer, lastGiven)
	})
	if err != nil {
		e.Fatal(err)
	}
	c.became(c.ID, Producer{c.Producer, lastGiven})
}

func TestMarkersInSlicesDecideFirst(t *testing.T) {
	both(t, func(t *testing.T, v2 bool) {
		for _, commit := range []bool{true, false} {
			e := newEnv(t, func(o *Options) { o.SliceParts, o.SliceOffsets = 2, 1 })
			e.partitions(5)
			c := e.client("a", v2)
			for _, id := range e.ids {
				c.append(id, "x")
			}
			c.offsets(at(0, 1), at(1, 2))
			who := c.Ident
			e.endFirstSlice(who, commit, v2)

			want := map[bool]State{true: PrepareCommit, false: PrepareAbort}[commit]
			e.wantState("a", want)
			c.wantAppend(e.ids[0], later(v2))
			c.wantEnd(commit, kafkaapi.ConcurrentTransactions)
			c.wantEnd(!commit, kafkaapi.InvalidTxnState)
			if _, code := e.Init(t.Context(), InitRequest{ID: "a", Timeout: timeout}); code != kafkaapi.ConcurrentTransactions {
				t.Fatalf("Init meanwhile: got %s", code)
			}
			if code := e.AddPartitions(t.Context(), who, e.ids); code == kafkaapi.None {
				t.Fatal("AddPartitions meanwhile: got NONE")
			}

			e.restart() // goes on by itself
			e.check(t.Context())
			e.wantState("a", ended(commit))
			for _, id := range e.ids {
				if commit {
					e.want(id, "x")
				} else {
					e.want(id)
				}
				if n := e.stable(id); n != 0 {
					t.Fatalf("partition %d: %d records wait for a marker", id, n)
				}
			}
			if got, want := e.group(), map[bool]string{true: "1 2", false: "-1 -1"}[commit]; got != want {
				t.Fatalf("offsets: got %q, want %q", got, want)
			}
			p, code := e.End(t.Context(), who, commit, v2)
			if code != kafkaapi.None {
				t.Fatalf("repeat of the end: got %s", code)
			}
			c.became("a", p)
			c.append(e.ids[0], "y")
			c.end(true)
		}
	})
}

// endFirstSlice is a process that ends after the first commit of an end.
func (e *env) endFirstSlice(who Ident, commit, v2 bool) {
	e.Helper()
	_ = e.Close()
	s := e.find(who.ID)
	var p Producer
	if err := e.change(e.Context(), s, func(tx store.Tx, r *record) (did, error) { return e.end(tx, r, &p, who, commit, v2) }); err != nil {
		e.Fatal(err)
	}
}

func TestEndGoesThroughAllSlices(t *testing.T) {
	e := newEnv(t, func(o *Options) { o.SliceParts = 2 })
	e.partitions(5)
	c := e.client("a", true)
	for _, id := range e.ids {
		c.append(id, "x")
	}
	c.end(true)
	for _, id := range e.ids {
		e.want(id, "x")
	}
	e.wantState("a", CompleteCommit)
}

func TestAbortByAnAdministratorFencesTheClient(t *testing.T) {
	both(t, func(t *testing.T, v2 bool) {
		e := newEnv(t, nil)
		c := e.client("a", v2)
		p := Producer{c.Producer, c.Epoch}
		if code := e.Abort(t.Context(), p); code != kafkaapi.None {
			t.Fatalf("nothing is open: got %s", code)
		}
		for _, id := range e.ids {
			c.append(id, "x")
		}
		for _, x := range []struct {
			p    Producer
			want kafkaapi.Code
		}{
			{Producer{p.ID + 1, 0}, kafkaapi.InvalidProducerIDMapping},
			{Producer{p.ID, p.Epoch + 1}, kafkaapi.InvalidProducerEpoch},
			{p, kafkaapi.None},
			{p, kafkaapi.InvalidProducerEpoch},
		} {
			if code := e.Abort(t.Context(), x.p); code != x.want {
				t.Fatalf("Abort of %+v: got %s, want %s", x.p, code, x.want)
			}
		}
		c.wantAppend(e.ids[0], kafkaapi.InvalidProducerEpoch)
		c.wantEnd(true, map[bool]kafkaapi.Code{false: kafkaapi.ProducerFenced, true: kafkaapi.InvalidTxnState}[v2])
		for _, id := range e.ids {
			e.want(id)
		}
	})
}

func TestEpochAboveTheLastIsNeverGiven(t *testing.T) {
	e := newEnv(t, nil)
	c := e.client("a", true)
	e.useUp(c)
	c.append(e.ids[0], "x")
	if code := e.Abort(t.Context(), Producer{c.Producer, c.Epoch}); code != kafkaapi.None {
		t.Fatalf("Abort: got %s", code)
	}
	before := c.Producer
	c.end(false) // goes on with what the abort has made
	if c.Producer == before || c.Epoch != 0 {
		t.Fatalf("got %+v", c.Ident)
	}
	e.update(func(tx store.Tx) error {
		if p, ok, err := tx.Producer(before); !ok || p.Epoch != math.MaxInt16 || err != nil {
			t.Errorf("producer %d: got %+v, %v, %v", before, p, ok, err)
		}
		return nil
	})
	c.append(e.ids[0], "y")
	c.end(true)
	e.want(e.ids[0], "y")
}

func TestTransactionOfMorePartitionsThanACommitTakes(t *testing.T) {
	e := newEnv(t, nil)
	e.partitions(e.o.withDefaults().SliceParts + 100)
	c := e.client("a", true)
	reqs := make([]store.AppendRequest, len(e.ids))
	for i, id := range e.ids {
		reqs[i] = c.batch(id, "x")
	}
	res, err := e.o.Store.Append(t.Context(), reqs)
	if err != nil {
		t.Fatal(err)
	}
	for i := range res {
		if res[i].Err != nil {
			t.Fatalf("append to partition %d: %v", e.ids[i], res[i].Err)
		}
	}
	before := e.sequence()
	c.end(true)
	if got := e.sequence() - before - 1; got != 2 {
		t.Fatalf("the end took %d commits, want 2", got)
	}
	for _, id := range []store.PartitionID{e.ids[0], e.ids[len(e.ids)-1]} {
		e.want(id, "x")
	}
}

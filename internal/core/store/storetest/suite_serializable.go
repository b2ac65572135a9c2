package storetest

import (
	"errors"
	"fmt"
	"sync"

	"millrace/internal/core/store"
)

var serializableTests = []test{
	{"WriteSkewIsPrevented", func(e *env) {
		e.set(key("x"), "1")
		e.set(key("y"), "1")
		guard := func(mine []byte) func(store.Tx) error {
			return func(tx store.Tx) error {
				both, err := tx.GetMany([][]byte{key("x"), key("y")})
				if err == nil && string(both[0]) == "1" && string(both[1]) == "1" {
					return tx.Set(mine, []byte("0"))
				}
				return err
			}
		}
		e.interleave(conflict, guard(key("x")), func() { e.update(guard(key("y"))) })
		if e.get(key("x")) == "0" && e.get(key("y")) == "0" {
			e.Fatal("both transactions saw two and took one each")
		}
	}},
	{"LostUpdateIsPrevented", func(e *env) {
		e.set(key("x"), "1")
		e.interleave(conflict, func(tx store.Tx) error {
			v, _, err := tx.Get(key("x"))
			return errors.Join(err, tx.Set(key("x"), append(v, 'a')))
		}, func() { e.set(key("x"), "2") })
		e.wantGet(key("x"), "2a")
	}},
	{"KeyThatWasNotThereConflictsWhenItIsCreated", func(e *env) {
		e.interleave(conflict, func(tx store.Tx) error {
			_, ok, err := tx.Get(key("x"))
			return errors.Join(err, tx.Set(key("seen"), fmt.Append(nil, ok)))
		}, func() { e.set(key("x"), "1") })
		e.wantGet(key("seen"), "true")
	}},
	{"KeyThatIsDeletedConflicts", func(e *env) {
		e.set(key("x"), "1")
		e.interleave(conflict, func(tx store.Tx) error {
			_, ok, err := tx.Get(key("x"))
			return errors.Join(err, tx.Set(key("seen"), fmt.Append(nil, ok)))
		}, func() { e.update(func(tx store.Tx) error { return tx.Delete(key("x")) }) })
		e.wantGet(key("seen"), "false")
	}},
	{"PhantomInAScanConflicts", func(e *env) {
		e.set(key("r/1"), "")
		e.interleave(conflict, countInto(key("r/"), key("r0"), 100, false), func() { e.set(key("r/2"), "") })
		e.wantGet(key("count"), "2")
	}},
	{"PhantomInAnEmptyScanConflicts", func(e *env) {
		e.interleave(conflict, countInto(key("r/"), key("r0"), 100, true), func() { e.set(key("r/2"), "") })
		e.wantGet(key("count"), "1")
	}},
	{"PhantomBehindADeleteRangeConflicts", func(e *env) {
		e.set(key("r/1"), "")
		e.interleave(conflict, func(tx store.Tx) error {
			next, err := tx.DeleteRange(key("r/"), key("r0"), 100)
			if next != nil {
				e.Errorf("DeleteRange: got next %q, want none", next)
			}
			return err
		}, func() { e.set(key("r/2"), "") })
		wantEqual(e, "keys left", len(e.scan(key("r/"), key("r0"))), 0)
	}},
	{"OrderedKeyIsAPhantomToo", func(e *env) {
		e.interleave(conflict, countInto(key("r/"), key("r0"), 100, false), func() {
			e.update(func(tx store.Tx) error { return tx.SetOrdered(key("r/"), nil) })
		})
		e.wantGet(key("count"), "1")
	}},
	{"LimitedScanConflictsInTheKeysItLookedAt", func(e *env) {
		for _, k := range []string{"r/2", "r/4", "r/6", "r/8"} {
			e.set(key("%s", k), "")
		}
		for i, c := range []struct {
			reverse bool
			other   string
		}{{false, "r/1"}, {false, "r/3"}, {false, "r/4"}, {true, "r/9"}, {true, "r/7"}, {true, "r/6"}} {
			e.interleave(conflict, countInto(key("r/"), key("r0"), 2, c.reverse), func() {
				e.set(key("%s", c.other), fmt.Sprint(i))
			})
			if c.other != "r/4" && c.other != "r/6" {
				e.update(func(tx store.Tx) error { return tx.Delete(key("%s", c.other)) })
			}
		}
	}},
	{"BlindWritesDoNotConflict", func(e *env) {
		e.interleave(noConflict, func(tx store.Tx) error { return tx.Set(key("x"), []byte("first")) }, func() { e.set(key("x"), "second") })
		e.wantGet(key("x"), "first")
	}},
	{"ReadingNextConflictsWithAnAppend", headConflict(store.FieldNext, appendOne, conflict)},
	{"ReadingStableConflictsWithAnAppend", headConflict(store.FieldStable, appendOne, conflict)},
	{"ReadingOpenDoesNotConflictWithAnAppend", headConflict(store.FieldOpen, appendOne, noConflict)},
	{"ReadingStartDoesNotConflictWithAnAppend", headConflict(store.FieldStart, appendOne, noConflict)},
	{"ReadingEpochDoesNotConflictWithAnAppend", headConflict(store.FieldEpoch, appendOne, noConflict)},
	{"ReadingRetentionDoesNotConflictWithAnAppend", headConflict(store.FieldRetention, appendOne, noConflict)},
	{"ReadingOpenConflictsWithAClose", headConflict(store.FieldOpen, change(func(tx store.Tx, id store.PartitionID) error { return tx.ClosePartition(id) }), conflict)},
	{"ReadingStartConflictsWithATrim", headConflict(store.FieldStart, change(func(tx store.Tx, id store.PartitionID) error { return tx.TrimPartition(id, 1) }), conflict)},
	{"ReadingEpochConflictsWithANewEpoch", headConflict(store.FieldEpoch, change(func(tx store.Tx, id store.PartitionID) error { return tx.SetEpoch(id, 1) }), conflict)},
	{"ReadingRetentionConflictsWithNewRetention", headConflict(store.FieldRetention, change(func(tx store.Tx, id store.PartitionID) error {
		return tx.SetRetention(id, store.Retention{Bytes: 1})
	}), conflict)},
	{"ReadingNextDoesNotConflictWithATrim", headConflict(store.FieldNext, change(func(tx store.Tx, id store.PartitionID) error { return tx.TrimPartition(id, 1) }), noConflict)},
	{"DeletedPartitionConflictsAndIsMissingAfterwards", func(e *env) {
		id := e.partition()
		e.interleave(conflict, func(tx store.Tx) error {
			_, err := tx.Head(id, store.FieldEpoch)
			return tx.Set(key("missing"), fmt.Append(nil, errors.Is(err, store.ErrNoPartition)))
		}, func() { e.update(func(tx store.Tx) error { return tx.DeletePartition(id) }) })
		e.wantGet(key("missing"), "true")
	}},
	{"DeletedProducerConflicts", func(e *env) {
		e.producer(7, 0)
		e.interleave(conflict, func(tx store.Tx) error {
			_, ok, err := tx.Producer(7)
			return errors.Join(err, tx.Set(key("there"), fmt.Append(nil, ok)))
		}, func() { e.update(func(tx store.Tx) error { return tx.DeleteProducer(7) }) })
		e.wantGet(key("there"), "false")
	}},
	{"ProducerConflictsWithANewEpoch", func(e *env) {
		e.producer(7, 0)
		e.interleave(conflict, func(tx store.Tx) error {
			p, _, err := tx.Producer(7)
			return errors.Join(err, tx.Set(key("epoch"), fmt.Append(nil, p.Epoch)))
		}, func() { e.producer(7, 1) })
		e.wantGet(key("epoch"), "1")
	}},
	{"ViewSeesKeysAndHeadsOfOneCommit", viewOfOneCommit},
	{"ViewKeepsItsSnapshotWhileOthersWrite", func(e *env) {
		e.set(key("a"), "1")
		first := true
		e.view(func(tx store.ReadTx) error {
			before, _, err := tx.Get(key("a"))
			if first {
				first = false
				e.update(func(tx store.Tx) error {
					return errors.Join(tx.Set(key("a"), []byte("2")), tx.Set(key("b"), []byte("2")))
				})
			}
			after, _, err2 := tx.Get(key("a"))
			_, ok, err3 := tx.Get(key("b"))
			found, err4 := tx.Scan(key(""), nil, 10, false)
			if string(after) != string(before) || ok != (string(before) == "2") || len(found) != 1 && !ok {
				e.Errorf("got a=%q, then %q; b there: %v; %d keys", before, after, ok, len(found))
			}
			return errors.Join(err, err2, err3, err4)
		})
	}},
	{"CountersOfManyWritersLoseNothing", func(e *env) {
		const workers, each = 6, 15
		var wg sync.WaitGroup
		for range workers {
			wg.Go(func() {
				for range each {
					if _, err := e.retryContention(increment(key("n"))); err != nil {
						e.Errorf("Update: %v", err)
						return
					}
				}
			})
		}
		wg.Wait()
		wantEqual(e, "length of the counter", len(e.get(key("n"))), workers*each)
	}},
}

func increment(k []byte) func(store.Tx) error {
	return func(tx store.Tx) error {
		v, _, err := tx.Get(k)
		return errors.Join(err, tx.Set(k, append(v, '+')))
	}
}

func countInto(from, to []byte, limit int, reverse bool) func(store.Tx) error {
	return func(tx store.Tx) error {
		found, err := tx.Scan(from, to, limit, reverse)
		return errors.Join(err, tx.Set(key("count"), fmt.Append(nil, len(found))))
	}
}

const (
	conflict   = true
	noConflict = false
)

// interleave runs fn as a transaction, and between its first run and its commit what others do. A
// conflict makes it run again.
func (e *env) interleave(wantConflict bool, fn func(store.Tx) error, others func()) {
	e.Helper()
	runs := 0
	e.update(func(tx store.Tx) error {
		runs++
		err := fn(tx)
		if runs == 1 {
			others()
		}
		return err
	})
	if wantConflict && runs < 2 || !wantConflict && runs > 1 {
		e.Fatalf("the transaction ran %d times; conflict wanted: %v", runs, wantConflict)
	}
}

type other func(e *env, id store.PartitionID)

func appendOne(e *env, id store.PartitionID) { e.append(loose(id, "x")) }

func change(fn func(tx store.Tx, id store.PartitionID) error) other {
	return func(e *env, id store.PartitionID) {
		e.update(func(tx store.Tx) error { return fn(tx, id) })
	}
}

func headConflict(field store.HeadField, others other, want bool) func(e *env) {
	return func(e *env) {
		id := e.partition()
		e.append(loose(id, "first"))
		e.interleave(want, func(tx store.Tx) error {
			h, err := tx.Head(id, field)
			return errors.Join(err, tx.Set(key("head"), fmt.Append(nil, h)))
		}, func() { others(e, id) })
	}
}

// viewOfOneCommit has writers that change two keys and two partitions together.
func viewOfOneCommit(e *env) {
	ids := e.partitions(2)
	e.set(key("n1"), "")
	e.set(key("n2"), "")
	const rounds = 40
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range rounds {
			_, err := e.s.Update(e.ctx, func(tx store.Tx) error {
				_, err1 := tx.Append(loose(ids[0], "x"))
				_, err2 := tx.Append(loose(ids[1], "x"))
				return errors.Join(err1, err2, increment(key("n1"))(tx), increment(key("n2"))(tx))
			})
			if err != nil {
				e.Errorf("Update: %v", err)
				return
			}
		}
	}()
	for last := 0; last < rounds && !e.Failed(); {
		var n1, n2 []byte
		var h [2]store.Head
		e.view(func(tx store.ReadTx) error {
			var errs [4]error
			n1, _, errs[0] = tx.Get(key("n1"))
			h[0], errs[1] = tx.Head(ids[0], store.FieldNext)
			n2, _, errs[2] = tx.Get(key("n2"))
			h[1], errs[3] = tx.Head(ids[1], store.FieldNext)
			return errors.Join(errs[:]...)
		})
		if len(n1) != len(n2) || int(h[0].Next) != len(n1) || int(h[1].Next) != len(n1) || len(n1) < last {
			e.Fatalf("one view shows keys %d and %d, heads %d and %d; the view before %d", len(n1), len(n2), h[0].Next, h[1].Next, last)
		}
		last = len(n1)
	}
	<-done
}

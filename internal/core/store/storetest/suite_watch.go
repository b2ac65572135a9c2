package storetest

import (
	"errors"
	"fmt"
	"time"

	"millrace/internal/core/store"
)

// watch collects events; next waits for one.
type watch struct {
	e      *env
	events chan store.Event
	cancel func()
}

func (e *env) watch(ids ...store.PartitionID) *watch {
	w := &watch{e: e, events: make(chan store.Event, 1000)}
	w.cancel = e.s.Watch(ids, func(ev store.Event) { w.events <- ev })
	return w
}

func (w *watch) next() store.Event {
	w.e.Helper()
	select {
	case ev := <-w.events:
		return ev
	case <-time.After(testTime / 2):
		w.e.Fatal("no event came")
		return store.Event{}
	}
}

func (w *watch) want(id store.PartitionID, change store.Change) {
	w.e.Helper()
	ev := w.next()
	if ev.Partition != id || ev.Change != change {
		w.e.Fatalf("event: got %+v, want partition %d, change %06b", ev, id, change)
	}
}

var watchTests = []test{
	{"WatchTellsEveryKindOfChange", func(e *env) {
		id := e.partition()
		e.producer(7, 0)
		w := e.watch(id)
		defer w.cancel()
		e.add(0, loose(id, "a"))
		w.want(id, store.ChangedRecords|store.ChangedStable)
		e.add(1, inTxn(7, 0, "b").to(id))
		w.want(id, store.ChangedRecords)
		e.add(2, loose(id, "c"))
		w.want(id, store.ChangedRecords)
		e.update(end(7, true))
		w.want(id, store.ChangedRecords|store.ChangedStable)
		e.update(func(tx store.Tx) error { return tx.SetEpoch(id, 1) })
		w.want(id, store.ChangedEpoch)
		e.update(func(tx store.Tx) error { return tx.TrimPartition(id, 1) })
		w.want(id, store.ChangedTrimmed)
		e.update(func(tx store.Tx) error { return tx.ClosePartition(id) })
		w.want(id, store.ChangedClosed)
		e.update(func(tx store.Tx) error { return tx.DeletePartition(id) })
		w.want(id, store.ChangedDeleted)
	}},
	{"WatchTellsTheBytesThatCame", func(e *env) {
		id := e.partition()
		w := e.watch(id)
		defer w.cancel()
		req := plain("a", "b").to(id)
		e.add(0, req)
		wantEqual(e, "bytes", w.next().Bytes, len(req.Batch))
		e.add(2, loose(id, "c"))
		if got := w.next().Bytes; got <= 0 || got > 200 {
			e.Fatalf("bytes of one small record: got %d", got)
		}
	}},
	{"WatchIsSilentAboutOtherPartitions", func(e *env) {
		ids := e.partitions(3)
		w := e.watch(ids[0], ids[2])
		defer w.cancel()
		e.add(0, loose(ids[1], "x"))
		e.set(key("a"), "1")
		e.add(0, loose(ids[0], "x"))
		e.add(0, loose(ids[2], "x"))
		wantEqual(e, "first", w.next().Partition, ids[0])
		wantEqual(e, "second", w.next().Partition, ids[2])
	}},
	{"WatchKeepsTheOrderOfCommits", func(e *env) {
		ids := e.partitions(2)
		w := e.watch(ids...)
		defer w.cancel()
		for i := range 20 {
			e.add(store.Offset(i/2), loose(ids[i%2], "x"))
		}
		for i := range 20 {
			wantEqual(e, fmt.Sprintf("partition of event %d", i), w.next().Partition, ids[i%2])
		}
	}},
	{"WhatAWatchTellsCanBeRead", func(e *env) {
		id := e.partition()
		w := e.watch(id)
		defer w.cancel()
		go func() {
			for range 10 {
				if _, err := e.s.Append(e.ctx, []store.AppendRequest{loose(id, "x")}); err != nil {
					e.Errorf("Append: %v", err)
					return
				}
			}
		}()
		for seen := 0; seen < 10 && !e.Failed(); {
			w.next()
			seen++
			if next := e.head(id).Next; next < 1 || next > 10 {
				e.Fatalf("next offset after %d events: got %d", seen, next)
			} else if next == 10 {
				break
			}
		}
		wantEqual(e, "records", len(e.values(id, store.ReadUncommitted)), int(e.head(id).Next))
	}},
	{"OneCommitIsOneEventOfEachPartition", func(e *env) {
		ids := e.partitions(2)
		w := e.watch(ids...)
		defer w.cancel()
		e.update(func(tx store.Tx) error {
			_, err := tx.Append(loose(ids[0], "a"))
			_, err2 := tx.Append(plain("b").to(ids[0]))
			_, err3 := tx.Append(loose(ids[1], "a"))
			return errors.Join(err, err2, err3, tx.ClosePartition(ids[0]))
		})
		for range 2 {
			switch ev := w.next(); ev.Partition {
			case ids[0]:
				wantEqual(e, "change", ev.Change, store.ChangedRecords|store.ChangedStable|store.ChangedClosed)
			default:
				wantEqual(e, "change", ev.Change, store.ChangedRecords|store.ChangedStable)
			}
		}
		e.add(1, loose(ids[1], "b"))
		wantEqual(e, "next event", w.next().Partition, ids[1])
	}},
	{"CancelledWatchIsSilent", func(e *env) {
		id := e.partition()
		w, other := e.watch(id), e.watch(id)
		defer other.cancel()
		e.add(0, loose(id, "a"))
		w.next()
		other.next()
		w.cancel()
		w.cancel()
		e.add(1, loose(id, "b"))
		other.next()
		if len(w.events) != 0 {
			e.Fatalf("event after cancel: %+v", <-w.events)
		}
	}},
	{"RefusedAppendsAreNotTold", func(e *env) {
		id := e.partition()
		e.producer(7, 0)
		w := e.watch(id)
		defer w.cancel()
		e.add(0, producedBy(7, 0, 0).to(id))
		e.addFails(store.ErrOutOfSequence, producedBy(7, 0, 9).to(id))
		e.append(producedBy(7, 0, 0).to(id))
		e.update(func(tx store.Tx) error { return tx.TrimPartition(id, 0) })
		e.update(func(tx store.Tx) error { return tx.ClosePartition(id) })
		w.want(id, store.ChangedRecords|store.ChangedStable)
		w.want(id, store.ChangedClosed)
	}},
}

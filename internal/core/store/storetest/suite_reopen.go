package storetest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"millrace/internal/core/store"
)

// runReopen tests what must still be there when a store is opened again.
func runReopen(t *testing.T, c *config) {
	for _, r := range c.reopen {
		for _, x := range []struct {
			name string
			fn   func(e *env, reopen func())
		}{
			{"KeysAreStillThere", keysStay},
			{"PartitionsAndTheirRecordsAreStillThere", partitionsStay},
			{"ProducersAndOpenTransactionsAreStillThere", producersStay},
			{"IDsAndOffsetsAndSequencesAreNotUsedAgain", nothingIsUsedAgain},
			{"EverythingAcknowledgedUnderLoadIsStillThereOnce", loadStays},
			{"SealedBatchesAreStillRead", sealedStay},
		} {
			t.Run(r.name+x.name, func(t *testing.T) {
				e := newEnv(t, c.open(t))
				x.fn(e, func() { e.s = r.fn(t, e.s) })
			})
		}
	}
}

func keysStay(e *env, reopen func()) {
	long := key("%s", slices.Repeat([]byte("long"), 2000))
	e.set(key("a"), "1")
	e.set(key("b"), "2")
	e.set(long, "3")
	e.update(func(tx store.Tx) error {
		return errors.Join(tx.Delete(key("b")), tx.SetOrdered(key("log/"), []byte("x")))
	})
	before := e.scan(key(""), nil)
	for range 2 {
		reopen()
		after := e.scan(key(""), nil)
		if !slices.EqualFunc(before, after, func(a, b store.KV) bool { return slices.Equal(a.Key, b.Key) && slices.Equal(a.Value, b.Value) }) {
			e.Fatalf("keys after reopening: got %q, want %q", after, before)
		}
	}
	e.wantGet(long, "3")
	e.wantGet(key("b"), "-")
}

func partitionsStay(e *env, reopen func()) {
	ids := e.partitions(4)
	for i, id := range ids[:3] {
		e.add(0, loose(id, "a", "b"))
		e.add(2, plain("c").to(id))
		e.update(func(tx store.Tx) error {
			return errors.Join(tx.SetRetention(id, store.Retention{Millis: int64(i + 1)}), tx.SetCompaction(id, store.Compaction{Enabled: i == 1, MinLagMillis: 1<<40 + int64(i)}))
		})
	}
	e.update(func(tx store.Tx) error {
		return errors.Join(tx.ClosePartition(ids[0]), tx.TrimPartition(ids[1], 2), tx.SetEpoch(ids[2], 9), tx.DeletePartition(ids[3]))
	})
	heads := map[store.PartitionID]store.Head{}
	stats := map[store.PartitionID]store.Stat{}
	for _, id := range ids[:3] {
		heads[id] = e.head(id)
		stats[id], _ = e.s.Stat(e.ctx, id)
	}
	for range 2 {
		reopen()
		for i, id := range ids[:3] {
			wantEqual(e, fmt.Sprintf("head of partition %d", id), e.head(id), heads[id])
			st, err := e.s.Stat(e.ctx, id)
			wantEqual(e, fmt.Sprintf("stat of partition %d (%v)", id, err), st, stats[id])
			e.wantValues(id, store.ReadUncommitted, []string{"a", "b", "c"}[2*(i%2):]...)
			checkSeek(e, id)
		}
		checkMissing(e, ids[3])
	}
	e.addFails(store.ErrClosed, loose(ids[0], "d"))
	e.add(3, loose(ids[1], "d"))
	e.wantValues(ids[1], store.ReadUncommitted, "c", "d")
}

func producersStay(e *env, reopen func()) {
	ids := e.partitions(2)
	e.producer(7, 2)
	e.producer(8, 0)
	e.producer(9, 0)
	for seq := range int32(6) {
		e.add(store.Offset(seq), producedBy(7, 2, seq).to(ids[0]))
	}
	e.add(0, inTxn(8, 0, "a").to(ids[1]))
	e.add(1, inTxn(9, 0, "b").to(ids[1]))
	e.update(end(9, false)) // 2
	e.add(3, inTxn(9, 1, "c").to(ids[1]))
	e.add(6, inTxn(9, 0, "c").to(ids[0]))
	reopen()
	wantEqual(e, "last stable", e.head(ids[1]).LastStable, 0)
	if got, want := e.open(9), []store.OpenPartition{{Partition: ids[0], First: 6}, {Partition: ids[1], First: 3}}; !slices.Equal(got, want) {
		e.Fatalf("open partitions: got %v, want %v", got, want)
	}
	for seq := int32(1); seq < 6; seq++ {
		if res := e.append(producedBy(7, 2, seq).to(ids[0]))[0]; !res.Repeat || res.Base != store.Offset(seq) {
			e.Fatalf("repeat of batch %d: got %+v", seq, res)
		}
	}
	e.addFails(store.ErrOutOfSequence, producedBy(7, 2, 0).to(ids[0]))
	e.addFails(store.ErrProducerFenced, producedBy(7, 1, 6).to(ids[0]))
	e.update(end(8, true)) // 4
	e.update(end(9, true)) // 5
	reopen()
	res := e.read(store.ReadRequest{Partition: ids[1], MaxBytes: 1 << 20, Isolation: store.ReadCommitted})
	if want := []store.Aborted{{Producer: 9, First: 1, Last: 2}}; !slices.Equal(res.Aborted, want) || res.Head.LastStable != 6 {
		e.Fatalf("got aborted %v, last stable %d; want %v and 6", res.Aborted, res.Head.LastStable, want)
	}
	e.update(func(tx store.Tx) error { return tx.DeleteProducer(7) })
	reopen()
	e.addFails(store.ErrUnknownProducer, producedBy(7, 2, 6).to(ids[0]))
}

func nothingIsUsedAgain(e *env, reopen func()) {
	var last store.Commit
	var lastID uint64
	var lastKey []byte
	for round := range 3 {
		c := e.update(func(tx store.Tx) error {
			id, err := tx.NextID("n")
			if id != lastID+1 {
				e.Errorf("round %d: id %d after %d", round, id, lastID)
			}
			lastID = id
			return errors.Join(err, tx.SetOrdered(key("log/"), nil))
		})
		found := e.scan(key("log/"), key("log0"))
		if c.Sequence <= last.Sequence || c.Time < last.Time || len(found) != round+1 || string(found[round].Key) <= string(lastKey) {
			e.Fatalf("round %d: commit %+v after %+v, keys %q", round, c, last, found)
		}
		last, lastKey = c, found[round].Key
		// What is refused or changes nothing must not use anything up that is seen later.
		e.refuses(store.ErrNoPartition, func(tx store.Tx) error { return errors.Join(tx.ClosePartition(99), tx.Set(key("x"), nil)) })
		reopen()
	}
}

// loadStays has writers run while the store is reopened under them.
func loadStays(e *env, reopen func()) {
	id := e.partition()
	var mu sync.Mutex
	acked := map[string]store.Offset{}
	unknown := map[string]bool{}
	s := e.s
	var wg sync.WaitGroup
	started := make(chan struct{}, 8)
	for w := range 4 {
		wg.Go(func() {
			for i := 0; ; i++ {
				v := fmt.Sprintf("%d.%d", w, i)
				res, err := s.Append(e.ctx, []store.AppendRequest{loose(id, v)})
				if i == 2 {
					started <- struct{}{}
				}
				mu.Lock()
				switch {
				case err == nil && res[0].Err == nil:
					acked[v] = res[0].Base
				case errors.Is(err, store.ErrUnknownOutcome):
					unknown[v] = true
				}
				mu.Unlock()
				if err != nil || res[0].Err != nil {
					return
				}
			}
		})
	}
	for range 4 {
		<-started
	}
	reopen()
	wg.Wait()
	seen := map[string]bool{}
	for _, r := range e.records(e.readBatches(id, 0, 1<<20, store.ReadUncommitted)) {
		v := string(r.Value)
		at, ok := acked[v]
		if seen[v] || ok && at != store.Offset(r.Offset) || !ok && !unknown[v] {
			e.Fatalf("record %q at %d: seen before: %v; acknowledged: %v, at %d", v, r.Offset, seen[v], ok, at)
		}
		seen[v] = true
	}
	for v, at := range acked {
		if !seen[v] {
			e.Fatalf("record %q was acknowledged at %d and is gone; %d others are there", v, at, len(seen))
		}
	}
}

package storetest

import (
	"errors"
	"fmt"
	"slices"

	"millrace/internal/core/store"
)

// inTxn is a batch of an open transaction.
func inTxn(producer store.ProducerID, seq int32, values ...string) made {
	return made{producer: producer, seq: seq, txn: true, time: 1, values: values}
}

func end(producer store.ProducerID, commit bool) func(store.Tx) error {
	return func(tx store.Tx) error {
		_, err := tx.EndTransaction(producer, 0, commit, store.NoLimit)
		return err
	}
}

func (e *env) open(producer store.ProducerID) []store.OpenPartition {
	e.Helper()
	var p store.Producer
	e.view(func(tx store.ReadTx) (err error) { p, _, err = tx.Producer(producer); return err })
	return p.Open
}

var transactionTests = []test{
	{"TransactionalBatchOpensAndExtendsTheTransaction", func(e *env) {
		ids := e.partitions(2)
		e.producer(7, 0)
		e.add(0, loose(ids[1], "plain"))
		e.add(1, inTxn(7, 0, "a").to(ids[1]))
		if got, want := e.open(7), []store.OpenPartition{{Partition: ids[1], First: 1}}; !slices.Equal(got, want) {
			e.Fatalf("open: got %v, want %v", got, want)
		}
		e.add(0, inTxn(7, 0, "b").to(ids[0]))
		e.add(2, inTxn(7, 1, "c").to(ids[1]))
		if got, want := e.open(7), []store.OpenPartition{{Partition: ids[0], First: 0}, {Partition: ids[1], First: 1}}; !slices.Equal(got, want) {
			e.Fatalf("open: got %v, want %v", got, want)
		}
	}},
	{"LastStableStopsAtTheOldestOpenTransaction", func(e *env) {
		id := e.partition()
		e.producer(7, 0)
		e.producer(8, 0)
		e.add(0, loose(id, "a"))
		e.add(1, inTxn(7, 0, "b").to(id))
		e.add(2, inTxn(8, 0, "c").to(id))
		e.add(3, loose(id, "d"))
		wantEqual(e, "last stable", e.head(id).LastStable, 1)
		e.wantValues(id, store.ReadCommitted, "a")
		e.wantValues(id, store.ReadUncommitted, "a", "b", "c", "d")
		e.update(end(7, true))
		wantEqual(e, "last stable", e.head(id).LastStable, 2)
		e.wantValues(id, store.ReadCommitted, "a", "b")
		e.update(end(8, true))
		wantEqual(e, "last stable", e.head(id).LastStable, 6)
		e.wantValues(id, store.ReadCommitted, "a", "b", "c", "d", "commit", "commit")
	}},
	{"MarkersTakeAnOffsetInEachPartition", func(e *env) {
		ids := e.partitions(3)
		e.producer(7, 0)
		for _, id := range ids {
			e.add(0, inTxn(7, 0, "a").to(id))
		}
		e.update(end(7, false))
		for _, id := range ids {
			e.wantValues(id, store.ReadUncommitted, "a", "abort")
			wantEqual(e, "next offset", e.head(id).Next, 2)
			h := header(e, e.readBatches(id, 1, 1, store.ReadUncommitted)[0])
			if !h.Control() || !h.Transactional() || h.ProducerID != 7 || h.ProducerEpoch != 0 {
				e.Fatalf("marker: got %+v", h)
			}
		}
		wantEqual(e, "open partitions", len(e.open(7)), 0)
	}},
	{"AbortedTransactionsAreListedWithTheBatchesTheyTouch", abortedLists},
	{"TrimForgetsAbortedTransactionsBelow", func(e *env) {
		id := e.partition()
		e.producer(7, 0)
		e.add(0, inTxn(7, 0, "a").to(id))
		e.update(end(7, false)) // marker at 1
		e.add(2, loose(id, "b"))
		e.update(func(tx store.Tx) error { return tx.TrimPartition(id, 2) })
		res := e.read(store.ReadRequest{Partition: id, From: 2, MaxBytes: 1 << 20, Isolation: store.ReadCommitted})
		if len(res.Aborted) != 0 || len(res.Batches) != 1 {
			e.Fatalf("got %+v", res)
		}
	}},
	{"EndTransactionGoesInSlices", func(e *env) {
		ids := e.partitions(5)
		e.producer(7, 0)
		for _, id := range ids {
			e.add(0, inTxn(7, 0, "a").to(id))
		}
		var remains []int
		for range 4 {
			e.update(func(tx store.Tx) error {
				remain, err := tx.EndTransaction(7, 0, true, 2)
				remains = append(remains, remain)
				return err
			})
		}
		if !slices.Equal(remains, []int{3, 1, 0, 0}) {
			e.Fatalf("remain: got %v", remains)
		}
		for _, id := range ids {
			e.wantValues(id, store.ReadCommitted, "a", "commit")
		}
	}},
	{"EndTransactionWithoutAnOpenOneDoesNothing", func(e *env) {
		e.producer(7, 0)
		c := e.update(func(tx store.Tx) error {
			remain, err := tx.EndTransaction(7, 0, true, 10)
			wantEqual(e, "remain", remain, 0)
			return err
		})
		wantEqual(e, "sequence", c.Sequence, 0)
	}},
	{"EndTransactionIsFenced", func(e *env) {
		id := e.partition()
		e.producer(7, 0)
		e.add(0, inTxn(7, 0, "a").to(id))
		e.producer(7, 1)
		e.refuses(store.ErrProducerFenced, end(7, true))
		e.refuses(store.ErrUnknownProducer, end(8, true))
		e.update(func(tx store.Tx) error { _, err := tx.EndTransaction(7, 1, false, 10); return err })
		e.wantValues(id, store.ReadCommitted, "a", "abort")
	}},
	{"ProducerIsFencedAndItsTransactionAbortedInOneCommit", func(e *env) {
		id := e.partition()
		e.producer(7, 0)
		e.add(0, inTxn(7, 0, "a").to(id))
		e.update(func(tx store.Tx) error {
			_, err := tx.EndTransaction(7, 1, false, 10)
			return errors.Join(err, tx.InitProducer(7, 1))
		})
		e.addFails(store.ErrProducerFenced, inTxn(7, 1, "b").to(id))
		wantEqual(e, "last stable", e.head(id).LastStable, 2)
	}},
	{"TransactionEndsInOneCommitWithKeysAndOffsets", func(e *env) {
		ids := e.partitions(2)
		e.producer(7, 0)
		e.add(0, inTxn(7, 0, "a").to(ids[0]))
		e.refuses(store.ErrNoPartition, func(tx store.Tx) error {
			_, err := tx.Append(loose(99, "x"))
			return errors.Join(err, end(7, true)(tx), tx.Set(key("offset"), []byte("1")))
		})
		wantEqual(e, "open partitions after a refusal", len(e.open(7)), 1)
		e.wantGet(key("offset"), "-")
		e.update(func(tx store.Tx) error {
			_, err := tx.Append(loose(ids[1], "x"))
			return errors.Join(err, end(7, true)(tx), tx.Set(key("offset"), []byte("2")))
		})
		e.wantGet(key("offset"), "2")
		e.wantValues(ids[0], store.ReadCommitted, "a", "commit")
		e.wantValues(ids[1], store.ReadCommitted, "x")
	}},
	{"EndLosesToAnAppendThatExtendsTheTransaction", func(e *env) {
		ids := e.partitions(2)
		e.producer(7, 0)
		e.add(0, inTxn(7, 0, "a").to(ids[0]))
		e.interleave(conflict, end(7, true), func() { e.add(0, inTxn(7, 0, "b").to(ids[1])) })
		e.wantValues(ids[0], store.ReadCommitted, "a", "commit")
		e.wantValues(ids[1], store.ReadCommitted, "b", "commit")
	}},
	{"PlainBatchOfAProducerWithAnOpenTransactionIsRefused", func(e *env) {
		ids := e.partitions(2)
		e.producer(7, 0)
		e.add(0, inTxn(7, 0, "a").to(ids[0]))
		e.addFails(store.ErrInvalidTxn, producedBy(7, 0, 1).to(ids[0]))
		e.update(end(7, true))
		e.add(2, producedBy(7, 0, 1).to(ids[0]))
	}},
	{"ProducerWithAnOpenTransactionIsNotDeleted", func(e *env) {
		ids := e.partitions(2)
		e.producer(7, 0)
		for _, id := range ids {
			e.add(0, inTxn(7, 0, "a").to(id))
		}
		e.refuses(store.ErrInvalidTxn, func(tx store.Tx) error { return tx.DeleteProducer(7) })
		e.refuses(store.ErrInvalidTxn, func(tx store.Tx) error {
			_, err := tx.EndTransaction(7, 0, true, 1)
			return errors.Join(err, tx.DeleteProducer(7))
		})
		e.update(func(tx store.Tx) error { return errors.Join(end(7, true)(tx), tx.DeleteProducer(7)) })
		for _, id := range ids {
			wantEqual(e, "last stable", e.head(id).LastStable, 2)
		}
	}},
	{"ConsumersSeeExactlyTheCommittedTransactions", committedLoad},
	{"TransactionsFollowEachOther", func(e *env) {
		id := e.partition()
		e.producer(7, 0)
		for i := range 3 {
			e.add(store.Offset(2*i), inTxn(7, int32(i), fmt.Sprint(i)).to(id))
			e.update(end(7, i != 1))
		}
		e.wantValues(id, store.ReadCommitted, "0", "commit", "1", "abort", "2", "commit")
	}},
	{"RepeatOfATransactionalBatchDoesNotReopenTheTransaction", func(e *env) {
		id := e.partition()
		e.producer(7, 0)
		e.add(0, inTxn(7, 0, "a").to(id))
		e.update(end(7, true))
		if res := e.append(inTxn(7, 0, "a").to(id))[0]; !res.Repeat || res.Base != 0 {
			e.Fatalf("got %+v", res)
		}
		wantEqual(e, "open partitions", len(e.open(7)), 0)
		wantEqual(e, "last stable", e.head(id).LastStable, 2)
	}},
}

func abortedLists(e *env) {
	id := e.partition()
	e.producer(7, 0)
	e.producer(8, 0)
	e.add(0, inTxn(7, 0, "a").to(id))
	e.add(1, inTxn(8, 0, "b").to(id))
	e.update(end(7, false)) // 2
	e.add(3, loose(id, "c"))
	e.update(end(8, false)) // 4
	e.add(5, loose(id, "d"))
	e.add(6, inTxn(7, 1, "e").to(id))
	e.update(end(7, true)) // 7
	seven, eight := store.Aborted{Producer: 7, First: 0, Last: 2}, store.Aborted{Producer: 8, First: 1, Last: 4}
	for _, c := range []struct {
		from store.Offset
		max  int
		iso  store.Isolation
		want []store.Aborted
	}{
		{0, 1 << 20, store.ReadCommitted, []store.Aborted{seven, eight}},
		{0, 1, store.ReadCommitted, []store.Aborted{seven}},
		{1, 1, store.ReadCommitted, []store.Aborted{seven, eight}},
		{3, 1, store.ReadCommitted, []store.Aborted{eight}},
		{5, 1 << 20, store.ReadCommitted, nil},
		{0, 1 << 20, store.ReadUncommitted, nil},
	} {
		res := e.read(store.ReadRequest{Partition: id, From: c.from, MaxBytes: c.max, Isolation: c.iso})
		if !slices.Equal(res.Aborted, c.want) {
			e.Errorf("aborted from %d with %d bytes, isolation %d: got %v, want %v", c.from, c.max, c.iso, res.Aborted, c.want)
		}
	}
}

package storetest

import (
	"errors"
	"fmt"
	"slices"

	"millrace/internal/core/batch"
	"millrace/internal/core/datakey"
	"millrace/internal/core/store"
)

var sealedTests = []test{
	{"SealedBatchesAreReadPlainAndTellTheirKey", sealedReadPlain},
	{"LooseRecordsShareABatchOnlyUnderOneKey", looseShareOneKey},
	{"AppendUnderAKeyThatIsNotThereFailsAlone", missingKeyFails},
	{"DataKeyCanBeUsedInTheTransactionThatMakesIt", keyUsedAtOnce},
	{"DataKeyOfAFailedTransactionIsNotThere", failedKeyIsGone},
	{"SealedFinishedBatchesKeepTheirBytes", sealedKeepBytes},
	{"MarkersOfSealedTransactionsArePlain", markersArePlain},
	{"ManySealedBatchesAreReadInSmallPieces", sealedInPieces},
}

// dataKey makes a data key.
func (e *env) dataKey() (id uint64) {
	e.Helper()
	e.update(func(tx store.Tx) (err error) {
		id, err = datakey.Create(tx, RootKey)
		return err
	})
	return id
}

func under(key uint64, req store.AppendRequest) store.AppendRequest {
	req.Key = key
	return req
}

// keys are those of a partition's batches, in order.
func (e *env) keys(id store.PartitionID) []uint64 {
	e.Helper()
	var keys []uint64
	for _, b := range e.readBatches(id, e.head(id).Start, 1<<20, store.ReadUncommitted) {
		keys = append(keys, b.Key)
	}
	return keys
}

func (e *env) wantKeys(id store.PartitionID, want ...uint64) {
	e.Helper()
	if got := e.keys(id); !slices.Equal(got, want) {
		e.Fatalf("data keys of the batches of partition %d: got %v, want %v", id, got, want)
	}
}

func sealedReadPlain(e *env) {
	id, a, b := e.partition(), e.dataKey(), e.dataKey()
	e.add(0, under(a, loose(id, "one", "two")))
	e.add(2, loose(id, "three"))
	e.add(3, under(b, loose(id, "four")))
	e.add(4, under(a, plain("five").to(id)))
	e.wantValues(id, store.ReadUncommitted, "one", "two", "three", "four", "five")
	e.wantKeys(id, a, 0, b, a)
	st, err := e.s.Stat(e.ctx, id)
	size := int64(3 * store.SealOverhead)
	for _, x := range e.readBatches(id, 0, 1<<20, store.ReadUncommitted) {
		size += int64(len(x.Bytes))
	}
	wantEqual(e, fmt.Sprintf("stored bytes (%v)", err), st.Bytes, size)
}

func looseShareOneKey(e *env) {
	id, a := e.partition(), e.dataKey()
	res := e.append(under(a, loose(id, "1")), under(a, loose(id, "2")), loose(id, "3"), loose(id, "4"), under(a, loose(id, "5")))
	for i, r := range res {
		if r.Err != nil || r.Base != store.Offset(i) {
			e.Fatalf("request %d: got %+v, want offset %d", i, r, i)
		}
	}
	e.wantKeys(id, a, 0, a)
	e.wantValues(id, store.ReadUncommitted, "1", "2", "3", "4", "5")
}

func missingKeyFails(e *env) {
	id, a := e.partition(), e.dataKey()
	res := e.append(under(a, loose(id, "1")), under(a+1, loose(id, "2")), loose(id, "3"))
	if res[0].Err != nil || !errors.Is(res[1].Err, store.ErrNoDataKey) || res[2].Err != nil || res[2].Base != 1 {
		e.Fatalf("got %+v, want ErrNoDataKey for the second alone", res)
	}
	e.refuses(store.ErrNoDataKey, func(tx store.Tx) error {
		_, err := tx.Append(under(a+1, loose(id, "4")))
		return errors.Join(err, tx.Set(key("not"), []byte("x")))
	})
	e.wantGet(key("not"), "-")
	e.wantValues(id, store.ReadUncommitted, "1", "3")
}

func keyUsedAtOnce(e *env) {
	id := e.partition()
	var made uint64
	e.update(func(tx store.Tx) (err error) {
		if made, err = datakey.Create(tx, RootKey); err != nil {
			return err
		}
		_, err = tx.Append(under(made, loose(id, "first")))
		return err
	})
	e.add(1, under(made, loose(id, "second")))
	e.wantKeys(id, made, made)
	e.wantValues(id, store.ReadUncommitted, "first", "second")
}

func failedKeyIsGone(e *env) {
	id := e.partition()
	e.update(func(tx store.Tx) error { return tx.ClosePartition(id) })
	open := e.partition()
	var failed, made uint64
	e.refuses(store.ErrClosed, func(tx store.Tx) (err error) {
		if failed, err = datakey.Create(tx, RootKey); err != nil {
			return err
		}
		_, err = tx.Append(under(failed, loose(open, "x")))
		_, err2 := tx.Append(under(failed, loose(id, "x")))
		return errors.Join(err, err2)
	})
	e.addFails(store.ErrNoDataKey, under(failed, loose(open, "x")))
	made = e.dataKey()
	wantEqual(e, "number of the next data key", made, failed)
	e.add(0, under(made, loose(open, "y")))
	e.wantValues(open, store.ReadUncommitted, "y")
}

func sealedKeepBytes(e *env) {
	id, a := e.partition(), e.dataKey()
	req := under(a, plain("a", "b").to(id))
	before := slices.Clone(req.Batch)
	e.add(0, req)
	if !slices.Equal(req.Batch, before) {
		e.Fatalf("the caller's batch has changed: got %x, want %x", req.Batch, before)
	}
	got := e.readBatches(id, 0, 1<<20, store.ReadUncommitted)[0].Bytes
	batch.SetBaseOffset(before, 0)
	batch.SetLeaderEpoch(before, 0)
	if !slices.Equal(got, before) {
		e.Fatalf("batch: got %x, want %x", got, before)
	}
}

func markersArePlain(e *env) {
	id, a := e.partition(), e.dataKey()
	e.producer(7, 0)
	e.add(0, under(a, inTxn(7, 0, "t").to(id)))
	e.update(func(tx store.Tx) error {
		_, err := tx.EndTransaction(7, 0, true, store.NoLimit)
		return err
	})
	e.wantKeys(id, a, 0)
	e.wantValues(id, store.ReadCommitted, "t", "commit")
}

// sealedInPieces reads pieces of many sizes from every offset, between batches that are plain.
func sealedInPieces(e *env) {
	id, a := e.partition(), e.dataKey()
	var want []string
	for i := range 40 {
		req := loose(id, fmt.Sprint("value ", i), fmt.Sprint("other ", i))
		if i%3 != 0 {
			req.Key = a
		}
		e.add(store.Offset(2*i), req)
		want = append(want, fmt.Sprint("value ", i), fmt.Sprint("other ", i))
	}
	for _, size := range []int{1, 300, 1000, 1 << 20} {
		for from := store.Offset(0); from < 80; from += 7 {
			var got []string
			for _, r := range e.records(e.readBatches(id, from, size, store.ReadUncommitted)) {
				if store.Offset(r.Offset) >= from {
					got = append(got, string(r.Value))
				}
			}
			if !slices.Equal(got, want[from:]) {
				e.Fatalf("pieces of %d bytes from %d: got %q, want %q", size, from, got, want[from:])
			}
		}
	}
}

func sealedStay(e *env, reopen func()) {
	ids, a := e.partitions(3), e.dataKey()
	for i := range 20 {
		e.append(under(a, loose(ids[0], fmt.Sprint(i))), loose(ids[1], fmt.Sprint(i)), under(a, plain(fmt.Sprint(i)).to(ids[2])))
	}
	var want []string
	for i := range 20 {
		want = append(want, fmt.Sprint(i))
	}
	for round := range 2 {
		reopen()
		b := e.dataKey()
		if b != a+1+uint64(round) {
			e.Fatalf("data key made after reopening: got %d, want %d", b, a+1+uint64(round))
		}
		for _, id := range ids {
			e.add(store.Offset(len(want)), under(b, loose(id, "new")))
			e.wantValues(id, store.ReadUncommitted, append(want, "new")...)
		}
		want = append(want, "new")
	}
}

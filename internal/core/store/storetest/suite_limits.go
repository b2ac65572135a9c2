package storetest

import (
	"bytes"
	"errors"
	"fmt"

	"millrace/internal/core/batch"
	"millrace/internal/core/store"
)

var limitTests = []test{
	{"KeyIsAtMost32KiB", func(e *env) {
		longest := key("%s", bytes.Repeat([]byte("k"), store.MaxKeySize-1))
		e.set(longest, "v")
		e.wantGet(longest, "v")
		tooLong := append(longest, 'k')
		e.refuses(store.ErrTooLarge, func(tx store.Tx) error { return tx.Set(tooLong, nil) })
		e.refuses(store.ErrTooLarge, func(tx store.Tx) error {
			return tx.SetOrdered(longest[:store.MaxKeySize-store.OrderedSuffixSize+1], nil)
		})
		e.update(func(tx store.Tx) error { return tx.SetOrdered(longest[:store.MaxKeySize-store.OrderedSuffixSize], nil) })
	}},
	{"ValueIsAtMost2MiB", func(e *env) {
		v := bytes.Repeat([]byte("v"), store.MaxValueSize)
		e.update(func(tx store.Tx) error { return errors.Join(tx.Set(key("a"), v), tx.SetOrdered(key("o"), v)) })
		wantEqual(e, "size of the value", len(e.get(key("a"))), store.MaxValueSize)
		e.refuses(store.ErrTooLarge, func(tx store.Tx) error { return tx.Set(key("b"), append(v, 'v')) })
		e.refuses(store.ErrTooLarge, func(tx store.Tx) error { return tx.SetOrdered(key("b"), append(v, 'v')) })
	}},
	{"EmptyKeysAndKeysOfTheDriverAreRefused", func(e *env) {
		for _, k := range [][]byte{nil, {}, {byte(store.FamilyDriver)}, {byte(store.FamilyDriver), 1}} {
			e.refuses(store.ErrReservedKey, func(tx store.Tx) error { return tx.Set(k, nil) })
			e.refuses(store.ErrReservedKey, func(tx store.Tx) error { return tx.Delete(k) })
			e.refuses(store.ErrReservedKey, func(tx store.Tx) error { return tx.SetOrdered(k, nil) })
			e.refuses(store.ErrReservedKey, func(tx store.Tx) error { _, _, err := tx.Get(k); return err })
			e.refuses(store.ErrReservedKey, func(tx store.Tx) error { _, err := tx.Scan(k, nil, 1, false); return err })
		}
	}},
	{"LimitThatFnIgnoresStillFailsTheTransaction", func(e *env) {
		e.refuses(store.ErrTooLarge, func(tx store.Tx) error {
			_ = tx.Set(key("%s", bytes.Repeat([]byte("k"), store.MaxKeySize)), nil)
			return tx.Set(key("a"), nil)
		})
		e.wantGet(key("a"), "-")
	}},
	{"ScanReturnsAtMost10000Keys", func(e *env) {
		e.refuses(store.ErrTooLarge, func(tx store.Tx) error { _, err := tx.Scan(key(""), nil, store.MaxScanKeys+1, false); return err })
		e.refuses(store.ErrTooLarge, func(tx store.Tx) error { _, err := tx.Scan(key(""), nil, 0, false); return err })
		e.refuses(store.ErrTooLarge, func(tx store.Tx) error { _, err := tx.DeleteRange(key(""), nil, store.MaxScanKeys+1); return err })
	}},
	{"TransactionWritesAtMost10000KeysAndBesideThem10000Partitions", keysAndPartitions},
	{"TransactionWritesAtMost64MiB", func(e *env) {
		id := e.partition()
		b := sized(15 << 20)
		e.update(func(tx store.Tx) error {
			for range 4 {
				if _, err := tx.Append(store.AppendRequest{Partition: id, Batch: b}); err != nil {
					return err
				}
			}
			return tx.Set(key("a"), []byte("1"))
		})
		wantEqual(e, "next offset", e.head(id).Next, 4)
		e.wantGet(key("a"), "1")
		e.refuses(store.ErrTooLarge, func(tx store.Tx) error {
			for range 5 {
				if _, err := tx.Append(store.AppendRequest{Partition: id, Batch: b}); err != nil {
					return err
				}
			}
			return nil
		})
		wantEqual(e, "next offset", e.head(id).Next, 4)
	}},
	{"AppendTakesAtMost64MiBAnd10000Partitions", func(e *env) {
		id := e.partition()
		b := sized(15 << 20)
		req := make([]store.AppendRequest, 5)
		for i := range req {
			req[i] = store.AppendRequest{Partition: id, Batch: b}
		}
		if res, err := e.s.Append(e.ctx, req); !errors.Is(err, store.ErrTooLarge) {
			e.Fatalf("Append of 75 MiB: got %v, %v", res, err)
		}
		many := make([]store.AppendRequest, store.MaxTxParts+1)
		for i := range many {
			many[i] = loose(id, "x")
		}
		if res, err := e.s.Append(e.ctx, many); !errors.Is(err, store.ErrTooLarge) {
			e.Fatalf("Append of %d requests: got %d results, %v", len(many), len(res), err)
		}
		wantEqual(e, "next offset", e.head(id).Next, 0)
	}},
	{"BatchIsAtMost16MiB", func(e *env) {
		id := e.partition()
		e.add(0, store.AppendRequest{Partition: id, Batch: sized(store.MaxBatchSize)})
		e.addFails(store.ErrTooLarge, store.AppendRequest{Partition: id, Batch: sized(store.MaxBatchSize + 1)})
		all := e.readBatches(id, 0, 1, store.ReadUncommitted)
		if len(all) != 1 || len(all[0].Bytes) != store.MaxBatchSize {
			e.Fatalf("got %d batches", len(all))
		}
	}},
	{"LooseRecordIsAtMostABatch", func(e *env) {
		id := e.partition()
		e.addFails(store.ErrTooLarge, loose(id, string(make([]byte, store.MaxBatchSize))))
		e.add(0, loose(id, string(make([]byte, store.MaxBatchSize-128))))
	}},
}

// sized is a finished batch of exactly size bytes.
func sized(size int) []byte {
	for n := size - 2*batch.HeaderSize; ; {
		b := plain(string(make([]byte, n))).bytes()
		if len(b) == size {
			return b
		}
		n += size - len(b)
	}
}

func keysAndPartitions(e *env) {
	fill := func(keys, parts int) func(tx store.Tx) error {
		return func(tx store.Tx) error {
			for i := range keys {
				if err := tx.Set(key("k%05d", i), nil); err != nil {
					return err
				}
			}
			for i := range parts {
				if err := tx.CreatePartition(store.PartitionID(i+1), 0, store.Retention{}); err != nil {
					return err
				}
			}
			return nil
		}
	}
	e.refuses(store.ErrTooLarge, fill(store.MaxTxKeys+1, 0))
	e.refuses(store.ErrTooLarge, fill(0, store.MaxTxParts+1))
	e.update(fill(store.MaxTxKeys, store.MaxTxParts))
	wantEqual(e, "keys", len(e.scan(key(""), nil)), store.MaxTxKeys)
	ids, err := e.s.Partitions(e.ctx, 0, 2*store.MaxTxParts)
	if err != nil || len(ids) != store.MaxTxParts {
		e.Fatalf("Partitions: got %d, %v", len(ids), err)
	}
	e.refuses(store.ErrTooLarge, func(tx store.Tx) error {
		for i := range store.MaxTxParts + 1 {
			if _, err := tx.Append(loose(store.PartitionID(i%100+1), fmt.Sprint(i))); err != nil {
				return err
			}
		}
		return nil
	})
	e.update(func(tx store.Tx) error {
		next, err := tx.DeleteRange(key(""), nil, store.MaxScanKeys)
		if next == nil {
			e.Error("DeleteRange of as many keys as its limit does not say where to go on")
		}
		return err
	})
	wantEqual(e, "keys after DeleteRange", len(e.scan(key(""), nil)), 0)
}

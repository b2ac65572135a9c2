package storetest

import (
	"errors"
	"fmt"
	"math"

	"millrace/internal/core/store"
)

var idempotenceTests = []test{
	{"RepeatGetsTheFirstAnswer", func(e *env) {
		id := e.partition()
		e.producer(7, 0)
		first := e.add(0, producedBy(7, 0, 0).to(id))
		e.add(1, loose(id, "between"))
		again := e.append(producedBy(7, 0, 0).to(id))[0]
		if again.Err != nil || !again.Repeat || again.Base != first.Base || again.AppendTime != first.AppendTime || first.Repeat {
			e.Fatalf("repeat: got %+v, first answer %+v", again, first)
		}
		e.wantValues(id, store.ReadUncommitted, "0", "between")
	}},
	{"OldestOfFiveBatchesIsStillARepeat", func(e *env) {
		id := e.partition()
		e.producer(7, 0)
		for seq := range int32(6) {
			e.add(store.Offset(seq), producedBy(7, 0, seq).to(id))
		}
		for seq := int32(1); seq < 6; seq++ {
			if res := e.append(producedBy(7, 0, seq).to(id))[0]; !res.Repeat || res.Base != store.Offset(seq) {
				e.Errorf("repeat of batch %d: got %+v", seq, res)
			}
		}
		e.addFails(store.ErrOutOfSequence, producedBy(7, 0, 0).to(id))
		wantEqual(e, "next offset", e.head(id).Next, 6)
	}},
	{"RepeatInTheSameCallIsNoticed", func(e *env) {
		id := e.partition()
		e.producer(7, 0)
		res := e.append(producedBy(7, 0, 0).to(id), producedBy(7, 0, 0).to(id))
		if res[0].Repeat || !res[1].Repeat || res[1].Base != 0 || res[1].Err != nil {
			e.Fatalf("got %+v", res)
		}
	}},
	{"BatchOfOtherLengthIsNoRepeat", func(e *env) {
		id := e.partition()
		e.producer(7, 0)
		e.add(0, made{producer: 7, seq: 0, values: []string{"a", "b"}}.to(id))
		e.addFails(store.ErrOutOfSequence, made{producer: 7, seq: 0, values: []string{"a"}}.to(id))
		e.add(2, producedBy(7, 0, 2).to(id))
	}},
	{"GapInSequenceIsRefused", func(e *env) {
		id := e.partition()
		e.producer(7, 0)
		e.add(0, producedBy(7, 0, 0).to(id))
		e.addFails(store.ErrOutOfSequence, producedBy(7, 0, 2).to(id))
		e.add(1, producedBy(7, 0, 1).to(id))
	}},
	{"FirstBatchInAPartitionMayHaveAnyNumber", func(e *env) {
		id := e.partition()
		e.producer(7, 0)
		e.add(0, producedBy(7, 0, 41).to(id))
		e.add(1, producedBy(7, 0, 42).to(id))
	}},
	{"SequenceGoesOnWithZeroAfterTheLargest", func(e *env) {
		id := e.partition()
		e.producer(7, 0)
		e.add(0, made{producer: 7, seq: math.MaxInt32 - 1, values: []string{"a", "b", "c"}}.to(id)) // max-1, max, 0
		e.add(3, producedBy(7, 0, 1).to(id))
		again := e.append(made{producer: 7, seq: math.MaxInt32 - 1, values: []string{"a", "b", "c"}}.to(id))[0]
		if !again.Repeat || again.Base != 0 {
			e.Fatalf("repeat of the batch that wraps: got %+v", again)
		}
	}},
	{"NewEpochBeginsAtZero", func(e *env) {
		id := e.partition()
		e.producer(7, 0)
		e.add(0, producedBy(7, 0, 0).to(id))
		e.producer(7, 1)
		e.addFails(store.ErrOutOfSequence, producedBy(7, 1, 1).to(id))
		e.add(1, producedBy(7, 1, 0).to(id))
		e.add(2, producedBy(7, 1, 1).to(id))
	}},
	{"OlderEpochIsFenced", func(e *env) {
		id := e.partition()
		e.producer(7, 3)
		e.add(0, producedBy(7, 3, 0).to(id))
		e.producer(7, 4)
		e.addFails(store.ErrProducerFenced, producedBy(7, 3, 1).to(id))
		e.addFails(store.ErrProducerFenced, made{producer: 7, epoch: 5, txn: true, values: []string{"a"}}.to(id))
		e.refuses(store.ErrProducerFenced, func(tx store.Tx) error { return tx.InitProducer(7, 3) })
		e.update(func(tx store.Tx) error { return tx.InitProducer(7, 4) })
	}},
	{"ProducerWithoutTransactionsRaisesItsEpochPartitionByPartition", func(e *env) {
		ids := e.partitions(2)
		e.producer(7, 0)
		for _, id := range ids {
			e.add(0, producedBy(7, 0, 0).to(id))
			e.add(1, producedBy(7, 0, 1).to(id))
		}
		e.addFails(store.ErrOutOfSequence, producedBy(7, 1, 2).to(ids[0]))
		e.add(2, producedBy(7, 1, 0).to(ids[0]))
		e.addFails(store.ErrProducerFenced, producedBy(7, 0, 2).to(ids[0]))
		e.add(2, producedBy(7, 0, 2).to(ids[1])) // was in flight
		if res := e.append(producedBy(7, 1, 0).to(ids[0]))[0]; !res.Repeat || res.Base != 2 {
			e.Fatalf("repeat in the new epoch: got %+v", res)
		}
		e.add(3, producedBy(7, 1, 1).to(ids[0]))
		e.producer(7, 2)
		e.addFails(store.ErrProducerFenced, producedBy(7, 1, 2).to(ids[0]))
	}},
	{"SequenceGoesOnWithZeroAfterABatchThatEndsWithTheLargest", func(e *env) {
		id := e.partition()
		e.producer(7, 0)
		e.add(0, made{producer: 7, seq: math.MaxInt32 - 1, values: []string{"a", "b"}}.to(id)) // max-1, max
		e.addFails(store.ErrOutOfSequence, producedBy(7, 0, 1).to(id))
		e.add(2, producedBy(7, 0, 0).to(id))
		e.add(3, producedBy(7, 0, 1).to(id))
	}},
	{"ProducerIsRememberedWithoutItsRecords", func(e *env) {
		id := e.partition()
		e.producer(7, 0)
		for seq := range int32(3) {
			e.add(store.Offset(seq), producedBy(7, 0, seq).to(id))
		}
		e.update(func(tx store.Tx) error { return tx.TrimPartition(id, 3) })
		if res := e.append(producedBy(7, 0, 2).to(id))[0]; !res.Repeat || res.Base != 2 || res.Start != 3 {
			e.Fatalf("repeat of a batch that was trimmed: got %+v", res)
		}
		e.addFails(store.ErrOutOfSequence, producedBy(7, 0, 4).to(id))
		e.add(3, producedBy(7, 0, 3).to(id))
	}},
	{"UnknownProducerIsRefused", func(e *env) {
		id := e.partition()
		e.addFails(store.ErrUnknownProducer, producedBy(7, 0, 0).to(id))
		e.refuses(store.ErrUnknownProducer, func(tx store.Tx) error { return tx.InitProducer(-1, 0) })
		e.refuses(store.ErrUnknownProducer, func(tx store.Tx) error { return tx.DeleteProducer(7) })
	}},
	{"DeletedProducerIsForgottenEverywhere", func(e *env) {
		id := e.partition()
		e.producer(7, 0)
		e.add(0, producedBy(7, 0, 0).to(id))
		e.update(func(tx store.Tx) error { return tx.DeleteProducer(7) })
		e.addFails(store.ErrUnknownProducer, producedBy(7, 0, 1).to(id))
		e.producer(7, 0)
		e.add(1, producedBy(7, 0, 9).to(id))
	}},
	{"FiveInFlightWithTheThirdFailing", func(e *env) {
		id := e.partition()
		e.producer(7, 0)
		var req []store.AppendRequest
		for seq := range int32(5) {
			req = append(req, producedBy(7, 0, seq).to(id))
		}
		whole := req[2].Batch
		req[2].Batch = whole[:len(whole)-1]
		res := e.append(req...)
		for i, want := range []error{nil, nil, store.ErrInvalidBatch, store.ErrOutOfSequence, store.ErrOutOfSequence} {
			if !errors.Is(res[i].Err, want) {
				e.Errorf("batch %d: got %v, want %v", i, res[i].Err, want)
			}
		}
		req[2].Batch = whole
		for i, res := range e.append(req...) {
			if res.Err != nil || res.Base != store.Offset(i) || res.Repeat != (i < 2) {
				e.Errorf("batch %d sent again: got %+v", i, res)
			}
		}
		e.wantValues(id, store.ReadUncommitted, "0", "1", "2", "3", "4")
	}},
	{"ProducersDoNotDisturbEachOther", func(e *env) {
		ids := e.partitions(2)
		for p := range store.ProducerID(3) {
			e.producer(p, 0)
		}
		next := map[store.PartitionID]store.Offset{}
		for i := range 12 {
			id, p := ids[i%2], store.ProducerID(i%3)
			e.add(next[id], producedBy(p, 0, int32(i/6)).to(id))
			next[id]++
		}
	}},
	{"ProducersAppendsInATransactionAreChecked", func(e *env) {
		id := e.partition()
		e.producer(7, 0)
		e.add(0, producedBy(7, 0, 0).to(id))
		e.refuses(store.ErrOutOfSequence, func(tx store.Tx) error { _, err := tx.Append(producedBy(7, 0, 5).to(id)); return err })
		e.refuses(store.ErrInvalidTxn, func(tx store.Tx) error {
			_, err := tx.Append(producedBy(7, 0, 1).to(id))
			_, err2 := tx.Append(producedBy(7, 0, 2).to(id))
			return errors.Join(err, err2)
		})
		var res *store.AppendResult
		e.update(func(tx store.Tx) (err error) { res, err = tx.Append(producedBy(7, 0, 1).to(id)); return err })
		wantEqual(e, "offset", res.Base, 1)
		e.update(func(tx store.Tx) (err error) { res, err = tx.Append(producedBy(7, 0, 1).to(id)); return err })
		if !res.Repeat || res.Base != 1 {
			e.Fatalf("repeat in a transaction: got %+v", res)
		}
		e.update(func(tx store.Tx) error {
			_, err := tx.Append(producedBy(7, 1, 0).to(id))
			return errors.Join(err, tx.InitProducer(7, 1))
		})
		e.update(func(tx store.Tx) error {
			_, err := tx.Append(producedBy(8, 0, 0).to(id))
			return errors.Join(err, tx.InitProducer(8, 0))
		})
		e.wantValues(id, store.ReadUncommitted, "0", "1", "0", "0")
	}},
	{"AppendsOfOneProducerKeepTheirOrderBesideOthers", func(e *env) {
		id := e.partition()
		done := make(chan error, 4)
		for p := range store.ProducerID(4) {
			e.producer(p, 0)
			go func() {
				for seq := range int32(20) {
					res, err := e.s.Append(e.ctx, []store.AppendRequest{producedBy(p, 0, seq).to(id)})
					if err != nil || res[0].Err != nil {
						done <- fmt.Errorf("producer %d, batch %d: %+v, %w", p, seq, res, err)
						return
					}
				}
				done <- nil
			}()
		}
		for range 4 {
			if err := <-done; err != nil {
				e.Error(err)
			}
		}
		next := map[int64]int32{}
		for _, b := range e.readBatches(id, 0, 1000, store.ReadUncommitted) {
			h := header(e, b)
			if h.BaseSequence != next[h.ProducerID] {
				e.Fatalf("producer %d: batch %d at offset %d, want batch %d", h.ProducerID, h.BaseSequence, b.Base, next[h.ProducerID])
			}
			next[h.ProducerID]++
		}
	}},
}

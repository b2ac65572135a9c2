package produce

import (
	"testing"
	"time"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/store"
	"millrace/internal/service/kafka/logtest"
	"millrace/internal/service/kafka/txn"
)

func TestDuplicateOfTheLastFiveReturnsSuccessWithItsFirstOffset(t *testing.T) {
	onEach(t, func(r *rig) {
		for i := range 6 {
			r.wantBase(r.send(rules(), idempotent(0, int32(2*i), "a", "b")), int64(2*i))
		}
		for i := 1; i < 6; i++ {
			got := r.send(rules(), idempotent(0, int32(2*i), "a", "b"))
			if r.wantBase(got, int64(2*i)); !got.Repeat {
				r.Fatalf("batch %d again: got %+v, want a repeat", i, got)
			}
		}
		r.wantCode(r.send(rules(), idempotent(0, 0, "a", "b")), kafkaapi.OutOfOrderSequenceNumber)
		r.wantNext(12)
	})
}

func TestGapInSequenceNumbersIsOutOfOrder(t *testing.T) {
	onEach(t, func(r *rig) {
		r.wantBase(r.send(rules(), idempotent(0, 0, "a")), 0)
		r.wantCode(r.send(rules(), idempotent(0, 2, "c")), kafkaapi.OutOfOrderSequenceNumber)
		r.wantBase(r.send(rules(), idempotent(0, 1, "b")), 1)
	})
}

func TestSequenceNumbersGoOnWithZeroAfterTheLargest(t *testing.T) {
	onEach(t, func(r *rig) {
		r.wantBase(r.send(rules(), idempotent(0, 1<<31-2, "a", "b", "c")), 0)
		r.wantBase(r.send(rules(), idempotent(0, 1, "d")), 3)
		got := r.send(rules(), idempotent(0, 1<<31-2, "a", "b", "c"))
		if r.wantBase(got, 0); !got.Repeat {
			r.Fatalf("batch over the end again: got %+v, want a repeat", got)
		}
	})
}

func TestIdempotentProducerRaisesItsEpochByItself(t *testing.T) {
	onEach(t, func(r *rig) {
		r.wantBase(r.send(rules(), idempotent(0, 0, "a")), 0)
		r.wantCode(r.send(rules(), idempotent(1, 5, "b")), kafkaapi.OutOfOrderSequenceNumber)
		r.wantBase(r.send(rules(), idempotent(1, 0, "b")), 1)
		r.wantCode(r.send(rules(), idempotent(0, 1, "c")), kafkaapi.InvalidProducerEpoch)
	})
}

// TestEpochRaisedInOnePartitionLeavesTheOthers has batches of the old epoch under way to a partition while the producer
// has gone on to the next one in another, as clients do after an error (KIP-360).
func TestEpochRaisedInOnePartitionLeavesTheOthers(t *testing.T) {
	onEach(t, func(r *rig) {
		first, second := r.id, logtest.Partition(t, r.s)
		to := func(id store.PartitionID, b []byte) Part {
			return r.send(rules(), b, func(q *Request) { q.Parts[0].Partition = id })
		}
		r.wantBase(to(first, idempotent(0, 0, "a")), 0)
		r.wantBase(to(second, idempotent(0, 0, "a")), 0)
		r.wantBase(to(first, idempotent(1, 0, "b")), 1)
		r.wantBase(to(second, idempotent(0, 1, "b")), 1)
		if got := to(second, idempotent(0, 1, "b")); !got.Repeat {
			r.Fatalf("batch of the old epoch again: got %+v, want a repeat", got)
		}
		r.wantBase(to(second, idempotent(1, 0, "c")), 2)
		r.wantCode(to(second, idempotent(0, 2, "d")), kafkaapi.InvalidProducerEpoch)
	})
}

func TestProducerThatWasForgottenGoesOn(t *testing.T) {
	onEach(t, func(r *rig) {
		c, _ := r.withTxns()
		pr, code := c.InitIdempotent(r.Context())
		if code != kafkaapi.None {
			r.Fatalf("init producer: %v", code)
		}
		of := func(seq int32, value string) []byte {
			return logtest.Values(logtest.Fields{Producer: int64(pr.ID), Sequence: seq}, r.now(), value)
		}
		r.wantBase(r.send(rules(), of(0, "a")), 0)
		logtest.Update(r, r.s, func(tx store.Tx) error { return tx.DeleteProducer(pr.ID) })
		got := r.send(rules(), of(1, "b"))
		if got.Code == kafkaapi.None || !got.Code.Retriable() {
			r.Fatalf("first batch after: got %v, want a retriable code", got.Code)
		}
		r.wantBase(r.send(rules(), of(1, "b")), 1)
	})
}

func TestProducerIDThatWasNeverGivenOutIsUnknown(t *testing.T) {
	onEach(t, func(r *rig) {
		r.withTxns()
		b := logtest.Values(logtest.Fields{Producer: 1 << 40}, r.now(), "a")
		r.wantCode(r.send(rules(), b), kafkaapi.UnknownProducerID)
	})
}

func TestPipelinedBatchesKeepTheirOrderWhenAProducerIsNew(t *testing.T) {
	onEach(t, func(r *rig) {
		const n = 200
		done := make(chan Part, n)
		for i := range n {
			q := NewRequest()
			q.Version, q.Acks = 11, -1
			part := q.Add()
			part.Partition, part.Rules, part.Records = r.id, rules(), idempotent(int16(i/100), int32(i%100), "a")
			r.p.Produce(r.Context(), q, func(q *Request) { done <- q.Parts[0] })
		}
		for i := range n {
			r.wantBase(<-done, int64(i))
		}
	})
}

func (r *rig) withTxns() (*txn.Coordinator, txn.Producer) {
	r.Helper()
	c, err := txn.New(r.Context(), txn.Options{Store: r.s})
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { _ = c.Close() })
	r.p = New(Options{Store: r.s, Txns: c})
	pr, code := c.Init(r.Context(), txn.InitRequest{ID: "tx", Timeout: time.Minute})
	if code != kafkaapi.None {
		r.Fatalf("init producer: %v", code)
	}
	return c, pr
}

func (r *rig) transactional(version int16, pr txn.Producer) Part {
	b := logtest.Values(logtest.Fields{Producer: int64(pr.ID), Epoch: pr.Epoch, Transactional: true}, r.now(), "a")
	return r.send(rules(), b, func(q *Request) {
		q.Version, q.Transactional, q.TransactionalID = version, true, "tx"
	})
}

func TestTransactionBeginsWithItsFirstAppendFromVersion12On(t *testing.T) {
	onEach(t, func(r *rig) {
		_, pr := r.withTxns()
		r.wantBase(r.transactional(12, pr), 0)
		h, err := r.s.Head(r.Context(), r.id)
		if err != nil || h.LastStable != 0 || h.Next != 1 {
			r.Fatalf("head: got %+v, %v; want an open transaction from 0", h, err)
		}
	})
}

func TestAppendToAPartitionThatIsNotPartOfTheTransactionFailsBeforeVersion12(t *testing.T) {
	onEach(t, func(r *rig) {
		c, pr := r.withTxns()
		got := r.transactional(9, pr)
		r.wantCode(got, kafkaapi.InvalidTxnState)
		if code := c.AddPartitions(r.Context(), txn.Ident{ID: "tx", Producer: pr.ID, Epoch: pr.Epoch}, []store.PartitionID{r.id}); code != kafkaapi.None {
			r.Fatalf("add partitions: %v", code)
		}
		r.wantBase(r.transactional(9, pr), 0)
	})
}

func TestZombieCannotAppendToAPartitionItNeverTouched(t *testing.T) {
	onEach(t, func(r *rig) {
		c, old := r.withTxns()
		if _, code := c.Init(r.Context(), txn.InitRequest{ID: "tx", Timeout: time.Minute}); code != kafkaapi.None {
			r.Fatalf("init producer: %v", code)
		}
		r.wantCode(r.transactional(12, old), kafkaapi.InvalidProducerEpoch)
		r.wantNext(0)
	})
}

func TestBatchesOfTwoTransactionalProducersInOneRequestAreRefused(t *testing.T) {
	onEach(t, func(r *rig) {
		_, pr := r.withTxns()
		q := NewRequest()
		q.Version, q.Acks, q.Transactional, q.TransactionalID = 12, -1, true, "tx"
		for _, id := range []store.ProducerID{pr.ID, pr.ID + 1} {
			part := q.Add()
			part.Partition, part.Rules = r.id, rules()
			part.Records = logtest.Values(logtest.Fields{Producer: int64(id), Epoch: pr.Epoch, Transactional: true}, r.now(), "a")
		}
		parts := r.produce(q)
		r.wantBase(parts[0], 0)
		r.wantCode(parts[1], kafkaapi.InvalidProducerIDMapping)
	})
}

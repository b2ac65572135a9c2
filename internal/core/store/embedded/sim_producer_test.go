package embedded

import (
	"math/rand/v2"

	"millrace/internal/core/store"
)

// producer is one that a single worker uses, so that each answer can be foretold.
type producer struct {
	id    store.ProducerID
	txn   bool
	epoch int16 // -1 before it was made
	parts map[store.PartitionID]*sentTo
}

// sentTo is what a partition remembers of a producer.
type sentTo struct {
	epoch int16
	last  []*addition // at most store.LastBatches, oldest first
}

func newProducer(id store.ProducerID) *producer {
	return &producer{id: id, txn: id%10 == 2, epoch: -1, parts: map[store.PartitionID]*sentTo{}}
}

// step makes one call of the producer and compares the answer.
func (p *producer) step(w *worker) {
	if p.epoch < 0 || w.rng.IntN(25) == 0 {
		p.raise(w)
		return
	}
	id := w.partition()
	if x := w.m.mirror[id]; x != nil && x.gap {
		w.append() // what the partition remembers was trimmed before it was looked at
		return
	}
	to := p.parts[id]
	by := sentBy{producer: p.id, epoch: p.epoch, txn: p.txn}
	known := to != nil && to.epoch == p.epoch
	if known {
		last := to.last[len(to.last)-1]
		by.seq = last.by.seq + int32(last.n)
	}
	n := w.rng.IntN(20)
	switch {
	case n < 2 && known:
		p.repeat(w, to.last[w.rng.IntN(len(to.last))])
	case n < 4 && known:
		by.seq += 1 + int32(w.rng.IntN(3))
		p.send(w, id, by, store.ErrOutOfSequence)
	case n < 6 && p.epoch > 0:
		by.epoch--
		p.send(w, id, by, store.ErrProducerFenced)
	default:
		p.send(w, id, by, nil)
	}
}

// raise makes the producer, or gives it a new epoch.
func (p *producer) raise(w *worker) {
	epoch := p.epoch + 1
	w.update(func(o *op, tx store.Tx, _ *rand.Rand, _ func(store.AppendRequest) error) error {
		o.producers = []store.ProducerChange{{Kind: store.ProducerInit, Producer: p.id, Epoch: epoch}}
		if p.txn {
			if _, err := tx.EndTransaction(p.id, max(p.epoch, 0), false, store.NoLimit); err != nil && p.epoch >= 0 {
				return err
			}
		}
		return tx.InitProducer(p.id, epoch)
	})
	if o := w.last; o.state == opAcked { // after a crash the checker says what it is
		p.epoch = epoch
	}
}

func (p *producer) send(w *worker, id store.PartitionID, by sentBy, want error) {
	o := w.m.ledger.begin(false)
	a := &addition{op: o, part: id, n: 1 + w.rng.IntN(3), base: -1, by: &by, want: want}
	o.adds = []*addition{a}
	a.batch = a.finished(30 + w.rng.IntN(200))
	w.send(o, []store.AppendRequest{{Partition: id, Batch: a.batch}})
	if o.state == opAcked && a.err == nil {
		p.remember(a)
	}
}

// repeat sends the bytes of an earlier batch: the first answer comes again.
func (p *producer) repeat(w *worker, first *addition) {
	o := w.m.ledger.begin(false)
	a := &addition{op: o, part: first.part, n: first.n, base: -1, by: first.by, again: first}
	o.adds = []*addition{a}
	w.send(o, []store.AppendRequest{{Partition: first.part, Batch: first.batch}})
}

func (p *producer) remember(a *addition) {
	to := p.parts[a.part]
	if to == nil || to.epoch != a.by.epoch {
		to = &sentTo{epoch: a.by.epoch}
		p.parts[a.part] = to
	}
	to.last = append(to.last, a)
	if len(to.last) > store.LastBatches {
		to.last = to.last[1:]
	}
}

// endTransaction ends the worker's open transaction.
func (w *worker) endTransaction() {
	p := w.txn
	if p.epoch < 0 {
		return
	}
	w.update(func(_ *op, tx store.Tx, rng *rand.Rand, _ func(store.AppendRequest) error) error {
		_, err := tx.EndTransaction(p.id, p.epoch, rng.IntN(2) == 0, store.NoLimit)
		return err
	})
}

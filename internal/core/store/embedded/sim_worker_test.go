package embedded

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"

	"millrace/internal/core/batch"
	"millrace/internal/core/datakey"
	"millrace/internal/core/store"
)

// Keys of the simulation: one for each transaction, some counters, and the order of commits.
const hotKeys = 3

var logPrefix = []byte{byte(store.FamilySetting), 'o'}

func opKey(id int) []byte { return fmt.Appendf([]byte{byte(store.FamilyTopic), 'k'}, "%08d", id) }
func opValue(id int) []byte {
	return append(strconv.AppendInt(nil, int64(id), 10), make([]byte, id*37%1300)...) // up to three sectors: the key changes of a group can be torn
}
func hotKey(n int) []byte { return []byte{byte(store.FamilyTopic), 'h', byte('0' + n)} }

// worker is one caller: it makes one call after the other.
type worker struct {
	m          *sim
	s          *Store
	rng        *rand.Rand
	idempotent *producer
	txn        *producer
	shared     int16 // epoch that it has given the shared producer; 0 for none
	sharedSeq  map[store.PartitionID]int32
	last       *op // the last transaction
}

func (w *worker) step() {
	p := &w.m.profile
	switch n := w.rng.IntN(100); {
	case n < p.churn:
		w.churn()
	case n < p.churn+p.updates:
		w.transaction()
	case n < p.churn+p.updates+p.quarrel:
		w.fence()
	default:
		switch n := w.rng.IntN(20); {
		case n < 9:
			w.append()
		case n < 12:
			w.idempotent.step(w)
		case n < 15:
			w.txn.step(w)
		case n < 16:
			w.endTransaction()
		case n < 18:
			w.fence()
		default:
			w.look()
		}
	}
}

// answered notes what came back, unless the disk had crashed before.
func (w *worker) answered(o *op, err error) {
	if w.m.fs.Crashed() != nil {
		return
	}
	if errors.Is(err, store.ErrUnknownOutcome) {
		w.m.stopped.Store(true)
		if !w.m.failed.Load() {
			w.m.ledger.answered(o, fmt.Errorf("on a healthy disk: %w", err))
		}
		return
	}
	if errors.Is(err, store.ErrStopped) {
		w.m.stopped.Store(true)
	}
	if (errors.Is(err, store.ErrStopped) || errors.Is(err, store.ErrFull)) && !w.m.failed.Load() {
		err = fmt.Errorf("on a healthy disk: %w", err)
	}
	w.m.ledger.answered(o, err)
}

func (w *worker) partition() store.PartitionID { return w.m.ledger.partition(w.rng.IntN) }

// add plans an addition of loose records, or of a finished batch.
func (w *worker) add(o *op, rng *rand.Rand, id store.PartitionID) store.AppendRequest {
	a := &addition{op: o, nth: len(o.adds), part: id, n: 1 + rng.IntN(4), base: -1}
	o.adds = append(o.adds, a)
	size := 20 + rng.IntN(300)
	if rng.IntN(100) < w.m.profile.bulk {
		size = 2<<10 + rng.IntN(12<<10)
	}
	if rng.IntN(3) == 0 {
		a.batch = a.finished(size)
		return store.AppendRequest{Partition: id, Batch: a.batch, LogAppendTime: rng.IntN(2) == 0}
	}
	req := store.AppendRequest{Partition: id}
	for i := range a.n {
		req.Records = append(req.Records, store.Record{Key: []byte("k"), Value: a.value(i, size)})
	}
	return req
}

// finished builds the addition's batch, by its producer if it has one.
func (a *addition) finished(size int) []byte {
	f := batch.Fields{ProducerID: batch.NoProducer, ProducerEpoch: batch.NoProducer, BaseSequence: batch.NoProducer, FirstTimestamp: 1, MaxTimestamp: 1}
	if a.by != nil {
		f.ProducerID, f.ProducerEpoch, f.BaseSequence = int64(a.by.producer), a.by.epoch, a.by.seq
		if a.by.txn {
			f.Attributes = batch.AttrTransactional
		}
	}
	var b batch.Builder
	b.Start(nil, 1)
	for i := range a.n {
		b.Add(&batch.Record{Value: a.value(i, size), Timestamp: 1})
	}
	return b.Finish(f)
}

// key is the data key that an operation's additions are sealed under.
func (w *worker) key(o *op) uint64 {
	if o.id%3 == 0 {
		return w.m.key
	}
	return 0
}

func (w *worker) append() {
	o := w.m.ledger.begin(false)
	var req []store.AppendRequest
	for range 1 + w.rng.IntN(3) {
		r := w.add(o, w.rng, w.partition())
		req = append(req, r)
	}
	w.send(o, req)
}

// send makes one call of Append for an operation.
func (w *worker) send(o *op, req []store.AppendRequest) {
	for i := range req {
		req[i].Key = w.key(o)
	}
	res, err := w.s.Append(context.Background(), req)
	if w.m.fs.Crashed() != nil {
		return
	}
	if err == nil {
		for i, a := range o.adds {
			a.err = res[i].Err
			if a.err == nil {
				a.base, a.time, a.known = res[i].Base, res[i].AppendTime, res[i].Start
			}
			if got := res[i]; got.Err == nil && got.Repeat != (a.again != nil) {
				err = fmt.Errorf("answered %+v, the batch repeats %v", got, a.again)
			}
		}
	}
	w.answered(o, err)
}

// update makes one transaction. build is run with the same random numbers each time.
func (w *worker) update(build func(o *op, tx store.Tx, rng *rand.Rand, add func(store.AppendRequest) error) error) {
	o := w.m.ledger.begin(true)
	w.last = o
	contents := w.rng.Uint64()
	var results []*store.AppendResult
	c, err := w.s.Update(context.Background(), func(tx store.Tx) error {
		o.adds, o.parts, o.producers, o.hot, o.deletes, results = nil, nil, nil, -1, -1, nil
		err := build(o, tx, rand.New(rand.NewPCG(contents, 0)), func(r store.AppendRequest) error {
			if r.Key == 0 {
				r.Key = w.key(o)
			}
			res, err := tx.Append(r)
			results = append(results, res)
			return err
		})
		return errors.Join(err, tx.Set(opKey(o.id), opValue(o.id)),
			tx.SetOrdered(logPrefix, strconv.AppendInt(nil, int64(o.id), 10)))
	})
	if w.m.fs.Crashed() != nil {
		return
	}
	o.commit = c
	if err == nil {
		for i, a := range o.adds {
			a.base, a.time, a.known = results[i].Base, results[i].AppendTime, results[i].Start
		}
	}
	w.answered(o, err)
}

// transaction counts, appends and deletes keys in one commit.
func (w *worker) transaction() {
	ids := []store.PartitionID{w.partition(), w.partition()}
	w.update(func(o *op, tx store.Tx, rng *rand.Rand, add func(store.AppendRequest) error) error {
		if rng.IntN(3) > 0 {
			if err := count(o, tx, rng.IntN(hotKeys)); err != nil {
				return err
			}
		}
		if rng.IntN(3) == 0 && o.id > 0 {
			o.deletes = rng.IntN(o.id)
			if err := tx.Delete(opKey(o.deletes)); err != nil {
				return err
			}
		}
		for _, id := range ids[:rng.IntN(3)] {
			r := w.add(o, rng, id)
			if err := add(r); err != nil {
				return err
			}
		}
		return nil
	})
}

// count adds one to a counter.
func count(o *op, tx store.Tx, n int) error {
	v, _, err := tx.Get(hotKey(n))
	if err != nil {
		return err
	}
	last, _ := strconv.ParseUint(string(v), 10, 64)
	o.hot, o.count = n, last+1
	return tx.Set(hotKey(n), strconv.AppendUint(nil, last+1, 10))
}

// churn changes partitions, sometimes beside an append to them.
func (w *worker) churn() {
	id, n := w.partition(), w.rng.IntN(100)
	to := store.Offset(w.rng.IntN(int(w.m.ledger.next(id)) + 1))
	w.update(func(o *op, tx store.Tx, rng *rand.Rand, add func(store.AppendRequest) error) error {
		change := func(c store.PartitionChange) { o.parts = append(o.parts, c) }
		switch {
		case n < 35:
			next, err := tx.NextID("partition")
			if err != nil {
				return err
			}
			c := store.PartitionChange{Kind: store.PartitionCreate, Partition: store.PartitionID(next), Epoch: int32(rng.IntN(3))}
			change(c)
			r := w.add(o, rng, c.Partition)
			if rng.IntN(3) == 0 {
				if r.Key, err = datakey.Create(tx, w.m.opts.RootKey); err != nil {
					return err
				}
			}
			return errors.Join(tx.CreatePartition(c.Partition, c.Epoch, store.Retention{}), add(r))
		case n < 55:
			change(store.PartitionChange{Kind: store.PartitionClose, Partition: id})
			if rng.IntN(3) == 0 {
				r := w.add(o, rng, id)
				if err := add(r); err != nil {
					return err
				}
			}
			return tx.ClosePartition(id)
		case n < 80:
			if rng.IntN(20) == 0 {
				to += 1 << 40
			}
			change(store.PartitionChange{Kind: store.PartitionTrim, Partition: id, To: to})
			return tx.TrimPartition(id, to)
		case n < 86:
			change(store.PartitionChange{Kind: store.PartitionDelete, Partition: id})
			return tx.DeletePartition(id)
		case n < 93:
			h, err := tx.Head(id, store.FieldEpoch)
			if err != nil {
				return err
			}
			change(store.PartitionChange{Kind: store.PartitionEpoch, Partition: id, Epoch: h.Epoch + 1})
			return tx.SetEpoch(id, h.Epoch+1)
		default:
			r := store.Retention{Bytes: 1<<40 + int64(o.id)}
			change(store.PartitionChange{Kind: store.PartitionRetention, Partition: id, Retention: r})
			return tx.SetRetention(id, r)
		}
	})
}

// sharedProducer is one that all workers fence each other from.
const sharedProducer store.ProducerID = 7

// fence takes the shared producer, or sends as long as nobody else has it.
func (w *worker) fence() {
	if w.shared == 0 || w.rng.IntN(4) == 0 {
		var epoch int16
		w.update(func(o *op, tx store.Tx, _ *rand.Rand, _ func(store.AppendRequest) error) error {
			p, _, err := tx.Producer(sharedProducer)
			if err != nil {
				return err
			}
			epoch = p.Epoch + 1
			o.producers = []store.ProducerChange{{Kind: store.ProducerInit, Producer: sharedProducer, Epoch: epoch}}
			return tx.InitProducer(sharedProducer, epoch)
		})
		if w.last.state == opAcked {
			w.shared, w.sharedSeq = epoch, map[store.PartitionID]int32{}
		}
		return
	}
	id := w.partition()
	o := w.m.ledger.begin(false)
	a := &addition{op: o, part: id, n: 1, base: -1, by: &sentBy{sharedProducer, w.shared, w.sharedSeq[id], false}}
	o.adds = []*addition{a}
	a.batch = a.finished(50)
	w.send(o, []store.AppendRequest{{Partition: id, Batch: a.batch}})
	switch {
	case o.state == opAcked && a.err == nil:
		w.sharedSeq[id]++
	case errors.Is(a.err, store.ErrProducerFenced):
		w.shared = 0
	}
}

// look reads what others have written: what was seen once is there for good.
func (w *worker) look() {
	id := w.partition()
	o := w.m.ledger.begin(false)
	var saw []sighting
	err := w.s.View(context.Background(), func(tx store.ReadTx) error {
		saw = saw[:0]
		for n := range hotKeys {
			v, _, err := tx.Get(hotKey(n))
			if err != nil {
				return err
			}
			c, _ := strconv.ParseUint(string(v), 10, 64)
			saw = append(saw, sighting{hot: n, count: c})
		}
		h, err := tx.Head(id, store.FieldAll)
		if err == nil {
			saw = append(saw, sighting{part: id, next: h.Next, stable: h.LastStable, closed: h.Closed})
		}
		return nil
	})
	res, rerr := w.s.Read(context.Background(), store.ReadRequest{Partition: id, From: max(0, w.m.ledger.next(id)-1), MaxBytes: 4 << 10})
	if rerr == nil {
		for _, b := range res.Batches {
			if _, verr := batch.Verify(b.Bytes); verr != nil {
				err = errors.Join(err, verr)
			}
			saw = append(saw, sighting{part: id, next: b.Next})
		}
		res.Release()
	}
	var trimmed *store.TrimmedError
	if rerr != nil && !errors.As(rerr, &trimmed) && !errors.Is(rerr, store.ErrNoPartition) && !errors.Is(rerr, store.ErrStopped) && !errors.Is(rerr, store.ErrOffsetOutOfRange) {
		err = errors.Join(err, rerr)
	}
	o.saw = saw
	w.answered(o, err)
}

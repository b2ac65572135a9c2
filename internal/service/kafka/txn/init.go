package txn

import (
	"context"
	"encoding/binary"
	"time"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/store"
)

// InitIdempotent gives a producer without a transactional id an id of its own, with epoch 0.
//
// Codes: CoordinatorNotAvailable, CoordinatorLoadInProgress.
// Source: TransactionCoordinator.handleInitProducerId of Kafka 4.3.
func (c *Coordinator) InitIdempotent(ctx context.Context) (Producer, kafkaapi.Code) {
	var id store.ProducerID
	_, err := c.opts.Store.Update(ctx, func(tx store.Tx) (err error) {
		if id, err = newProducer(tx); err != nil {
			return err
		}
		if err := tx.InitProducer(id, 0); err != nil {
			return err
		}
		return tx.Set(idempotentKey(id), encodeIdempotent(tx.Now()))
	})
	if err != nil {
		return Producer{store.NoProducer, noEpoch}, codeOf(err)
	}
	return Producer{id, 0}, kafkaapi.None
}

// Revive makes an idempotent producer known again that was forgotten after ProducerExpiration, with the epoch that it
// uses: for a batch that the store has refused with ErrUnknownProducer. Its next batch may begin with any number, as in Kafka
// (KIP-360).
//
// Codes: UnknownProducerID for an id that was never given out; those of InitIdempotent.
func (c *Coordinator) Revive(ctx context.Context, p Producer) kafkaapi.Code {
	_, err := c.opts.Store.Update(ctx, func(tx store.Tx) error {
		last, ok, err := tx.Get(append([]byte{byte(store.FamilyCounter)}, producerCounter...))
		if err != nil {
			return err
		}
		if !ok || len(last) != 9 || p.ID < 1 || uint64(p.ID) > binary.BigEndian.Uint64(last[1:]) || p.Epoch < 0 {
			return refusal(kafkaapi.UnknownProducerID)
		}
		if _, known, err := tx.Producer(p.ID); known || err != nil {
			return err
		}
		if err := tx.InitProducer(p.ID, p.Epoch); err != nil {
			return err
		}
		return tx.Set(idempotentKey(p.ID), encodeIdempotent(tx.Now()))
	})
	return codeOf(err)
}

func encodeIdempotent(now int64) []byte {
	return binary.BigEndian.AppendUint64([]byte{idempotentVersion}, uint64(now))
}

func decodeIdempotent(v []byte) (created int64, err error) {
	if len(v) != 9 || v[0] != idempotentVersion {
		return 0, errRecord
	}
	return int64(binary.BigEndian.Uint64(v[1:])), nil
}

// InitRequest is what InitProducerId tells.
type InitRequest struct {
	ID      string        // transactional id, not empty
	Timeout time.Duration // of its transactions; over 0, at most Options.MaxTimeout

	// Expected is what the client believes it is, after an error (KIP-360); nil from a new one.
	Expected *Producer
}

// Init gives a transactional producer its id and epoch. Whoever had an epoch before is fenced and its open
// transaction aborted, in the same commit.
//
// Codes: InvalidRequest, InvalidTransactionTimeout, ConcurrentTransactions (the last transaction is decided and not yet
// written out), ProducerFenced (Expected is not the last incarnation; INVALID_PRODUCER_EPOCH on the wire before version 4),
// CoordinatorNotAvailable, CoordinatorLoadInProgress.
// Source: TransactionCoordinator.handleInitProducerId of Kafka 4.3. Unlike there the client need not ask twice when a transaction
// was open, and a stale Expected does not abort the transaction of its successor.
func (c *Coordinator) Init(ctx context.Context, req InitRequest) (Producer, kafkaapi.Code) {
	nobody := Producer{store.NoProducer, noEpoch}
	switch {
	case req.ID == "" || len(req.ID) > MaxID:
		return nobody, kafkaapi.InvalidRequest
	case req.Expected != nil && (req.Expected.ID < 0 || req.Expected.Epoch < 0):
		return nobody, kafkaapi.InvalidRequest
	case req.Timeout <= 0 || req.Timeout > c.opts.MaxTimeout:
		return nobody, kafkaapi.InvalidTransactionTimeout
	}
	s, code := c.enter(ctx, req.ID, c.create, func(*record) kafkaapi.Code { return kafkaapi.ConcurrentTransactions })
	if code != kafkaapi.None {
		return nobody, code
	}
	defer s.release()
	s.gate.Lock()
	defer s.gate.Unlock()
	for expected := req.Expected; ; {
		p, again, err := c.init(ctx, s, &req, expected)
		if err != nil {
			c.forgetUnmade(s)
			return nobody, codeOf(err)
		}
		if !again {
			return p, kafkaapi.None
		}
		if err := c.writeOut(ctx, s); err != nil {
			return nobody, codeOf(err)
		}
		if expected != nil {
			expected = &p
		}
	}
}

// init makes one commit. again: the transaction of before is decided, its markers do not fit into one commit, and p is what
// stands meanwhile.
func (c *Coordinator) init(ctx context.Context, s *session, req *InitRequest, expected *Producer) (p Producer, again bool, err error) {
	err = c.change(ctx, s, func(tx store.Tx, r *record) (did, error) {
		again = false
		if r.producer == store.NoProducer {
			return wrote, c.initFirst(tx, r, req, &p)
		}
		repeat, err := r.checkInit(expected)
		if err != nil {
			return nothing, err
		}
		if p = (Producer{r.producer, r.epoch}); repeat {
			return nothing, nil
		}
		from, err := c.abortBefore(tx, r)
		if err != nil {
			return nothing, err
		}
		if again = r.preparing(); again {
			p = Producer{r.producer, r.epoch}
			return wrote | over, nil
		}
		if err := r.advanceFrom(tx, from); err != nil {
			return nothing, err
		}
		r.lastEpoch, r.ended = noEpoch, noEpoch
		if req.Expected != nil {
			r.lastEpoch = req.Expected.Epoch
		}
		r.state, r.timeout, r.updated = Empty, int32(req.Timeout.Milliseconds()), tx.Now()
		p = Producer{r.producer, r.epoch}
		return wrote | over, nil
	})
	return p, again, err
}

func (c *Coordinator) initFirst(tx store.Tx, r *record, req *InitRequest, p *Producer) error {
	id, err := newProducer(tx)
	if err != nil {
		return err
	}
	*r = record{
		producer: id, previous: store.NoProducer, lastEpoch: noEpoch, ended: noEpoch, timeout: int32(req.Timeout.Milliseconds()),
		updated: tx.Now(), ending: store.NoProducer, endingEpoch: noEpoch,
	}
	*p = Producer{id, 0}
	return tx.InitProducer(id, 0)
}

// checkInit decides whether a client may have the next epoch, or has asked for it before.
func (r *record) checkInit(expected *Producer) (repeat bool, err error) {
	switch {
	case r.preparing():
		return false, refusal(kafkaapi.ConcurrentTransactions)
	case expected == nil || expected.ID == r.producer && expected.Epoch == r.epoch:
		return false, nil
	case expected.Epoch != r.lastEpoch:
		return false, refusal(kafkaapi.ProducerFenced)
	case expected.ID == r.producer, expected.ID == r.previous && expected.Epoch >= lastGiven:
		return true, nil
	}
	return false, refusal(kafkaapi.ProducerFenced)
}

// abortBefore aborts what is open under an epoch that nobody has, as far as it fits into one commit, and returns the
// epoch that was given last.
func (c *Coordinator) abortBefore(tx store.Tx, r *record) (from int16, err error) {
	p, _, err := tx.Producer(r.producer)
	if err != nil {
		return 0, err
	}
	r.epoch = max(r.epoch, p.Epoch) // should anybody else have raised it
	if from = r.epoch; !r.open(&p) {
		return from, nil
	}
	if err := r.fence(tx); err != nil {
		return 0, err
	}
	r.lastEpoch, r.ended = noEpoch, noEpoch
	r.prepare(false, r.producer, r.epoch, tx.Now())
	return from, c.writeSlice(tx, r)
}

// advanceFrom gives the epoch after from, which abortBefore may have raised already.
func (r *record) advanceFrom(tx store.Tx, from int16) error {
	if r.epoch > from && r.epoch <= lastGiven {
		return nil
	}
	return r.advance(tx)
}

// forgetUnmade drops a session whose record was never stored.
func (c *Coordinator) forgetUnmade(s *session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rec.producer == store.NoProducer && !s.stale {
		s.gone = true
		delete(c.byID, s.id)
	}
}

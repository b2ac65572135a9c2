package txn

import (
	"context"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/store"
	"millrace/internal/service/kafka/offset"
)

// End commits or aborts a transaction. One commit of the store holds the markers in all partitions, the offsets that
// become visible (or go), the state of the transactional id, and the next epoch.
//
// v2 is EndTxn version 5 and above (transaction version 2): every end raises the epoch, and the client goes on with what is
// returned. Below, the identity that is returned is the one that came.
//
// A transaction in more than Options.SliceParts partitions is decided by the first commit; the others follow before End
// returns, or after a restart.
//
// Codes: InvalidProducerIDMapping, ProducerFenced (INVALID_PRODUCER_EPOCH on the wire before version 2),
// ConcurrentTransactions, InvalidTxnState, CoordinatorNotAvailable, CoordinatorLoadInProgress.
// Source: TransactionCoordinator.handleEndTransaction of Kafka 4.3, KIP-890; differences at record.checkEnd.
func (c *Coordinator) End(ctx context.Context, who Ident, commit, v2 bool) (Producer, kafkaapi.Code) {
	nobody := Producer{store.NoProducer, noEpoch}
	if code := who.check(); code != kafkaapi.None {
		return nobody, code
	}
	s, code := c.enter(ctx, who.ID, c.find, func(r *record) kafkaapi.Code {
		code, _ := r.checkEnd(who.Producer, who.Epoch, commit, v2, false)
		return code
	})
	if code != kafkaapi.None {
		return nobody, code
	}
	defer s.release()
	s.gate.Lock()
	defer s.gate.Unlock()
	p := Producer{who.Producer, who.Epoch}
	err := c.change(ctx, s, func(tx store.Tx, r *record) (did, error) { return c.end(tx, r, &p, who, commit, v2) })
	if err == nil {
		err = c.writeOut(ctx, s)
	}
	if err != nil {
		return nobody, codeOf(err)
	}
	return p, kafkaapi.None
}

// end is what the first commit of End does; p is the identity to go on with.
func (c *Coordinator) end(tx store.Tx, r *record, p *Producer, who Ident, commit, v2 bool) (did, error) {
	stored, _, err := tx.Producer(r.producer)
	if err != nil {
		return nothing, err
	}
	code, proceed := r.checkEnd(who.Producer, who.Epoch, commit, v2, r.open(&stored))
	if code != kafkaapi.None {
		return nothing, refuse(code)
	}
	if *p = (Producer{r.producer, r.epoch}); !proceed {
		return nothing, nil
	}
	if !v2 {
		r.ended = noEpoch
		r.prepare(commit, r.producer, r.epoch, tx.Now())
		return wrote | over, c.writeSlice(tx, r)
	}
	ending, from := r.producer, r.epoch
	if err := r.advance(tx); err != nil {
		return nothing, err
	}
	r.lastEpoch, r.ended = from, from
	r.prepare(commit, ending, from+1, tx.Now())
	*p = Producer{r.producer, r.epoch}
	return wrote | over, c.writeSlice(tx, r)
}

// writeSlice ends as much of a decided transaction as fits into one commit, and completes it when that was all.
func (c *Coordinator) writeSlice(tx store.Tx, r *record) error {
	remain, err := tx.EndTransaction(r.ending, r.endingEpoch, r.state == PrepareCommit, c.opts.SliceParts)
	if err != nil {
		return err
	}
	more := false
	switch {
	case len(r.groups) == 0:
	case r.state == PrepareCommit:
		more, err = offset.MovePending(tx, r.ending, c.opts.SliceOffsets)
	default:
		more, err = offset.DropPending(tx, r.ending, c.opts.SliceOffsets)
	}
	if err == nil && remain == 0 && !more {
		r.complete(tx.Now())
	}
	return err
}

// writeOut makes further commits until a decided transaction is complete; the caller has the token.
func (c *Coordinator) writeOut(ctx context.Context, s *session) error {
	for r := s.snapshot(); r.preparing(); r = s.snapshot() {
		err := c.change(ctx, s, func(tx store.Tx, r *record) (did, error) {
			if !r.preparing() {
				return nothing, nil
			}
			return wrote, c.writeSlice(tx, r)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Abort ends the open transaction of a producer in the name of an administrator (WriteTxnMarkers with an abort, KIP-664):
// whole, in all of its partitions, and its client is fenced. Nothing happens when none is open.
//
// Unlike in Kafka a marker is never written into a single partition: a transaction here is always known with all of its
// partitions, so none can hang in one of them.
//
// Codes: InvalidProducerIDMapping, InvalidProducerEpoch (the epoch is not the one of now), ConcurrentTransactions (it is decided
// already), CoordinatorNotAvailable, CoordinatorLoadInProgress.
func (c *Coordinator) Abort(ctx context.Context, p Producer) kafkaapi.Code {
	c.mu.RLock()
	s := c.byProducer[p.ID]
	c.mu.RUnlock()
	if s == nil {
		return kafkaapi.InvalidProducerIDMapping
	}
	return c.abort(ctx, s, func(r *record) error {
		switch {
		case r.producer != p.ID:
			return refusal(kafkaapi.InvalidProducerIDMapping)
		case r.epoch != p.Epoch:
			return refusal(kafkaapi.InvalidProducerEpoch)
		}
		return nil
	})
}

// abort fences the client of an open transaction and aborts it, if allow agrees.
func (c *Coordinator) abort(ctx context.Context, s *session, allow func(r *record) error) kafkaapi.Code {
	s, code := c.enter(ctx, s.id, c.find, func(*record) kafkaapi.Code { return kafkaapi.ConcurrentTransactions })
	if code != kafkaapi.None {
		return code
	}
	defer s.release()
	s.gate.Lock()
	defer s.gate.Unlock()
	err := c.change(ctx, s, func(tx store.Tx, r *record) (did, error) {
		if r.producer == store.NoProducer {
			return nothing, refusal(kafkaapi.InvalidProducerIDMapping)
		}
		if r.preparing() {
			return nothing, nil
		}
		if err := allow(r); err != nil {
			return nothing, err
		}
		from, err := c.abortBefore(tx, r)
		if err != nil {
			return nothing, err
		}
		if r.epoch == from {
			return over, nil // nothing is open
		}
		if r.epoch > lastGiven {
			err = r.advance(tx)
		}
		r.ended = from // under TV2 the client that sends an abort goes on with the new epoch
		return wrote | over, err
	})
	if err == nil {
		err = c.writeOut(ctx, s)
	}
	return codeOf(err)
}

// check refuses what no client has: the identity of a record that does not exist.
func (who *Ident) check() kafkaapi.Code {
	switch {
	case who.ID == "":
		return kafkaapi.InvalidRequest
	case who.Producer < 0:
		return kafkaapi.InvalidProducerIDMapping
	case who.Epoch < 0:
		return kafkaapi.ProducerFenced
	}
	return kafkaapi.None
}

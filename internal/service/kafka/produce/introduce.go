package produce

import (
	"context"
	"sync"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/batch"
	"millrace/internal/core/store"
	"millrace/internal/service/kafka/txn"
)

// maxKnown bounds the producers that are remembered: 4 MiB. Beyond it all are forgotten, and looked up again.
const maxKnown = 100_000

// known remembers the epoch that each producer was last seen with, so that a batch costs no look-up. It may be behind
// the store, which decides.
type known struct {
	mu     sync.RWMutex
	epochs map[store.ProducerID]int16
}

func (k *known) epoch(id store.ProducerID) (int16, bool) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	epoch, ok := k.epochs[id]
	return epoch, ok
}

func (k *known) set(id store.ProducerID, epoch int16) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.epochs == nil || len(k.epochs) >= maxKnown {
		k.epochs = map[store.ProducerID]int16{}
	}
	k.epochs[id] = epoch
}

func (k *known) forget(id store.ProducerID) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.epochs, id)
}

// introduce makes the store know the producer of a batch and its epoch, if it is an idempotent one that has raised its
// epoch by itself or was forgotten. It may wait for a commit, once for each id and epoch: on the connection's own
// goroutine, so that batches behind it stay behind it.
func (p *Producer) introduce(ctx context.Context, h *batch.Header) kafkaapi.Code {
	if h.ProducerID < 0 || h.Transactional() {
		return kafkaapi.None
	}
	id := store.ProducerID(h.ProducerID)
	if epoch, ok := p.known.epoch(id); ok && h.ProducerEpoch <= epoch {
		return kafkaapi.None
	}
	var pr store.Producer
	var ok bool
	err := p.opts.Store.View(ctx, func(tx store.ReadTx) (err error) {
		pr, ok, err = tx.Producer(id)
		return err
	})
	switch {
	case err != nil:
		code, _ := codeOf(err)
		return code
	case !ok:
		return p.revive(ctx, id, h.ProducerEpoch)
	case pr.Epoch < h.ProducerEpoch:
		return p.raise(ctx, id, h.ProducerEpoch)
	}
	p.known.set(id, pr.Epoch)
	return kafkaapi.None
}

// revive makes a producer known again that was forgotten.
func (p *Producer) revive(ctx context.Context, id store.ProducerID, epoch int16) kafkaapi.Code {
	if p.opts.Txns == nil {
		return kafkaapi.UnknownProducerID
	}
	code := p.opts.Txns.Revive(ctx, txn.Producer{ID: id, Epoch: epoch})
	if code == kafkaapi.None {
		p.known.set(id, epoch)
	}
	return retriable(code)
}

// raise takes over the epoch that an idempotent producer has given itself.
func (p *Producer) raise(ctx context.Context, id store.ProducerID, epoch int16) kafkaapi.Code {
	current := epoch
	_, err := p.opts.Store.Update(ctx, func(tx store.Tx) error {
		pr, ok, err := tx.Producer(id)
		if err != nil {
			return err
		}
		current = epoch
		switch {
		case ok && pr.Epoch >= epoch:
			current = pr.Epoch
			return nil
		case !ok:
			return store.ErrUnknownProducer // forgotten meanwhile: the client comes again
		case len(pr.Open) > 0:
			return store.ErrInvalidTxn // it is of a transaction, and its epoch not its own to raise
		}
		return tx.InitProducer(id, epoch)
	})
	if err != nil {
		code, _ := codeOf(err)
		return code
	}
	p.known.set(id, current)
	return kafkaapi.None
}

// retriable is the code of a coordinator as an answer to produce.
func retriable(code kafkaapi.Code) kafkaapi.Code {
	if code == kafkaapi.CoordinatorNotAvailable || code == kafkaapi.CoordinatorLoadInProgress {
		return kafkaapi.NotLeaderOrFollower
	}
	return code
}

package produce

import (
	"context"
	"sync"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/batch"
	"millrace/internal/core/store"
	"millrace/internal/service/kafka/txn"
)

// maxKnown bounds the producers that are remembered: 2.3 MiB (measured). Beyond it all are forgotten, and looked up again.
const maxKnown = 100_000

// known remembers which producers the store knows, so that a batch costs no look-up. It may be behind the store, which
// decides.
type known struct {
	mu  sync.RWMutex
	ids map[store.ProducerID]struct{}
}

func (k *known) has(id store.ProducerID) bool {
	k.mu.RLock()
	defer k.mu.RUnlock()
	_, ok := k.ids[id]
	return ok
}

func (k *known) add(id store.ProducerID) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.ids == nil || len(k.ids) >= maxKnown {
		k.ids = map[store.ProducerID]struct{}{}
	}
	k.ids[id] = struct{}{}
}

func (k *known) forget(id store.ProducerID) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.ids, id)
}

// introduce makes the store know the producer of a batch again, if it is an idempotent one that was forgotten. It may
// wait for a commit, once for each id: on the connection's own goroutine, so that batches behind it stay behind it.
func (p *Producer) introduce(ctx context.Context, h *batch.Header) kafkaapi.Code {
	if h.ProducerID < 0 || h.Transactional() {
		return kafkaapi.None
	}
	id := store.ProducerID(h.ProducerID)
	if p.known.has(id) {
		return kafkaapi.None
	}
	var ok bool
	err := p.opts.Store.View(ctx, func(tx store.ReadTx) (err error) {
		_, ok, err = tx.Producer(id)
		return err
	})
	switch {
	case err != nil:
		code, _ := codeOf(err)
		return code
	case !ok:
		return p.revive(ctx, id, h.ProducerEpoch)
	}
	p.known.add(id)
	return kafkaapi.None
}

// revive makes a producer known again that was forgotten.
func (p *Producer) revive(ctx context.Context, id store.ProducerID, epoch int16) kafkaapi.Code {
	if p.opts.Txns == nil {
		return kafkaapi.UnknownProducerID
	}
	code := p.opts.Txns.Revive(ctx, txn.Producer{ID: id, Epoch: epoch})
	if code == kafkaapi.None {
		p.known.add(id)
	}
	return retriable(code)
}

// retriable is the code of a coordinator as an answer to produce.
func retriable(code kafkaapi.Code) kafkaapi.Code {
	if code == kafkaapi.CoordinatorNotAvailable || code == kafkaapi.CoordinatorLoadInProgress {
		return kafkaapi.NotLeaderOrFollower
	}
	return code
}

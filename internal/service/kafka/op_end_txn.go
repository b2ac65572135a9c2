package kafka

import (
	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/store"
	"millrace/internal/service/kafka/txn"
)

// EndTxn: commits or aborts the open transaction.
//
// Behaviour
//   - markers, offsets and the state of the transactional id are one commit
//   - since version 5 every end raises the producer's epoch, and the answer has the new identity (KIP-890)
//
// Errors: those of txn.Coordinator.End; before version 2 INVALID_PRODUCER_EPOCH for PRODUCER_FENCED
// Source: EndTxnRequest.json of Kafka 4.3.1, KIP-98, KIP-890
func (b *Broker) endTxn(c *Call, req *kafkaapi.EndTxnRequest) *kafkaapi.EndTxnResponse {
	who := txn.Ident{ID: req.TransactionalID, Producer: store.ProducerID(req.ProducerID), Epoch: req.ProducerEpoch}
	p, code := b.txns.End(c.Context, who, req.Committed, c.Version >= 5)
	res := kafkaapi.NewEndTxnResponse()
	res.ErrorCode = fencedBefore(c, 2, code)
	if code == kafkaapi.None {
		res.ProducerID, res.ProducerEpoch = int64(p.ID), p.Epoch
	}
	return &res
}

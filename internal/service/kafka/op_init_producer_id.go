package kafka

import (
	"time"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/store"
	"millrace/internal/service/kafka/txn"
)

// InitProducerId: an id and epoch for an idempotent or transactional producer.
//
// Behaviour
//   - a transactional id gets its next epoch; who had one before is fenced, and its open transaction aborted
//   - with the id and epoch that the producer believes it has, only their bearer gets the next (KIP-360)
//
// Errors: INVALID_REQUEST, those of txn.Coordinator.Init; before version 4 INVALID_PRODUCER_EPOCH for PRODUCER_FENCED
// Source: InitProducerIdRequest.json of Kafka 4.3.1, KIP-98, KIP-360, KIP-588
func (b *Broker) initProducerID(c *Call, req *kafkaapi.InitProducerIDRequest) *kafkaapi.InitProducerIDResponse {
	p, code := b.initProducer(c, req)
	if code == kafkaapi.ProducerFenced && c.Version < 4 {
		code = kafkaapi.InvalidProducerEpoch
	}
	if code != kafkaapi.None {
		p = txn.Producer{ID: store.NoProducer, Epoch: -1}
	}
	res := kafkaapi.NewInitProducerIDResponse()
	res.ErrorCode, res.ProducerID, res.ProducerEpoch = code, int64(p.ID), p.Epoch
	return &res
}

func (b *Broker) initProducer(c *Call, req *kafkaapi.InitProducerIDRequest) (txn.Producer, kafkaapi.Code) {
	known := req.ProducerID != int64(store.NoProducer)
	if known != (req.ProducerEpoch != -1) {
		return txn.Producer{}, kafkaapi.InvalidRequest
	}
	if req.TransactionalID == nil {
		return b.txns.InitIdempotent(c.Context)
	}
	in := txn.InitRequest{ID: *req.TransactionalID, Timeout: time.Duration(req.TransactionTimeoutMs) * time.Millisecond}
	if known {
		in.Expected = &txn.Producer{ID: store.ProducerID(req.ProducerID), Epoch: req.ProducerEpoch}
	}
	return b.txns.Init(c.Context, in)
}

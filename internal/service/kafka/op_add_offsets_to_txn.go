package kafka

import (
	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/store"
	"millrace/internal/service/kafka/txn"
)

// AddOffsetsToTxn: a group whose offsets an open transaction will commit.
//
// Errors: INVALID_GROUP_ID, those of txn.Coordinator.AddOffsets; before version 2 INVALID_PRODUCER_EPOCH for PRODUCER_FENCED
// Source: AddOffsetsToTxnRequest.json of Kafka 4.3.1, KIP-98
func (b *Broker) addOffsetsToTxn(c *Call, req *kafkaapi.AddOffsetsToTxnRequest) *kafkaapi.AddOffsetsToTxnResponse {
	if req.GroupID == "" {
		return &kafkaapi.AddOffsetsToTxnResponse{ErrorCode: kafkaapi.InvalidGroupID}
	}
	who := txn.Ident{ID: req.TransactionalID, Producer: store.ProducerID(req.ProducerID), Epoch: req.ProducerEpoch}
	return &kafkaapi.AddOffsetsToTxnResponse{ErrorCode: fencedBefore(c, 2, b.txns.AddOffsets(c.Context, who, req.GroupID))}
}

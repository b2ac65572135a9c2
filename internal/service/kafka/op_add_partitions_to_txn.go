package kafka

import (
	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/store"
	"millrace/internal/service/kafka/txn"
)

// AddPartitionsToTxn: partitions that an open transaction will write to.
//
// Behaviour
//   - all or none: when one does not exist the others are OPERATION_NOT_ATTEMPTED
//   - since version 4 a request has many transactions, and may only ask whether partitions belong to them
//
// Errors: UNKNOWN_TOPIC_OR_PARTITION, OPERATION_NOT_ATTEMPTED, those of txn.Coordinator.AddPartitions and Verify; before
// version 2 INVALID_PRODUCER_EPOCH for PRODUCER_FENCED
// Source: AddPartitionsToTxnRequest.json of Kafka 4.3.1, KIP-98, KIP-890
func (b *Broker) addPartitionsToTxn(c *Call, req *kafkaapi.AddPartitionsToTxnRequest) *kafkaapi.AddPartitionsToTxnResponse {
	res := &kafkaapi.AddPartitionsToTxnResponse{}
	if c.Version < 4 {
		who := txn.Ident{ID: req.V3AndBelowTransactionalID, Producer: store.ProducerID(req.V3AndBelowProducerID), Epoch: req.V3AndBelowProducerEpoch}
		res.ResultsByTopicV3AndBelow = b.addToTransaction(c, who, req.V3AndBelowTopics, false)
		return res
	}
	for i := range req.Transactions {
		t := &req.Transactions[i]
		who := txn.Ident{ID: t.TransactionalID, Producer: store.ProducerID(t.ProducerID), Epoch: t.ProducerEpoch}
		res.ResultsByTransaction = append(res.ResultsByTransaction, kafkaapi.AddPartitionsToTxnResponseAddPartitionsToTxnResult{
			TransactionalID: t.TransactionalID, TopicResults: b.addToTransaction(c, who, t.Topics, t.VerifyOnly),
		})
	}
	return res
}

func (b *Broker) addToTransaction(c *Call, who txn.Ident, topics []kafkaapi.AddPartitionsToTxnRequestAddPartitionsToTxnTopic, verify bool) []kafkaapi.AddPartitionsToTxnResponseAddPartitionsToTxnTopicResult {
	results := make([]kafkaapi.AddPartitionsToTxnResponseAddPartitionsToTxnTopicResult, len(topics))
	var ids []store.PartitionID
	var good []*kafkaapi.Code // beside ids
	missing := false
	for i := range topics {
		in, out := &topics[i], &results[i]
		out.Name = in.Name
		out.ResultsByPartition = make([]kafkaapi.AddPartitionsToTxnResponseAddPartitionsToTxnPartitionResult, len(in.Partitions))
		t, unknown := b.topic(c.Context, in.Name)
		for k, index := range in.Partitions {
			one := &out.ResultsByPartition[k]
			one.PartitionIndex = index
			if p, ok := partitionOf(t, index); ok {
				ids, good = append(ids, p.id), append(good, &one.PartitionErrorCode)
				continue
			}
			missing = true
			if one.PartitionErrorCode = unknown; unknown == kafkaapi.None {
				one.PartitionErrorCode = kafkaapi.UnknownTopicOrPartition
			}
		}
	}
	codes := make([]kafkaapi.Code, len(ids))
	switch {
	case missing:
		fill(codes, kafkaapi.OperationNotAttempted)
	case verify:
		codes = b.txns.Verify(c.Context, who, ids)
	default:
		fill(codes, fencedBefore(c, 2, b.txns.AddPartitions(c.Context, who, ids)))
	}
	for i := range good {
		*good[i] = codes[i]
	}
	return results
}

// partitionOf returns a partition that records can be written to or read from; t may be nil.
func partitionOf(t *topic, index int32) (partition, bool) {
	if t == nil {
		return partition{}, false
	}
	p, ok := t.partition(index)
	return p, ok && p.id != 0
}

func fill(codes []kafkaapi.Code, code kafkaapi.Code) {
	for i := range codes {
		codes[i] = code
	}
}

// fencedBefore is INVALID_PRODUCER_EPOCH for clients of versions that do not know PRODUCER_FENCED (KIP-588).
func fencedBefore(c *Call, version int16, code kafkaapi.Code) kafkaapi.Code {
	if code == kafkaapi.ProducerFenced && c.Version < version {
		return kafkaapi.InvalidProducerEpoch
	}
	return code
}

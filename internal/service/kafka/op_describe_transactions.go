package kafka

import (
	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/store"
)

// DescribeTransactions: state, producer and partitions of transactional ids.
//
// Errors: those of txn.Coordinator.Describe for each id
// Source: DescribeTransactionsRequest.json of Kafka 4.3.1, KIP-664
func (b *Broker) describeTransactions(c *Call, req *kafkaapi.DescribeTransactionsRequest) *kafkaapi.DescribeTransactionsResponse {
	res := &kafkaapi.DescribeTransactionsResponse{}
	for _, id := range req.TransactionalIDs {
		out := kafkaapi.DescribeTransactionsResponseTransactionState{TransactionalID: id, ProducerID: int64(store.NoProducer), ProducerEpoch: -1, TransactionStartTimeMs: -1}
		d, code := b.txns.Describe(c.Context, id)
		if out.ErrorCode = code; code == kafkaapi.None {
			out.TransactionState, out.TransactionTimeoutMs, out.TransactionStartTimeMs = d.State.String(), int32(d.Timeout.Milliseconds()), d.Start
			out.ProducerID, out.ProducerEpoch = int64(d.Producer.ID), d.Producer.Epoch
			var err error
			if out.Topics, err = b.topicsOf(c, d.Partitions); err != nil {
				out.ErrorCode = b.codeOf("find the partitions of a transaction", err)
			}
		}
		res.TransactionStates = append(res.TransactionStates, out)
	}
	return res
}

// topicsOf names partitions. It goes through all topics: nothing else leads from a partition to its topic, and only
// administrators ask.
func (b *Broker) topicsOf(c *Call, ids []store.PartitionID) (found []kafkaapi.DescribeTransactionsResponseTopicData, err error) {
	wanted := map[store.PartitionID]bool{}
	for _, id := range ids {
		wanted[id] = true
	}
	if len(wanted) == 0 {
		return nil, nil
	}
	left := len(wanted)
	err = b.allTopics(c.Context, "", func(t *topic) bool {
		one := kafkaapi.DescribeTransactionsResponseTopicData{Topic: t.name}
		for i := range t.partitions {
			if wanted[t.partitions[i].id] {
				one.Partitions = append(one.Partitions, int32(i))
				left--
			}
		}
		if len(one.Partitions) > 0 {
			found = append(found, one)
		}
		return left > 0
	})
	return found, err
}

package kafka

import (
	"time"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/store"
	"millrace/internal/service/kafka/txn"
)

// ListTransactions: transactional ids by state, producer, age and name.
//
// Errors: INVALID_REGULAR_EXPRESSION
// Source: ListTransactionsRequest.json of Kafka 4.3.1, KIP-664, KIP-994, KIP-1152
func (b *Broker) listTransactions(_ *Call, req *kafkaapi.ListTransactionsRequest) *kafkaapi.ListTransactionsResponse {
	filter := txn.Filter{States: req.StateFilters, Longer: time.Duration(req.DurationFilter) * time.Millisecond, Pattern: textOf(req.TransactionalIDPattern)}
	for _, id := range req.ProducerIDFilters {
		filter.Producers = append(filter.Producers, store.ProducerID(id))
	}
	found, unknown, code := b.txns.List(filter)
	res := &kafkaapi.ListTransactionsResponse{ErrorCode: code, UnknownStateFilters: unknown}
	for _, f := range found {
		res.TransactionStates = append(res.TransactionStates, kafkaapi.ListTransactionsResponseTransactionState{
			TransactionalID: f.ID, ProducerID: int64(f.Producer), TransactionState: f.State.String(),
		})
	}
	return res
}

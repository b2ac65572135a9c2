package kafka

import (
	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/store"
	"millrace/internal/service/kafka/txn"
)

// WriteTxnMarkers: an administrator aborts a transaction that hangs (KIP-664).
//
// Behaviour
//   - the whole transaction is aborted, in all of its partitions
//   - a commit is what only the transaction's own client may ask for
//
// Errors: CLUSTER_AUTHORIZATION_FAILED for a commit, those of txn.Coordinator.Abort; all for each partition of the marker
// Source: WriteTxnMarkersRequest.json of Kafka 4.3.1
func (b *Broker) writeTxnMarkers(c *Call, req *kafkaapi.WriteTxnMarkersRequest) *kafkaapi.WriteTxnMarkersResponse {
	res := &kafkaapi.WriteTxnMarkersResponse{}
	for i := range req.Markers {
		m := &req.Markers[i]
		code := kafkaapi.ClusterAuthorizationFailed
		if !m.TransactionResult {
			code = b.txns.Abort(c.Context, txn.Producer{ID: store.ProducerID(m.ProducerID), Epoch: m.ProducerEpoch})
		}
		out := kafkaapi.WriteTxnMarkersResponseWritableTxnMarkerResult{ProducerID: m.ProducerID}
		for _, t := range m.Topics {
			one := kafkaapi.WriteTxnMarkersResponseWritableTxnMarkerTopicResult{Name: t.Name}
			for _, index := range t.PartitionIndexes {
				one.Partitions = append(one.Partitions, kafkaapi.WriteTxnMarkersResponseWritableTxnMarkerPartitionResult{PartitionIndex: index, ErrorCode: code})
			}
			out.Topics = append(out.Topics, one)
		}
		res.Markers = append(res.Markers, out)
	}
	return res
}

package kafka

import (
	"millrace/internal/api/kafkaapi"
)

// operation answers one request, before it returns or later, exactly once.
type operation func(b *Broker, c *Call, req kafkaapi.Request, answer func(kafkaapi.Message))

// now makes an operation of a method that answers when it returns.
func now[Q any, P interface {
	*Q
	kafkaapi.Request
}, A kafkaapi.Message](fn func(*Broker, *Call, P) A) operation {
	return func(b *Broker, c *Call, req kafkaapi.Request, answer func(kafkaapi.Message)) {
		answer(fn(b, c, req.(P)))
	}
}

// later makes an operation of a method that may answer after it has returned.
func later[Q any, P interface {
	*Q
	kafkaapi.Request
}, A kafkaapi.Message](fn func(*Broker, *Call, P, func(A))) operation {
	return func(b *Broker, c *Call, req kafkaapi.Request, answer func(kafkaapi.Message)) {
		fn(b, c, req.(P), func(a A) { answer(a) })
	}
}

// operations are all that is served by key, but for Produce and Fetch, which have ways of their own, and what the
// connection itself answers. A test holds it equal to what ApiVersions advertises.
var operations = map[kafkaapi.Key]operation{
	kafkaapi.KeyAPIVersions:                  now((*Broker).apiVersions),
	kafkaapi.KeyAddOffsetsToTxn:              now((*Broker).addOffsetsToTxn),
	kafkaapi.KeyAddPartitionsToTxn:           now((*Broker).addPartitionsToTxn),
	kafkaapi.KeyAlterConfigs:                 now((*Broker).alterConfigs),
	kafkaapi.KeyAlterPartitionReassignments:  now((*Broker).alterPartitionReassignments),
	kafkaapi.KeyAlterReplicaLogDirs:          now((*Broker).alterReplicaLogDirs),
	kafkaapi.KeyAlterUserScramCredentials:    now((*Broker).alterUserScramCredentials),
	kafkaapi.KeyCreatePartitions:             now((*Broker).createPartitions),
	kafkaapi.KeyCreateTopics:                 now((*Broker).createTopicsOp),
	kafkaapi.KeyDeleteGroups:                 later((*Broker).deleteGroups),
	kafkaapi.KeyDeleteRecords:                now((*Broker).deleteRecords),
	kafkaapi.KeyDeleteTopics:                 now((*Broker).deleteTopicsOp),
	kafkaapi.KeyDescribeCluster:              now((*Broker).describeCluster),
	kafkaapi.KeyDescribeConfigs:              now((*Broker).describeConfigs),
	kafkaapi.KeyDescribeGroups:               now((*Broker).describeGroups),
	kafkaapi.KeyDescribeLogDirs:              now((*Broker).describeLogDirs),
	kafkaapi.KeyDescribeProducers:            now((*Broker).describeProducers),
	kafkaapi.KeyDescribeQuorum:               now((*Broker).describeQuorum),
	kafkaapi.KeyDescribeTopicPartitions:      now((*Broker).describeTopicPartitions),
	kafkaapi.KeyDescribeTransactions:         now((*Broker).describeTransactions),
	kafkaapi.KeyDescribeUserScramCredentials: now((*Broker).describeUserScramCredentials),
	kafkaapi.KeyElectLeaders:                 now((*Broker).electLeaders),
	kafkaapi.KeyEndTxn:                       now((*Broker).endTxn),
	kafkaapi.KeyFindCoordinator:              now((*Broker).findCoordinator),
	kafkaapi.KeyGetTelemetrySubscriptions:    now((*Broker).getTelemetrySubscriptions),
	kafkaapi.KeyHeartbeat:                    now((*Broker).heartbeat),
	kafkaapi.KeyIncrementalAlterConfigs:      now((*Broker).incrementalAlterConfigs),
	kafkaapi.KeyInitProducerID:               now((*Broker).initProducerID),
	kafkaapi.KeyJoinGroup:                    later((*Broker).joinGroup),
	kafkaapi.KeyLeaveGroup:                   later((*Broker).leaveGroup),
	kafkaapi.KeyListConfigResources:          now((*Broker).listConfigResources),
	kafkaapi.KeyListGroups:                   now((*Broker).listGroups),
	kafkaapi.KeyListOffsets:                  now((*Broker).listOffsets),
	kafkaapi.KeyListPartitionReassignments:   now((*Broker).listPartitionReassignments),
	kafkaapi.KeyListTransactions:             now((*Broker).listTransactions),
	kafkaapi.KeyMetadata:                     now((*Broker).metadata),
	kafkaapi.KeyOffsetCommit:                 now((*Broker).offsetCommit),
	kafkaapi.KeyOffsetDelete:                 now((*Broker).offsetDelete),
	kafkaapi.KeyOffsetFetch:                  now((*Broker).offsetFetch),
	kafkaapi.KeyOffsetForLeaderEpoch:         now((*Broker).offsetForLeaderEpoch),
	kafkaapi.KeyPushTelemetry:                now((*Broker).pushTelemetry),
	kafkaapi.KeySyncGroup:                    later((*Broker).syncGroup),
	kafkaapi.KeyTxnOffsetCommit:              now((*Broker).txnOffsetCommit),
	kafkaapi.KeyUpdateFeatures:               now((*Broker).updateFeatures),
	kafkaapi.KeyWriteTxnMarkers:              now((*Broker).writeTxnMarkers),
}

// Serve answers a request of any kind but Produce and Fetch; false when its key is not served. answer is called
// exactly once, possibly after Serve has returned.
func (b *Broker) Serve(c *Call, req kafkaapi.Request, answer func(kafkaapi.Message)) bool {
	op := operations[req.RequestKey()]
	if op == nil {
		return false
	}
	op(b, c, req, answer)
	return true
}

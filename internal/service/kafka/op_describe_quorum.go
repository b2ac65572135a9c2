package kafka

import "millrace/internal/api/kafkaapi"

// metadataTopic is the log of Kafka's controllers. There is none here; tools ask for its quorum.
const metadataTopic = "__cluster_metadata"

// DescribeQuorum: a quorum of the one broker, which leads.
//
// Behaviour
//   - offsets are 0: the log of controllers does not exist
//   - whatever else is asked for does not exist
//
// Errors: INVALID_REQUEST for several topics or none, UNKNOWN_TOPIC_OR_PARTITION in a partition
// Source: DescribeQuorumRequest.json of Kafka 4.3.1, KIP-595, KIP-836, KIP-853
func (b *Broker) describeQuorum(c *Call, req *kafkaapi.DescribeQuorumRequest) *kafkaapi.DescribeQuorumResponse {
	if len(req.Topics) != 1 || len(req.Topics[0].Partitions) != 1 {
		text := "The quorum of exactly one partition can be asked for."
		return &kafkaapi.DescribeQuorumResponse{ErrorCode: kafkaapi.InvalidRequest, ErrorMessage: &text}
	}
	asked := req.Topics[0]
	p := kafkaapi.DescribeQuorumResponsePartitionData{PartitionIndex: asked.Partitions[0].PartitionIndex}
	res := &kafkaapi.DescribeQuorumResponse{Nodes: []kafkaapi.DescribeQuorumResponseNode{{
		NodeID: b.node, Listeners: []kafkaapi.DescribeQuorumResponseListener{{Name: c.Listener.Name, Host: c.Listener.Host, Port: uint16(c.Listener.Port)}},
	}}}
	if asked.TopicName != metadataTopic || p.PartitionIndex != 0 {
		p.ErrorCode = kafkaapi.UnknownTopicOrPartition
	} else {
		now := b.store.Now()
		p.LeaderID, p.LeaderEpoch = b.node, 1
		p.CurrentVoters = []kafkaapi.DescribeQuorumResponseReplicaState{{ReplicaID: b.node, LastFetchTimestamp: now, LastCaughtUpTimestamp: now}}
	}
	p.Observers = []kafkaapi.DescribeQuorumResponseReplicaState{}
	res.Topics = []kafkaapi.DescribeQuorumResponseTopicData{{TopicName: asked.TopicName, Partitions: []kafkaapi.DescribeQuorumResponsePartitionData{p}}}
	return res
}

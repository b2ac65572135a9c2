package kafka

import (
	"context"
	"errors"
	"fmt"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/catalog"
)

// ElectLeaders: nothing to do, since each partition has its leader.
//
// Behaviour
//   - for all partitions the answer is empty, as Kafka's is when no leader changes
//   - named partitions are answered each
//
// Errors, each in its partition: ELECTION_NOT_NEEDED, which tools take for success; UNKNOWN_TOPIC_OR_PARTITION
// Source: ElectLeadersRequest.json of Kafka 4.3.1, KIP-460; texts of a broker of that version (recorded 2026-11)
func (b *Broker) electLeaders(c *Call, req *kafkaapi.ElectLeadersRequest) *kafkaapi.ElectLeadersResponse {
	res := &kafkaapi.ElectLeadersResponse{ReplicaElectionResults: []kafkaapi.ElectLeadersResponseReplicaElectionResult{}}
	for _, asked := range req.TopicPartitions {
		t, missing := b.named(c.Context, asked.Topic)
		r := kafkaapi.ElectLeadersResponseReplicaElectionResult{Topic: asked.Topic}
		for _, index := range asked.Partitions {
			code, text := kafkaapi.ElectionNotNeeded, "Leader election not needed for topic partition."
			if missing != kafkaapi.None {
				code, text = missing, "No such topic as "+asked.Topic
			} else if _, ok := t.partition(index); !ok {
				code, text = kafkaapi.UnknownTopicOrPartition, fmt.Sprintf("No such partition as %s-%d", asked.Topic, index)
			}
			r.PartitionResult = append(r.PartitionResult, kafkaapi.ElectLeadersResponsePartitionResult{PartitionID: index, ErrorCode: code, ErrorMessage: &text})
		}
		res.ReplicaElectionResults = append(res.ReplicaElectionResults, r)
	}
	return res
}

// named is a topic as it is now, or the code that says why there is none.
func (b *Broker) named(ctx context.Context, name string) (*topic, kafkaapi.Code) {
	t, err := b.current(ctx, name)
	if errors.Is(err, catalog.ErrNotFound) {
		return nil, kafkaapi.UnknownTopicOrPartition
	}
	return t, b.codeOf("look up a topic", err)
}

package kafka

import (
	"errors"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/catalog"
)

// CreatePartitions: more partitions for topics.
//
// Behaviour
//   - each topic succeeds or fails for itself; new partitions can be used when they are answered
//   - as a stream the topic has new hash ranges afterwards, all of one size
//   - a stream made by Kinesis gets shards by Kinesis only
//
// Errors, each in its topic: UNKNOWN_TOPIC_OR_PARTITION, INVALID_PARTITIONS, INVALID_REPLICA_ASSIGNMENT,
// INVALID_REQUEST, POLICY_VIOLATION, REASSIGNMENT_IN_PROGRESS
// Source: CreatePartitionsRequest.json of Kafka 4.3.1, KIP-195; texts of a broker of that version (recorded 2026-11)
func (b *Broker) createPartitions(c *Call, req *kafkaapi.CreatePartitionsRequest) *kafkaapi.CreatePartitionsResponse {
	times := make(map[string]int, len(req.Topics))
	for i := range req.Topics {
		times[req.Topics[i].Name]++
	}
	res := &kafkaapi.CreatePartitionsResponse{Results: make([]kafkaapi.CreatePartitionsResponseCreatePartitionsTopicResult, len(req.Topics))}
	for i := range req.Topics {
		t := &req.Topics[i]
		var err error
		if times[t.Name] > 1 {
			err = refuse(kafkaapi.InvalidRequest, "Duplicate topic in request.")
		} else {
			err = b.addPartitions(c.Context, t.Name, int(t.Count), brokersOf(t), req.ValidateOnly)
		}
		if errors.Is(err, catalog.ErrNotFound) {
			err = refuse(kafkaapi.UnknownTopicOrPartition, "This server does not host this topic-partition.")
		}
		r := &res.Results[i]
		r.Name = t.Name
		r.ErrorCode, r.ErrorMessage = b.explain("add partitions", err)
	}
	return res
}

// brokersOf are the assignments by hand of a topic's new partitions, nil when there are none.
func brokersOf(t *kafkaapi.CreatePartitionsRequestCreatePartitionsTopic) [][]int32 {
	if t.Assignments == nil {
		return nil
	}
	out := make([][]int32, len(t.Assignments))
	for i := range t.Assignments {
		out[i] = t.Assignments[i].BrokerIDs
	}
	return out
}

package kafka

import (
	"fmt"

	"millrace/internal/api/kafkaapi"
)

// AlterPartitionReassignments: partitions are where they are to be, so nothing is moved.
//
// Behaviour
//   - an assignment to the broker that exists succeeds; Kafka's checks are made
//   - there is never a reassignment to cancel
//
// Errors, each in its partition: UNKNOWN_TOPIC_OR_PARTITION, INVALID_REPLICA_ASSIGNMENT, NO_REASSIGNMENT_IN_PROGRESS
// Source: AlterPartitionReassignmentsRequest.json of Kafka 4.3.1, KIP-455; texts of a broker of that version (recorded 2026-11)
func (b *Broker) alterPartitionReassignments(c *Call, req *kafkaapi.AlterPartitionReassignmentsRequest) *kafkaapi.AlterPartitionReassignmentsResponse {
	res := kafkaapi.NewAlterPartitionReassignmentsResponse()
	res.AllowReplicationFactorChange = req.AllowReplicationFactorChange
	res.Responses = []kafkaapi.AlterPartitionReassignmentsResponseReassignableTopicResponse{}
	for _, asked := range req.Topics {
		t, missing := b.named(c.Context, asked.Name)
		r := kafkaapi.AlterPartitionReassignmentsResponseReassignableTopicResponse{Name: asked.Name}
		for _, p := range asked.Partitions {
			one := kafkaapi.AlterPartitionReassignmentsResponseReassignablePartitionResponse{PartitionIndex: p.PartitionIndex}
			err := reassign(p.Replicas)
			if missing != kafkaapi.None {
				err = refuse(missing, "Unable to find a topic named "+asked.Name+".")
			} else if _, ok := t.partition(p.PartitionIndex); !ok {
				err = refuse(kafkaapi.UnknownTopicOrPartition, fmt.Sprintf("Unable to find partition %s:%d.", asked.Name, p.PartitionIndex))
			}
			one.ErrorCode, one.ErrorMessage = b.explain("reassign partitions", err)
			r.Partitions = append(r.Partitions, one)
		}
		res.Responses = append(res.Responses, r)
	}
	return &res
}

// reassign checks where a partition is to be; nil cancels what is going on.
//
// Errors: *refusal.
func reassign(replicas []int32) error {
	if replicas == nil {
		return refuse(kafkaapi.NoReassignmentInProgress, "No partition reassignment is in progress.")
	}
	if err := checkAssignment(replicas, len(replicas)); err != nil {
		return err
	}
	for _, id := range replicas {
		if id != nodeID {
			return refuse(kafkaapi.InvalidReplicaAssignment,
				fmt.Sprintf("The manual partition assignment includes broker %d, but no such broker is registered.", id))
		}
	}
	return nil
}

// ListPartitionReassignments: there are none.
//
// Source: ListPartitionReassignmentsRequest.json of Kafka 4.3.1, KIP-455
func (b *Broker) listPartitionReassignments(*Call, *kafkaapi.ListPartitionReassignmentsRequest) *kafkaapi.ListPartitionReassignmentsResponse {
	return &kafkaapi.ListPartitionReassignmentsResponse{Topics: []kafkaapi.ListPartitionReassignmentsResponseOngoingTopicReassignment{}}
}

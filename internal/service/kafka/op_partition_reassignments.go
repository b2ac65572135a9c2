package kafka

import (
	"fmt"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/catalog"
	"millrace/internal/core/store"
)

// AlterPartitionReassignments: partitions are where they are to be, so nothing is moved.
//
// Behaviour
//   - an assignment to the broker that exists succeeds; Kafka's checks are made. A topic that was made with more replicas
//     is told to have one from then on
//   - there is never a reassignment to cancel
//
// Errors, each in its partition: UNKNOWN_TOPIC_OR_PARTITION, INVALID_REPLICA_ASSIGNMENT, NO_REASSIGNMENT_IN_PROGRESS,
// INVALID_REPLICATION_FACTOR
// Source: AlterPartitionReassignmentsRequest.json of Kafka 4.3.1, KIP-455; texts of a broker of that version (recorded 2026-11)
func (b *Broker) alterPartitionReassignments(c *Call, req *kafkaapi.AlterPartitionReassignmentsRequest) *kafkaapi.AlterPartitionReassignmentsResponse {
	res := kafkaapi.NewAlterPartitionReassignmentsResponse()
	res.AllowReplicationFactorChange = req.AllowReplicationFactorChange
	res.Responses = []kafkaapi.AlterPartitionReassignmentsResponseReassignableTopicResponse{}
	for i := range req.Topics {
		asked := &req.Topics[i]
		r := kafkaapi.AlterPartitionReassignmentsResponseReassignableTopicResponse{Name: asked.Name}
		for j, err := range b.reassignTopic(c, asked, req.AllowReplicationFactorChange) {
			one := kafkaapi.AlterPartitionReassignmentsResponseReassignablePartitionResponse{PartitionIndex: asked.Partitions[j].PartitionIndex}
			one.ErrorCode, one.ErrorMessage = b.explain("reassign partitions", err)
			r.Partitions = append(r.Partitions, one)
		}
		res.Responses = append(res.Responses, r)
	}
	return &res
}

// reassignTopic answers for each partition of a topic.
func (b *Broker) reassignTopic(c *Call, asked *kafkaapi.AlterPartitionReassignmentsRequestReassignableTopic, mayChange bool) []error {
	errs := make([]error, len(asked.Partitions))
	t, missing := b.named(c.Context, asked.Name)
	fewer := false
	for i, p := range asked.Partitions {
		if missing != kafkaapi.None {
			errs[i] = refuse(missing, "Unable to find a topic named "+asked.Name+".")
			continue
		}
		if _, ok := t.partition(p.PartitionIndex); !ok {
			errs[i] = refuse(kafkaapi.UnknownTopicOrPartition, fmt.Sprintf("Unable to find partition %s:%d.", asked.Name, p.PartitionIndex))
			continue
		}
		if errs[i] = b.reassign(p.Replicas); errs[i] != nil || t.replicas == 1 {
			continue
		}
		if fewer = mayChange; !mayChange {
			errs[i] = refuse(kafkaapi.InvalidReplicationFactor, fmt.Sprintf("The replication factor is changed from %d to 1", t.replicas))
		}
	}
	if !fewer {
		return errs
	}
	err := b.changeTopic(c.Context, t.name, false, func(_ store.Tx, _ *catalog.Topic, k *kept) error {
		k.replicas = 1
		return nil
	})
	for i := range errs {
		if errs[i] == nil {
			errs[i] = err
		}
	}
	return errs
}

// reassign checks where a partition is to be; nil cancels what is going on.
//
// Errors: *refusal.
func (b *Broker) reassign(replicas []int32) error {
	if replicas == nil {
		return refuse(kafkaapi.NoReassignmentInProgress, "No partition reassignment is in progress.")
	}
	if err := checkAssignment(replicas, len(replicas)); err != nil {
		return err
	}
	for _, id := range replicas {
		if id != b.node {
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

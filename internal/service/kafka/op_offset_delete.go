package kafka

import (
	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/store"
	"millrace/internal/service/kafka/offset"
)

// OffsetDelete: forgets offsets of a group for partitions that nobody of it consumes.
//
// Errors: those of group.Coordinator.CheckOffsetDelete for all; UNKNOWN_TOPIC_OR_PARTITION, GROUP_SUBSCRIBED_TO_TOPIC for
// a partition
// Source: OffsetDeleteRequest.json of Kafka 4.3.1, KIP-496
func (b *Broker) offsetDelete(c *Call, req *kafkaapi.OffsetDeleteRequest) *kafkaapi.OffsetDeleteResponse {
	subscribed, code := b.groups.CheckOffsetDelete(req.GroupID)
	if code != kafkaapi.None {
		return &kafkaapi.OffsetDeleteResponse{ErrorCode: code}
	}
	res := &kafkaapi.OffsetDeleteResponse{}
	var parts []offset.Partition
	for _, in := range req.Topics {
		out := kafkaapi.OffsetDeleteResponseTopic{Name: in.Name}
		t, unknown := b.topic(c.Context, in.Name)
		for _, p := range in.Partitions {
			one := kafkaapi.OffsetDeleteResponsePartition{PartitionIndex: p.PartitionIndex, ErrorCode: unknown}
			if t != nil {
				_, ok := t.partition(p.PartitionIndex)
				switch {
				case !ok:
					one.ErrorCode = kafkaapi.UnknownTopicOrPartition
				case subscribed(in.Name):
					one.ErrorCode = kafkaapi.GroupSubscribedToTopic
				default:
					parts = append(parts, offset.Partition{Topic: t.num, Index: p.PartitionIndex})
				}
			}
			out.Partitions = append(out.Partitions, one)
		}
		res.Topics = append(res.Topics, out)
	}
	for len(parts) > 0 {
		n := min(len(parts), offset.MaxEntries)
		_, err := b.store.Update(c.Context, func(tx store.Tx) error { return offset.Delete(tx, req.GroupID, parts[:n]) })
		if err != nil {
			return &kafkaapi.OffsetDeleteResponse{ErrorCode: b.codeOf("delete offsets", err)}
		}
		parts = parts[n:]
	}
	return res
}

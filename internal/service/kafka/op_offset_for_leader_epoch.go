package kafka

import (
	"context"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/service/kafka/position"
)

// OffsetForLeaderEpoch: where leader epochs end, so that a client that lost a leader sees whether what it has read is
// still there.
//
// Errors: UNKNOWN_TOPIC_OR_PARTITION, FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH
// Source: OffsetForLeaderEpochRequest.json of Kafka 4.3.1; KIP-320
func (b *Broker) offsetForLeaderEpoch(c *Call, req *kafkaapi.OffsetForLeaderEpochRequest) *kafkaapi.OffsetForLeaderEpochResponse {
	res := &kafkaapi.OffsetForLeaderEpochResponse{}
	for _, in := range req.Topics {
		out := kafkaapi.OffsetForLeaderEpochResponseOffsetForLeaderTopicResult{Topic: in.Topic}
		t, unknown := b.topic(c.Context, in.Topic)
		for i := range in.Partitions {
			one := kafkaapi.NewOffsetForLeaderEpochResponseEpochEndOffset()
			one.Partition, one.ErrorCode = in.Partitions[i].Partition, unknown
			if t != nil {
				one.ErrorCode = b.epochEnd(c.Context, t, &in.Partitions[i], &one)
			}
			out.Partitions = append(out.Partitions, one)
		}
		res.Topics = append(res.Topics, out)
	}
	return res
}

func (b *Broker) epochEnd(ctx context.Context, t *topic, p *kafkaapi.OffsetForLeaderEpochRequestOffsetForLeaderPartition,
	out *kafkaapi.OffsetForLeaderEpochResponseEpochEndOffset,
) kafkaapi.Code {
	id, head, code := b.headOf(ctx, t, p.Partition, p.CurrentLeaderEpoch)
	switch {
	case code != kafkaapi.None:
		return code
	case id == 0 && p.LeaderEpoch == head.Epoch:
		out.LeaderEpoch, out.EndOffset = head.Epoch, 0
		return kafkaapi.None
	case id == 0:
		return kafkaapi.None
	}
	epoch, end, err := position.EpochEnd(ctx, b.store, id, p.LeaderEpoch)
	if err != nil {
		return b.codeOf("look up a leader epoch", err)
	}
	out.LeaderEpoch, out.EndOffset = epoch, int64(end)
	return kafkaapi.None
}

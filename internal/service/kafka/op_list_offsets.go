package kafka

import (
	"context"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/store"
	"millrace/internal/service/kafka/position"
)

// The special timestamps of ListOffsets.
const (
	latestOffset          = -1
	earliestOffset        = -2
	maxTimestampOffset    = -3 // version 7 and later
	earliestLocalOffset   = -4 // version 8 and later
	latestTieredOffset    = -5 // version 9 and later
	earliestPendingOffset = -6 // version 11 and later
)

// specialSince is the first version that may ask for each special timestamp, by its absolute value.
var specialSince = [...]int16{0, 1, 1, 7, 8, 9, 11}

// ListOffsets: offsets of partitions by time, and their ends.
//
// Behaviour
//   - the latest offset is the last stable one for readers of committed records
//   - a time is that of a record, not of a batch; without a record so late offset and timestamp are -1
//   - storage has no tiers that clients see: what asks for an uploaded offset gets -1
//
// Errors: UNKNOWN_TOPIC_OR_PARTITION, INVALID_REQUEST (a partition named twice), FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH,
// UNSUPPORTED_VERSION (a special timestamp of a later version or an unknown one)
// Source: ListOffsetsRequest.json of Kafka 4.3.1; KafkaApis.handleListOffsetRequest
func (b *Broker) listOffsets(c *Call, req *kafkaapi.ListOffsetsRequest) *kafkaapi.ListOffsetsResponse {
	res := &kafkaapi.ListOffsetsResponse{}
	twice := namedTwice(req)
	for _, in := range req.Topics {
		out := kafkaapi.ListOffsetsResponseListOffsetsTopicResponse{Name: in.Name}
		t, unknown := b.topic(c.Context, in.Name)
		for i := range in.Partitions {
			p := &in.Partitions[i]
			one := kafkaapi.NewListOffsetsResponseListOffsetsPartitionResponse()
			one.PartitionIndex, one.ErrorCode = p.PartitionIndex, unknown
			if twice[topicPartition{in.Name, p.PartitionIndex}] {
				one.ErrorCode = kafkaapi.InvalidRequest
			} else if t != nil {
				one.ErrorCode = b.listOffset(c, t, p, req.IsolationLevel == 1, &one)
			}
			out.Partitions = append(out.Partitions, one)
		}
		res.Topics = append(res.Topics, out)
	}
	return res
}

type topicPartition struct {
	topic string
	index int32
}

// namedTwice are the partitions that a request names more than once; nil when there are none.
func namedTwice(req *kafkaapi.ListOffsetsRequest) map[topicPartition]bool {
	var twice map[topicPartition]bool
	seen := map[topicPartition]bool{}
	for _, t := range req.Topics {
		for i := range t.Partitions {
			k := topicPartition{t.Name, t.Partitions[i].PartitionIndex}
			if seen[k] {
				if twice == nil {
					twice = map[topicPartition]bool{}
				}
				twice[k] = true
			}
			seen[k] = true
		}
	}
	return twice
}

// listOffset answers one partition.
func (b *Broker) listOffset(c *Call, t *topic, p *kafkaapi.ListOffsetsRequestListOffsetsPartition, committed bool,
	out *kafkaapi.ListOffsetsResponseListOffsetsPartitionResponse,
) kafkaapi.Code {
	if p.Timestamp < 0 && (p.Timestamp <= -int64(len(specialSince)) || c.Version < specialSince[-p.Timestamp]) {
		return kafkaapi.UnsupportedVersion
	}
	id, head, code := b.headOf(c.Context, t, p.PartitionIndex, p.CurrentLeaderEpoch)
	if code != kafkaapi.None {
		return code
	}
	end := head.Next
	if committed {
		end = head.LastStable
	}
	switch p.Timestamp {
	case latestOffset:
		out.Offset, out.LeaderEpoch = int64(end), head.Epoch
	case earliestOffset, earliestLocalOffset:
		out.Offset, out.LeaderEpoch = int64(head.Start), b.epochAtStart(c.Context, id, &head)
	case latestTieredOffset, earliestPendingOffset:
	default:
		return b.listByTime(c.Context, id, p.Timestamp, end, out)
	}
	return kafkaapi.None
}

// headOf returns where a partition is and its head, which is empty for one that was forgotten, if the client's leader
// epoch is the partition's, or -1.
func (b *Broker) headOf(ctx context.Context, t *topic, index, epoch int32) (store.PartitionID, store.Head, kafkaapi.Code) {
	p, ok := t.partition(index)
	if !ok {
		b.refresh(t)
		return 0, store.Head{}, kafkaapi.UnknownTopicOrPartition
	}
	head := store.Head{}
	if p.id != 0 {
		var err error
		if head, err = b.store.Head(ctx, p.id); err != nil {
			b.refresh(t)
			return 0, head, b.codeOf("look up a partition", err)
		}
	}
	switch {
	case epoch >= 0 && epoch < head.Epoch:
		return 0, head, kafkaapi.FencedLeaderEpoch
	case epoch > head.Epoch:
		return 0, head, kafkaapi.UnknownLeaderEpoch
	}
	return p.id, head, kafkaapi.None
}

// epochAtStart is the leader epoch of the first batch. It is read only where it can be another than the partition's.
func (b *Broker) epochAtStart(ctx context.Context, id store.PartitionID, head *store.Head) int32 {
	if head.Epoch == 0 || id == 0 {
		return head.Epoch
	}
	epoch, err := position.EpochAt(ctx, b.store, id, head.Start)
	if err != nil || epoch < 0 {
		return head.Epoch
	}
	return epoch
}

// listByTime answers with the first record of a time, or the one with the largest.
func (b *Broker) listByTime(ctx context.Context, id store.PartitionID, ms int64, end store.Offset,
	out *kafkaapi.ListOffsetsResponseListOffsetsPartitionResponse,
) kafkaapi.Code {
	if id == 0 {
		return kafkaapi.None
	}
	var found position.Found
	var ok bool
	var err error
	if ms == maxTimestampOffset {
		found, ok, err = position.Latest(ctx, b.store, id, end)
	} else {
		found, ok, err = position.ByTime(ctx, b.store, id, ms, end)
	}
	if err != nil {
		return b.codeOf("look up an offset by time", err)
	}
	if ok {
		out.Offset, out.Timestamp, out.LeaderEpoch = int64(found.Offset), found.Timestamp, found.Epoch
	}
	return kafkaapi.None
}

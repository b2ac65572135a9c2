package kafka

import (
	"context"
	"slices"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/store"
)

// trimPage is how many partitions one commit trims.
const trimPage = 1000

// trim is a partition to be trimmed, and where its answer is.
type trim struct {
	id  store.PartitionID
	to  store.Offset
	out *kafkaapi.DeleteRecordsResponseDeleteRecordsPartitionResult
}

// DeleteRecords: gives up the records before an offset; -1 is the high watermark.
//
// Behaviour
//   - the answer is the offset that the partition begins with now, which may be above the one that was asked for
//   - batches are not cut: one that holds the offset is still returned as a whole
//
// Errors: UNKNOWN_TOPIC_OR_PARTITION, OFFSET_OUT_OF_RANGE (above the high watermark), POLICY_VIOLATION (a topic whose
// cleanup.policy does not name delete, a view of a table), INVALID_TOPIC_EXCEPTION (an internal topic)
// Source: DeleteRecordsRequest.json of Kafka 4.3.1; Partition.deleteRecordsOnLeader
func (b *Broker) deleteRecords(c *Call, req *kafkaapi.DeleteRecordsRequest) *kafkaapi.DeleteRecordsResponse {
	res := &kafkaapi.DeleteRecordsResponse{Topics: make([]kafkaapi.DeleteRecordsResponseDeleteRecordsTopicResult, len(req.Topics))}
	var trims []trim
	for i, in := range req.Topics {
		out := &res.Topics[i]
		out.Name = in.Name
		out.Partitions = make([]kafkaapi.DeleteRecordsResponseDeleteRecordsPartitionResult, len(in.Partitions))
		t, unknown := b.topic(c.Context, in.Name)
		for j, p := range in.Partitions {
			one := &out.Partitions[j]
			one.PartitionIndex, one.LowWatermark, one.ErrorCode = p.PartitionIndex, -1, unknown
			if t == nil {
				continue
			}
			var todo trim
			if todo, one.ErrorCode = b.trimOf(c.Context, t, p.PartitionIndex, p.Offset); one.ErrorCode == kafkaapi.None {
				todo.out, one.LowWatermark = one, int64(todo.to)
				trims = append(trims, todo)
			}
		}
	}
	for page := range slices.Chunk(trims, trimPage) {
		b.trimAll(c.Context, page)
	}
	return res
}

// trimOf says what is to be trimmed of a partition. What is at most the high watermark now is so in the commit.
func (b *Broker) trimOf(ctx context.Context, t *topic, index int32, offset int64) (trim, kafkaapi.Code) {
	if rules := b.rulesOf(t); rules.Refused != kafkaapi.None && (!t.closed || t.ofTable()) {
		return trim{}, rules.Refused
	}
	id, head, code := b.headOf(ctx, t, index, -1)
	if code != kafkaapi.None {
		return trim{}, code
	}
	if !t.config.Delete {
		return trim{}, kafkaapi.PolicyViolation
	}
	to := store.Offset(offset)
	if offset == -1 {
		to = head.Next
	}
	if to < 0 || to > head.Next {
		return trim{}, kafkaapi.OffsetOutOfRange
	}
	return trim{id: id, to: max(to, head.Start)}, kafkaapi.None
}

// trimAll trims a page of partitions in one commit, or, when one of them is gone, each for itself.
func (b *Broker) trimAll(ctx context.Context, page []trim) {
	_, err := b.store.Update(ctx, func(tx store.Tx) error {
		for _, d := range page {
			if d.id == 0 {
				continue
			}
			if err := tx.TrimPartition(d.id, d.to); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		return
	}
	if len(page) > 1 {
		for i := range page {
			b.trimAll(ctx, page[i:i+1])
		}
		return
	}
	page[0].out.ErrorCode, page[0].out.LowWatermark = b.codeOf("delete records", err), -1
}

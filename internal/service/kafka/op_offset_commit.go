package kafka

import (
	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/store"
	"millrace/internal/service/kafka/group"
	"millrace/internal/service/kafka/offset"
)

// OffsetCommit: how far a group has read.
//
// Behaviour
//   - answered when durable
//   - partitions that do not exist, and metadata that is too long, fail for themselves
//   - without a member (generation -1) only a group without members may be committed for
//
// Errors: those of group.Coordinator.CheckCommit for all partitions; UNKNOWN_TOPIC_OR_PARTITION, UNKNOWN_TOPIC_ID,
// OFFSET_METADATA_TOO_LARGE for one
// Source: OffsetCommitRequest.json of Kafka 4.3.1, KIP-211 (the retention time of old versions is ignored)
func (b *Broker) offsetCommit(c *Call, req *kafkaapi.OffsetCommitRequest) *kafkaapi.OffsetCommitResponse {
	res := &kafkaapi.OffsetCommitResponse{}
	who := group.CommitRequest{
		Group: req.GroupID, MemberID: req.MemberID, InstanceID: textOf(req.GroupInstanceID), Generation: req.GenerationIDOrMemberEpoch,
	}
	code := b.groups.CheckCommit(who)
	var entries []offset.Entry
	var good []*kafkaapi.Code // beside entries
	for i := range req.Topics {
		in := &req.Topics[i]
		out := kafkaapi.OffsetCommitResponseTopic{Name: in.Name, TopicID: in.TopicID, Partitions: make([]kafkaapi.OffsetCommitResponsePartition, len(in.Partitions))}
		t, unknown := b.topicNamed(c, in.Name, in.TopicID, c.Version >= 10)
		for k := range in.Partitions {
			p, answer := &in.Partitions[k], &out.Partitions[k]
			answer.PartitionIndex = p.PartitionIndex
			e, refused := offsetEntry(t, unknown, p.PartitionIndex, p.CommittedOffset, p.CommittedLeaderEpoch, p.CommittedMetadata)
			if answer.ErrorCode = code; code == kafkaapi.None {
				answer.ErrorCode = refused
			}
			if answer.ErrorCode == kafkaapi.None {
				entries, good = append(entries, e), append(good, &answer.ErrorCode)
			}
		}
		res.Topics = append(res.Topics, out)
	}
	for len(entries) > 0 {
		n := min(len(entries), offset.MaxEntries)
		failed := b.commitOffsets(c, who, entries[:n])
		for _, code := range good[:n] {
			*code = failed
		}
		entries, good = entries[n:], good[n:]
	}
	return res
}

// commitOffsets makes offsets durable unless the group has gone on to another generation meanwhile.
func (b *Broker) commitOffsets(c *Call, who group.CommitRequest, entries []offset.Entry) kafkaapi.Code {
	var fenced kafkaapi.Code
	_, err := b.store.Update(c.Context, func(tx store.Tx) (err error) {
		if fenced, err = group.Fence(tx, who); err != nil || fenced != kafkaapi.None {
			return err
		}
		for i := range entries {
			entries[i].Time = tx.Now()
		}
		return offset.Commit(tx, who.Group, entries)
	})
	if err == nil && fenced != kafkaapi.None {
		return fenced
	}
	return b.codeOf("commit offsets", err)
}

// offsetEntry is an offset as it is kept, or why it is not.
func offsetEntry(t *topic, unknown kafkaapi.Code, index int32, at int64, epoch int32, metadata *string) (offset.Entry, kafkaapi.Code) {
	if unknown != kafkaapi.None {
		return offset.Entry{}, unknown
	}
	if _, ok := t.partition(index); !ok {
		return offset.Entry{}, kafkaapi.UnknownTopicOrPartition
	}
	if len(textOf(metadata)) > offset.MaxMetadata {
		return offset.Entry{}, kafkaapi.OffsetMetadataTooLarge
	}
	return offset.Entry{Partition: offset.Partition{Topic: t.num, Index: index}, Offset: at, LeaderEpoch: epoch, Metadata: textOf(metadata)}, kafkaapi.None
}

// topicNamed finds a request's topic, which it names or, in newer versions, gives the id of.
func (b *Broker) topicNamed(c *Call, name string, id kafkaapi.UUID, byID bool) (*topic, kafkaapi.Code) {
	if byID {
		return b.topicByID(c.Context, id)
	}
	return b.topic(c.Context, name)
}

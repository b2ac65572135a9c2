package kafka

import (
	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/store"
	"millrace/internal/service/kafka/group"
	"millrace/internal/service/kafka/txn"
)

// TxnOffsetCommit: offsets of a group that become visible when the transaction commits.
//
// Behaviour
//   - since version 3 member and generation are checked, so that a zombie of the group cannot commit (KIP-447)
//   - partitions that do not exist, and metadata that is too long, fail for themselves
//
// Errors: those of group.Coordinator.CheckCommit and txn.Coordinator.CommitOffsets for all partitions;
// UNKNOWN_TOPIC_OR_PARTITION, OFFSET_METADATA_TOO_LARGE for one
// Source: TxnOffsetCommitRequest.json of Kafka 4.3.1, KIP-447, KIP-890
func (b *Broker) txnOffsetCommit(c *Call, req *kafkaapi.TxnOffsetCommitRequest) *kafkaapi.TxnOffsetCommitResponse {
	res := &kafkaapi.TxnOffsetCommitResponse{}
	in := txn.OffsetCommit{
		Ident: txn.Ident{ID: req.TransactionalID, Producer: store.ProducerID(req.ProducerID), Epoch: req.ProducerEpoch},
		Group: req.GroupID, V2: c.Version >= 5, Abortable: c.Version >= 4,
	}
	var good []*kafkaapi.Code // beside in.Offsets
	for i := range req.Topics {
		topic := &req.Topics[i]
		out := kafkaapi.TxnOffsetCommitResponseTopic{Name: topic.Name, Partitions: make([]kafkaapi.TxnOffsetCommitResponsePartition, len(topic.Partitions))}
		t, unknown := b.topic(c.Context, topic.Name)
		for k := range topic.Partitions {
			p, answer := &topic.Partitions[k], &out.Partitions[k]
			answer.PartitionIndex = p.PartitionIndex
			e, refused := offsetEntry(t, unknown, p.PartitionIndex, p.CommittedOffset, p.CommittedLeaderEpoch, p.CommittedMetadata)
			if answer.ErrorCode = refused; refused == kafkaapi.None {
				in.Offsets, good = append(in.Offsets, e), append(good, &answer.ErrorCode)
			}
		}
		res.Topics = append(res.Topics, out)
	}
	code := b.commitInTransaction(c, req, in)
	for _, one := range good {
		*one = code
	}
	return res
}

func (b *Broker) commitInTransaction(c *Call, req *kafkaapi.TxnOffsetCommitRequest, in txn.OffsetCommit) kafkaapi.Code {
	who := group.CommitRequest{Group: req.GroupID, Generation: -1, Transactional: true}
	if c.Version >= 3 {
		who.MemberID, who.InstanceID, who.Generation = req.MemberID, textOf(req.GroupInstanceID), req.GenerationID
	}
	if code := b.groups.CheckCommit(who); code != kafkaapi.None {
		return code
	}
	in.Check = func(tx store.Tx) kafkaapi.Code {
		code, err := group.Fence(tx, who)
		if err != nil {
			return b.codeOf("check the generation of a group", err)
		}
		return code
	}
	return b.txns.CommitOffsets(c.Context, in)
}

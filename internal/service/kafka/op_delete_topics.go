package kafka

import (
	"errors"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/catalog"
	"millrace/internal/core/store"
)

// DeleteTopics: topics with all their records, by name or id.
//
// Behaviour
//   - each topic succeeds or fails for itself; a topic made by Kafka is gone when it is answered, and its name is free
//   - offsets that groups have committed for it go later, and are never seen again
//   - a stream made by Kinesis is deleted as DeleteStream does it, with its consumers
//
// Errors, each in its topic: UNKNOWN_TOPIC_OR_PARTITION, UNKNOWN_TOPIC_ID, INVALID_REQUEST, POLICY_VIOLATION,
// TOPIC_DELETION_DISABLED
// Source: DeleteTopicsRequest.json of Kafka 4.3.1, KIP-516
func (b *Broker) deleteTopicsOp(c *Call, req *kafkaapi.DeleteTopicsRequest) *kafkaapi.DeleteTopicsResponse {
	asked := req.Topics
	if c.Version < 6 {
		asked = make([]kafkaapi.DeleteTopicsRequestDeleteTopicState, len(req.TopicNames))
		for i := range req.TopicNames {
			asked[i].Name = &req.TopicNames[i]
		}
	}
	names, ids := map[string]int{}, map[kafkaapi.UUID]int{}
	for _, t := range asked {
		if t.Name != nil {
			names[*t.Name]++
		}
		ids[t.TopicID]++
	}
	res := &kafkaapi.DeleteTopicsResponse{Responses: make([]kafkaapi.DeleteTopicsResponseDeletableTopicResult, len(asked))}
	all := make([]*deletion, 0, len(asked))
	at := make([]int, 0, len(asked)) // of all in asked
	for i := range asked {
		t := &asked[i]
		res.Responses[i].Name, res.Responses[i].TopicID = t.Name, t.TopicID
		if err := b.checkDelete(c, t, names, ids); err != nil {
			res.Responses[i].ErrorCode, res.Responses[i].ErrorMessage = b.explain("delete a topic", err)
			continue
		}
		at = append(at, i)
		all = append(all, &deletion{lookup: func(tx store.ReadTx) (*catalog.Topic, error) {
			if t.Name != nil {
				return b.topics.cat.LookupKafka(tx, *t.Name)
			}
			return b.topics.cat.LookupID(tx, catalog.ID(t.TopicID))
		}})
	}
	b.deleteTopics(c.Context, all)
	var gone []uint64
	for i, d := range all {
		r, err := &res.Responses[at[i]], d.err
		switch {
		case err == nil:
			r.Name, r.TopicID = &d.gone.Kafka, kafkaapi.UUID(d.gone.ID)
			gone = append(gone, d.gone.Num)
			continue
		case errors.Is(err, catalog.ErrNotFound) && r.Name == nil:
			err = refuse(kafkaapi.UnknownTopicID, "This server does not host this topic ID.")
		case errors.Is(err, catalog.ErrNotFound):
			err = refuse(kafkaapi.UnknownTopicOrPartition, "This server does not host this topic-partition.")
		}
		r.ErrorCode, r.ErrorMessage = b.explain("delete a topic", err)
	}
	b.forgetOffsets(gone)
	return res
}

// checkDelete refuses what does not name one topic, once.
func (b *Broker) checkDelete(c *Call, t *kafkaapi.DeleteTopicsRequestDeleteTopicState, names map[string]int, ids map[kafkaapi.UUID]int) error {
	byID := t.TopicID != kafkaapi.UUID{}
	switch {
	case !b.topics.broker.Load().Bool("delete.topic.enable"):
		if c.Version < 3 {
			return refuse(kafkaapi.InvalidRequest, "Topic deletion is disabled.")
		}
		return refuse(kafkaapi.TopicDeletionDisabled, "Topic deletion is disabled.")
	case t.Name != nil && byID:
		return refuse(kafkaapi.InvalidRequest, "You may not specify both topic name and topic id.")
	case t.Name == nil && !byID:
		return refuse(kafkaapi.InvalidRequest, "Neither topic name nor id were specified.")
	case t.Name != nil && names[*t.Name] > 1:
		return refuse(kafkaapi.InvalidRequest, "Duplicate topic name.")
	case byID && ids[t.TopicID] > 1:
		return refuse(kafkaapi.InvalidRequest, "Duplicate topic id.")
	}
	return nil
}

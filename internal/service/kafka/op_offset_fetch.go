package kafka

import (
	"errors"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/catalog"
	"millrace/internal/core/store"
	"millrace/internal/service/kafka/offset"
)

// offsetPage is how many of a group's offsets one view reads.
const offsetPage = 5000

// OffsetFetch: how far groups have read.
//
// Behaviour
//   - a group or partition without an offset is -1, not an error
//   - no list of topics means all offsets of the group; those of topics that are gone are left out
//   - with RequireStable a partition for which a transaction is open is UNSTABLE_OFFSET_COMMIT (KIP-447)
//
// Errors: UNKNOWN_TOPIC_ID, UNSTABLE_OFFSET_COMMIT for a partition; those of the store for a group
// Source: OffsetFetchRequest.json of Kafka 4.3.1, KIP-709
func (b *Broker) offsetFetch(c *Call, req *kafkaapi.OffsetFetchRequest) *kafkaapi.OffsetFetchResponse {
	res := &kafkaapi.OffsetFetchResponse{}
	if c.Version >= 8 {
		for i := range req.Groups {
			res.Groups = append(res.Groups, b.fetchGroup(c, &req.Groups[i], req.RequireStable))
		}
		return res
	}
	one := kafkaapi.OffsetFetchRequestGroup{GroupID: req.GroupID}
	if req.Topics != nil {
		one.Topics = []kafkaapi.OffsetFetchRequestTopics{}
	}
	for _, t := range req.Topics {
		one.Topics = append(one.Topics, kafkaapi.OffsetFetchRequestTopics{Name: t.Name, PartitionIndexes: t.PartitionIndexes})
	}
	g := b.fetchGroup(c, &one, req.RequireStable)
	res.ErrorCode = g.ErrorCode
	for _, t := range g.Topics {
		out := kafkaapi.OffsetFetchResponseTopic{Name: t.Name}
		for _, p := range t.Partitions {
			out.Partitions = append(out.Partitions, kafkaapi.OffsetFetchResponsePartition(p))
		}
		res.Topics = append(res.Topics, out)
	}
	return res
}

func (b *Broker) fetchGroup(c *Call, req *kafkaapi.OffsetFetchRequestGroup, stable bool) kafkaapi.OffsetFetchResponseGroup {
	res := kafkaapi.OffsetFetchResponseGroup{GroupID: req.GroupID}
	var err error
	if req.Topics == nil {
		res.Topics, err = b.fetchAllOffsets(c, req.GroupID, stable)
	} else {
		res.Topics, err = b.fetchOffsets(c, req, stable)
	}
	if errors.Is(err, offset.ErrGroup) {
		res.Topics, res.ErrorCode = nil, kafkaapi.InvalidGroupID
	} else if err != nil {
		res.Topics, res.ErrorCode = nil, b.codeOf("fetch offsets", err)
	}
	return res
}

// fetchOffsets reads the offsets of the partitions that are named, all in one view.
func (b *Broker) fetchOffsets(c *Call, req *kafkaapi.OffsetFetchRequestGroup, stable bool) ([]kafkaapi.OffsetFetchResponseTopics, error) {
	topics := make([]kafkaapi.OffsetFetchResponseTopics, len(req.Topics))
	var parts []offset.Partition
	var answers []*kafkaapi.OffsetFetchResponsePartitions // beside parts
	for i := range req.Topics {
		in, out := &req.Topics[i], &topics[i]
		out.Name, out.TopicID = in.Name, in.TopicID
		out.Partitions = make([]kafkaapi.OffsetFetchResponsePartitions, len(in.PartitionIndexes))
		t, unknown := b.topicNamed(c, in.Name, in.TopicID, c.Version >= 10)
		for k, index := range in.PartitionIndexes {
			p := &out.Partitions[k]
			*p = noOffset(index)
			switch {
			case t != nil:
				parts, answers = append(parts, offset.Partition{Topic: t.num, Index: index}), append(answers, p)
			case unknown != kafkaapi.UnknownTopicOrPartition: // by name, what is not there has no offset
				p.ErrorCode = unknown
			}
		}
	}
	if len(parts) == 0 {
		return topics, nil
	}
	return topics, b.store.View(c.Context, func(tx store.ReadTx) error {
		found, err := offset.Fetch(tx, req.GroupID, parts, stable)
		for i := range found {
			*answers[i] = offsetAnswer(&found[i])
		}
		return err
	})
}

func noOffset(index int32) kafkaapi.OffsetFetchResponsePartitions {
	return kafkaapi.OffsetFetchResponsePartitions{PartitionIndex: index, CommittedOffset: -1, CommittedLeaderEpoch: -1, Metadata: new("")}
}

func offsetAnswer(f *offset.Fetched) kafkaapi.OffsetFetchResponsePartitions {
	p := noOffset(f.Index)
	switch {
	case f.Unstable:
		p.ErrorCode = kafkaapi.UnstableOffsetCommit
	case f.Found:
		p.CommittedOffset, p.CommittedLeaderEpoch, p.Metadata = f.Offset, f.LeaderEpoch, &f.Metadata
	}
	return p
}

// fetchAllOffsets reads all offsets of a group, a page in each view.
func (b *Broker) fetchAllOffsets(c *Call, id string, stable bool) (topics []kafkaapi.OffsetFetchResponseTopics, err error) {
	var since *offset.Partition
	for more := true; more && err == nil; {
		var page []offset.Fetched
		var names map[uint64]*catalog.Topic
		err = b.store.View(c.Context, func(tx store.ReadTx) error {
			found, err := offset.FetchAll(tx, id, since, offsetPage, stable)
			if err != nil {
				return err
			}
			page = found
			names, err = b.topicsByNumber(tx, page)
			return err
		})
		more = len(page) == offsetPage
		for i := range page {
			f := &page[i]
			since = &f.Partition
			named := names[f.Topic]
			if named == nil {
				continue
			}
			if n := len(topics); n == 0 || topics[n-1].Name != named.Kafka {
				topics = append(topics, kafkaapi.OffsetFetchResponseTopics{Name: named.Kafka, TopicID: kafkaapi.UUID(named.ID)})
			}
			last := &topics[len(topics)-1]
			last.Partitions = append(last.Partitions, offsetAnswer(f))
		}
	}
	return topics, err
}

// topicsByNumber finds the topics of a page of offsets; nil for those that are gone.
func (b *Broker) topicsByNumber(tx store.ReadTx, page []offset.Fetched) (map[uint64]*catalog.Topic, error) {
	names := map[uint64]*catalog.Topic{}
	for i := range page {
		num := page[i].Topic
		if _, known := names[num]; known {
			continue
		}
		t, err := b.topics.cat.Get(tx, num)
		switch {
		case errors.Is(err, catalog.ErrNotFound):
			t = nil
		case err != nil:
			return nil, err
		case t.State == catalog.StateDeleting:
			t = nil
		}
		names[num] = t
	}
	return names, nil
}

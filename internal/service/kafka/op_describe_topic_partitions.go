package kafka

import (
	"context"
	"errors"
	"slices"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/catalog"
)

// DescribeTopicPartitions: topics with their partitions, in pages.
//
// Behaviour
//   - topics in order of names, all of them when none is named; from the cursor on
//   - a page ends after the partitions that the client or max.request.partition.size.limit allows; the next cursor
//     then names the partition that follows
//   - replicas are as many as were asked for when the topic was made, each of them the broker that exists; all are in
//     sync
//   - a topic that is named and does not exist is answered with its error, and is not made
//
// Errors: INVALID_REQUEST and INVALID_TOPIC_EXCEPTION, UNKNOWN_TOPIC_OR_PARTITION in their topic
// Source: DescribeTopicPartitionsRequest.json of Kafka 4.3.1, KIP-966
func (b *Broker) describeTopicPartitions(c *Call, req *kafkaapi.DescribeTopicPartitionsRequest) *kafkaapi.DescribeTopicPartitionsResponse {
	p := topicPage{node: b.node, limit: max(1, int(min(int64(req.ResponsePartitionLimit), b.brokerValue("max.request.partition.size.limit"))))}
	if req.Cursor != nil {
		p.from, p.first = req.Cursor.TopicName, int(max(0, req.Cursor.PartitionIndex))
	}
	var err error
	if len(req.Topics) == 0 {
		err = b.allTopics(c.Context, p.from, p.add)
	} else {
		err = b.describeSome(c.Context, req, &p)
	}
	if err != nil {
		p.res.Topics = append(p.res.Topics, kafkaapi.DescribeTopicPartitionsResponseTopic{
			ErrorCode: b.codeOf("describe topics", err), TopicAuthorizedOperations: noOperations,
		})
	}
	return &p.res
}

// describeSome fills a page with the topics that a request names.
func (b *Broker) describeSome(ctx context.Context, req *kafkaapi.DescribeTopicPartitionsRequest, p *topicPage) error {
	names := make([]string, 0, len(req.Topics))
	for _, t := range req.Topics {
		if t.Name >= p.from {
			names = append(names, t.Name)
		}
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		if p.left() <= 0 {
			p.res.NextCursor = &kafkaapi.DescribeTopicPartitionsResponseCursor{TopicName: name}
			return nil
		}
		t, err := b.current(ctx, name)
		switch {
		case errors.Is(err, catalog.ErrNotFound):
			p.absent(name)
		case err != nil:
			return err
		case !p.add(t):
			return nil
		}
	}
	return nil
}

// topicPage is a page that is being filled.
type topicPage struct {
	res   kafkaapi.DescribeTopicPartitionsResponse
	node  int32  // id of the broker
	limit int    // partitions
	used  int    // of them
	from  string // topic that the cursor names
	first int    // partition of it
}

func (p *topicPage) left() int { return p.limit - p.used }

func (p *topicPage) absent(name string) {
	code := kafkaapi.UnknownTopicOrPartition
	if invalidName(name) != "" {
		code = kafkaapi.InvalidTopicException
	}
	p.res.Topics = append(p.res.Topics, kafkaapi.DescribeTopicPartitionsResponseTopic{
		ErrorCode: code, Name: &name, IsInternal: internal(name), TopicAuthorizedOperations: noOperations,
		Partitions: []kafkaapi.DescribeTopicPartitionsResponsePartition{},
	})
}

// add puts a topic into the page and tells whether there is room for another look.
func (p *topicPage) add(t *topic) bool {
	if p.left() <= 0 {
		p.res.NextCursor = &kafkaapi.DescribeTopicPartitionsResponseCursor{TopicName: t.name}
		return false
	}
	first := 0
	if t.name == p.from {
		first = min(p.first, len(t.partitions))
	}
	end := min(len(t.partitions), first+p.left())
	d := kafkaapi.DescribeTopicPartitionsResponseTopic{
		Name: &t.name, TopicID: t.id, IsInternal: internal(t.name), TopicAuthorizedOperations: topicOperations,
		Partitions: make([]kafkaapi.DescribeTopicPartitionsResponsePartition, 0, end-first),
	}
	replicas := make([]int32, t.replicas)
	for i := range replicas {
		replicas[i] = p.node
	}
	for i := first; i < end; i++ {
		d.Partitions = append(d.Partitions, kafkaapi.DescribeTopicPartitionsResponsePartition{
			PartitionIndex: int32(i), LeaderID: p.node, LeaderEpoch: t.partitions[i].epoch, ReplicaNodes: replicas, IsrNodes: replicas,
			EligibleLeaderReplicas: []int32{}, LastKnownElr: []int32{}, OfflineReplicas: []int32{},
		})
	}
	p.res.Topics = append(p.res.Topics, d)
	p.used += end - first
	if end < len(t.partitions) {
		p.res.NextCursor = &kafkaapi.DescribeTopicPartitionsResponseCursor{TopicName: t.name, PartitionIndex: int32(end)}
		return false
	}
	return true
}

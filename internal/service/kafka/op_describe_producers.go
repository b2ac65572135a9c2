package kafka

import (
	"math"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/store"
)

// producersPage is how many producers of a partition are read at once.
const producersPage = 1000

// DescribeProducers: what partitions remember of their producers.
//
// Errors: UNKNOWN_TOPIC_OR_PARTITION, those of the store, for a partition
// Source: DescribeProducersRequest.json of Kafka 4.3.1, KIP-664
func (b *Broker) describeProducers(c *Call, req *kafkaapi.DescribeProducersRequest) *kafkaapi.DescribeProducersResponse {
	res := &kafkaapi.DescribeProducersResponse{}
	for i := range req.Topics {
		in := &req.Topics[i]
		out := kafkaapi.DescribeProducersResponseTopicResponse{Name: in.Name}
		t, unknown := b.topic(c.Context, in.Name)
		for _, index := range in.PartitionIndexes {
			one := kafkaapi.DescribeProducersResponsePartitionResponse{PartitionIndex: index}
			if one.ErrorCode = unknown; unknown == kafkaapi.None {
				one.ActiveProducers, one.ErrorCode = b.producersAt(c, t, index)
			}
			out.Partitions = append(out.Partitions, one)
		}
		res.Topics = append(res.Topics, out)
	}
	return res
}

// producersAt are the producers of a partition: none of one that is only shown.
func (b *Broker) producersAt(c *Call, t *topic, index int32) ([]kafkaapi.DescribeProducersResponseProducerState, kafkaapi.Code) {
	p, ok := t.partition(index)
	switch {
	case !ok:
		return nil, kafkaapi.UnknownTopicOrPartition
	case p.id == 0:
		return nil, kafkaapi.None
	}
	all, err := b.producersOf(c, p.id)
	return all, b.codeOf("describe producers", err)
}

func (b *Broker) producersOf(c *Call, id store.PartitionID) (all []kafkaapi.DescribeProducersResponseProducerState, err error) {
	from := store.ProducerID(math.MinInt64)
	for {
		page, err := b.txns.Producers(c.Context, id, from, producersPage)
		if err != nil {
			return nil, err
		}
		for _, p := range page {
			all = append(all, kafkaapi.DescribeProducersResponseProducerState{
				ProducerID: int64(p.Producer), ProducerEpoch: int32(p.Epoch), LastSequence: p.LastSequence,
				LastTimestamp: lastTime(p.LastAppend), CurrentTxnStartOffset: int64(p.Open),
			})
		}
		if len(page) < producersPage {
			return all, nil
		}
		from = page[len(page)-1].Producer + 1
	}
}

func lastTime(ms int64) int64 {
	if ms == 0 {
		return -1
	}
	return ms
}

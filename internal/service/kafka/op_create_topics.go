package kafka

import "millrace/internal/api/kafkaapi"

// CreateTopics: new topics, which can be used when they are answered.
//
// Behaviour
//   - each topic succeeds or fails for itself
//   - -1 partitions or replicas are the broker's default; replicas are accepted, as many as are asked for, and echoed
//   - an assignment by hand is checked as Kafka does, but brokers in it need not exist
//   - the answer has the topic's id, counts and configs; a request that is only validated gets an id too
//   - a topic is a stream of Kinesis, in the default account and region; a name that is a stream's elsewhere is
//     refused, and the text says that stream's name
//
// Errors, each in its topic: INVALID_TOPIC_EXCEPTION, TOPIC_ALREADY_EXISTS, INVALID_PARTITIONS,
// INVALID_REPLICATION_FACTOR, INVALID_REPLICA_ASSIGNMENT, INVALID_CONFIG, INVALID_REQUEST
// Source: CreateTopicsRequest.json of Kafka 4.3.1, KIP-464, KIP-525; texts of a broker of that version (recorded 2026-11)
func (b *Broker) createTopicsOp(c *Call, req *kafkaapi.CreateTopicsRequest) *kafkaapi.CreateTopicsResponse {
	times := make(map[string]int, len(req.Topics))
	for i := range req.Topics {
		times[req.Topics[i].Name]++
	}
	all := make([]*newTopic, len(req.Topics))
	for i := range req.Topics {
		if times[req.Topics[i].Name] > 1 {
			all[i] = &newTopic{name: req.Topics[i].Name, err: refuse(kafkaapi.InvalidRequest, "Duplicate topic name.")}
			continue
		}
		all[i] = b.newTopicOf(&req.Topics[i])
	}
	b.createTopics(c.Context, all, req.ValidateOnly)
	res := &kafkaapi.CreateTopicsResponse{Topics: make([]kafkaapi.CreateTopicsResponseCreatableTopicResult, len(all))}
	for i, n := range all {
		res.Topics[i] = b.created(n)
	}
	return res
}

func (b *Broker) created(n *newTopic) kafkaapi.CreateTopicsResponseCreatableTopicResult {
	r := kafkaapi.NewCreateTopicsResponseCreatableTopicResult()
	r.Name = n.name
	r.Configs = []kafkaapi.CreateTopicsResponseCreatableTopicConfigs{}
	if r.ErrorCode, r.ErrorMessage = b.explain("make a topic", n.err); n.err != nil {
		return r
	}
	r.TopicID, r.NumPartitions, r.ReplicationFactor = kafkaapi.UUID(n.id), int32(n.partitions), n.replicas
	for _, e := range b.topics.broker.Load().DescribeTopic(n.own, false) {
		r.Configs = append(r.Configs, kafkaapi.CreateTopicsResponseCreatableTopicConfigs{
			Name: e.Name, Value: e.Value, ReadOnly: e.ReadOnly, ConfigSource: int8(e.Source), IsSensitive: e.Sensitive,
		})
	}
	return r
}

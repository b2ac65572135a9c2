package kafka

import (
	"context"
	"errors"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/catalog"
	"millrace/internal/core/store"
)

// What a client may do, as bits of Kafka's operations: everything, since nothing is forbidden here.
const (
	opRead, opWrite, opCreate, opDelete, opAlter, opDescribe    = 3, 4, 5, 6, 7, 8
	opCluster, opDescribeConfigs, opAlterConfigs, opIdempotence = 9, 10, 11, 12

	topicOperations = 1<<opRead | 1<<opWrite | 1<<opCreate | 1<<opDelete | 1<<opAlter | 1<<opDescribe |
		1<<opDescribeConfigs | 1<<opAlterConfigs
	clusterOperations = 1<<opCreate | 1<<opAlter | 1<<opDescribe | 1<<opCluster | 1<<opDescribeConfigs |
		1<<opAlterConfigs | 1<<opIdempotence

	noOperations = -2147483648 // they were not asked for
)

// Metadata: brokers, and topics with their partitions.
//
// Behaviour
//   - the broker's address is that of the listener that the client came in by
//   - no list of topics means all of them; in version 0 an empty list does
//   - a topic that does not exist is made, if client and broker allow it, but not when a stream of its name exists in
//     another account or region, which is logged. The answer is still that it does not exist: clients ask again, and
//     find it. Some rely on that, to see that a topic had been deleted or that their first record takes its time
//   - replicas and in-sync replicas are those that exist
//   - a stream made by Kinesis has a partition for each shard that there ever was; see partition
//
// Errors, each in its topic: UNKNOWN_TOPIC_OR_PARTITION, UNKNOWN_TOPIC_ID, INVALID_TOPIC_EXCEPTION
// Source: MetadataRequest.json and MetadataResponse.json of Kafka 4.3.1, KIP-516, KIP-430
func (b *Broker) metadata(c *Call, req *kafkaapi.MetadataRequest) *kafkaapi.MetadataResponse {
	res := kafkaapi.NewMetadataResponse()
	res.Brokers = []kafkaapi.MetadataResponseBroker{{NodeID: b.node, Host: c.Listener.Host, Port: c.Listener.Port, Rack: b.rack()}}
	res.ClusterID, res.ControllerID = &b.cluster, b.node
	if req.IncludeClusterAuthorizedOperations {
		res.ClusterAuthorizedOperations = clusterOperations
	}
	res.Topics = []kafkaapi.MetadataResponseTopic{}
	if req.Topics == nil || c.Version == 0 && len(req.Topics) == 0 {
		err := b.allTopics(c.Context, "", func(t *topic) bool {
			res.Topics = append(res.Topics, b.metadataOf(t))
			return true
		})
		if err != nil {
			res.ErrorCode, res.Topics = b.codeOf("list topics", err), nil
		}
	} else {
		res.Topics = b.metadataOfSome(c.Context, req)
	}
	for i := range res.Topics {
		if res.Topics[i].TopicAuthorizedOperations = noOperations; req.IncludeTopicAuthorizedOperations && res.Topics[i].ErrorCode == kafkaapi.None {
			res.Topics[i].TopicAuthorizedOperations = topicOperations
		}
	}
	return &res
}

// rack is the broker's rack, if it has one.
func (b *Broker) rack() *string {
	if rack, ok := b.topics.broker.Load().Value("broker.rack"); ok {
		return &rack
	}
	return nil
}

// metadataOfSome answers for the topics that a request names.
func (b *Broker) metadataOfSome(ctx context.Context, req *kafkaapi.MetadataRequest) []kafkaapi.MetadataResponseTopic {
	found, err := b.lookUp(ctx, req.Topics)
	if err == nil && req.AllowAutoTopicCreation && b.topics.broker.Load().Bool("auto.create.topics.enable") {
		b.autoCreate(ctx, req.Topics, found)
	}
	answers := make([]kafkaapi.MetadataResponseTopic, len(req.Topics))
	for i, asked := range req.Topics {
		a := &answers[i]
		if found[i] != nil {
			*a = b.metadataOf(found[i])
			continue
		}
		a.Name, a.TopicID, a.Partitions = asked.Name, asked.TopicID, []kafkaapi.MetadataResponsePartition{}
		switch {
		case err != nil:
			a.ErrorCode = b.codeOf("look up topics", err)
		case byID(&asked):
			a.ErrorCode = kafkaapi.UnknownTopicID
		case asked.Name == nil || invalidName(*asked.Name) != "":
			a.ErrorCode = kafkaapi.InvalidTopicException
		default:
			a.ErrorCode = kafkaapi.UnknownTopicOrPartition
			a.IsInternal = internal(*asked.Name)
		}
	}
	return answers
}

// byID tells whether a topic is asked for by id.
func byID(asked *kafkaapi.MetadataRequestTopic) bool { return asked.TopicID != kafkaapi.UUID{} }

// lookUp finds topics as they are now, nil those that do not exist, all in one snapshot.
func (b *Broker) lookUp(ctx context.Context, asked []kafkaapi.MetadataRequestTopic) ([]*topic, error) {
	found := make([]*topic, len(asked))
	err := b.store.View(ctx, func(tx store.ReadTx) error {
		for i := range asked {
			c, err := b.find(tx, &asked[i])
			if err == nil {
				found[i], err = b.view(tx, c)
			}
			if err != nil && !errors.Is(err, catalog.ErrNotFound) {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return make([]*topic, len(asked)), err
	}
	for i, t := range found {
		switch {
		case t != nil:
			found[i] = b.keep(t)
		case byID(&asked[i]):
			found[i] = b.internalByID(asked[i].TopicID)
		case asked[i].Name != nil:
			found[i] = b.internalTopic(*asked[i].Name)
		}
	}
	return found, nil
}

func (b *Broker) find(tx store.ReadTx, asked *kafkaapi.MetadataRequestTopic) (*catalog.Topic, error) {
	switch {
	case byID(asked):
		return b.topics.cat.LookupID(tx, catalog.ID(asked.TopicID))
	case asked.Name == nil || *asked.Name == "":
		return nil, catalog.ErrNotFound
	}
	return b.topics.cat.LookupKafka(tx, *asked.Name)
}

// autoCreate makes the topics that were asked for by name and not found, where that is allowed.
func (b *Broker) autoCreate(ctx context.Context, asked []kafkaapi.MetadataRequestTopic, found []*topic) {
	var missing []*newTopic
	seen := map[string]bool{}
	for i := range asked {
		if found[i] != nil || byID(&asked[i]) || asked[i].Name == nil || internal(*asked[i].Name) || seen[*asked[i].Name] {
			continue
		}
		n := b.newTopicOf(&kafkaapi.CreateTopicsRequestCreatableTopic{Name: *asked[i].Name, NumPartitions: -1, ReplicationFactor: -1})
		if seen[n.name] = true; n.err == nil {
			missing = append(missing, n)
		}
	}
	if len(missing) == 0 {
		return
	}
	b.createTopics(ctx, missing, false)
	for _, n := range missing {
		if n.err == nil {
			continue
		}
		// Another client may have been faster.
		if code, _ := b.explain("make a topic that a client asked for", n.err); code != kafkaapi.TopicAlreadyExists {
			b.log.Warn("a topic that a client asked for is not made", "topic", n.name, "why", n.err)
		}
	}
}

// metadataOf is a topic as Metadata tells it.
func (b *Broker) metadataOf(t *topic) kafkaapi.MetadataResponseTopic {
	m := kafkaapi.MetadataResponseTopic{
		Name: &t.name, TopicID: t.id, IsInternal: internal(t.name),
		Partitions: make([]kafkaapi.MetadataResponsePartition, len(t.partitions)),
	}
	for i, p := range t.partitions {
		m.Partitions[i] = kafkaapi.MetadataResponsePartition{
			PartitionIndex: int32(i), LeaderID: b.node, LeaderEpoch: p.epoch, ReplicaNodes: b.alone, IsrNodes: b.alone, OfflineReplicas: []int32{},
		}
	}
	return m
}

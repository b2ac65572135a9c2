package kafka

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/catalog"
	"millrace/internal/core/store"
	"millrace/internal/service/kafka/config"
)

// newTopic is a topic to be made, checked but for what the store knows.
type newTopic struct {
	name       string
	id         catalog.ID
	partitions int
	replicas   int16
	own        config.Set

	elsewhere string // Kafka name of a stream of that name in another account or region
	made      *topic // once it is
	err       error  // why it is not
}

// What one commit makes at most: each topic writes seven keys of a transaction's 10,000, and 1,000 of them with
// their answers stay far below its bytes; a topic of 10,000 partitions has a commit of its own.
const (
	maxMadeTopics     = 1000
	maxMadePartitions = store.MaxTxParts
)

// createTopics makes the topics that have no error yet, or only checks whether they could be made. Few commits make
// many topics; a topic that cannot be made gets its error and does not fail the others.
func (b *Broker) createTopics(ctx context.Context, all []*newTopic, validateOnly bool) {
	var batch []*newTopic
	partitions := 0
	flush := func() {
		if len(batch) > 0 {
			b.createBatch(ctx, batch, validateOnly)
		}
		batch, partitions = nil, 0
	}
	for _, n := range all {
		if n.err != nil {
			continue
		}
		if len(batch) == maxMadeTopics || partitions+n.partitions > maxMadePartitions {
			flush()
		}
		batch, partitions = append(batch, n), partitions+n.partitions
	}
	flush()
}

// errDryRun ends a transaction that must not commit.
var errDryRun = errors.New("kafka: only validated")

func (b *Broker) createBatch(ctx context.Context, batch []*newTopic, validateOnly bool) {
	errs := make([]error, len(batch)) // of each topic, as the last run found them
	err := b.store.View(ctx, func(tx store.ReadTx) error { return b.findElsewhere(tx, batch) })
	if err == nil {
		_, err = b.store.Update(ctx, func(tx store.Tx) error {
			for i, n := range batch {
				n.made, errs[i] = b.create(tx, n)
				if _, refused := errors.AsType[*refusal](errs[i]); errs[i] != nil && !refused {
					return errs[i]
				}
			}
			if validateOnly {
				return errDryRun
			}
			return nil
		})
	}
	failed := err != nil && !errors.Is(err, errDryRun)
	for i, n := range batch {
		if n.err = errs[i]; failed {
			n.err = err
		}
		if n.err != nil {
			n.made = nil
		} else if !validateOnly {
			n.made = b.keep(n.made)
		}
	}
}

// findElsewhere looks whether streams of the new names exist in other accounts and regions.
func (b *Broker) findElsewhere(tx store.ReadTx, batch []*newTopic) error {
	names := make([]string, len(batch))
	for i, n := range batch {
		names[i] = n.name
	}
	found, err := b.topics.cat.Elsewhere(tx, names)
	for _, n := range batch {
		n.elsewhere = ""
		if t := found[n.name]; t != nil {
			n.elsewhere = t.Kafka
		}
	}
	return err
}

// create makes one topic. It refuses before it writes anything, so that the others of the transaction stand.
//
// Errors: *refusal, those of the store.
func (b *Broker) create(tx store.Tx, n *newTopic) (*topic, error) {
	switch _, err := b.topics.cat.LookupKafka(tx, n.name); {
	case err == nil:
		return nil, refuse(kafkaapi.TopicAlreadyExists, "Topic '"+n.name+"' already exists.")
	case !errors.Is(err, catalog.ErrNotFound):
		return nil, err
	}
	if b.internalTopic(n.name) != nil {
		return nil, refuse(kafkaapi.TopicAlreadyExists, "Topic '"+n.name+"' already exists.")
	}
	if n.elsewhere != "" {
		return nil, refuse(kafkaapi.InvalidTopicException, "Topic '"+n.name+"' exists as a stream of another account or region: its name is '"+n.elsewhere+"'.")
	}
	if err := b.checkCollision(tx, n.name); err != nil {
		return nil, err
	}
	return b.write(tx, n)
}

// write writes a topic that nothing stands against.
func (b *Broker) write(tx store.Tx, n *newTopic) (*topic, error) {
	now := tx.Now()
	since, err := firstSecond(tx, n.name, now)
	if err != nil {
		return nil, err
	}
	broker := b.topics.broker.Load()
	inForce := broker.Topic(n.own)
	c := &catalog.Topic{
		ID: n.id, Account: catalog.DefaultAccount, Name: n.name, Origin: catalog.OriginKafka, State: catalog.StateActive, Created: now,
	}
	parts := make([]catalog.Partition, n.partitions)
	for i := range parts {
		parts[i].Created = since
	}
	if err := b.topics.cat.Create(tx, c, parts, inForce.Retention()); err != nil {
		return nil, err
	}
	k := kept{replicas: n.replicas, applied: inForce.Retention(), own: n.own}
	if err := b.topics.cat.SetAttribute(tx, c, attrTopic, k.encode()); err != nil {
		return nil, err
	}
	if mayCollide(n.name) {
		if err := tx.Set(configKey(kindAlike, alike(n.name)), encodeNumber(c.Num)); err != nil {
			return nil, err
		}
	}
	t := &topic{
		num: c.Num, id: kafkaapi.UUID(c.ID), name: c.Kafka, origin: c.Origin, revision: c.Revision, replicas: n.replicas,
		own: n.own, config: inForce, compaction: inForce.Compaction(), broker: broker, partitions: make([]partition, len(parts)),
	}
	for i := range parts {
		t.partitions[i].id = parts[i].ID
	}
	if !t.compaction.Enabled {
		return t, nil
	}
	return t, setCompaction(tx, t, t.compaction)
}

// firstSecond is when the partitions of a new topic count as made (ms since 1970): in a later second than the last
// topic of that name was deleted, so that sequence numbers, which Kinesis readers compare, go on upward.
func firstSecond(tx store.ReadTx, name string, now int64) (int64, error) {
	last, ok, err := getNumber(tx, configKey(kindDeleted, name))
	if err != nil || !ok {
		return now, err
	}
	return max(now, (int64(last)/1000+1)*1000), nil
}

// newTopicOf checks what does not need the store.
//
// Errors: *refusal.
func (b *Broker) newTopicOf(in *kafkaapi.CreateTopicsRequestCreatableTopic) *newTopic {
	n := &newTopic{name: strings.Clone(in.Name), own: config.Set{}}
	_, _ = rand.Read(n.id[:]) // never fails
	if n.err = checkNewName(n.name); n.err != nil {
		return n
	}
	if n.own, n.err = ownConfigs(in.Configs); n.err != nil {
		return n
	}
	if len(in.Assignments) > 0 {
		n.partitions, n.replicas, n.err = assigned(in)
		return n
	}
	n.partitions, n.replicas = int(in.NumPartitions), in.ReplicationFactor
	broker := b.topics.broker.Load()
	if n.partitions == -1 {
		n.partitions = int(broker.Int("num.partitions"))
	}
	if n.replicas == -1 {
		n.replicas = int16(broker.Int("default.replication.factor"))
	}
	switch {
	case n.replicas < 1:
		n.err = refuse(kafkaapi.InvalidReplicationFactor, "Replication factor must be larger than 0, or -1 to use the default value.")
	case n.partitions < 1:
		n.err = refuse(kafkaapi.InvalidPartitions, "Number of partitions was set to an invalid non-positive value.")
	case n.partitions > catalog.MaxPartitions:
		n.err = refuse(kafkaapi.InvalidPartitions, fmt.Sprintf("A topic has at most %d partitions.", catalog.MaxPartitions))
	}
	return n
}

// ownConfigs are the configs that a topic is made with.
func ownConfigs(in []kafkaapi.CreateTopicsRequestCreatableTopicConfig) (config.Set, error) {
	own := config.Set{}
	for _, c := range in {
		if c.Value == nil {
			return nil, refuse(kafkaapi.InvalidConfig, "Null value not supported for topic configs: "+c.Name)
		}
		own[strings.Clone(c.Name)] = strings.Clone(*c.Value)
	}
	if err := own.Check(); err != nil {
		return nil, refuse(kafkaapi.InvalidConfig, err.Error())
	}
	return own, nil
}

// assigned reads an assignment of replicas by hand. Every broker may be named, since there may be more of them one
// day; what is made is what exists.
func assigned(in *kafkaapi.CreateTopicsRequestCreatableTopic) (partitions int, replicas int16, err error) {
	switch {
	case in.ReplicationFactor != -1:
		return 0, 0, refuse(kafkaapi.InvalidRequest, "A manual partition assignment was specified, but replication factor was not set to -1.")
	case in.NumPartitions != -1:
		return 0, 0, refuse(kafkaapi.InvalidRequest, "A manual partition assignment was specified, but numPartitions was not set to -1.")
	case len(in.Assignments) > catalog.MaxPartitions:
		return 0, 0, refuse(kafkaapi.InvalidPartitions, fmt.Sprintf("A topic has at most %d partitions.", catalog.MaxPartitions))
	}
	seen := make(map[int32]bool, len(in.Assignments))
	width := len(in.Assignments[0].BrokerIDs)
	for _, a := range in.Assignments {
		if seen[a.PartitionIndex] {
			return 0, 0, refuse(kafkaapi.InvalidReplicaAssignment, fmt.Sprintf("Found multiple manual partition assignments for partition %d", a.PartitionIndex))
		}
		seen[a.PartitionIndex] = true
		if err := checkAssignment(a.BrokerIDs, width); err != nil {
			return 0, 0, err
		}
	}
	for i := range int32(len(in.Assignments)) {
		if !seen[i] {
			return 0, 0, refuse(kafkaapi.InvalidReplicaAssignment, "partitions should be a consecutive 0-based integer sequence")
		}
	}
	return len(in.Assignments), int16(width), nil
}

// checkAssignment holds one partition's assignment by hand against Kafka's rules.
func checkAssignment(brokers []int32, width int) error {
	if len(brokers) == 0 {
		return refuse(kafkaapi.InvalidReplicaAssignment, "The manual partition assignment includes an empty replica list.")
	}
	if len(brokers) > maxReplicas {
		return refuse(kafkaapi.InvalidReplicaAssignment, fmt.Sprintf("The manual partition assignment includes more than %d replicas.", maxReplicas))
	}
	for i, id := range brokers {
		if slices.Contains(brokers[:i], id) {
			return refuse(kafkaapi.InvalidReplicaAssignment, fmt.Sprintf("The manual partition assignment includes the broker %d more than once.", id))
		}
	}
	for _, id := range brokers {
		if id < 0 {
			return refuse(kafkaapi.InvalidReplicaAssignment, fmt.Sprintf("The manual partition assignment includes broker %d, but no such broker is registered.", id))
		}
	}
	if len(brokers) != width {
		return refuse(kafkaapi.InvalidReplicaAssignment, fmt.Sprintf("The manual partition assignment includes a partition with %d replica(s), "+
			"but this is not consistent with previous partitions, which have %d replica(s).", len(brokers), width))
	}
	return nil
}

// maxReplicas bounds an assignment: what was asked for is echoed for each partition.
const maxReplicas = 100

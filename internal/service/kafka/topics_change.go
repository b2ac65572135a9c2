package kafka

import (
	"context"
	"errors"
	"fmt"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/catalog"
	"millrace/internal/core/store"
	"millrace/internal/service/kafka/config"
)

// changeTopic gives a topic that is active to change and keeps what that did to the catalogue and to the topic's
// configs.
//
// Errors: catalog.ErrNotFound, those of change and of the store.
func (b *Broker) changeTopic(ctx context.Context, name string, validateOnly bool, change func(store.Tx, *catalog.Topic, *kept) error) error {
	_, err := b.store.Update(ctx, func(tx store.Tx) error {
		if err := b.changeIn(tx, name, change); err != nil {
			return err
		}
		if validateOnly {
			return errDryRun
		}
		return nil
	})
	if errors.Is(err, errDryRun) {
		return nil
	}
	if err == nil {
		_, err = b.current(ctx, name) // the copy in memory follows
	}
	return err
}

// changeIn is changeTopic in a transaction.
func (b *Broker) changeIn(tx store.Tx, name string, change func(store.Tx, *catalog.Topic, *kept) error) error {
	c, err := b.topics.cat.LookupKafka(tx, name)
	if err != nil {
		return err
	}
	if c.State == catalog.StateDeleting || c.State == catalog.StateCreating {
		return catalog.ErrNotFound
	}
	if c.Origin == catalog.OriginTable {
		return errReadOnly
	}
	k, err := b.readKept(tx, c)
	if err != nil {
		return err
	}
	if err := change(tx, c, &k); err != nil {
		return err
	}
	if err := b.topics.cat.SetAttribute(tx, c, attrTopic, k.encode()); err != nil {
		return err
	}
	return b.topics.cat.Save(tx, c)
}

// addPartitions gives a topic made by Kafka so many partitions.
//
// Errors: *refusal, catalog.ErrNotFound, those of the store.
func (b *Broker) addPartitions(ctx context.Context, name string, count int, assignments [][]int32, validateOnly bool) error {
	return b.changeTopic(ctx, name, validateOnly, func(tx store.Tx, c *catalog.Topic, k *kept) error {
		if err := checkCount(c, count, assignments, int(k.replicas)); err != nil {
			return err
		}
		parts := make([]catalog.Partition, count-c.Partitions)
		for i := range parts {
			parts[i].Created = tx.Now()
		}
		old, err := b.topics.cat.Partitions(tx, c)
		if err != nil {
			return err
		}
		h, err := tx.Head(old[0].ID, store.FieldRetention) // also when Kinesis has set it
		if err != nil {
			return err
		}
		if err := b.topics.cat.AddPartitions(tx, c, parts, h.Retention); err != nil || !h.Compaction.Enabled {
			return err
		}
		for i := range parts {
			if err := tx.SetCompaction(parts[i].ID, h.Compaction); err != nil {
				return err
			}
		}
		return nil
	})
}

// checkCount holds a new number of partitions against a topic.
//
// Source: texts of a broker of Apache Kafka 4.3.1 (recorded 2026-11), but for those about streams.
func checkCount(c *catalog.Topic, count int, assignments [][]int32, replicas int) error {
	switch {
	case c.Origin == catalog.OriginKinesis:
		return refuse(kafkaapi.PolicyViolation, "Topic '"+c.Kafka+"' is a stream made by Kinesis: UpdateShardCount, SplitShard and MergeShards change its shards.")
	case c.State != catalog.StateActive:
		return refuse(kafkaapi.ReassignmentInProgress, "Topic '"+c.Kafka+"' is being changed by Kinesis; try again.")
	case count == c.Partitions:
		return refuse(kafkaapi.InvalidPartitions, fmt.Sprintf("Topic already has %d partition(s).", count))
	case count < c.Partitions:
		return refuse(kafkaapi.InvalidPartitions, fmt.Sprintf("The topic %s currently has %d partition(s); %d would not be an increase.", c.Kafka, c.Partitions, count))
	case count > catalog.MaxPartitions:
		return refuse(kafkaapi.InvalidPartitions, fmt.Sprintf("A topic has at most %d partitions.", catalog.MaxPartitions))
	case assignments == nil:
		return nil
	case len(assignments) != count-c.Partitions:
		return refuse(kafkaapi.InvalidReplicaAssignment, fmt.Sprintf("Attempted to add %d additional partition(s), but only %d assignment(s) were specified.",
			count-c.Partitions, len(assignments)))
	}
	for _, a := range assignments {
		if err := checkAssignment(a, replicas); err != nil {
			return err
		}
	}
	return nil
}

// changeConfigs gives the configs set on a topic to change, and puts a retention that follows from them in force.
//
// Errors: *refusal, catalog.ErrNotFound, those of change and of the store.
func (b *Broker) changeConfigs(ctx context.Context, name string, validateOnly bool, change func(config.Set) (config.Set, error)) error {
	return b.changeTopic(ctx, name, validateOnly, func(tx store.Tx, c *catalog.Topic, k *kept) error {
		before, err := b.load(tx, c)
		if err != nil {
			return err
		}
		own, err := change(before.own)
		if err != nil {
			return err
		}
		if before.byKinesis() {
			k.own, err = changeStream(before, own)
			return err
		}
		inForce := before.broker.Topic(own)
		k.own = own
		if r := inForce.Retention(); r != before.config.Retention() || r != k.applied {
			k.applied = r
			if err := setRetention(tx, before, r); err != nil {
				return err
			}
		}
		if with := inForce.Compaction(); with != before.compaction {
			return setCompaction(tx, before, with)
		}
		return nil
	})
}

// changeStream returns what is kept of new configs of a stream made by Kinesis. Its hours are the truth about its
// retention: they are shown and not kept here.
//
// Errors: *refusal when the configs ask for another retention, or for compaction.
func changeStream(before *topic, own config.Set) (config.Set, error) {
	own = own.Clone()
	for _, name := range []string{"retention.ms", "retention.bytes"} {
		if _, ok := own[name]; ok {
			continue
		}
		if shown, ok := before.own[name]; ok {
			own[name] = shown
		}
	}
	inForce := before.broker.Topic(own)
	if inForce.Retention() != before.config.Retention() {
		return nil, refuse(kafkaapi.PolicyViolation, "Topic '"+before.name+"' is a stream made by Kinesis: "+
			"IncreaseStreamRetentionPeriod and DecreaseStreamRetentionPeriod change its retention.")
	}
	if inForce.Compact && !before.config.Compact {
		return nil, refuse(kafkaapi.PolicyViolation, "Topic '"+before.name+"' is a stream made by Kinesis: it cannot be compacted.")
	}
	delete(own, "retention.ms")
	delete(own, "retention.bytes")
	return own, nil
}

// setRetention puts a retention in force for all partitions of a topic made by Kafka.
func setRetention(tx store.Tx, t *topic, r store.Retention) error {
	for _, p := range t.partitions {
		if p.id == 0 {
			continue
		}
		if err := tx.SetRetention(p.id, r); err != nil {
			return err
		}
	}
	return nil
}

// setCompaction says for all partitions of a topic made by Kafka how they are compacted.
func setCompaction(tx store.Tx, t *topic, c store.Compaction) error {
	for _, p := range t.partitions {
		if p.id == 0 {
			continue
		}
		if err := tx.SetCompaction(p.id, c); err != nil {
			return err
		}
	}
	return nil
}

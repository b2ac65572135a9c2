package kafka

import (
	"crypto/sha256"
	"math"
	"slices"
	"sync/atomic"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/service/kafka/config"
	"millrace/internal/service/kafka/txn"
)

// Apache Kafka keeps offsets and transactions in topics of its own, which it makes when a client first asks for a
// coordinator, and which clients then see: tools list them, tests look for them, consumers of patterns leave them out
// because they are marked as internal. Here the store keeps that state, so these topics are shown, empty, and are not in
// the store. A client that makes a topic of such a name before it is shown has a real one, which is shown instead.
const (
	offsetsTopic      = "__consumer_offsets"
	transactionsTopic = "__transaction_state"
)

// Numbers of the internal topics in keys of committed offsets: the catalogue's begin with 1. Permanent.
const (
	offsetsNum      = 0
	transactionsNum = math.MaxUint64
)

// internals are the topics that are shown, in order of their names; nil: not yet.
type internals struct{ offsets, transactions atomic.Pointer[topic] }

// internal tells whether clients are told that a topic is Kafka's own.
func internal(name string) bool {
	return name == offsetsTopic || name == transactionsTopic || name == "__share_group_state"
}

// showInternals shows from the start what has been shown before a restart, if there is still anything of it.
func (b *Broker) showInternals() {
	if len(b.groups.List(nil, nil)) > 0 {
		b.showInternal(coordinatorGroup)
	}
	if found, _, _ := b.txns.List(txn.Filter{}); len(found) > 0 {
		b.showInternal(coordinatorTxn)
	}
}

// showInternal shows the topic that belongs to a kind of coordinator.
func (b *Broker) showInternal(kind int8) {
	place, num, name, partitions := &b.internals.offsets, uint64(offsetsNum), offsetsTopic, "offsets.topic.num.partitions"
	if kind == coordinatorTxn {
		place, num, name, partitions = &b.internals.transactions, transactionsNum, transactionsTopic, "transaction.state.log.num.partitions"
	}
	if place.Load() != nil {
		return
	}
	broker := b.topics.broker.Load()
	sum := sha256.Sum256([]byte(b.cluster + name))
	t := &topic{
		num: num, id: kafkaapi.UUID(sum[:16]), name: name, replicas: 1, broker: broker, partitions: make([]partition, broker.Int(partitions)),
		own: config.Set{"cleanup.policy": "compact", "compression.type": "producer", "segment.bytes": "104857600"},
	}
	t.config = broker.Topic(t.own)
	place.CompareAndSwap(nil, t)
}

// shown are the internal topics that are shown, in order of their names.
func (b *Broker) shown() []*topic {
	var all []*topic
	for _, t := range []*topic{b.internals.offsets.Load(), b.internals.transactions.Load()} {
		if t != nil {
			all = append(all, t)
		}
	}
	return all
}

// internalTopic is the internal topic of a name, nil when none is shown.
func (b *Broker) internalTopic(name string) *topic {
	if !internal(name) {
		return nil
	}
	return b.internalThat(func(t *topic) bool { return t.name == name })
}

// internalByID is the internal topic of an id, nil when none is shown.
func (b *Broker) internalByID(id kafkaapi.UUID) *topic {
	return b.internalThat(func(t *topic) bool { return t.id == id })
}

func (b *Broker) internalThat(is func(*topic) bool) *topic {
	all := b.shown()
	if i := slices.IndexFunc(all, is); i >= 0 {
		return all[i]
	}
	return nil
}

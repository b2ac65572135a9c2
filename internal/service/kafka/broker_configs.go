package kafka

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"

	"millrace/internal/core/catalog"
	"millrace/internal/core/store"
	"millrace/internal/service/kafka/config"
)

// allBrokers stands for all brokers in the key of their configs.
const allBrokers = 0xffffffff

// Names of the config that is the broker's id: broker.id is what it was called before KRaft.
const (
	nodeIDConfig   = "node.id"
	brokerIDConfig = "broker.id"
)

// nodeID is the broker's id by its static configs, which have been checked. Each of its two names stands for the other one
// where that is not set, so both are shown.
//
// Errors: two ids.
func nodeID(static config.Set) (int32, error) {
	switch {
	case static[nodeIDConfig] == "" && static[brokerIDConfig] == "":
		return 0, nil
	case static[nodeIDConfig] == "":
		static[nodeIDConfig] = static[brokerIDConfig]
	case static[brokerIDConfig] == "":
		static[brokerIDConfig] = static[nodeIDConfig]
	}
	if static[nodeIDConfig] != static[brokerIDConfig] {
		return 0, fmt.Errorf("you must set `%s` to the same value as `%s`", nodeIDConfig, brokerIDConfig)
	}
	id, err := strconv.ParseInt(static[nodeIDConfig], 10, 32)
	return int32(id), err
}

func brokerKey(id uint32) []byte {
	return binary.BigEndian.AppendUint32(configKey(kindBroker, ""), id)
}

// loadBroker reads what is set for the broker and makes it what holds. Static configs are those given at the start.
//
// Errors: those of the store.
func (b *Broker) loadBroker(ctx context.Context) error {
	next := &config.Broker{Static: b.opts.Configs}
	err := b.store.View(ctx, func(tx store.ReadTx) (err error) {
		if next.Own, err = readSet(tx, brokerKey(uint32(b.node))); err != nil {
			return err
		}
		next.Cluster, err = readSet(tx, brokerKey(allBrokers))
		return err
	})
	if err != nil {
		return err
	}
	b.topics.broker.Store(next)
	b.topics.reset()
	return b.applyRetention(ctx)
}

func readSet(tx store.ReadTx, key []byte) (config.Set, error) {
	v, ok, err := tx.Get(key)
	if err != nil || !ok {
		return config.Set{}, err
	}
	set, err := config.DecodeSet(v)
	if err != nil {
		return nil, &store.CorruptError{File: fmt.Sprintf("key %x", key), Reason: err.Error()}
	}
	return set, nil
}

// changeBroker gives the configs set for the broker, or for all, to change, and puts the result in force.
//
// Errors: those of change and of the store.
func (b *Broker) changeBroker(ctx context.Context, id uint32, validateOnly bool, change func(config.Set) (config.Set, error)) error {
	_, err := b.store.Update(ctx, func(tx store.Tx) error {
		set, err := readSet(tx, brokerKey(id))
		if err != nil {
			return err
		}
		if set, err = change(set); err != nil {
			return err
		}
		if validateOnly {
			return errDryRun
		}
		return tx.Set(brokerKey(id), set.AppendTo(nil))
	})
	if errors.Is(err, errDryRun) {
		return nil
	}
	if err != nil {
		return err
	}
	return b.loadBroker(ctx)
}

// brokerValue is a broker's config in force as a number.
func (b *Broker) brokerValue(name string) int64 { return b.topics.broker.Load().Int(name) }

// applyRetention puts the retention that holds for topics that do not say one in force, if it is another than the
// last time: after a change, and after a start with other configs. It goes on where a crash ended it, since what was
// applied is noted at the end.
//
// Errors: those of the store.
func (b *Broker) applyRetention(ctx context.Context) error {
	broker := b.topics.broker.Load()
	want := encodeDefaults(broker)
	same := false
	if err := b.store.View(ctx, func(tx store.ReadTx) error {
		v, ok, err := tx.Get(configKey(kindApplied, ""))
		same = ok && string(v) == string(want)
		return err
	}); err != nil || same {
		return err
	}
	if err := b.applyToAll(ctx); err != nil {
		return err
	}
	_, err := b.store.Update(ctx, func(tx store.Tx) error { return tx.Set(configKey(kindApplied, ""), want) })
	return err
}

// What one commit of applyToAll changes at most: 200 topics write 400 keys, and a transaction changes 10,000 partitions.
const (
	maxAppliedTopics     = 200
	maxAppliedPartitions = store.MaxTxParts
)

// applyToAll puts in force for all topics what follows from their configs, many in one commit.
func (b *Broker) applyToAll(ctx context.Context) error {
	var batch []string
	partitions := 0
	var failed error
	flush := func() {
		if failed == nil && len(batch) > 0 {
			_, failed = b.store.Update(ctx, func(tx store.Tx) error { return b.applyTo(tx, batch) })
		}
		batch, partitions = batch[:0], 0
	}
	err := b.storedTopics(ctx, "", func(t *topic) bool {
		if t.byKinesis() {
			return true
		}
		if len(batch) == maxAppliedTopics || partitions+len(t.partitions) > maxAppliedPartitions {
			flush()
		}
		batch, partitions = append(batch, t.name), partitions+len(t.partitions)
		return failed == nil
	})
	if err != nil {
		return err
	}
	flush()
	b.topics.reset()
	return failed
}

// encodeDefaults is what is kept of what holds for topics that say nothing, or only their policy: version 2, then
// ms and bytes of a topic that deletes, what a topic that compacts is compacted by, and whether topics delete and compact.
func encodeDefaults(broker *config.Broker) []byte {
	t := broker.Topic(config.Set{})
	var policy byte
	if t.Delete {
		policy |= 1
	}
	if t.Compact {
		policy |= 2
	}
	t.Delete, t.Compact = true, true
	r, c := t.Retention(), t.Compaction()
	v := []byte{defaultsVersion}
	for _, n := range []int64{r.Millis, r.Bytes, c.DeleteMillis, c.MinLagMillis, c.MaxLagMillis, c.DirtyMin, c.RollMillis, c.RollBytes} {
		v = binary.BigEndian.AppendUint64(v, uint64(n))
	}
	return append(v, policy)
}

// applyIn puts in force what follows for one topic. It returns unchanged when nothing does.
func applyIn(tx store.Tx, t *topic, k *kept, unchanged error) error {
	if t.byKinesis() {
		return unchanged
	}
	inForce, same := t.broker.Topic(k.own), unchanged
	if r := inForce.Retention(); r != k.applied && t.own.Equal(k.own) {
		k.applied, same = r, nil
		if err := setRetention(tx, t, r); err != nil {
			return err
		}
	}
	if with := inForce.Compaction(); with != t.compaction {
		same = nil
		if err := setCompaction(tx, t, with); err != nil {
			return err
		}
	}
	return same
}

// applyTo puts in force what follows for topics from their own configs, unless Kinesis has set their retention.
func (b *Broker) applyTo(tx store.Tx, names []string) error {
	unchanged := errors.New("kafka: unchanged")
	for _, name := range names {
		err := b.changeIn(tx, name, func(tx store.Tx, c *catalog.Topic, k *kept) error {
			t, err := b.load(tx, c)
			if err != nil {
				return err
			}
			return applyIn(tx, t, k, unchanged)
		})
		if err != nil && !errors.Is(err, unchanged) && !errors.Is(err, catalog.ErrNotFound) {
			return err
		}
	}
	return nil
}

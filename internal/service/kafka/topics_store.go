package kafka

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/catalog"
	"millrace/internal/core/store"
	"millrace/internal/service/kafka/config"
	"millrace/internal/service/kafka/produce"
)

// attrTopic is the name of what we keep beside a topic. Permanent.
const attrTopic = "kafka"

// kept is that: version 1, replicas 2, retention in force when it was last set (ms 8, bytes 8), configs as package
// config stores them. docs/format/kafka.md draws it.
type kept struct {
	replicas int16
	applied  store.Retention
	own      config.Set
}

const (
	keptVersion = 1
	keptHead    = 1 + 2 + 8 + 8
)

func (k *kept) encode() []byte {
	be := binary.BigEndian
	v := be.AppendUint16([]byte{keptVersion}, uint16(k.replicas))
	v = be.AppendUint64(v, uint64(k.applied.Millis))
	v = be.AppendUint64(v, uint64(k.applied.Bytes))
	return k.own.AppendTo(v)
}

func decodeKept(v []byte) (kept, error) {
	if len(v) < keptHead || v[0] != keptVersion {
		return kept{}, config.ErrSet
	}
	be := binary.BigEndian
	k := kept{replicas: int16(be.Uint16(v[1:]))}
	k.applied = store.Retention{Millis: int64(be.Uint64(v[3:])), Bytes: int64(be.Uint64(v[11:]))}
	if k.replicas < 1 || k.applied.Millis < 0 || k.applied.Bytes < 0 {
		return kept{}, config.ErrSet
	}
	var err error
	k.own, err = config.DecodeSet(v[keptHead:])
	return k, err
}

// readKept reads what we keep beside a topic; a stream that Kafka never changed has nothing.
func (b *Broker) readKept(tx store.ReadTx, c *catalog.Topic) (kept, error) {
	v, ok, err := b.topics.cat.Attribute(tx, c, attrTopic)
	if err != nil {
		return kept{}, err
	}
	if !ok {
		return kept{replicas: 1, own: config.Set{}}, nil
	}
	k, err := decodeKept(v)
	if err != nil {
		return kept{}, &store.CorruptError{File: fmt.Sprintf("attribute %q of topic %d", attrTopic, c.Num), Reason: err.Error()}
	}
	return k, nil
}

// load makes a copy of a topic.
//
// Errors: those of the store.
func (b *Broker) load(tx store.ReadTx, c *catalog.Topic) (*topic, error) {
	parts, err := b.topics.cat.Partitions(tx, c)
	if err != nil {
		return nil, err
	}
	k, err := b.readKept(tx, c)
	if err != nil {
		return nil, err
	}
	t := &topic{
		num: c.Num, id: kafkaapi.UUID(c.ID), name: c.Kafka, origin: c.Origin, revision: c.Revision,
		replicas: k.replicas, own: k.own, broker: b.topics.broker.Load(), partitions: make([]partition, len(parts)),
	}
	if t.dataKey, err = b.topics.cat.DataKey(tx, c); err != nil {
		return nil, err
	}
	if t.views, err = b.viewsOf(tx, c); err != nil {
		return nil, err
	}
	stored := k.applied
	var shards []produce.Route // that are open
	for i := range parts {
		if parts[i].ID == 0 {
			t.closed = true
			continue
		}
		h, err := tx.Head(parts[i].ID, store.FieldOpen|store.FieldEpoch|store.FieldRetention)
		if errors.Is(err, store.ErrNoPartition) {
			continue // a commit after this snapshot has deleted the topic
		}
		if err != nil {
			return nil, err
		}
		t.partitions[i] = partition{parts[i].ID, h.Epoch}
		t.closed = t.closed || h.Closed
		if r, ok := catalog.ShardRange(&parts[i]); ok && !h.Closed {
			shards = append(shards, produce.Route{HashRange: r, Partition: parts[i].ID})
		}
		stored, t.compaction = h.Retention, h.Compaction
	}
	if t.byKinesis() || stored != k.applied {
		t.own = retained(t.own, stored)
	}
	t.config = t.broker.Topic(t.own)
	if t.closed && t.config.Reroute {
		t.routes = produce.NewRoutes(shards)
	}
	return t, nil
}

// retained are a topic's configs when Kinesis has set its retention: what is stored is the truth.
func retained(own config.Set, r store.Retention) config.Set {
	text := func(n int64) string {
		if n == 0 {
			return "-1"
		}
		return strconv.FormatInt(n, 10)
	}
	own = own.Clone()
	own["retention.ms"] = text(r.Millis)
	delete(own, "retention.bytes")
	if r.Bytes > 0 {
		own["retention.bytes"] = text(r.Bytes)
	}
	return own
}

// Keys of FamilyKafkaConfig; the second byte says what a key is. docs/format/kafka.md draws them. Permanent.
//
//	23 01 id:4     configs set for a broker, for all with id ffffffff: as package config stores them
//	23 02 name     01 number:8   the topic made by Kafka whose name is this, but for _ in place of each "."
//	23 03 name     01 ms:8       a topic of the name was deleted then
//	23 04          02 …          retention and compaction of topics that do not say theirs, as they were last put in force
const (
	kindBroker  = 0x01
	kindAlike   = 0x02
	kindDeleted = 0x03
	kindApplied = 0x04

	numberVersion   = 1
	defaultsVersion = 2
)

func configKey(kind byte, rest string) []byte {
	return append([]byte{byte(store.FamilyKafkaConfig), kind}, rest...)
}

func encodeNumber(n uint64) []byte { return binary.BigEndian.AppendUint64([]byte{numberVersion}, n) }

// getNumber reads the number under a key; false when there is none.
func getNumber(tx store.ReadTx, key []byte) (uint64, bool, error) {
	v, ok, err := tx.Get(key)
	if err != nil || !ok {
		return 0, false, err
	}
	if len(v) != 9 || v[0] != numberVersion {
		return 0, false, &store.CorruptError{File: fmt.Sprintf("key %x", key), Reason: "not a number"}
	}
	return binary.BigEndian.Uint64(v[1:]), true, nil
}

package kafka

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/catalog"
	"millrace/internal/core/store"
	"millrace/internal/service/kafka/config"
	"millrace/internal/service/kafka/fetch"
	"millrace/internal/service/kafka/produce"
)

// Topics as the broker sees them. What a topic is stands in core/catalog, together with the streams of Kinesis; a copy of
// each topic that is used is kept in memory:
//
//	Produce, Fetch ─► topic, topicByID ─► copy not older than a second, else one key tells whether it is current
//	Metadata, admin ─► current ─► always asked
//	                              └─ revision moved ─► load (topics_store.go) ─► new copy
//
// What makes an old copy harmless is the store: the id of a partition is never used again, and a partition that is
// deleted or closed refuses records. Then the caller calls refresh and looks again.

// topic is a copy of a topic as it was at one revision. Nothing of it changes, but for rules and checked.
type topic struct {
	num        uint64
	id         kafkaapi.UUID
	name       string
	origin     catalog.Origin
	revision   uint64
	partitions []partition // by index
	replicas   int16       // as asked for when it was made
	// closed says that it is a stream of Kinesis with a closed shard. Clients' partitioners cannot skip one, so Produce
	// by Kafka to any of its partitions is refused, or its records are sent along routes.
	closed bool
	routes produce.Routes // the open shards, when closed and kinesis.produce says so; never nil then
	// dataKey is what records are sealed under, 0: they are not. An old copy seals under the key before, which opens too.
	dataKey uint64
	own     config.Set // what was set on the topic
	config  config.Topic
	// compaction is what is in force in the store, for the last partition.
	compaction store.Compaction
	// views show the partitions of a topic that is of a table; nil of others.
	views  []fetch.View
	broker *config.Broker // under which config was resolved

	rules   atomic.Pointer[produce.Rules] // for batches, once any has come
	checked atomic.Int64                  // ns of the clock when the copy was last known to be current
}

// partition is one partition of a topic.
type partition struct {
	// id is 0 for a closed shard that is forgotten: it is shown as a partition without records, whose first and next
	// offset are 0, since assignors of clients count partitions and would give out what is not there.
	id    store.PartitionID
	epoch int32 // leader epoch
}

// partition returns a topic's partition; false when it has none of that index.
func (t *topic) partition(index int32) (partition, bool) {
	if index < 0 || int(index) >= len(t.partitions) {
		return partition{}, false
	}
	return t.partitions[index], true
}

// byKinesis tells whether the topic is a stream that Kinesis made.
func (t *topic) byKinesis() bool { return t.origin == catalog.OriginKinesis }

// ofTable tells whether the topic shows changes of a table: it is read only.
func (t *topic) ofTable() bool { return t.origin == catalog.OriginTable }

// validFor is how long a copy is used without asking whether it is current.
const validFor = time.Second

// maxTopics bounds the copies in memory, 24 bytes a partition; past it any one goes.
const maxTopics = 20_000

// topics keeps copies of topics.
type topics struct {
	cat    catalog.Catalog
	broker atomic.Pointer[config.Broker] // what holds for topics that do not say otherwise

	mu    sync.RWMutex // guards what follows
	names map[string]*topic
	ids   map[kafkaapi.UUID]*topic
}

func (c *topics) byName(name string) *topic {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.names[name]
}

func (c *topics) byID(id kafkaapi.UUID) *topic {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.ids[id]
}

// put makes a copy the one to use, unless there is a newer one, and returns the one to use.
func (c *topics) put(t *topic) *topic {
	c.mu.Lock()
	defer c.mu.Unlock()
	old := c.names[t.name]
	if old != nil && (old.num > t.num || old.num == t.num && old.revision > t.revision) {
		return old // numbers rise: a topic of the name that was made later
	}
	if old != nil {
		delete(c.ids, old.id)
	}
	if c.names == nil {
		c.names, c.ids = map[string]*topic{}, map[kafkaapi.UUID]*topic{}
	}
	for _, other := range c.names {
		if len(c.names) < maxTopics {
			break
		}
		c.dropLocked(other)
	}
	c.names[t.name], c.ids[t.id] = t, t
	return t
}

// drop forgets a copy, if it is still the one in use.
func (c *topics) drop(t *topic) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dropLocked(t)
}

func (c *topics) dropLocked(t *topic) {
	if c.names[t.name] == t {
		delete(c.names, t.name)
	}
	if c.ids[t.id] == t {
		delete(c.ids, t.id)
	}
}

// reset forgets all copies: what holds for topics by default has changed.
func (c *topics) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.names, c.ids = nil, nil
}

// topic returns a topic that was current at most a second ago. The name is not kept.
//
// Codes: UNKNOWN_TOPIC_OR_PARTITION, those of the store.
func (b *Broker) topic(ctx context.Context, name string) (*topic, kafkaapi.Code) {
	t, code := b.recent(ctx, b.topics.byName(name), func(tx store.ReadTx) (*catalog.Topic, error) {
		return b.topics.cat.LookupKafka(tx, name)
	}, kafkaapi.UnknownTopicOrPartition)
	if code == kafkaapi.UnknownTopicOrPartition {
		if t := b.internalTopic(name); t != nil {
			return t, kafkaapi.None
		}
	}
	return t, code
}

// topicByID is topic for a topic's id.
//
// Codes: UNKNOWN_TOPIC_ID, those of the store.
func (b *Broker) topicByID(ctx context.Context, id kafkaapi.UUID) (*topic, kafkaapi.Code) {
	t, code := b.recent(ctx, b.topics.byID(id), func(tx store.ReadTx) (*catalog.Topic, error) {
		return b.topics.cat.LookupID(tx, catalog.ID(id))
	}, kafkaapi.UnknownTopicID)
	if code == kafkaapi.UnknownTopicID {
		if t := b.internalByID(id); t != nil {
			return t, kafkaapi.None
		}
	}
	return t, code
}

// recent is t if it is not old, else the topic that lookup finds.
func (b *Broker) recent(ctx context.Context, t *topic, lookup func(store.ReadTx) (*catalog.Topic, error), unknown kafkaapi.Code) (*topic, kafkaapi.Code) {
	now := b.opts.Clock.Now().UnixNano()
	if t != nil {
		checked := t.checked.Load()
		if now-checked < int64(validFor) || !t.checked.CompareAndSwap(checked, now) {
			return t, kafkaapi.None // or another request is asking
		}
	}
	var found *topic
	err := b.store.View(ctx, func(tx store.ReadTx) error {
		c, err := lookup(tx)
		if err == nil {
			found, err = b.view(tx, c)
		}
		return err
	})
	if errors.Is(err, catalog.ErrNotFound) {
		if t != nil {
			b.topics.drop(t)
		}
		return nil, unknown
	}
	if err != nil {
		return nil, b.codeOf("look up a topic", err)
	}
	return b.keep(found), kafkaapi.None
}

// refresh has the next look at a topic ask whether it is current: the store said that it is not.
func (b *Broker) refresh(t *topic) { t.checked.Store(0) }

// keep makes a copy that was just read the one to use.
func (b *Broker) keep(t *topic) *topic {
	t.checked.Store(b.opts.Clock.Now().UnixNano())
	return b.topics.put(t)
}

// view returns the copy in memory of a topic that was just read, or a new one when it has changed since. New copies
// are not kept: a transaction may fail.
//
// Errors: catalog.ErrNotFound for a topic that is being deleted, those of the store.
func (b *Broker) view(tx store.ReadTx, c *catalog.Topic) (*topic, error) {
	if c.State == catalog.StateDeleting || c.State == catalog.StateCreating || c.Origin == catalog.OriginTable && b.opts.Tables == nil {
		return nil, catalog.ErrNotFound
	}
	t := b.topics.byName(c.Kafka)
	if t != nil && t.num == c.Num && t.revision == c.Revision && t.broker == b.topics.broker.Load() {
		return t, nil
	}
	return b.load(tx, c)
}

// current reads a topic as it is now.
//
// Errors: catalog.ErrNotFound, those of the store.
func (b *Broker) current(ctx context.Context, name string) (*topic, error) {
	var found *topic
	err := b.store.View(ctx, func(tx store.ReadTx) error {
		c, err := b.topics.cat.LookupKafka(tx, name)
		if err == nil {
			found, err = b.view(tx, c)
		}
		return err
	})
	if errors.Is(err, catalog.ErrNotFound) {
		if t := b.internalTopic(name); t != nil {
			return t, nil
		}
	}
	if err != nil {
		return nil, err
	}
	return b.keep(found), nil
}

// listPage is how many topics one transaction lists.
const listPage = 1000

// allTopics gives fn all topics in order of names, also internal ones that are shown, starting at from, until fn
// returns false.
//
// Errors: those of the store.
func (b *Broker) allTopics(ctx context.Context, from string, fn func(*topic) bool) error {
	shown := slices.DeleteFunc(b.shown(), func(t *topic) bool { return t.name < from })
	end := false
	err := b.storedTopics(ctx, from, func(t *topic) bool {
		for len(shown) > 0 && shown[0].name <= t.name && !end {
			if shown[0].name < t.name {
				end = !fn(shown[0])
			}
			shown = shown[1:]
		}
		end = end || !fn(t)
		return !end
	})
	for len(shown) > 0 && err == nil && !end {
		end = !fn(shown[0])
		shown = shown[1:]
	}
	return err
}

// storedTopics is allTopics for those that are in the store.
//
// Errors: those of the store.
func (b *Broker) storedTopics(ctx context.Context, from string, fn func(*topic) bool) error {
	for more := true; more; {
		var page []*topic
		err := b.store.View(ctx, func(tx store.ReadTx) error {
			page = page[:0]
			found, m, err := b.topics.cat.ListKafka(tx, from, listPage)
			if err != nil {
				return err
			}
			more = m
			for _, c := range found {
				t, err := b.view(tx, c)
				if errors.Is(err, catalog.ErrNotFound) {
					continue
				}
				if err != nil {
					return err
				}
				page = append(page, t)
			}
			if len(found) > 0 {
				from = found[len(found)-1].Kafka + "\x00"
			}
			return nil
		})
		if err != nil {
			return err
		}
		for _, t := range page {
			if !fn(b.keep(t)) {
				return nil
			}
		}
	}
	return nil
}

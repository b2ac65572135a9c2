package kinesis

// What is kept of consumers: one attribute for each beside its stream's topic. docs/format/catalog.md
// draws it.

import (
	"context"
	"encoding/binary"

	"millrace/internal/core/catalog"
	"millrace/internal/core/field"
	"millrace/internal/core/store"
)

// attrConsumer begins the names of consumers' attributes. Permanent.
const attrConsumer = "kinesis.consumer/"

const consumerVersion = 1

// consumer: version, state, created, due, then tags as of a stream, if there are any.
func encodeConsumer(c *consumer) []byte {
	v := []byte{consumerVersion, byte(c.state)}
	v = binary.BigEndian.AppendUint64(v, uint64(c.created))
	v = binary.BigEndian.AppendUint64(v, uint64(c.due))
	if len(c.tags) > 0 {
		v = append(v, encodeTags(c.tags)...)
	}
	return v
}

func decodeConsumer(name string, v []byte) (consumer, error) {
	d := field.Reader{B: v}
	version, state := d.Byte(), catalog.State(d.Byte())
	c := consumer{name: name, state: state, created: int64(d.Uint64()), due: int64(d.Uint64())}
	if d.Bad || version != consumerVersion || c.created < 0 || c.due < 0 ||
		state != catalog.StateActive && state != catalog.StateCreating && state != catalog.StateDeleting {
		return consumer{}, corrupt("consumer")
	}
	if len(d.B) == 0 {
		return c, nil
	}
	var err error
	c.tags, err = decodeTags(d.B)
	return c, err
}

// consumers reads those of a stream after a name, in order of names, as they are at now, and the names of
// those that are gone but still kept.
func (s *Service) consumers(tx store.ReadTx, t *catalog.Topic, after string, now int64) (found []consumer, gone []string, err error) {
	kept, err := s.cat.Attributes(tx, t, attrConsumer, after, store.MaxScanKeys)
	if err != nil {
		return nil, nil, err
	}
	for _, a := range kept {
		c, err := decodeConsumer(a.Name, a.Value)
		if err != nil {
			return nil, nil, err
		}
		if c, ok := c.at(now); ok {
			found = append(found, c)
		} else {
			gone = append(gone, a.Name)
		}
	}
	return found, gone, nil
}

// readConsumer finds a consumer and the topic of its stream.
//
// Errors: errNotFound, errNoConsumer, those of the store.
func (s *Service) readConsumer(tx store.ReadTx, n consumerName) (*catalog.Topic, consumer, error) {
	t, err := s.lookup(tx, n.place)
	if err != nil {
		return nil, consumer{}, err
	}
	v, ok, err := s.cat.Attribute(tx, t, attrConsumer+n.name)
	if err != nil {
		return nil, consumer{}, err
	}
	if !ok {
		return nil, consumer{}, errNoConsumer(n)
	}
	c, err := decodeConsumer(n.name, v)
	if err != nil {
		return nil, consumer{}, err
	}
	c, ok = c.at(tx.Now())
	if !ok || n.second >= 0 && n.second != c.created/1000 {
		return nil, consumer{}, errNoConsumer(n)
	}
	return t, c, nil
}

// registerConsumer adds a consumer in CREATING to an active stream.
//
// Errors: errNotFound, errNotActive, errConsumerExists, errConsumerLimit, those of the store.
func (s *Service) registerConsumer(ctx context.Context, p place, name string, tags []tag) (c consumer, err error) {
	_, err = s.store.Update(ctx, func(tx store.Tx) error {
		t, err := s.lookup(tx, p)
		if err != nil {
			return err
		}
		if t.State != catalog.StateActive && t.State != catalog.StateUpdating {
			return errNotActive(p, t.State)
		}
		now := tx.Now()
		found, gone, err := s.consumers(tx, t, "", now)
		if err != nil {
			return err
		}
		for _, name := range gone {
			if err := s.cat.DeleteAttribute(tx, t, attrConsumer+name); err != nil {
				return err
			}
		}
		if err := s.checkConsumers(p, name, found); err != nil {
			return err
		}
		c = consumer{name: name, created: now, state: catalog.StateCreating, due: now + s.opts.StateDelay.Milliseconds(), tags: tags}
		return s.cat.SetAttribute(tx, t, attrConsumer+name, encodeConsumer(&c))
	})
	return c, err
}

// checkConsumers holds a new consumer against those there are.
func (s *Service) checkConsumers(p place, name string, found []consumer) error {
	creating := 0
	for i := range found {
		if found[i].name == name {
			return errConsumerExists(p, name)
		}
		if found[i].state == catalog.StateCreating {
			creating++
		}
	}
	q := s.opts.Quotas
	if limit := min(q.of(consumerLimit), maxConsumers); len(found) >= limit {
		return errConsumerLimit(p, "registered consumers", limit)
	}
	if limit := q.of(consumersCreating); creating >= limit {
		return errConsumerLimit(p, "consumers in state CREATING", limit)
	}
	return nil
}

// deregisterConsumer marks a consumer for removal and forgets its policy. It stays at least until the next second, so that one of
// the same name has another ARN.
//
// Errors: errNotFound, errNoConsumer, those of the store.
func (s *Service) deregisterConsumer(ctx context.Context, n consumerName) (num uint64, c consumer, err error) {
	_, err = s.store.Update(ctx, func(tx store.Tx) error {
		var t *catalog.Topic
		var err error
		if t, c, err = s.readConsumer(tx, n); err != nil {
			return err
		}
		num = t.Num
		if c.state == catalog.StateDeleting {
			return nil
		}
		c.state = catalog.StateDeleting
		c.due = max(tx.Now()+s.opts.StateDelay.Milliseconds(), (c.created/1000+1)*1000)
		if err := s.cat.DeleteAttribute(tx, t, attrConsumerPolicy+c.name); err != nil {
			return err
		}
		return s.cat.SetAttribute(tx, t, attrConsumer+c.name, encodeConsumer(&c))
	})
	return num, c, err
}

// dropConsumers forgets the consumers of a stream that is being deleted.
//
// Errors: errHasConsumers when there are some and that is not enforced.
func (s *Service) dropConsumers(tx store.Tx, p place, t *catalog.Topic, enforce bool) error {
	found, _, err := s.consumers(tx, t, "", tx.Now())
	if err != nil {
		return err
	}
	if len(found) > 0 && !enforce {
		return errHasConsumers(p)
	}
	for i := range found {
		for _, name := range [...]string{attrConsumer, attrConsumerPolicy} {
			if err := s.cat.DeleteAttribute(tx, t, name+found[i].name); err != nil {
				return err
			}
		}
	}
	return nil
}

// fetchCounted is fetch with the number of registered consumers.
func (s *Service) fetchCounted(ctx context.Context, p place) (st *stream, consumers int, err error) {
	err = s.store.View(ctx, func(tx store.ReadTx) error {
		if st, err = s.readStream(tx, p); err != nil {
			return err
		}
		found, _, err := s.consumers(tx, st.topic, "", tx.Now())
		consumers = len(found)
		return err
	})
	return st, consumers, err
}

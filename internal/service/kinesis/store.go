package kinesis

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"

	"millrace/internal/core/catalog"
	"millrace/internal/core/store"
)

// fixRegion keeps the default region, unless one is kept, and makes the kept one known.
func (s *Service) fixRegion(ctx context.Context, region string) error {
	if _, err := s.store.Update(ctx, func(tx store.Tx) error { return s.cat.FixRegion(tx, region) }); err != nil {
		return err
	}
	return s.store.View(ctx, func(tx store.ReadTx) error { return s.cat.LoadRegion(tx) })
}

// readStream reads all of a stream in one transaction.
//
// Errors: errNotFound, those of the store.
func (s *Service) readStream(tx store.ReadTx, p place) (*stream, error) {
	t, err := s.cat.Lookup(tx, p.account, p.region, p.stream)
	if errors.Is(err, catalog.ErrNotFound) {
		return nil, errNotFound(p)
	}
	if err != nil {
		return nil, err
	}
	return s.readTopic(tx, p, t)
}

func (s *Service) readTopic(tx store.ReadTx, p place, t *catalog.Topic) (*stream, error) {
	parts, err := s.cat.Partitions(tx, t)
	if err != nil {
		return nil, err
	}
	st := &stream{place: p, topic: t, shards: make([]shard, len(parts))}
	ids := shardIDs(len(parts))
	for i := range parts {
		if err := st.addShard(i, &parts[i], ids); err != nil {
			return nil, err
		}
	}
	if st.settings, err = s.readSettings(tx, t, parts); err != nil {
		return nil, err
	}
	if st.metrics, err = s.readMetrics(tx, t); err != nil {
		return nil, err
	}
	e, err := s.readEncryption(tx, t)
	if err != nil {
		return nil, err
	}
	st.encryption = e.encryption
	st.metered = t.Origin == catalog.OriginKinesis
	st.counted = st.metered && st.settings.mode == modeProvisioned
	if err := s.markClosing(tx, st); err != nil {
		return nil, err
	}
	st.routes = newRoutes(st.shards)
	return st, nil
}

// addShard makes the i-th shard from its partition; ids are those of all. One that Kafka made has no attribute: hash
// ranges are then equal, drawn anew when partitions are added.
func (st *stream) addShard(i int, p *catalog.Partition, ids []string) error {
	sh := shard{created: p.Created / 1000, parent: noShard, adjacent: noShard}
	sh.start, sh.end = evenRange(i, len(ids))
	if len(p.Attr) > 0 {
		var err error
		if sh, err = decodeShard(p.Attr); err != nil {
			return fmt.Errorf("shard %d of topic %d: %w", i, st.topic.Num, err)
		}
	}
	sh.index, sh.id, sh.partition, sh.createdMS = int32(i), ids[i], p.ID, p.Created
	st.shards[i] = sh
	return nil
}

// readSettings reads a stream's settings; of a topic made by Kafka they follow from its retention.
func (s *Service) readSettings(tx store.ReadTx, t *catalog.Topic, parts []catalog.Partition) (settings, error) {
	v, ok, err := s.cat.Attribute(tx, t, attrSettings)
	if err != nil {
		return settings{}, err
	}
	if ok {
		return decodeSettings(v)
	}
	c := settings{mode: modeProvisioned, retentionHours: maxRetentionHours, maxRecordKiB: maxRecordKiB}
	if len(parts) == 0 {
		return c, nil
	}
	h, err := tx.Head(parts[0].ID, store.FieldRetention)
	if err != nil {
		return settings{}, err
	}
	if ms := h.Retention.Millis; ms > 0 {
		hours := (ms + 3_600_000 - 1) / 3_600_000
		c.retentionHours = int32(min(max(hours, minRetentionHours), maxRetentionHours))
	}
	return c, nil
}

// createStream adds a stream in CREATING.
//
// Errors: errExists, errShardLimit, errStreamLimit, errTooManyNew, those of the store.
func (s *Service) createStream(ctx context.Context, p place, c *settings, shardCount int, tags []tag) error {
	var id catalog.ID
	_, _ = rand.Read(id[:]) // never fails
	_, err := s.store.Update(ctx, func(tx store.Tx) error {
		now := tx.Now()
		u, err := readUsage(tx, p)
		if err != nil {
			return err
		}
		if shardCount > catalog.MaxPartitions {
			return cmp.Or(s.checkUsage(p, u, c, shardCount), errTooManyNew()) // AWS has the account's limit alone
		}
		shards := newShards(shardCount, now)
		parts := make([]catalog.Partition, len(shards))
		for i := range shards {
			parts[i] = catalog.Partition{Created: now, Attr: encodeShard(&shards[i])}
		}
		t := &catalog.Topic{
			ID: id, Account: p.account, Region: p.region, Name: p.stream, Origin: catalog.OriginKinesis,
			State: catalog.StateCreating, Created: now, Due: now + s.opts.StateDelay.Milliseconds(),
		}
		err = s.cat.Create(tx, t, parts, store.Retention{Millis: c.retentionMS()})
		if errors.Is(err, catalog.ErrExists) || errors.Is(err, catalog.ErrReserved) {
			return errExists(p)
		}
		if err != nil {
			return err
		}
		if err := s.checkUsage(p, u, c, shardCount); err != nil {
			return err
		}
		if err := s.cat.SetAttribute(tx, t, attrSettings, encodeSettings(c)); err != nil {
			return err
		}
		if len(tags) > 0 {
			if err := s.cat.SetAttribute(tx, t, attrTags, encodeTags(tags)); err != nil {
				return err
			}
		}
		u.add(c, shardCount)
		u.creating++
		return u.write(tx, p)
	})
	return err
}

// checkUsage holds a new stream against the account's quotas.
func (s *Service) checkUsage(p place, u usage, c *settings, shards int) error {
	q := s.opts.Quotas
	if q.off() {
		return nil
	}
	if limit := q.of(creatingLimit); u.creating >= uint64(limit) {
		return errStreamLimit(p, "streams in state CREATING", limit)
	}
	if c.mode == modeOnDemand {
		if limit := q.of(onDemandLimit); u.onDemand >= uint64(limit) {
			return errStreamLimit(p, "on-demand streams", limit)
		}
		return nil
	}
	if limit := q.shards(p.region); u.shards+uint64(shards) > uint64(limit) {
		return errShardLimit(p, int(u.shards), limit, shards)
	}
	return nil
}

// deleteStream closes all shards and marks the stream for removal, its consumers too if that is enforced.
//
// Errors: errNotFound, errHasConsumers, those of the store.
func (s *Service) deleteStream(ctx context.Context, p place, enforce bool) error {
	_, err := s.store.Update(ctx, func(tx store.Tx) error {
		st, err := s.readStream(tx, p)
		if err != nil {
			return err
		}
		if st.topic.State == catalog.StateDeleting {
			return nil
		}
		if err := s.dropConsumers(tx, p, st.topic, enforce); err != nil {
			return err
		}
		if st.topic.State == catalog.StateCreating {
			if err := leaveCreating(tx, p); err != nil {
				return err
			}
			st.settings.unborn = true
			if err := s.cat.SetAttribute(tx, st.topic, attrSettings, encodeSettings(&st.settings)); err != nil {
				return err
			}
		}
		if st.topic.State == catalog.StateUpdating {
			if err := s.leaveUpdating(tx, st); err != nil {
				return err
			}
		}
		for i := range st.shards {
			if st.shards[i].closed {
				continue
			}
			if err := tx.ClosePartition(st.shards[i].partition); err != nil {
				return err
			}
		}
		st.topic.State = catalog.StateDeleting
		st.topic.Due = tx.Now() + s.opts.StateDelay.Milliseconds()
		return s.cat.Save(tx, st.topic)
	})
	return err
}

func leaveCreating(tx store.Tx, p place) error {
	u, err := readUsage(tx, p)
	if err != nil {
		return err
	}
	u.creating -= min(u.creating, 1)
	return u.write(tx, p)
}

// finishState moves a topic on whose state has ended: CREATING and UPDATING to ACTIVE, DELETING to
// nothing. It returns the place of the stream, for the cache.
func (s *Service) finishState(ctx context.Context, num uint64) (p place, err error) {
	_, err = s.store.Update(ctx, func(tx store.Tx) error {
		p = place{}
		t, err := s.cat.Get(tx, num)
		if errors.Is(err, catalog.ErrNotFound) {
			return nil
		}
		if err != nil || t.Due == 0 || t.Due > tx.Now() {
			return err
		}
		p = s.placeOf(t)
		switch t.State {
		case catalog.StateCreating:
			t.State, t.Due = catalog.StateActive, 0
			if err := leaveCreating(tx, p); err != nil {
				return err
			}
			return s.cat.Save(tx, t)
		case catalog.StateDeleting:
			return s.remove(tx, p, t)
		case catalog.StateUpdating:
			return s.stepReshard(tx, p, t)
		case catalog.StateActive:
			return s.forgetShards(tx, p, t)
		}
		t.Due = 0
		return s.cat.Save(tx, t)
	})
	return p, err
}

// remove ends a stream in DELETING, unless store time is still in the second of its newest shard or
// record: then later. So a new stream of the name is created in a later second, and its sequence
// numbers are above all that the old one gave out.
func (s *Service) remove(tx store.Tx, p place, t *catalog.Topic) error {
	st, err := s.readTopic(tx, p, t)
	if err != nil {
		return err
	}
	var last int64 // second
	open := 0
	for i := range st.shards {
		sh := &st.shards[i]
		last = max(last, sh.created, sh.lastAppend/1000)
		if !sh.closed {
			open++
		}
		if sh.partition == 0 {
			continue
		}
		h, err := tx.Head(sh.partition, store.FieldNext)
		if err != nil {
			return err
		}
		last = max(last, h.LastAppend/1000)
	}
	if tx.Now()/1000 <= last {
		t.Due = (last + 1) * 1000
		return s.cat.Save(tx, t)
	}
	if kept := st.kept(); len(kept) > 2*maxForgotten {
		// More than one commit can delete: go on at once. What counts of them is written already.
		for _, sh := range kept[:maxForgotten] {
			sh.lastAppend = max(sh.lastAppend, last*1000)
		}
		if err := s.forget(tx, st, kept[:maxForgotten]); err != nil {
			return err
		}
		t.Due = tx.Now()
		return s.cat.Save(tx, t)
	}
	if t.Origin == catalog.OriginKinesis {
		u, err := readUsage(tx, p)
		if err != nil {
			return err
		}
		u.sub(&st.settings, open)
		if err := u.write(tx, p); err != nil {
			return err
		}
	}
	return s.cat.Remove(tx, t)
}

// placeOf is where a topic is for clients.
func (s *Service) placeOf(t *catalog.Topic) place {
	p := place{t.Account, t.Region, t.Name}
	if p.region == "" {
		p.region, _ = s.cat.Region()
	}
	return p
}

// lookup finds a stream's topic.
//
// Errors: errNotFound, those of the store.
func (s *Service) lookup(tx store.ReadTx, p place) (*catalog.Topic, error) {
	t, err := s.cat.Lookup(tx, p.account, p.region, p.stream)
	if errors.Is(err, catalog.ErrNotFound) {
		return nil, errNotFound(p)
	}
	return t, err
}

func (s *Service) readTags(tx store.ReadTx, t *catalog.Topic) ([]tag, error) {
	v, ok, err := s.cat.Attribute(tx, t, attrTags)
	if err != nil || !ok {
		return nil, err
	}
	return decodeTags(v)
}

// changeTags gives the tags of a stream to change and keeps what it returns.
//
// Errors: errNotFound, those of change and of the store.
func (s *Service) changeTags(ctx context.Context, p place, change func([]tag) ([]tag, error)) error {
	_, err := s.store.Update(ctx, func(tx store.Tx) error {
		t, err := s.lookup(tx, p)
		if err != nil {
			return err
		}
		tags, err := s.readTags(tx, t)
		if err != nil {
			return err
		}
		if tags, err = change(tags); err != nil {
			return err
		}
		slices.SortFunc(tags, compareTags)
		if err := s.cat.SetAttribute(tx, t, attrTags, encodeTags(tags)); err != nil {
			return err
		}
		return s.cat.Save(tx, t)
	})
	return err
}

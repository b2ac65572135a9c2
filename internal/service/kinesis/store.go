package kinesis

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"millrace/internal/core/catalog"
	"millrace/internal/core/store"
)

// Names of our attributes beside a topic. Permanent.
const (
	attrSettings = "kinesis"
	attrTags     = "kinesis.tags"
)

// Versions that begin our values.
const (
	settingsVersion = 1
	tagsVersion     = 1
	shardVersion    = 1
	usageVersion    = 1
	keyVersion      = 1
)

func corrupt(what string) error {
	return &store.CorruptError{File: what, Reason: "not a value of a known version"}
}

// settings: version, mode, flags, retention hours, largest record KiB, warm throughput, 4 bytes each.
const (
	settingsSize = 1 + 1 + 1 + 4 + 4 + 4
	flagAuto     = 1 << 0
)

func encodeSettings(c *settings) []byte {
	v := []byte{settingsVersion, c.mode, 0}
	if c.auto {
		v[2] |= flagAuto
	}
	v = binary.BigEndian.AppendUint32(v, uint32(c.retentionHours))
	v = binary.BigEndian.AppendUint32(v, uint32(c.maxRecordKiB))
	return binary.BigEndian.AppendUint32(v, uint32(c.warmMiBps))
}

func decodeSettings(v []byte) (settings, error) {
	if len(v) != settingsSize || v[0] != settingsVersion {
		return settings{}, corrupt("stream settings")
	}
	c := settings{
		mode: v[1], auto: v[2]&flagAuto != 0,
		retentionHours: int32(binary.BigEndian.Uint32(v[3:])),
		maxRecordKiB:   int32(binary.BigEndian.Uint32(v[7:])),
		warmMiBps:      int32(binary.BigEndian.Uint32(v[11:])),
	}
	if c.mode != modeProvisioned && c.mode != modeOnDemand || c.retentionHours < 0 || c.maxRecordKiB < 0 {
		return settings{}, corrupt("stream settings")
	}
	return c, nil
}

// shard, the attribute of its partition: version, flags, hash range (2 * 16), creation second, parent,
// adjacent parent (index + 1, 0: none), and of a closed one when it was closed and last written, in ms.
const (
	shardSize  = 1 + 1 + 32 + 8 + 4 + 4 + 8 + 8
	flagClosed = 1 << 0
)

func encodeShard(s *shard) []byte {
	be := binary.BigEndian
	v := make([]byte, 0, shardSize)
	v = append(v, shardVersion, 0)
	if s.closed {
		v[1] |= flagClosed
	}
	for _, w := range [...]uint64{s.start.hi, s.start.lo, s.end.hi, s.end.lo, uint64(s.created)} {
		v = be.AppendUint64(v, w)
	}
	v = be.AppendUint32(v, uint32(s.parent+1))
	v = be.AppendUint32(v, uint32(s.adjacent+1))
	v = be.AppendUint64(v, uint64(s.closedMS))
	return be.AppendUint64(v, uint64(s.lastAppend))
}

func decodeShard(v []byte) (shard, error) {
	if len(v) != shardSize || v[0] != shardVersion {
		return shard{}, corrupt("shard")
	}
	d := reader{b: v[1:]}
	s := shard{closed: d.byte()&flagClosed != 0}
	s.start = hashKey{d.uint64(), d.uint64()}
	s.end = hashKey{d.uint64(), d.uint64()}
	s.created = int64(d.uint64())
	s.parent, s.adjacent = int32(d.uint32())-1, int32(d.uint32())-1
	s.closedMS, s.lastAppend = int64(d.uint64()), int64(d.uint64())
	if s.end.cmp(s.start) < 0 || s.created < 0 || s.parent < noShard || s.adjacent < noShard {
		return shard{}, corrupt("shard")
	}
	return s, nil
}

// tag is one tag of a stream.
type tag struct{ key, value string }

// tags: version, then for each in order of keys two lengths of 2 bytes and the bytes of key and value.
func encodeTags(tags []tag) []byte {
	v := []byte{tagsVersion}
	for _, t := range tags {
		for _, s := range [...]string{t.key, t.value} {
			v = binary.BigEndian.AppendUint16(v, uint16(len(s)))
			v = append(v, s...)
		}
	}
	return v
}

func decodeTags(v []byte) ([]tag, error) {
	if len(v) == 0 || v[0] != tagsVersion {
		return nil, corrupt("tags")
	}
	d := reader{b: v[1:]}
	var tags []tag
	for len(d.b) > 0 {
		t := tag{key: d.text(), value: d.text()}
		if d.bad || len(tags) > 0 && tags[len(tags)-1].key >= t.key {
			return nil, corrupt("tags")
		}
		tags = append(tags, t)
	}
	return tags, nil
}

func (d *reader) text() string {
	n := d.take(2)
	if n == nil {
		return ""
	}
	return string(d.take(int(binary.BigEndian.Uint16(n))))
}

func compareTags(a, b tag) int { return strings.Compare(a.key, b.key) }

// usage is what an account has in a region, for its quotas: streams made by Kinesis only.
type usage struct {
	shards   uint64 // open shards of provisioned streams
	onDemand uint64 // on-demand streams
	creating uint64 // streams in CREATING
}

func usageKey(p place) []byte {
	k := append([]byte{byte(store.FamilyQuota), 0x01}, p.account...)
	return append(append(k, 0), p.region...)
}

func readUsage(tx store.ReadTx, p place) (usage, error) {
	v, ok, err := tx.Get(usageKey(p))
	if err != nil || !ok {
		return usage{}, err
	}
	return decodeUsage(v)
}

func decodeUsage(v []byte) (usage, error) {
	if len(v) != 25 || v[0] != usageVersion {
		return usage{}, corrupt("usage")
	}
	d := reader{b: v[1:]}
	return usage{d.uint64(), d.uint64(), d.uint64()}, nil
}

func (u *usage) write(tx store.Tx, p place) error {
	v := []byte{usageVersion}
	for _, n := range [...]uint64{u.shards, u.onDemand, u.creating} {
		v = binary.BigEndian.AppendUint64(v, n)
	}
	return tx.Set(usageKey(p), v)
}

// add counts a stream in, sub out again.
func (u *usage) add(c *settings, shards int) {
	if c.mode == modeOnDemand {
		u.onDemand++
		return
	}
	u.shards += uint64(shards)
}

func (u *usage) sub(c *settings, shards int) {
	if c.mode == modeOnDemand {
		u.onDemand -= min(u.onDemand, 1)
		return
	}
	u.shards -= min(u.shards, uint64(shards))
}

// tokenKey reads the key that tokens are signed with; the first node makes it.
func (s *Service) tokenKey(ctx context.Context) ([]byte, error) {
	name := append([]byte{byte(store.FamilySetting)}, "kinesis.tokens"...)
	fresh := make([]byte, tokenKeySize)
	_, _ = rand.Read(fresh) // never fails
	var found []byte
	_, err := s.store.Update(ctx, func(tx store.Tx) error {
		v, ok, err := tx.Get(name)
		if err != nil {
			return err
		}
		if ok {
			if len(v) != 1+tokenKeySize || v[0] != keyVersion {
				return corrupt("kinesis.tokens")
			}
			found = v[1:]
			return nil
		}
		found = fresh
		return tx.Set(name, append([]byte{keyVersion}, fresh...))
	})
	return found, err
}

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
	for i := range parts {
		if err := st.addShard(i, &parts[i], len(parts)); err != nil {
			return nil, err
		}
	}
	if st.settings, err = s.readSettings(tx, t, parts); err != nil {
		return nil, err
	}
	st.metered = t.Origin == catalog.OriginKinesis && st.settings.mode == modeProvisioned
	st.routes = newRoutes(st.shards)
	return st, nil
}

// addShard makes the i-th shard of n from its partition. One that Kafka made has no attribute: hash
// ranges are then equal, drawn anew when partitions are added.
func (st *stream) addShard(i int, p *catalog.Partition, n int) error {
	sh := shard{created: p.Created / 1000, parent: noShard, adjacent: noShard}
	sh.start, sh.end = evenRange(i, n)
	if len(p.Attr) > 0 {
		var err error
		if sh, err = decodeShard(p.Attr); err != nil {
			return fmt.Errorf("shard %d of topic %d: %w", i, st.topic.Num, err)
		}
	}
	sh.index, sh.id, sh.partition, sh.createdMS = int32(i), shardID(int32(i)), p.ID, p.Created
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
// Errors: errExists, errShardLimit, errStreamLimit, those of the store.
func (s *Service) createStream(ctx context.Context, p place, c *settings, shardCount int, tags []tag) error {
	var id catalog.ID
	_, _ = rand.Read(id[:]) // never fails
	_, err := s.store.Update(ctx, func(tx store.Tx) error {
		now := tx.Now()
		u, err := readUsage(tx, p)
		if err != nil {
			return err
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

// deleteStream closes all shards and marks the stream for removal.
//
// Errors: errNotFound, those of the store.
func (s *Service) deleteStream(ctx context.Context, p place) error {
	_, err := s.store.Update(ctx, func(tx store.Tx) error {
		st, err := s.readStream(tx, p)
		if err != nil {
			return err
		}
		if st.topic.State == catalog.StateDeleting {
			return nil
		}
		if st.topic.State == catalog.StateCreating {
			if err := leaveCreating(tx, p); err != nil {
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

// finishState moves a topic on whose state has ended: CREATING to ACTIVE, DELETING to nothing. It
// returns the place of the stream, for the cache.
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
		case catalog.StateActive, catalog.StateUpdating:
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
		h, err := tx.Head(sh.partition, store.FieldNext)
		if err != nil {
			return err
		}
		last = max(last, sh.created, h.LastAppend/1000)
		if !sh.closed {
			open++
		}
	}
	if tx.Now()/1000 <= last {
		t.Due = (last + 1) * 1000
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

// setRetention changes how long records of a stream are kept. check sees the stream first.
//
// Errors: errNotFound, those of check and of the store.
func (s *Service) setRetention(ctx context.Context, p place, hours int32, check func(*stream) error) error {
	_, err := s.store.Update(ctx, func(tx store.Tx) error {
		st, err := s.readStream(tx, p)
		if err != nil {
			return err
		}
		if err := check(st); err != nil {
			return err
		}
		if st.settings.retentionHours == hours {
			return nil
		}
		st.settings.retentionHours = hours
		for i := range st.shards {
			if err := tx.SetRetention(st.shards[i].partition, store.Retention{Millis: st.settings.retentionMS()}); err != nil {
				return err
			}
		}
		if st.topic.Origin == catalog.OriginKinesis { // else the partitions' retention is all there is
			if err := s.cat.SetAttribute(tx, st.topic, attrSettings, encodeSettings(&st.settings)); err != nil {
				return err
			}
		}
		return s.cat.Save(tx, st.topic)
	})
	return err
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

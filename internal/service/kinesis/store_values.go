package kinesis

// What store.go reads and writes: names, versions, layouts. docs/format/catalog.md draws them.

import (
	"encoding/binary"
	"strings"

	"millrace/internal/core/field"
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
)

func corrupt(what string) error {
	return &store.CorruptError{File: what, Reason: "not a value of a known version"}
}

// settings: version, mode, flags, retention hours, largest record KiB, warm throughput, 4 bytes each.
const (
	settingsSize = 1 + 1 + 1 + 4 + 4 + 4
	flagAuto     = 1 << 0
	flagUnborn   = 1 << 1
)

func encodeSettings(c *settings) []byte {
	v := []byte{settingsVersion, c.mode, 0}
	if c.auto {
		v[2] |= flagAuto
	}
	if c.unborn {
		v[2] |= flagUnborn
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
		mode: v[1], auto: v[2]&flagAuto != 0, unborn: v[2]&flagUnborn != 0,
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
	d := field.Reader{B: v[1:]}
	s := shard{closed: d.Byte()&flagClosed != 0}
	s.start = hashKey{d.Uint64(), d.Uint64()}
	s.end = hashKey{d.Uint64(), d.Uint64()}
	s.created = int64(d.Uint64())
	s.parent, s.adjacent = int32(d.Uint32())-1, int32(d.Uint32())-1
	s.closedMS, s.lastAppend = int64(d.Uint64()), int64(d.Uint64())
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
	d := field.Reader{B: v[1:]}
	var tags []tag
	for len(d.B) > 0 {
		t := tag{key: d.Text16(), value: d.Text16()}
		if d.Bad || len(tags) > 0 && tags[len(tags)-1].key >= t.key {
			return nil, corrupt("tags")
		}
		tags = append(tags, t)
	}
	return tags, nil
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
	d := field.Reader{B: v[1:]}
	return usage{d.Uint64(), d.Uint64(), d.Uint64()}, nil
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

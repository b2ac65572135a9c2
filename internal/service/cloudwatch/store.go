package cloudwatch

// Metrics in the store: docs/format/metrics.md draws them.

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"millrace/internal/core/field"
	"millrace/internal/core/store"
)

// The second byte of keys.
const (
	kindMetric = 0x01
	kindChunk  = 0x02
)

const (
	metricVersion = 1
	chunkVersion  = 1

	// pageKeys and pageBytes bound what one transaction reads or writes.
	pageKeys  = 256
	pageBytes = 1 << 20
)

func metricKey(h [hashSize]byte) []byte {
	return append([]byte{byte(store.FamilyMetric), kindMetric}, h[:]...)
}

func chunkKey(h [hashSize]byte, unit uint8, tier int, start int64) []byte {
	k := append([]byte{byte(store.FamilyMetric), kindChunk}, h[:]...)
	return binary.BigEndian.AppendUint64(append(k, unit, byte(tier)), uint64(start))
}

// change is one key to be written; a nil value deletes it.
type change struct {
	key, value []byte
	chunk      *chunk
	metric     *metric
}

// flush writes what has changed to the store, a page at a time.
func (s *Service) flush(ctx context.Context) error {
	for {
		page := s.data.changed()
		if len(page) == 0 {
			return nil
		}
		_, err := s.store.Update(ctx, func(tx store.Tx) error {
			for _, c := range page {
				var err error
				if c.value == nil {
					err = tx.Delete(c.key)
				} else {
					err = tx.Set(c.key, c.value)
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			s.data.unwritten(page)
			return err
		}
	}
}

// changed takes a page of what the store has not got yet, and counts it as written. Deletions come first, all of them: what was
// dropped may have been put again since.
func (d *data) changed() []change {
	d.mu.Lock()
	defer d.mu.Unlock()
	var page []change
	for len(d.gone) > 0 && len(page) < pageKeys {
		page = append(page, change{key: d.gone[0].key})
		d.gone = d.gone[1:]
	}
	if len(d.gone) > 0 {
		return page
	}
	size := 0
	for _, ms := range d.places {
		for _, m := range ms.byKey {
			if size = m.changed(&page, size); len(page) >= pageKeys || size >= pageBytes {
				return page
			}
		}
	}
	return page
}

func (m *metric) changed(page *[]change, size int) int {
	for _, s := range m.series {
		for i := range s.tiers {
			for _, c := range s.tiers[i] {
				if !c.dirty || size >= pageBytes || len(*page) >= pageKeys {
					continue
				}
				v := c.encode(&tiers[i])
				c.dirty, c.stored = false, true
				*page = append(*page, change{key: chunkKey(hash(m.place, m.key), s.unit, i, c.start), value: v, chunk: c})
				size += len(v)
			}
		}
	}
	if !m.known && size > 0 {
		m.known = true
		v := m.encode()
		*page = append(*page, change{key: metricKey(hash(m.place, m.key)), value: v, metric: m})
		size += len(v)
	}
	return size
}

// unwritten takes changed back. Deletions keep their order: points go before the name of their metric.
func (d *data) unwritten(page []change) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var gone []stale
	defer func() { d.gone = append(gone, d.gone...) }()
	for _, c := range page {
		switch {
		case c.value == nil:
			gone = append(gone, stale{c.key})
		case c.metric != nil:
			c.metric.known = false
		default:
			c.chunk.dirty = true
		}
	}
}

// load reads what the store has, as far as it is not damaged.
//
// Errors: errCorrupt of the first damaged value, those of the store.
func (s *Service) load(ctx context.Context) error {
	now := s.now()
	byHash := map[[hashSize]byte]*metric{}
	err := s.scan(ctx, kindMetric, func(key, value []byte) error {
		m, err := decodeMetric(value)
		if err != nil {
			return err
		}
		s.data.mu.Lock()
		defer s.data.mu.Unlock()
		got := s.data.metric(m.place, m.identity)
		got.known = true
		byHash[[hashSize]byte(key)] = got
		return nil
	})
	if err != nil && !errors.Is(err, errCorrupt) {
		return err
	}
	err = errors.Join(err, s.scan(ctx, kindChunk, func(key, value []byte) error {
		h, unit, i, start := [hashSize]byte(key), key[hashSize], int(key[hashSize+1]), int64(binary.BigEndian.Uint64(key[hashSize+2:]))
		m := byHash[h]
		if i >= len(tiers) || int(unit) >= len(units) || m == nil {
			return corrupt("key of a chunk")
		}
		c, err := decodeChunk(value, &tiers[i], start)
		if err != nil {
			return err
		}
		s.data.mu.Lock()
		defer s.data.mu.Unlock()
		return s.data.restore(m, unit, i, c, now)
	}))
	s.data.sweep(now)
	return err
}

// restore puts a chunk of the store where it was. Chunks come in the order of their keys.
func (d *data) restore(m *metric, unit uint8, tier int, c *chunk, now int64) error {
	s := m.of(unit)
	if s == nil {
		s = &series{unit: unit}
		m.series = append(m.series, s)
		d.bytes += seriesSize
	}
	cs := s.tiers[tier]
	if len(cs) > 0 && cs[len(cs)-1].start >= c.start {
		return corrupt("order of chunks")
	}
	s.tiers[tier] = append(cs, c)
	d.bytes += c.size()
	if n := len(c.points); n > 0 {
		m.last = max(m.last, min(c.points[n-1].at, now))
	}
	return nil
}

// scan gives all pairs of a kind, keys without their first two bytes. Those that each finds damaged are passed over, and the first
// error of them is returned at the end.
func (s *Service) scan(ctx context.Context, kind byte, each func(key, value []byte) error) (damage error) {
	size := map[byte]int{kindMetric: hashSize, kindChunk: hashSize + 2 + 8}[kind]
	from, to := []byte{byte(store.FamilyMetric), kind}, []byte{byte(store.FamilyMetric), kind + 1}
	for {
		var kvs []store.KV
		err := s.store.View(ctx, func(tx store.ReadTx) (err error) {
			kvs, err = tx.Scan(from, to, pageKeys, false)
			return err
		})
		if err != nil {
			return err
		}
		for _, kv := range kvs {
			err := corrupt("key")
			if len(kv.Key) == 2+size {
				err = each(kv.Key[2:], kv.Value)
			}
			switch {
			case errors.Is(err, errCorrupt):
				damage = cmp.Or(damage, err)
			case err != nil:
				return err
			}
		}
		if len(kvs) < pageKeys {
			return damage
		}
		from = append(kvs[len(kvs)-1].Key, 0)
	}
}

var errCorrupt = errors.New("cloudwatch: stored value is corrupt")

func corrupt(what string) error { return fmt.Errorf("%w: %s", errCorrupt, what) }

func (m *metric) encode() []byte {
	b := []byte{metricVersion}
	text := func(s string) { b = append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...) }
	for _, t := range []string{m.place.account, m.place.region, m.namespace, m.name} {
		text(t)
	}
	b = append(b, byte(len(m.dimensions)))
	for _, d := range m.dimensions {
		text(d.Name)
		text(d.Value)
	}
	return b
}

func decodeMetric(v []byte) (*metric, error) {
	r := field.Reader{B: v}
	if r.Byte() != metricVersion {
		return nil, corrupt("version of a metric")
	}
	m := &metric{}
	m.place = place{r.Text16(), r.Text16()}
	m.namespace, m.name = r.Text16(), r.Text16()
	n := int(r.Byte())
	for range n {
		m.dimensions = append(m.dimensions, Dimension{r.Text16(), r.Text16()})
	}
	if !r.Done() || n > maxDimensions {
		return nil, corrupt("metric")
	}
	return m, nil
}

// Flags of a stored point.
const (
	pointSingle  = 1 << iota // one sample: only its value follows
	pointBlurred             // no values are known
	pointFlags   = 1<<iota - 1
)

func (c *chunk) encode(t *tier) []byte {
	b := binary.AppendUvarint([]byte{chunkVersion}, uint64(len(c.points)))
	number := func(f float64) { b = binary.BigEndian.AppendUint64(b, math.Float64bits(f)) }
	for i := range c.points {
		p := &c.points[i]
		b = append(b, byte((p.at-c.start)/t.seconds))
		if p.count == 1 && p.min == p.max && p.sum == p.min {
			b = append(b, pointSingle)
			number(p.min)
			continue
		}
		var flags byte
		if p.blurred {
			flags = pointBlurred
		}
		b = append(b, flags)
		for _, f := range []float64{p.count, p.sum, p.min, p.max} {
			number(f)
		}
		b = append(b, byte(len(p.values)))
		for _, w := range p.values {
			number(w.value)
			number(w.count)
		}
	}
	return b
}

func decodeChunk(v []byte, t *tier, start int64) (*chunk, error) {
	r := field.Reader{B: v}
	if r.Byte() != chunkVersion {
		return nil, corrupt("version of a chunk")
	}
	n := r.Count(chunkPoints)
	c := &chunk{start: start, points: make([]point, 0, n), stored: true}
	number := func() float64 { return math.Float64frombits(r.Uint64()) }
	last := -1
	for range n {
		at, flags := int(r.Byte()), r.Byte()
		if r.Bad || at <= last || at >= chunkPoints || flags&^pointFlags != 0 {
			return nil, corrupt("chunk")
		}
		last = at
		p := point{at: start + int64(at)*t.seconds}
		if flags&pointSingle != 0 {
			p.summary = of(number())
		} else {
			p.summary = summary{count: number(), sum: number(), min: number(), max: number(), blurred: flags&pointBlurred != 0}
			for range r.Byte() {
				p.values = append(p.values, weight{number(), number()})
			}
			if len(p.values) > maxWeights {
				return nil, corrupt("values of a point")
			}
		}
		c.points = append(c.points, p)
	}
	if !r.Done() {
		return nil, corrupt("chunk")
	}
	return c, nil
}

package cloudwatch

import (
	"cmp"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// data are all metrics. Its methods may be called by anybody.
type data struct {
	log    *slog.Logger
	budget int

	mu     sync.Mutex
	places map[place]*metrics // guarded by mu, as the next three
	bytes  int
	gone   []stale // what the store still has of what was dropped
	warned bool    // that the budget is used up
}

// metrics are those of a place.
type metrics struct {
	byKey  map[string]*metric
	sorted []*metric // by key; nil when it has to be made anew
}

// stale is a key of the store that stands for nothing any more: of a chunk, or of a metric with all its chunks.
type stale struct{ key []byte }

func newData(budget int, log *slog.Logger) *data {
	return &data{log: log, budget: budget, places: map[place]*metrics{}}
}

// datum is one thing that is put.
type datum struct {
	identity
	unit uint8
	fine bool  // StorageResolution 1
	at   int64 // second
	summary
}

// put adds data of a place, now being the second.
func (d *data) put(p place, all []datum, now int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range all {
		v := &all[i]
		m := d.metric(p, v.identity)
		m.last = max(m.last, now)
		s := m.of(v.unit)
		if s == nil {
			s = &series{unit: v.unit}
			m.series = append(m.series, s)
			d.bytes += seriesSize
		}
		d.bytes += s.add(v.at, &v.summary, v.fine, now)
	}
	if d.bytes > d.budget {
		d.evict(now)
	}
}

// metric finds a metric or makes it.
func (d *data) metric(p place, id identity) *metric {
	ms := d.places[p]
	if ms == nil {
		ms = &metrics{byKey: map[string]*metric{}}
		d.places[p] = ms
	}
	key := id.key()
	m := ms.byKey[key]
	if m == nil {
		m = &metric{identity: id, key: key, place: p}
		ms.byKey[key], ms.sorted = m, nil
		d.bytes += m.size()
	}
	return m
}

// list gives at most n metrics of a place that match, behind the one with the key after, and whether there are more.
func (d *data) list(p place, after string, n int, match func(*metric) bool) (found []*metric, more bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	ms := d.places[p]
	if ms == nil {
		return nil, false
	}
	if ms.sorted == nil {
		for _, m := range ms.byKey {
			ms.sorted = append(ms.sorted, m)
		}
		slices.SortFunc(ms.sorted, func(a, b *metric) int { return cmp.Compare(a.key, b.key) })
	}
	i, _ := slices.BinarySearchFunc(ms.sorted, after, func(m *metric, key string) int { return cmp.Compare(m.key, key) })
	for ; i < len(ms.sorted); i++ {
		m := ms.sorted[i]
		if m.key == after || !match(m) {
			continue
		}
		if len(found) == n {
			return found, true
		}
		found = append(found, m)
	}
	return found, false
}

// collect gives the points of a metric, by unit.
func (d *data) collect(p place, id identity, w window, now int64) map[uint8][]point {
	d.mu.Lock()
	defer d.mu.Unlock()
	ms := d.places[p]
	if ms == nil {
		return nil
	}
	m := ms.byKey[id.key()]
	if m == nil {
		return nil
	}
	out := map[uint8][]point{}
	for _, s := range m.series {
		if points := s.collect(w, now); len(points) > 0 {
			out[s.unit] = points
		}
	}
	return out
}

// sweep drops what is too old.
func (d *data) sweep(now int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.drop(func(i int) int64 { return tiers[i].since(now) })
	if d.bytes > d.budget {
		d.evict(now)
	}
}

// drop forgets, of each tier, what ends before cut, and metrics of which nothing is left.
func (d *data) drop(cut func(tier int) int64) {
	for _, ms := range d.places {
		for _, m := range ms.byKey {
			for _, s := range m.series {
				for i := range tiers {
					d.bytes -= s.forget(i, cut(i), func(c *chunk) { d.stale(m, s, i, c) })
				}
			}
			m.series = slices.DeleteFunc(m.series, func(s *series) bool {
				if s.empty() {
					d.bytes -= seriesSize
				}
				return s.empty()
			})
			if len(m.series) == 0 {
				d.remove(ms, m)
			}
		}
	}
}

// remove forgets a metric, and its place with the last one.
func (d *data) remove(ms *metrics, m *metric) {
	d.bytes -= m.size()
	if m.known {
		d.gone = append(d.gone, stale{metricKey(hash(m.place, m.key))})
	}
	delete(ms.byKey, m.key)
	ms.sorted = nil
	if len(ms.byKey) == 0 {
		delete(d.places, m.place)
	}
}

// stale notes what the store has of a chunk that is dropped.
func (d *data) stale(m *metric, s *series, tier int, c *chunk) {
	if c.stored {
		d.gone = append(d.gone, stale{chunkKey(hash(m.place, m.key), s.unit, tier, c.start)})
	}
}

// evict makes room down to nine tenths of the budget: it shortens the time that each tier is kept, half and half again, and
// then lets go of the metrics that were put to least recently.
func (d *data) evict(now int64) {
	if !d.warned {
		d.warned = true
		d.log.Warn("metrics need more than their memory: the oldest go", "bytes", d.bytes, "budget", d.budget)
	}
	room := d.budget / 10 * 9
	for share := time.Duration(2); share <= 64 && d.bytes > room; share *= 2 {
		d.drop(func(i int) int64 { return now - int64(tiers[i].kept/share/time.Second) })
	}
	if d.bytes <= room {
		return
	}
	var all []*metric
	for _, ms := range d.places {
		for _, m := range ms.byKey {
			all = append(all, m)
		}
	}
	slices.SortFunc(all, func(a, b *metric) int { return cmp.Or(cmp.Compare(a.last, b.last), cmp.Compare(a.key, b.key)) })
	for _, m := range all {
		if d.bytes <= room {
			return
		}
		for _, s := range m.series {
			for i := range tiers {
				d.bytes -= s.forget(i, 1<<62, func(c *chunk) { d.stale(m, s, i, c) })
			}
			d.bytes -= seriesSize
		}
		d.remove(d.places[m.place], m)
	}
}

package cloudwatch

import (
	"slices"
	"sort"
	"time"
)

// tier is one resolution in which points are kept.
type tier struct {
	seconds int64
	kept    time.Duration
}

// tiers are the resolutions of CloudWatch, finest first. Their order is in the store's keys: permanent.
//
// Source: user guide, "Metrics retention" (read 2026-11).
var tiers = [...]tier{
	{1, 3 * time.Hour},
	{60, 15 * 24 * time.Hour},
	{300, 63 * 24 * time.Hour},
	{3600, 455 * 24 * time.Hour},
}

// since is the second from which the tier keeps points.
func (t *tier) since(now int64) int64 { return floor(now-int64(t.kept/time.Second), t.seconds) }

// chunkPoints is how many points a chunk spans: two hours of minutes, five days of hours. One is 2 to 10 KiB in the store, so that
// a change rewrites little.
const chunkPoints = 120

// series are the points of a metric in one unit.
type series struct {
	unit  uint8
	tiers [len(tiers)][]*chunk // in rising order of start
}

// chunk is a stretch of points, and what is written to the store at once.
type chunk struct {
	start  int64 // second; a multiple of the span
	points []point
	dirty  bool // the store has not got it as it is
	stored bool // the store has a version of it
}

// point is what is known of one second, minute, ...
type point struct {
	at int64 // second at which it begins
	summary
}

func (t *tier) span() int64 { return t.seconds * chunkPoints }

// add puts samples of a second into all tiers that keep it, the finest only when fine. It gives by how much the series
// has grown, in bytes.
func (s *series) add(at int64, v *summary, fine bool, now int64) int {
	grown := 0
	for i := range tiers {
		t := &tiers[i]
		if i == 0 && !fine || at < t.since(now) {
			continue
		}
		grown += s.addTier(i, t, floor(at, t.seconds), v)
	}
	return grown
}

func (s *series) addTier(i int, t *tier, at int64, v *summary) int {
	c, grown := s.chunk(i, floor(at, t.span()))
	c.dirty = true
	n := sort.Search(len(c.points), func(j int) bool { return c.points[j].at >= at })
	before := cap(c.points) * pointSize
	if n == len(c.points) || c.points[n].at != at {
		c.points = slices.Insert(c.points, n, point{at: at})
	}
	p := &c.points[n]
	before += weightSize * cap(p.values)
	p.add(v)
	return grown + cap(c.points)*pointSize + weightSize*cap(p.values) - before
}

// chunk gives the chunk that begins at start, made when there is none.
func (s *series) chunk(i int, start int64) (c *chunk, grown int) {
	cs := s.tiers[i]
	n := sort.Search(len(cs), func(j int) bool { return cs[j].start >= start })
	if n < len(cs) && cs[n].start == start {
		return cs[n], 0
	}
	c = &chunk{start: start}
	s.tiers[i] = slices.Insert(cs, n, c)
	return c, chunkSize
}

func (c *chunk) size() int {
	n := chunkSize + cap(c.points)*pointSize
	for i := range c.points {
		n += weightSize * cap(c.points[i].values)
	}
	return n
}

// forget drops the chunks of a tier that end before cut and hands them to gone; it gives the bytes that are free then.
func (s *series) forget(i int, cut int64, gone func(*chunk)) int {
	span, n, freed := tiers[i].span(), 0, 0
	for n < len(s.tiers[i]) && s.tiers[i][n].start+span <= cut {
		freed += s.tiers[i][n].size()
		gone(s.tiers[i][n])
		n++
	}
	s.tiers[i] = slices.Delete(s.tiers[i], 0, n)
	return freed
}

func (s *series) empty() bool {
	for i := range s.tiers {
		if len(s.tiers[i]) > 0 {
			return false
		}
	}
	return true
}

// window is what a query asks for: periods from start on, before end.
type window struct{ start, end, period int64 }

// collect gives the points of the periods that have any, in rising order. Each begins a whole number of periods after
// the start.
func (s *series) collect(w window, now int64) []point {
	i := s.choose(w)
	t := &tiers[i]
	from := max(w.start, t.since(now))
	var out []point
	for _, c := range s.tiers[i] {
		if c.start+t.span() <= from || c.start >= w.end {
			continue
		}
		for j := range c.points {
			p := &c.points[j]
			if p.at < from || p.at >= w.end {
				continue
			}
			at := w.start + floor(p.at-w.start, w.period)
			if n := len(out); n == 0 || out[n-1].at != at {
				out = append(out, point{at: at})
			}
			out[len(out)-1].add(&p.summary)
		}
	}
	return out
}

// choose is the coarsest tier whose points fall into periods whole. Metrics of standard resolution have none finer than a minute.
func (s *series) choose(w window) int {
	for i := len(tiers) - 1; i > 0; i-- {
		if w.period%tiers[i].seconds == 0 && w.start%tiers[i].seconds == 0 {
			return i
		}
	}
	if len(s.tiers[0]) > 0 {
		return 0
	}
	return 1
}

// floor is the largest multiple of step that is not above n.
func floor(n, step int64) int64 {
	r := n % step
	if r < 0 {
		r += step
	}
	return n - r
}

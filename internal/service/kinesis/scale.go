package kinesis

import (
	"cmp"
	"math"
	"slices"
)

// How an on-demand stream gets the shards that its load needs. Everything here is arithmetic: worker_scale.go measures
// and acts, store_scale.go keeps what must outlive the process.
//
//	load of a minute ──► history: the largest of each of 30 days ──► wantedShards: double that peak
//	load of a shard  ──► planScaling: split what carries more than half of its quota,
//	                     join neighbours that carry next to nothing while there are too many
//
// Source: Kinesis developer guide, "Choose the right mode": a stream accommodates up to double the peak write
// throughput of the previous 30 days; a shard with more than 500 KB/s is split evenly, within 15 minutes; hash
// keys that are hot are not looked for (read 2026-11). How AWS scales down is not published.
const (
	historyDays = 30
	headroom    = 2.0 // capacity is so many times the peak

	// splitAbove is the part of its quota that a shard may carry over a minute before it is split.
	splitAbove = 0.5
	// joinBelow is what two neighbours may carry together, in the busiest minute of the last hour or two, to be joined.
	// It is half of splitAbove, so that a shard that was joined has to double before it is split again.
	joinBelow = 0.25
	// narrowest is how many times narrower than the mean of its stream a shard may become by splits. A single
	// partition key that is over the quota would else be split for ever: no split helps it.
	narrowest = 16

	// A stream takes 10 GiB a second in the large regions, and 200 MiB in others.
	//
	// Source: Kinesis developer guide, "Quotas and limits" (read 2026-11). The first is more than a stream can have
	// open shards.
	onDemandMiBpsLarge = 10 << 10
	onDemandMiBpsSmall = 200
)

// load is what is written in a second.
type load struct{ bytes, records float64 }

// shards is how many shards a load fills.
func (l load) shards(q Quotas) float64 {
	return max(l.bytes/shardWriteBytes, l.records/shardWriteRecords) / q.factor()
}

// factor is what quotas of shards are multiplied by. Shards without quotas are counted as AWS's.
func (q Quotas) factor() float64 {
	if q.off() {
		return 1
	}
	return float64(q)
}

// dayPeak is the largest load over a minute of one day.
type dayPeak struct {
	day int32 // since 1970
	load
}

// history is what a stream has carried in the last 30 days: at most one peak for each day, in order.
type history struct{ peaks []dayPeak }

func dayOf(ms int64) int32 { return int32(ms / dayMS) }

// note takes the load of a minute at now (ms since 1970). It tells whether the history is now worth keeping: when the
// day has a peak that is a tenth above the one that it had when it was last said to be.
func (h *history) note(now int64, l load, kept load) bool {
	day := dayOf(now)
	h.peaks = slices.DeleteFunc(h.peaks, func(p dayPeak) bool { return p.day <= day-historyDays })
	if l == (load{}) {
		return false
	}
	if n := len(h.peaks); n == 0 || h.peaks[n-1].day < day {
		h.peaks = append(h.peaks, dayPeak{day, l})
		return true
	}
	today := &h.peaks[len(h.peaks)-1].load
	today.bytes, today.records = max(today.bytes, l.bytes), max(today.records, l.records)
	const tenth = 1.1
	return today.bytes > kept.bytes*tenth || today.records > kept.records*tenth
}

// today is the peak of the day of now, 0 without one.
func (h *history) today(now int64) load {
	if n := len(h.peaks); n > 0 && h.peaks[n-1].day >= dayOf(now) {
		return h.peaks[n-1].load
	}
	return load{}
}

// peak is the largest load of the last 30 days.
func (h *history) peak(now int64) load {
	var found load
	for _, p := range h.peaks {
		if p.day > dayOf(now)-historyDays {
			found.bytes, found.records = max(found.bytes, p.bytes), max(found.records, p.records)
		}
	}
	return found
}

// firstHistory is that of a stream of which none is known, such as one that was provisioned until now: it keeps its
// shards, so its peak is taken to be what they have headroom for.
func firstHistory(now int64, count int, q Quotas) history {
	if count <= onDemandShards {
		return history{}
	}
	return history{[]dayPeak{{dayOf(now), load{bytes: float64(count) * shardWriteBytes * q.factor() / headroom}}}}
}

// warmShards is how many shards a warm throughput needs.
func warmShards(mibps int32, q Quotas) int {
	return int(min(math.Ceil(float64(mibps)/q.factor()), maxOpenShards))
}

// scaleLimit is how many shards load may lead to in a region.
func scaleLimit(region string) int {
	switch region {
	case "us-east-1", "us-west-2", "eu-west-1":
		return min(onDemandMiBpsLarge, maxOpenShards)
	}
	return onDemandMiBpsSmall
}

// wantedShards is how many shards a stream with count open ones shall have: as many as double the peak of 30 days fills,
// no fewer than an on-demand stream starts with or its warm throughput needs. It has fewer only when half of them
// would do, so that a peak that comes and goes moves nothing.
func wantedShards(h *history, c *settings, region string, now int64, count int, q Quotas) int {
	need := int(math.Ceil(headroom * h.peak(now).shards(q)))
	warm := warmShards(c.warmMiBps, q)
	want := max(min(need, scaleLimit(region)), onDemandShards, warm)
	if want > count && (need > count || warm > count) || 2*want <= count {
		return want
	}
	return count
}

// shardLoad is one open shard as it was observed.
type shardLoad struct {
	index  int32
	width  float64 // part of all hash keys
	now    float64 // part of its quota that it carried in the last minute
	peak   float64 // the same of the busiest minute of the last hour or two
	known  bool    // it was observed for a minute
	rested bool    // it was observed for an hour
}

// scaling is what to do: one of split and join is empty. Both are indexes of shards; those to join are joined with
// their next neighbour.
type scaling struct{ split, join []int32 }

// planScaling finds what to do with the open shards of a stream, which are in order of hash keys; want is from
// wantedShards. At most limit shards are left.
func planScaling(shards []shardLoad, want, limit int) scaling {
	if more := max(limit, want) - len(shards); more > 0 {
		if split := planSplits(shards, want, more); len(split) > 0 {
			return scaling{split: split}
		}
	}
	if want < len(shards) {
		return scaling{join: planJoins(shards, len(shards)-want)}
	}
	return scaling{}
}

// planSplits chooses at most more shards to split: the hot ones, hottest first, and then, while there are fewer shards
// than wanted, the widest.
func planSplits(shards []shardLoad, want, more int) []int32 {
	least := 1 / float64(narrowest*len(shards))
	var hot, cool []shardLoad
	for _, s := range shards {
		switch {
		case s.width/2 < least:
		case s.known && s.now > splitAbove:
			hot = append(hot, s)
		default:
			cool = append(cool, s)
		}
	}
	slices.SortStableFunc(hot, func(a, b shardLoad) int { return cmp.Compare(b.now, a.now) })
	slices.SortStableFunc(cool, func(a, b shardLoad) int { return cmp.Compare(b.width, a.width) })
	hot = hot[:min(len(hot), more)]
	extra := max(0, min(want-len(shards)-len(hot), len(cool)))
	return indexes(append(hot, cool[:extra]...))
}

// planJoins chooses at most fewer pairs of neighbours to join: the narrowest first, so that what hot shards were cut
// into becomes whole again.
func planJoins(shards []shardLoad, fewer int) []int32 {
	var pairs []shardLoad
	right := map[int32]int32{}
	for i := range len(shards) - 1 {
		a, b := shards[i], shards[i+1]
		if a.rested && b.rested && a.peak+b.peak <= joinBelow {
			pairs = append(pairs, shardLoad{index: a.index, width: a.width + b.width})
			right[a.index] = b.index
		}
	}
	slices.SortStableFunc(pairs, func(a, b shardLoad) int { return cmp.Compare(a.width, b.width) })
	taken := map[int32]bool{}
	pairs = slices.DeleteFunc(pairs, func(p shardLoad) bool {
		if taken[p.index] || taken[right[p.index]] || len(taken) >= 2*fewer {
			return true
		}
		taken[p.index], taken[right[p.index]] = true, true
		return false
	})
	return indexes(pairs)
}

func indexes(shards []shardLoad) []int32 {
	var found []int32
	for _, s := range shards {
		found = append(found, s.index)
	}
	slices.Sort(found)
	return found
}

// width is the part of all hash keys that a shard holds.
func (s *shard) width() float64 {
	const all = 1 << 64
	return (float64(s.end.hi)-float64(s.start.hi))/all + (float64(s.end.lo)-float64(s.start.lo)+1)/all/all
}

// middle is the hash key at which the second half of a shard begins.
func (s *shard) middle() hashKey {
	size := s.end.distance(s.start)
	half := hashKey{size.hi >> 1, size.lo>>1 | size.hi<<63}
	lo := s.start.lo + half.lo
	hi := s.start.hi + half.hi
	if lo < half.lo {
		hi++
	}
	return hashKey{hi, lo}.plus1()
}

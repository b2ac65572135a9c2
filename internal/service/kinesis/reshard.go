package kinesis

import (
	"cmp"
	"math/bits"
	"slices"
	"sort"
)

// How shards become others. Every change is a list of hash ranges that the open shards shall have, and
// plan finds the splits and merges that lead there:
//
//	open shards   ├────────0────────┼────────1────────┤
//	wanted        ├─────────┼───────────────┼─────────┤
//	splits        ├────2────┼───3───┼───4───┼────5────┤
//	merges                  ├───────6───────┤
//
// Shards that are made only to be split or merged again are made closed: they never hold a record, and
// give readers the way from the old ones to the new. AWS makes such short-lived shards too.

// keyRange is a range of hash keys, both ends included.
type keyRange struct{ start, end hashKey }

// plus1 is the next hash key; that of the last one is 0.
func (h hashKey) plus1() hashKey {
	lo, carry := bits.Add64(h.lo, 1, 0)
	return hashKey{h.hi + carry, lo}
}

// minus1 is the hash key before one that is not 0.
func (h hashKey) minus1() hashKey {
	lo, borrow := bits.Sub64(h.lo, 1, 0)
	return hashKey{h.hi - borrow, lo}
}

// Kinds of a change. Permanent: they stand in values.
const (
	reshardNone  = 0
	reshardSplit = 1 // shard a at key
	reshardMerge = 2 // shards a and b
	reshardCount = 3 // to count even ranges
	reshardMode  = 4 // none of shards: the stream is only UPDATING
	reshardHalve = 5 // shards in two halves each
	reshardJoin  = 6 // shards, each with the next one in order of hash keys
)

// reshard is a change that a stream in UPDATING is going through.
type reshard struct {
	kind   uint8
	closed bool // the parents take no more records: the first of the two commits is done
	a, b   int32
	count  int32
	key    hashKey
	shards []int32 // indexes, ascending; those that the change has done with already do not count
	// charged is how many shards the account is charged for while the change goes on: as many as there
	// were or will be, whichever is more. 0: shards of the stream are not counted.
	charged int32
	// scaled are the times of the last UpdateShardCount calls, ms since 1970, oldest first: a quota
	// counts those of 24 hours.
	scaled []int64
	// switched are those of UpdateStreamMode.
	switched []int64
}

// wanted is what ranges the open shards shall have, given the present ones in order.
func (r *reshard) wanted(leaves []*shard) []keyRange {
	if r.kind == reshardCount {
		return evenRanges(leaves, int(r.count))
	}
	ranges := make([]keyRange, 0, len(leaves)+len(r.shards)+1)
	joining := false
	for _, l := range leaves {
		_, listed := slices.BinarySearch(r.shards, l.index)
		joined := joining && len(ranges) > 0
		joining = listed && r.kind == reshardJoin && !joined
		switch {
		case joined:
			ranges[len(ranges)-1].end = l.end
		case listed && r.kind == reshardHalve && l.start != l.end:
			m := l.middle()
			ranges = append(ranges, keyRange{l.start, m.minus1()}, keyRange{m, l.end})
		case r.kind == reshardSplit && l.index == r.a:
			ranges = append(ranges, keyRange{l.start, r.key.minus1()}, keyRange{r.key, l.end})
		case r.kind == reshardMerge && l.index == r.b && len(ranges) > 0:
			ranges[len(ranges)-1].end = l.end
		default:
			ranges = append(ranges, keyRange{l.start, l.end})
		}
	}
	return ranges
}

// nearBorder is how far from the even place a border may stay where it is: n times floor(2^128/n) differs
// from count to count by less than this, a range of 10,000 is 2^114 wide, and so doubling and halving
// find all borders that stay.
const nearBorder = 1 << 32

// evenRanges are n ranges of even size, with the borders of leaves where they are almost even.
func evenRanges(leaves []*shard, n int) []keyRange {
	ranges := make([]keyRange, n)
	for i := range ranges {
		ranges[i].start, ranges[i].end = evenRange(i, n)
		if i == 0 {
			continue
		}
		border := nearest(leaves, ranges[i].start)
		ranges[i-1].end, ranges[i].start = border.minus1(), border
	}
	return ranges
}

// nearest is the border of leaves next to a hash key, or the key when none is near.
func nearest(leaves []*shard, h hashKey) hashKey {
	above := sort.Search(len(leaves), func(i int) bool { return leaves[i].start.cmp(h) >= 0 })
	best, distance := h, uint64(nearBorder)
	for _, l := range leaves[max(above-1, 1):min(above+1, len(leaves))] {
		if d := l.start.distance(h); d.hi == 0 && d.lo < distance {
			best, distance = l.start, d.lo
		}
	}
	return best
}

// distance is the difference of two hash keys.
func (h hashKey) distance(o hashKey) hashKey {
	if h.cmp(o) < 0 {
		h, o = o, h
	}
	lo, borrow := bits.Sub64(h.lo, o.lo, 0)
	hi, _ := bits.Sub64(h.hi, o.hi, borrow)
	return hashKey{hi, lo}
}

// leaves are the shards that nothing goes on from, in order of their hash keys: together they hold all
// hash keys once.
func (st *stream) leaves() []*shard {
	var found []*shard
	for i := range st.shards {
		if !st.shards[i].closed {
			found = append(found, &st.shards[i])
		}
	}
	slices.SortFunc(found, func(a, b *shard) int { return a.start.cmp(b.start) })
	return found
}

// leaving returns those of the leaves whose range is not wanted.
func leaving(leaves []*shard, want []keyRange) []*shard {
	return slices.DeleteFunc(slices.Clone(leaves), func(l *shard) bool {
		return want[rangeOf(want, l.start)] == keyRange{l.start, l.end}
	})
}

// rangeOf is the place of the range that holds a key; ranges hold all keys, in order.
func rangeOf(ranges []keyRange, h hashKey) int {
	return sort.Search(len(ranges), func(i int) bool { return ranges[i].start.cmp(h) > 0 }) - 1
}

// steps are the shards that a change makes, in order of their indexes, and which ones that were there
// before it closes. A shard that is made and already has children is closed.
type steps struct {
	made    []*shard
	parents []*shard
	done    bool // the ranges are as wanted; else there is more to do in a further commit
}

// planner gathers steps.
type planner struct {
	steps
	next   int32 // index of the next shard that is made
	limit  int   // of shards made
	now    int64 // ms since 1970
	leaves []*shard
	want   []keyRange
}

// plan finds the next steps from leaves to the wanted ranges, making at most limit shards with indexes
// from next on. Parents are marked closed at now (ms since 1970); their lastAppend is known.
//
// It is a function of its arguments alone, so a change that was begun before a crash goes on from what
// the store holds.
func plan(leaves []*shard, want []keyRange, next int32, limit int, now int64) steps {
	p := &planner{next: next, limit: limit, now: now, want: want}
	for _, l := range leaves {
		p.split(l)
	}
	p.merge()
	p.done = len(leaving(p.leaves, want)) == 0
	slices.SortFunc(p.made, func(a, b *shard) int { return cmp.Compare(a.index, b.index) })
	return p.steps
}

// room tells whether n more shards may be made.
func (p *planner) room(n int) bool { return len(p.made)+n <= p.limit }

// split cuts a shard at the wanted borders inside of it, the middle one first, so that the way from a
// shard to the last of its pieces is short.
func (p *planner) split(s *shard) {
	first, last := rangeOf(p.want, s.start), rangeOf(p.want, s.end)
	if first == last || !p.room(2) {
		p.leaves = append(p.leaves, s)
		return
	}
	border := p.want[(first+last+1)/2].start
	left := p.child(keyRange{s.start, border.minus1()}, s, nil)
	right := p.child(keyRange{border, s.end}, s, nil)
	p.end(s)
	p.split(left)
	p.split(right)
}

// merge joins neighbours that belong to one wanted range, two by two, until each range is one shard.
func (p *planner) merge() {
	for joined := true; joined; {
		joined = false
		var left []*shard
		for i := 0; i < len(p.leaves); i++ {
			s := p.leaves[i]
			if i+1 < len(p.leaves) && p.room(1) && p.together(s, p.leaves[i+1]) {
				other := p.leaves[i+1]
				child := p.child(keyRange{s.start, other.end}, s, other)
				p.end(s)
				p.end(other)
				s, joined = child, true
				i++
			}
			left = append(left, s)
		}
		p.leaves = left
	}
}

// together tells whether two neighbours lie in one wanted range.
func (p *planner) together(a, b *shard) bool {
	at := rangeOf(p.want, a.start)
	return at == rangeOf(p.want, b.end)
}

// child makes a shard. Its creation second is above the creation and the last record of its parents,
// whatever the clocks say: so are its sequence numbers.
func (p *planner) child(r keyRange, parent, adjacent *shard) *shard {
	c := &shard{
		index: p.next, id: shardID(p.next), start: r.start, end: r.end,
		parent: parent.index, adjacent: noShard, createdMS: p.now,
		created: max(p.now/1000, parent.last().after()),
	}
	if adjacent != nil {
		c.adjacent, c.created = adjacent.index, max(c.created, adjacent.last().after())
	}
	p.next++
	p.made = append(p.made, c)
	return c
}

// after is a second that is above all in a number.
func (n sequenceNumber) after() int64 { return max(n.created, n.appended) + 1 }

// end closes a shard that has children now.
func (p *planner) end(s *shard) {
	if !s.closed && s.partition != 0 {
		p.parents = append(p.parents, s)
	}
	s.closed, s.closedMS = true, p.now
}

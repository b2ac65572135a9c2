package kinesis

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// evenLeaves are n open shards as a new stream has them, in a store.
func evenLeaves(n int) []*shard {
	shards := newShards(n, 5000)
	leaves := make([]*shard, n)
	for i := range shards {
		shards[i].partition = 1
		leaves[i] = &shards[i]
	}
	return leaves
}

func TestHashKeyNeighboursCarryOverWords(t *testing.T) {
	for _, c := range []struct{ low, high hashKey }{
		{hashKey{0, 0}, hashKey{0, 1}},
		{hashKey{0, math.MaxUint64}, hashKey{1, 0}},
		{hashKey{7, math.MaxUint64}, hashKey{8, 0}},
		{hashKey{math.MaxUint64, math.MaxUint64 - 1}, maxHashKey},
	} {
		if got := c.low.plus1(); got != c.high {
			t.Errorf("%v + 1: got %v, want %v", c.low, got, c.high)
		}
		if got := c.high.minus1(); got != c.low {
			t.Errorf("%v - 1: got %v, want %v", c.high, got, c.low)
		}
	}
}

// How many shards there are after a scaling, closed ones included: doubling and halving cost nothing more.
func TestScalingMakesAsFewShardsAsItCan(t *testing.T) {
	for _, c := range []struct{ from, to, made int }{
		{1, 2, 2},
		{2, 4, 4},
		{4, 2, 2},
		{100, 200, 200},
		{2, 1, 1},
		{3, 3, 0},
		{4, 5, 4*2 + 3},
		{2, 3, 2*2 + 1},
		{3, 2, 2 + 2},
		{1000, 2000, 2000},
	} {
		r := reshard{kind: reshardCount, count: int32(c.to)}
		leaves := evenLeaves(c.from)
		got := plan(leaves, r.wanted(leaves), int32(c.from), math.MaxInt, 9000)
		if len(got.made) != c.made || !got.done {
			t.Errorf("%d to %d shards: made %d, done %v, want %d", c.from, c.to, len(got.made), got.done, c.made)
		}
	}
}

// lineage is what must hold of all shards there ever were, whatever was done.
func checkLineage(t *testing.T, all []*shard) {
	t.Helper()
	at := hashKey{}
	var open []*shard
	for i, s := range all {
		if s.index != int32(i) {
			t.Fatalf("shard %d has index %d", i, s.index)
		}
		if !s.closed {
			open = append(open, s)
		}
		for _, parent := range []int32{s.parent, s.adjacent} {
			if parent == noShard {
				continue
			}
			p := all[parent]
			if !p.closed || p.closedMS != s.createdMS {
				t.Errorf("%s: parent %s closed %v at %d, child made at %d", s.id, p.id, p.closed, p.closedMS, s.createdMS)
			}
			if last, first := p.last().String(), s.first().String(); last >= first {
				t.Errorf("%s begins at %s, its parent %s ends at %s", s.id, first, p.id, last)
			}
		}
		if s.parent == noShard {
			continue
		}
		p := all[s.parent]
		if s.adjacent == noShard && (s.start != p.start && s.end != p.end || s.start.cmp(p.start) < 0 || s.end.cmp(p.end) > 0) {
			t.Errorf("%s [%v, %v] is no part of %s [%v, %v]", s.id, s.start, s.end, p.id, p.start, p.end)
		}
		if s.adjacent != noShard && (s.start != p.start || s.end != all[s.adjacent].end || p.end.plus1() != all[s.adjacent].start) {
			t.Errorf("%s [%v, %v] is not %s and %s", s.id, s.start, s.end, p.id, all[s.adjacent].id)
		}
	}
	slices.SortFunc(open, func(a, b *shard) int { return a.start.cmp(b.start) })
	for i, s := range open {
		if s.start != at || i == len(open)-1 && s.end != maxHashKey {
			t.Fatalf("open shard %s is [%v, %v], want the next key %v", s.id, s.start, s.end, at)
		}
		at = s.end.plus1()
	}
}

func TestRandomChangesKeepLineageAndAllHashKeys(t *testing.T) {
	r := rand.New(rand.NewPCG(chooseSeed(t), 3))
	for range 30 {
		all := evenLeaves(1 + r.IntN(20))
		now := int64(1_000_000)
		for range 20 {
			now += int64(r.IntN(3)) * 400
			changeAtRandom(t, r, &all, now)
		}
		checkLineage(t, all)
	}
}

// changeAtRandom splits, merges or scales, in as many commits as a small limit makes of it.
func changeAtRandom(t *testing.T, r *rand.Rand, all *[]*shard, now int64) {
	leaves := openOf(*all)
	c := reshard{kind: reshardCount, count: int32(max(1, len(leaves)/2+r.IntN(len(leaves)*3/2+1)))}
	one := r.IntN(len(leaves))
	switch {
	case r.IntN(3) == 0:
		s := leaves[one]
		c = reshard{kind: reshardSplit, a: s.index, b: noShard, key: hashKey{s.start.hi/2 + s.end.hi/2, r.Uint64()}}
		if c.key.cmp(s.start) <= 0 || c.key.cmp(s.end) >= 0 {
			return
		}
	case r.IntN(2) == 0 && one > 0:
		c = reshard{kind: reshardMerge, a: leaves[one-1].index, b: leaves[one].index}
	}
	want := c.wanted(leaves)
	for _, s := range leaving(leaves, want) {
		s.lastAppend = now + int64(r.IntN(5000)) // also by a clock that is ahead
	}
	for step := 0; ; step++ {
		leaves = openOf(*all)
		again := c.wanted(leaves)
		if c.kind == reshardCount && !slices.Equal(again, want) {
			t.Fatalf("after %d steps other ranges are wanted", step)
		}
		limit := 2 + r.IntN(10)
		got := plan(leaves, again, int32(len(*all)), limit, now)
		if len(got.made) > limit || !got.done && len(got.made) == 0 {
			t.Fatalf("step %d with room for %d made %d, done %v", step, limit, len(got.made), got.done)
		}
		for _, s := range got.made {
			s.partition = 1
		}
		*all = append(*all, got.made...)
		if got.done {
			break
		}
	}
	for i, s := range openOf(*all) {
		if (keyRange{s.start, s.end}) != want[i] {
			t.Fatalf("open shard %d is [%v, %v], want %v", i, s.start, s.end, want[i])
		}
	}
}

func openOf(all []*shard) []*shard {
	st := &stream{shards: make([]shard, len(all))}
	for i, s := range all {
		st.shards[i] = *s
	}
	var found []*shard
	for _, l := range st.leaves() {
		found = append(found, all[l.index])
	}
	return found
}

func TestReshardValuesAreReadAsWritten(t *testing.T) {
	for _, want := range []reshard{
		{},
		{kind: reshardSplit, a: 7, b: noShard, key: hashKey{1, 2}, charged: 9, closed: true},
		{kind: reshardMerge, a: 1, b: 2, scaled: []int64{1, 2}, switched: []int64{3}},
		{kind: reshardCount, count: 10_000, scaled: make([]int64, maxTimes)},
	} {
		got, err := decodeReshard(encodeReshard(&want))
		if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
		v := encodeReshard(&want)
		for _, bad := range [][]byte{nil, v[:len(v)-1], append(slices.Clone(v), 0), append([]byte{9}, v[1:]...)} {
			if got, err := decodeReshard(bad); err == nil {
				t.Errorf("%x: got %+v, want an error", bad, got)
			}
		}
	}
}

func FuzzDecodeReshard(f *testing.F) {
	f.Add(encodeReshard(&reshard{kind: reshardCount, count: 4, scaled: []int64{5}}))
	f.Fuzz(func(t *testing.T, v []byte) {
		r, err := decodeReshard(v)
		if err != nil {
			return
		}
		if again, err := decodeReshard(encodeReshard(&r)); err != nil || fmt.Sprint(again) != fmt.Sprint(r) {
			t.Errorf("%x: got %+v, %v, want %+v", v, again, err, r)
		}
	})
}

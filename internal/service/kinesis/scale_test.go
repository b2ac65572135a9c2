package kinesis

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

const mebi = float64(1 << 20)

func TestWantedShardsFollowDoubleThePeakOfThirtyDays(t *testing.T) {
	const now = int64(20_000) * dayMS
	days := func(ago int, bytes, records float64) dayPeak {
		return dayPeak{int32(20_000 - ago), load{bytes, records}}
	}
	for _, c := range []struct {
		what   string
		peaks  []dayPeak
		warm   int32
		region string
		count  int
		quotas Quotas
		want   int
	}{
		{what: "a new stream", count: 4, want: 4},
		{what: "a stream that was provisioned with one shard", count: 1, want: 1},
		{what: "the same under load", peaks: []dayPeak{days(0, mebi, 0)}, count: 1, want: 4},
		{what: "40 MiB/s", peaks: []dayPeak{days(0, 40*mebi, 0)}, count: 64, want: 80},
		{what: "half a byte more than half", peaks: []dayPeak{days(0, 2*mebi+.5, 0)}, count: 4, want: 5},
		{what: "2,500 records/s", peaks: []dayPeak{days(3, 1, 2500)}, count: 4, want: 5},
		{what: "a peak 29 days ago", peaks: []dayPeak{days(29, 40*mebi, 0), days(0, mebi, 0)}, count: 80, want: 80},
		{what: "a peak 30 days ago", peaks: []dayPeak{days(30, 40*mebi, 0), days(0, mebi, 0)}, count: 80, want: 4},
		{what: "a little too large", peaks: []dayPeak{days(0, 5*mebi, 0)}, count: 16, want: 16},
		{what: "twice too large", peaks: []dayPeak{days(0, 5*mebi, 0)}, count: 20, want: 10},
		{what: "warm throughput is a floor", warm: 30, count: 64, want: 30},
		{what: "warm throughput raises", warm: 30, count: 4, want: 30},
		{what: "a small region", peaks: []dayPeak{days(0, 500*mebi, 0)}, region: "eu-north-1", count: 100, want: 200},
		{what: "a small region with warm throughput", peaks: []dayPeak{days(0, 500*mebi, 0)}, warm: 300, region: "eu-north-1", count: 200, want: 300},
		{what: "a large region", peaks: []dayPeak{days(0, 6000*mebi, 0)}, count: 4000, want: 10_000},
		{what: "quotas twice AWS's", peaks: []dayPeak{days(0, 40*mebi, 0)}, count: 4, quotas: 2, want: 40},
		{what: "no quotas", peaks: []dayPeak{days(0, 40*mebi, 0)}, count: 4, quotas: QuotasOff, want: 80},
	} {
		if c.region == "" {
			c.region = "us-east-1"
		}
		h := history{c.peaks}
		got := wantedShards(&h, &settings{mode: modeOnDemand, warmMiBps: c.warm}, c.region, now, c.count, c.quotas.withDefaults())
		if got != c.want {
			t.Errorf("%s: %d shards become %d, want %d", c.what, c.count, got, c.want)
		}
	}
}

func TestHistoryIsKeptWhenItIsWorthIt(t *testing.T) {
	var h history
	var kept load
	now := int64(20_000) * dayMS
	for _, s := range []struct {
		minutes int64
		bytes   float64
		want    bool
	}{
		{0, 0, false},
		{1, 100, true},
		{2, 105, false},
		{3, 50, false},
		{4, 111, true},
		{5, 115, false},
		{1440, 0, false},
		{1441, 10, true},
		{1442, 10, false},
		{30 * 1440, 0, false},
	} {
		at := now + s.minutes*60_000
		if got := h.note(at, load{bytes: s.bytes}, kept); got != s.want {
			t.Errorf("minute %d with %v bytes/s: kept %v, want %v", s.minutes, s.bytes, got, s.want)
		} else if got {
			kept = h.today(at)
		}
	}
	if p := h.peak(now + 30*dayMS); p.bytes != 10 || len(h.peaks) != 1 {
		t.Errorf("after 30 days the peak is %v of %v, want the second day's 10", p, h.peaks)
	}
}

func TestHistoryIsReadAsItWasWritten(t *testing.T) {
	h := history{[]dayPeak{{19_000, load{1, 2}}, {19_001, load{3e9, 0}}, {20_000, load{0, 7}}}}
	got, err := decodeHistory(encodeHistory(&h))
	if err != nil || !slices.Equal(got.peaks, h.peaks) {
		t.Errorf("got %v, %v, want %v", got, err, h)
	}
	for _, v := range [][]byte{nil, {2}, {1, 0}, append([]byte{1}, make([]byte, 40)...), append([]byte{1}, make([]byte, 19)...)} {
		if got, err := decodeHistory(v); err == nil {
			t.Errorf("%x is read as %v", v, got)
		}
	}
}

func FuzzDecodeHistory(f *testing.F) {
	f.Add(encodeHistory(&history{[]dayPeak{{19_000, load{1, 2}}, {19_001, load{3e9, 0}}}}))
	f.Fuzz(func(t *testing.T, v []byte) {
		h, err := decodeHistory(v)
		if err != nil {
			return
		}
		again, err := decodeHistory(encodeHistory(&h))
		if err != nil || len(again.peaks) != len(h.peaks) {
			t.Errorf("%x: %v becomes %v, %v", v, h, again, err)
		}
	})
}

// even are n shards of one width that carry the same.
func even(n int, part float64) []shardLoad {
	shards := make([]shardLoad, n)
	for i := range shards {
		shards[i] = shardLoad{index: int32(i), width: 1 / float64(n), now: part, peak: part, known: true, rested: true}
	}
	return shards
}

func TestPlanScaling(t *testing.T) {
	with := func(shards []shardLoad, change func([]shardLoad)) []shardLoad {
		change(shards)
		return shards
	}
	for _, c := range []struct {
		what        string
		shards      []shardLoad
		want, limit int
		do          scaling
	}{
		{"nothing to do", even(4, .4), 4, 100, scaling{}},
		{"all are hot", even(4, .6), 5, 100, scaling{split: []int32{0, 1, 2, 3}}},
		{"one is hot", with(even(4, .1), func(s []shardLoad) { s[2].now = .7 }), 4, 100, scaling{split: []int32{2}}},
		{"a hot one that was just made", with(even(4, .1), func(s []shardLoad) { s[2].now, s[2].known = .7, false }), 4, 100, scaling{}},
		{"hot and too few", with(even(4, .1), func(s []shardLoad) { s[2].now = .7 }), 6, 100, scaling{split: []int32{0, 2}}},
		{"at the limit the hottest", with(even(4, .6), func(s []shardLoad) { s[3].now, s[1].now = .9, .8 }), 4, 6, scaling{split: []int32{1, 3}}},
		{"over the limit", even(8, .6), 8, 6, scaling{}},
		{"too few, the widest", with(even(4, .1), func(s []shardLoad) { s[1].width, s[3].width = .1, .4 }), 5, 100, scaling{split: []int32{3}}},
		{"at most double", even(4, .1), 64, 100, scaling{split: []int32{0, 1, 2, 3}}},
		{"hot but as narrow as may be", with(even(4, .1), func(s []shardLoad) { s[2].now, s[2].width = 1, 1./64 }), 4, 100, scaling{}},
		{"half as many", even(8, .1), 4, 100, scaling{join: []int32{0, 2, 4, 6}}},
		{"fewer, but carrying too much", even(8, .2), 4, 100, scaling{}},
		{"fewer, but not rested", with(even(4, 0), func(s []shardLoad) { s[1].rested, s[2].rested = false, false }), 2, 100, scaling{}},
		{"the narrowest first", with(even(4, 0), func(s []shardLoad) { s[1].width, s[2].width = .01, .01 }), 3, 100, scaling{join: []int32{1}}},
	} {
		if got := planScaling(c.shards, c.want, c.limit); fmt.Sprint(got) != fmt.Sprint(c.do) {
			t.Errorf("%s: got %v, want %v", c.what, got, c.do)
		}
	}
}

// Halves and joins of random shards keep all hash keys, once, also in many small steps.
func TestHalvesAndJoinsKeepAllHashKeys(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	shards := newShards(5, 0)
	st := &stream{shards: shards}
	for i := range st.shards {
		st.shards[i].partition = 1
	}
	for round := range 60 {
		leaves := st.leaves()
		r := &reshard{kind: reshardHalve}
		if len(leaves) > 12 {
			r.kind = reshardJoin
		}
		for i := 0; i < len(leaves)-1; i++ {
			if rng.IntN(2) == 0 {
				r.shards = append(r.shards, leaves[i].index)
				i++
			}
		}
		slices.Sort(r.shards)
		again, err := decodeReshard(encodeReshard(r))
		if err != nil || !slices.Equal(again.shards, r.shards) || again.kind != r.kind {
			t.Fatalf("round %d: %+v is read as %+v, %v", round, r, again, err)
		}
		want := len(leaves) + len(r.shards)
		if r.kind == reshardJoin {
			want = len(leaves) - len(r.shards)
		}
		for done := false; !done; {
			leaves = st.leaves()
			next := plan(leaves, r.wanted(leaves), int32(len(st.shards)), 2+rng.IntN(3), int64(round))
			done = next.done
			for _, sh := range next.made {
				sh.partition = 1
				st.shards = append(st.shards, *sh)
			}
		}
		leaves = st.leaves()
		if len(leaves) != want {
			t.Fatalf("round %d, %+v: %d open shards, want %d", round, r, len(leaves), want)
		}
		for i, l := range leaves {
			if i == 0 && l.start != (hashKey{}) || i > 0 && leaves[i-1].end.plus1() != l.start || i == len(leaves)-1 && l.end != maxHashKey {
				t.Fatalf("round %d, %+v: shard %d has %v to %v", round, r, i, l.start, l.end)
			}
		}
	}
}

func TestMiddleCutsAShardInHalves(t *testing.T) {
	for _, c := range []struct{ start, end, want hashKey }{
		{hashKey{}, maxHashKey, hashKey{1 << 63, 0}},
		{hashKey{0, 4}, hashKey{0, 7}, hashKey{0, 6}},
		{hashKey{0, 4}, hashKey{0, 5}, hashKey{0, 5}},
		{hashKey{1, 1<<64 - 2}, hashKey{2, 1}, hashKey{2, 0}},
		{hashKey{1 << 63, 0}, maxHashKey, hashKey{3 << 62, 0}},
	} {
		s := shard{start: c.start, end: c.end}
		if got := s.middle(); got != c.want {
			t.Errorf("middle of %v to %v: got %v, want %v", c.start, c.end, got, c.want)
		}
	}
	s := shard{end: maxHashKey}
	if s.width() != 1 {
		t.Errorf("all hash keys are %v wide, want 1", s.width())
	}
}

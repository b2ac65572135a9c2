package kinesis

import (
	"math"
	"math/big"
	"slices"
	"testing"
)

func TestHashRangesAreAWSs(t *testing.T) {
	// Of three shards recorded from AWS by kinesalite; of one it is all.
	for n, want := range map[int][][2]string{
		1: {{"0", "340282366920938463463374607431768211455"}},
		3: {
			{"0", "113427455640312821154458202477256070484"},
			{"113427455640312821154458202477256070485", "226854911280625642308916404954512140969"},
			{"226854911280625642308916404954512140970", "340282366920938463463374607431768211455"},
		},
	} {
		for i, w := range want {
			start, end := evenRange(i, n)
			if start.String() != w[0] || end.String() != w[1] {
				t.Errorf("shard %d of %d: got [%s, %s], want %v", i, n, start, end, w)
			}
		}
	}
}

func TestHashRangesCoverAllWithoutGaps(t *testing.T) {
	for _, n := range []int{1, 2, 3, 4, 5, 7, 64, 100, 1000, 4096, 9999, 10000} {
		next := new(big.Int)
		for i := range n {
			start, end := evenRange(i, n)
			s, _ := new(big.Int).SetString(start.String(), 10)
			e, _ := new(big.Int).SetString(end.String(), 10)
			if s.Cmp(next) != 0 || e.Cmp(s) < 0 {
				t.Fatalf("shard %d of %d: [%s, %s] after %s", i, n, start, end, next)
			}
			next = e.Add(e, big.NewInt(1))
		}
		if next.Cmp(new(big.Int).Lsh(big.NewInt(1), 128)) != 0 {
			t.Errorf("%d shards end before %s", n, next)
		}
	}
}

func TestEveryHashKeyFindsItsShard(t *testing.T) {
	for _, n := range []int{1, 2, 3, 10, 1000} {
		shards := newShards(n, 0)
		r := newRoutes(shards)
		for i := range shards {
			for _, h := range []hashKey{shards[i].start, shards[i].end} {
				if got := r.find(h); got < 0 || r.open[got].index != int32(i) {
					t.Errorf("%d shards, hash %s: found place %d, want shard %d", n, h, got, i)
				}
			}
		}
		shards[n/2].closed = true
		r = newRoutes(shards)
		if got := r.find(shards[n/2].start); got != -1 {
			t.Errorf("%d shards, a hash of the closed one: found place %d", n, got)
		}
	}
}

func TestHashKeysOf128BitsAreRead(t *testing.T) {
	for in, ok := range map[string]bool{
		"0": true, "340282366920938463463374607431768211455": true,
		"340282366920938463463374607431768211456": false, "999999999999999999999999999999999999999": false, "-1": false,
	} {
		if got, gotOK := parseHashKey(in); gotOK != ok || ok && got.String() != in {
			t.Errorf("%s: got %s, %v", in, got, gotOK)
		}
	}
}

func TestShardIDsAreThoseOfEachShard(t *testing.T) {
	ids := shardIDs(1234)
	for i, id := range ids {
		if want := shardID(int32(i)); id != want {
			t.Fatalf("shard %d: got %s, want %s", i, id, want)
		}
	}
	if n := len(shardID(math.MaxInt32)); n != shardIDSize {
		t.Errorf("the longest id: got %d bytes, want %d", n, shardIDSize)
	}
}

// TestRoutesKnowWhetherRangesAreWhole takes one shard after the other out: what it took has none then.
func TestRoutesKnowWhetherRangesAreWhole(t *testing.T) {
	for _, n := range []int{1, 2, 7, 100} {
		all := newShards(n, 0)
		if r := newRoutes(all); !r.whole || r.single != (n == 1) {
			t.Errorf("all of %d shards: got whole %t, single %t", n, r.whole, r.single)
		}
		for i := range all {
			left := append(slices.Clone(all[:i]), all[i+1:]...)
			r := newRoutes(left)
			if r.whole || r.single {
				t.Errorf("%d shards without the one at %d: got whole %t, single %t", n, i, r.whole, r.single)
			}
			if at := r.find(all[i].start); at != -1 {
				t.Errorf("%d shards without the one at %d: its first key goes to %d", n, i, at)
			}
		}
	}
}

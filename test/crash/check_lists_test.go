package crash

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

type (
	seen  = map[string][]int
	added = map[string]int
)

// Each history holds one anomaly, or none; the transactions overlap unless moments are given.
func TestListCheckFindsWhatIsPlanted(t *testing.T) {
	for name, c := range map[string]struct {
		txns  []Txn
		final seen
		want  string // "": nothing is wrong
	}{
		"serial": {[]Txn{
			{1, 2, Done, nil, added{"a": 1, "b": 2}},
			{3, 4, Done, seen{"a": {1}}, added{"b": 3}},
			{5, 6, Done, seen{"a": {1}, "b": {2, 3}}, nil},
		}, seen{"a": {1}, "b": {2, 3}}, ""},
		"an unanswered transaction that happened": {[]Txn{
			{1, 0, Unknown, nil, added{"a": 1, "b": 2}},
			{2, 3, Done, seen{"a": {1}}, nil},
		}, seen{"a": {1}, "b": {2}}, ""},
		"an unanswered transaction that did not happen": {[]Txn{{1, 0, Unknown, nil, added{"a": 1}}, {2, 3, Done, seen{"a": nil}, nil}}, seen{}, ""},
		"lost acknowledgement":                          {[]Txn{{1, 9, Done, nil, added{"a": 1}}}, seen{}, "is lost"},
		"twice":                                         {[]Txn{{1, 9, Done, nil, added{"a": 1}}}, seen{"a": {1, 1}}, "is there twice"},
		"garbage":                                       {nil, seen{"a": {1}}, "nobody appended"},
		"half a transaction":                            {[]Txn{{1, 0, Unknown, nil, added{"a": 1, "b": 2}}}, seen{"a": {1}}, "there in part"},
		"refused but there":                             {[]Txn{{1, 9, Refused, nil, added{"a": 1}}}, seen{"a": {1}}, "was refused"},
		"aborted read": {[]Txn{
			{1, 9, Refused, nil, added{"a": 1}},
			{1, 9, Done, seen{"a": {1}}, nil},
		}, seen{}, "no beginning"},
		"dirty read: one list of a transaction seen, the other not": {[]Txn{
			{1, 9, Done, nil, added{"a": 1, "b": 2}},
			{1, 9, Done, seen{"a": {1}, "b": nil}, nil},
		}, seen{"a": {1}, "b": {2}}, "-wr a-> T1 -rw b-> T0"},
		"lost update: both appended after the same list": {[]Txn{
			{1, 9, Done, seen{"a": nil}, added{"a": 1}},
			{1, 9, Done, seen{"a": nil}, added{"a": 2}},
		}, seen{"a": {1, 2}}, "cycle"},
		"write skew: each read what the other wrote": {[]Txn{
			{1, 9, Done, seen{"a": nil, "b": nil}, added{"a": 1}},
			{1, 9, Done, seen{"a": nil, "b": nil}, added{"b": 2}},
		}, seen{"a": {1}, "b": {2}}, "T0 -rw b-> T1 -rw a-> T0"},
		"long fork: two readers see two writes in different orders": {[]Txn{
			{1, 9, Done, nil, added{"a": 1}},
			{1, 9, Done, nil, added{"b": 2}},
			{1, 9, Done, seen{"a": {1}, "b": nil}, nil},
			{1, 9, Done, seen{"a": nil, "b": {2}}, nil},
		}, seen{"a": {1}, "b": {2}}, "cycle of 4"},
		"stale read: after the append had ended": {[]Txn{
			{1, 2, Done, nil, added{"a": 1}},
			{3, 4, Done, seen{"a": nil}, nil},
		}, seen{"a": {1}}, "T0 -time-> · -time-> T1 -rw a-> T0"},
	} {
		t.Run(name, func(t *testing.T) {
			got := strings.Join(CheckLists(slices.Clone(c.txns), c.final), "; ")
			if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// TestListCheckTakesSerialHistoriesAndFindsOneSwap plays transactions one after the other, with answers that come late, and then changes
// one read.
func TestListCheckTakesSerialHistoriesAndFindsOneSwap(t *testing.T) {
	for seed := range uint64(50) {
		rnd := rand.New(rand.NewPCG(seed, seed))
		txns, final := serial(rnd, 300)
		if got := CheckLists(slices.Clone(txns), final); len(got) > 0 {
			t.Fatalf("seed %d: a serial history: %v", seed, got)
		}
		for {
			i := rnd.IntN(len(txns))
			read := txns[i].Reads["a"]
			if len(read) < 30 { // so old that no overlap excuses it
				continue
			}
			txns[i].Reads["a"] = read[:len(read)-30]
			break
		}
		if got := CheckLists(txns, final); len(got) == 0 {
			t.Fatalf("seed %d: a stale read was not found", seed)
		}
	}
}

func serial(rnd *rand.Rand, n int) (txns []Txn, final seen) {
	final = seen{}
	for i := range n {
		txn := Txn{Call: int64(10*i - rnd.IntN(50)), Return: int64(10*i + 1 + rnd.IntN(50)), Outcome: Done, Reads: seen{}, Appends: added{}}
		for k, key := range []string{"a", "b", "c"} {
			if rnd.IntN(2) == 0 {
				txn.Reads[key] = slices.Clone(final[key])
			}
			if rnd.IntN(2) == 0 {
				txn.Appends[key] = 10*i + k
				final[key] = append(final[key], 10*i+k)
			}
		}
		txns = append(txns, txn)
	}
	return txns, final
}

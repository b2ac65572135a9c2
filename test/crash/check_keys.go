package crash

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
)

// CheckKeys checks the order of a partition key across splits and merges: a record stands before another
// one of its key when it was acknowledged before the other was sent. order has the shards that were read at
// the end so that parents come before their children.
func CheckKeys(h *History, order []Shard) []string {
	place := map[Shard]int{}
	for i, s := range order {
		place[s] = i
	}
	runs := slices.Clone(h.Final)
	slices.SortStableFunc(runs, func(a, b Run) int { return cmp.Compare(place[a.Shard], place[b.Shard]) })
	sent, acked := map[string]Sent{}, map[string]int64{}
	for _, s := range h.Sends {
		sent[s.ID] = s
	}
	for _, a := range h.Acks {
		acked[a.ID] = a.At
	}
	keys := map[Shard][]string{} // a stream and a key: records in the order of reading
	for _, r := range runs {
		for _, f := range r.Records {
			id, _, _ := strings.Cut(f.Data, " ")
			at := Shard{r.Shard.Stream, f.Key}
			keys[at] = append(keys[at], id)
		}
	}
	var problems []string
	for at, ids := range keys {
		earliest, first := int64(math.MaxInt64), "" // the first answer among the records behind
		for _, id := range slices.Backward(ids) {
			if earliest < sent[id].At && len(problems) < problemsMax {
				problems = append(problems, fmt.Sprintf("key %s of %s: record %s stands before %s, which was acknowledged before it was sent",
					at.ID, at.Stream, id, first))
			}
			if when, ok := acked[id]; ok && when < earliest {
				earliest, first = when, id
			}
		}
	}
	return problems
}

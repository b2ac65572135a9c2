package crash

import (
	"fmt"
	"slices"
)

// CheckConsumed compares what a consumer got, in the order of getting it, with what is there in the end:
//
//   - every record was consumed once, in its shard, with its key and bytes, and nothing else was;
//   - the records of a shard came in the order of the shard;
//   - a child's first record came after the last one of its parents (parents has them by shard);
//   - records of a key came in the order in which they were put: see CheckKeys.
func CheckConsumed(h *History, parents map[string][]string, stream string, seen []Consumed) []string {
	var problems []string
	problem := func(format string, args ...any) {
		if len(problems) < problemsMax {
			problems = append(problems, fmt.Sprintf(format, args...))
		}
	}
	by := map[string][]Found{}
	first, last := map[string]int{}, map[string]int{}
	all := Run{Shard: Shard{Stream: stream}}
	for i, c := range seen {
		if _, begun := first[c.Shard]; !begun {
			first[c.Shard] = i
		}
		last[c.Shard] = i
		by[c.Shard] = append(by[c.Shard], c.Found)
		all.Records = append(all.Records, c.Found)
	}
	for _, r := range h.Final {
		if r.Shard.Stream != stream {
			continue
		}
		if at, same := differ(by[r.Shard.ID], r.Records); !same {
			problem("%s: %d records were consumed of %d, the first difference is at %d", r.Shard.ID, len(by[r.Shard.ID]), len(r.Records), at)
		}
		delete(by, r.Shard.ID)
	}
	for id, records := range by {
		problem("%s: %d records were consumed of a shard that is not there", id, len(records))
	}
	for child, of := range parents {
		for _, p := range of {
			begun, ok := first[child]
			if end, had := last[p]; ok && had && begun < end {
				problem("%s: its first record was consumed before the last one of its parent %s", child, p)
			}
		}
	}
	return append(problems, CheckKeys(&History{Sends: h.Sends, Acks: h.Acks, Final: []Run{all}}, []Shard{all.Shard})...)
}

// differ tells where two lists differ first.
func differ(a, b []Found) (at int, same bool) {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i, false
		}
	}
	return min(len(a), len(b)), slices.Equal(a, b)
}

package crash

import (
	"slices"
	"strings"
	"testing"
)

// consumed is a split of shard 0 into 1 and 2 with a record of one key on both sides.
func consumed() (*History, map[string][]string, []Consumed) {
	record := func(id, sequence string) Found { return Found{Sequence: sequence, Key: "k", Data: id + " x"} }
	h := &History{
		Sends: []Sent{{ID: "a", At: 1}, {ID: "b", At: 3}, {ID: "c", At: 5}},
		Acks:  []Ack{{ID: "a", At: 2}, {ID: "b", At: 4}, {ID: "c", At: 6}},
		Final: []Run{
			{Shard: Shard{"s", "0"}, Records: []Found{record("a", "1"), record("b", "2")}},
			{Shard: Shard{"s", "1"}, Records: []Found{record("c", "3")}},
			{Shard: Shard{"s", "2"}},
		},
	}
	seen := []Consumed{{"0", record("a", "1")}, {"0", record("b", "2")}, {"1", record("c", "3")}}
	return h, map[string][]string{"0": {"", ""}, "1": {"0", ""}, "2": {"0", ""}}, seen
}

func TestCheckConsumedFindsWhatIsWrong(t *testing.T) {
	for _, c := range []struct {
		name, want string
		change     func([]Consumed) []Consumed
	}{
		{"nothing", "", func(s []Consumed) []Consumed { return s }},
		{"lost", "1 records were consumed of 2", func(s []Consumed) []Consumed { return slices.Delete(s, 1, 2) }},
		{"a shard lost", "1: 0 records were consumed of 1", func(s []Consumed) []Consumed { return s[:2] }},
		{"repeated", "3 records were consumed of 2", func(s []Consumed) []Consumed { return slices.Insert(s, 1, s[0]) }},
		{"other bytes", "first difference is at 1", func(s []Consumed) []Consumed { s[1].Data = "b y"; return s }},
		{"swapped", "first difference is at 0", func(s []Consumed) []Consumed { s[0], s[1] = s[1], s[0]; return s }},
		{"child first", "before the last one of its parent 0", func(s []Consumed) []Consumed { return []Consumed{s[0], s[2], s[1]} }},
		{"child first, by key", "record c stands before b", func(s []Consumed) []Consumed { return []Consumed{s[0], s[2], s[1]} }},
		{"unknown shard", "of a shard that is not there", func(s []Consumed) []Consumed { return append(s, Consumed{"9", s[0].Found}) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, parents, seen := consumed()
			got := strings.Join(CheckConsumed(h, parents, "s", c.change(seen)), "\n")
			if c.want == "" && got != "" || !strings.Contains(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

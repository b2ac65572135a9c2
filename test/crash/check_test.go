package crash

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// goodHistory is a shard with four acknowledged records and one unanswered that was kept, another that
// was not, and a reader who saw the first three, then went on.
func goodHistory() *History {
	h := &History{}
	shard := Shard{"s", "shard-0"}
	var final []Found
	for i := range 6 {
		s := Sent{ID: fmt.Sprint("id", i), Stream: "s", Key: "k", Data: fmt.Sprintf("id%d data", i), At: h.Now()}
		h.Send(s)
		if i < 5 {
			final = append(final, Found{Sequence: fmt.Sprint(100 + i), Key: "k", Data: s.Data})
		}
		if i < 4 {
			h.Ack(Ack{ID: s.ID, Position: Position{shard, fmt.Sprint(100 + i)}, At: h.Now()})
		}
	}
	h.Runs = []Run{
		{Shard: shard, Records: slices.Clone(final[:3])},
		{Shard: shard, From: "102", Records: slices.Clone(final[3:4])},
	}
	h.Final = []Run{{Shard: shard, Records: final}}
	return h
}

func TestCheckAcceptsWhatMayHappen(t *testing.T) {
	v := Check(goodHistory())
	if len(v.Problems) != 0 || v.Acknowledged != 4 || v.Unanswered != 2 || v.Kept != 1 {
		t.Errorf("got %+v, want 4 acknowledged, 2 unanswered, 1 kept and no problem", v)
	}
}

// Each tampering is a way to lose, repeat, move or invent a record; the checker has to see it.
func TestCheckSeesEveryTampering(t *testing.T) {
	for name, test := range map[string]struct {
		tamper func(*History)
		want   string
	}{
		"an acknowledged record is lost": {
			func(h *History) { h.Final[0].Records = slices.Delete(h.Final[0].Records, 1, 2) }, "is lost",
		},
		"the last acknowledged record is lost": {
			func(h *History) { h.Final[0].Records = h.Final[0].Records[:3] }, "is lost",
		},
		"a whole shard is lost": {
			func(h *History) { h.Final = nil }, "is lost",
		},
		"a record is there twice": {
			func(h *History) {
				again := h.Final[0].Records[0]
				again.Sequence = "200"
				h.Final[0].Records = append(h.Final[0].Records, again)
			}, "is at",
		},
		"a record is in another shard too": {
			func(h *History) {
				h.Final = append(h.Final, Run{Shard: Shard{"s", "shard-1"}, Records: h.Final[0].Records[:1]})
			}, "is at",
		},
		"a record moved": {
			func(h *History) { h.Final[0].Records[4].Sequence, h.Final[0].Records[3].Sequence = "105", "104" },
			"acknowledged at {{s shard-0} 103}, is at {{s shard-0} 104}",
		},
		"two sequence numbers are equal": {
			func(h *History) { h.Final[0].Records[1].Sequence = "100" }, "after 100",
		},
		"records are out of order": {
			func(h *History) { r := h.Final[0].Records; r[1], r[2] = r[2], r[1] }, "sequence number 101 after 102",
		},
		"a byte changed": {
			func(h *History) { h.Final[0].Records[2].Data = "id2 Data" }, "never sent",
		},
		"the key changed": {
			func(h *History) { h.Final[0].Records[2].Key = "j" }, "never sent",
		},
		"the stream changed": {
			func(h *History) { h.Final[0].Shard.Stream = "t" }, "never sent",
		},
		"a record is invented": {
			func(h *History) {
				h.Final[0].Records = append(h.Final[0].Records, Found{Sequence: "300", Key: "k", Data: "id9 data"})
			}, "never sent",
		},
		"a reader saw what is gone": {
			func(h *History) {
				h.Runs[1].Records = append(h.Runs[1].Records, Found{Sequence: "104", Key: "k", Data: "id5 data"})
			}, "where 104",
		},
		"a reader saw past the end": {
			func(h *History) {
				h.Runs[1].Records = append(h.Runs[1].Records, h.Final[0].Records[4], Found{Sequence: "105"})
			},
			"not there any more",
		},
		"a reader missed one": {
			func(h *History) { h.Runs[0].Records = slices.Delete(h.Runs[0].Records, 1, 2) }, "a reader saw 102",
		},
		"a reader went on from what is gone": {
			func(h *History) { h.Runs[1].From = "999" }, "went on after 999",
		},
		"real time is turned around": {
			func(h *History) {
				r := h.Final[0].Records
				r[0].Sequence, r[1].Sequence = "101", "100"
				r[0], r[1] = r[1], r[0]
				h.Acks[0].Position.Sequence, h.Acks[1].Position.Sequence = "101", "100"
				h.Runs = nil
			}, "acknowledged before it was sent",
		},
		"one record was answered twice": {
			func(h *History) { h.Acks = append(h.Acks, h.Acks[0]) }, "and at",
		},
		"an answer came for nothing": {
			func(h *History) { h.Acks[0].ID = "id77" }, "never sent",
		},
		"a sequence number is no number": {
			func(h *History) { h.Final[0].Records[4].Sequence = "x" }, "no sequence number",
		},
		"a shard was read twice": {
			func(h *History) { h.Final = append(h.Final, Run{Shard: h.Final[0].Shard}) }, "read twice",
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := goodHistory()
			test.tamper(h)
			v := Check(h)
			if !strings.Contains(strings.Join(v.Problems, "\n"), test.want) {
				t.Errorf("got problems %q, want one with %q", v.Problems, test.want)
			}
		})
	}
}

package crash

import (
	"slices"
	"strings"
	"testing"
)

// splitHistory is a shard with two records of a key and its child with two more.
func splitHistory() (*History, []Shard) {
	h := goodHistory()
	child := Shard{"s", "shard-1"}
	records := h.Final[0].Records
	for i := range h.Acks {
		if i >= 2 {
			h.Acks[i].Position.Shard = child
		}
	}
	h.Runs = nil
	h.Final = []Run{{Shard: child, Records: slices.Clone(records[2:])}, {Shard: h.Final[0].Shard, Records: slices.Clone(records[:2])}}
	return h, []Shard{h.Final[1].Shard, child}
}

func TestCheckKeysAcceptsChildrenBehindTheirParents(t *testing.T) {
	h, order := splitHistory()
	if got := append(Check(h).Problems, CheckKeys(h, order)...); len(got) != 0 {
		t.Errorf("got %v, want no problem", got)
	}
}

func TestCheckKeysSeesARecordThatStandsTooEarly(t *testing.T) {
	h, order := splitHistory()
	h.Final[0].Records[0], h.Final[1].Records[1] = h.Final[1].Records[1], h.Final[0].Records[0]
	got := CheckKeys(h, order)
	if len(got) != 1 || !strings.Contains(got[0], "record id2 stands before id1") {
		t.Errorf("got %v, want that id2 stands before id1", got)
	}
}

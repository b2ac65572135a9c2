package journal

import (
	"fmt"
	"testing"

	"millrace/internal/core/store"
)

// TestChangesOfCompactionAreGolden: kinds 7 and 8 of partition changes, as docs/format/journal.md draws them.
func TestChangesOfCompactionAreGolden(t *testing.T) {
	for want, c := range map[string]store.PartitionChange{
		"07" + "0500000000000000" + "01" + "0100000000000000" + "0200000000000000" + "0300000000000000" + "20a10700" + "0400000000000000" + "0600000000000000": {
			Kind: store.PartitionCompaction, Partition: 5,
			Compaction: store.Compaction{Enabled: true, DeleteMillis: 1, MinLagMillis: 2, MaxLagMillis: 3, DirtyMin: 500_000, RollMillis: 4, RollBytes: 6},
		},
		"08" + "0500000000000000" + "0201000000000000": {Kind: store.PartitionForget, Partition: 5, To: 258},
	} {
		b := make([]byte, partSize(&c))
		if rest := putPart(b, &c); len(rest) != 0 || fmt.Sprintf("%x", b) != want {
			t.Errorf("%+v: got %x, %d bytes left; want %s", c, b, len(rest), want)
		}
		d := decoder{b: b}
		if got := d.part(); d.bad || len(d.b) != 0 || got != c {
			t.Errorf("%x: got %+v, bad: %v", b, got, d.bad)
		}
	}
}

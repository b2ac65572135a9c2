package embedded

import (
	"testing"

	"millrace/internal/core/store"
)

func TestWatchersOfAppendsAreCounted(t *testing.T) {
	var w watchers
	nothing := func(store.Event) {}
	w.add([]store.PartitionID{1, 2}, nothing)
	cancel := w.add([]store.PartitionID{2}, nothing)
	appends := []store.Append{{Partition: 1}, {Partition: 2}, {Partition: 3}}
	if got := w.heard(appends); got != 3 {
		t.Errorf("appends to 1, 2 and 3 are heard by %d, want 3", got)
	}
	cancel()
	if got := w.heard(appends[1:]); got != 1 {
		t.Errorf("after a cancel appends to 2 and 3 are heard by %d, want 1", got)
	}
}

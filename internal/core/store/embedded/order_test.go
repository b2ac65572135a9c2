package embedded

import (
	"math/rand/v2"
	"testing"

	"millrace/internal/core/store"
)

func TestBatchesOfAGroupAreSortedByPartition(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	var room groupRoom
	for _, n := range []int{0, 1, sortFrom - 1, sortFrom, 1000} {
		for _, most := range []uint64{1, 5, 4000, 1 << 40} {
			appends := make([]store.Append, n, n+random.IntN(50))
			next := map[store.PartitionID]store.Offset{}
			for i := range appends {
				id := store.PartitionID(1 + random.Uint64N(most))
				appends[i] = store.Append{Partition: id, Base: next[id]}
				next[id]++
			}
			sorted := room.sortAppends(appends)
			if len(sorted) != n || cap(sorted) != cap(appends) {
				t.Fatalf("%d batches of %d partitions: got %d, capacity %d, want capacity %d", n, most, len(sorted), cap(sorted), cap(appends))
			}
			seen := map[store.PartitionID]store.Offset{}
			for i := range sorted {
				a := &sorted[i]
				if a.Base != seen[a.Partition] {
					t.Fatalf("%d batches of %d partitions: batch %d of partition %d comes after %d others of it", n, most, a.Base, a.Partition, seen[a.Partition])
				}
				seen[a.Partition]++
				if n >= sortFrom && i > 0 && sorted[i-1].Partition > a.Partition {
					t.Fatalf("%d batches of %d partitions: partition %d stands before %d", n, most, sorted[i-1].Partition, a.Partition)
				}
			}
		}
	}
}

func TestBatchesOfPartitionsFarApartStayWhereTheyAre(t *testing.T) {
	appends := make([]store.Append, sortFrom)
	for i := range appends {
		appends[i] = store.Append{Partition: store.PartitionID(1 + uint64(i%2)<<63), Base: store.Offset(i)}
	}
	var room groupRoom
	for i, a := range room.sortAppends(appends) {
		if a.Base != store.Offset(i) {
			t.Fatalf("batch %d: got the one that was at %d", i, a.Base)
		}
	}
}

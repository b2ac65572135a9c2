package store

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestTableIsLikeAMap(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, most := range []uint64{3, 2000, 1 << 20, 2 * lowPages * tablePageSize, 1<<64 - 1} {
		var table Table[int]
		want := map[PartitionID]*int{}
		var ids []PartitionID
		for range 3000 {
			id := PartitionID(random.Uint64N(most))
			if len(ids) > 0 && random.IntN(2) == 0 {
				id = ids[random.IntN(len(ids))]
			}
			ids = append(ids, id)
			if random.IntN(3) == 0 {
				table.Delete(id)
				delete(want, id)
			} else {
				v := random.Int()
				table.Set(id, &v)
				want[id] = &v
			}
			if table.Get(id) != want[id] || table.Len() != len(want) {
				t.Fatalf("partition %d of up to %d: got %v, %d in all, want %v, %d in all", id, most, table.Get(id), table.Len(), want[id], len(want))
			}
		}
		sorted := slices.Sorted(maps.Keys(want))
		var got []PartitionID
		for id, v := range table.All() {
			if v != want[id] {
				t.Fatalf("partition %d of up to %d: got %v, want %v", id, most, v, want[id])
			}
			got = append(got, id)
		}
		if !slices.Equal(got, sorted) {
			t.Fatalf("ids of up to %d: got %v, want %v", most, got, sorted)
		}
		middle := sorted[len(sorted)/2]
		got = got[:0]
		for id := range table.From(middle) {
			got = append(got, id)
			table.Delete(id)
		}
		if want := sorted[len(sorted)/2:]; !slices.Equal(got, want) {
			t.Fatalf("ids from %d on: got %v, want %v", middle, got, want)
		}
		if table.Len() != len(sorted)/2 {
			t.Fatalf("after deleting those from %d on: got %d, want %d", middle, table.Len(), len(sorted)/2)
		}
	}
}

// TestWhatIsDeletedMeanwhileIsNotToldOf deletes the next one, of the same page, of the next and far away.
func TestWhatIsDeletedMeanwhileIsNotToldOf(t *testing.T) {
	for _, ids := range [][]PartitionID{{1, 2}, {1, tablePageSize}, {1, lowPages * tablePageSize}} {
		var table Table[int]
		for _, id := range ids {
			table.Set(id, new(int))
		}
		for id := range table.All() {
			if id != ids[0] {
				t.Errorf("partition %d was deleted before its turn, and told of", id)
			}
			table.Delete(ids[1])
		}
	}
}

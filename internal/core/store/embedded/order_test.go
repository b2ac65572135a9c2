package embedded

import (
	"context"
	"math/rand/v2"
	"testing"

	"millrace/internal/core/batch"
	"millrace/internal/core/fault"
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

// TestGroupsOfManyPartitionsAreReadBackAsTheyWereAnswered appends batches of an idempotent producer and loose records to
// partitions in no order, all in one group, and looks at them in the journal, after a start and in segments.
func TestGroupsOfManyPartitionsAreReadBackAsTheyWereAnswered(t *testing.T) {
	const producer = 7
	r := openRig(t, small(fault.NewTorn()))
	var ids []store.PartitionID
	for range 12 {
		ids = append(ids, r.create(store.Retention{}))
	}
	r.update(func(tx store.Tx) error { return tx.InitProducer(producer, 0) })
	random := rand.New(rand.NewPCG(5, 6))
	next, sequence := map[store.PartitionID]store.Offset{}, map[store.PartitionID]int32{}
	last := map[store.PartitionID]int{} // the producer's
	reqs := make([]store.AppendRequest, 4*sortFrom)
	want := make([]store.Offset, len(reqs))
	for i := range reqs {
		id := ids[random.IntN(len(ids))]
		want[i] = next[id]
		next[id]++
		v := numbered(id, want[i], 20)
		if random.IntN(3) == 0 {
			reqs[i] = store.AppendRequest{Partition: id, Records: []store.Record{{Value: v}}}
			continue
		}
		var b batch.Builder
		b.Start(nil, 1)
		b.Add(&batch.Record{Timestamp: 1, Value: v})
		f := batch.Fields{FirstTimestamp: 1, MaxTimestamp: 1, ProducerID: producer, BaseSequence: sequence[id]}
		reqs[i] = store.AppendRequest{Partition: id, Batch: b.Finish(f)}
		sequence[id]++
		last[id] = i
	}
	send := func(reqs []store.AppendRequest) []store.AppendResult {
		res, err := r.Append(context.Background(), reqs)
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	for i, res := range send(reqs) {
		if res.Err != nil || res.Base != want[i] {
			t.Fatalf("request %d to partition %d: got offset %d, %v, want %d", i, reqs[i].Partition, res.Base, res.Err, want[i])
		}
	}
	for _, when := range []string{"in the journal", "after a start", "in segments"} {
		switch when {
		case "after a start":
			r.stop()
			r = openRig(t, r.opts)
		case "in segments":
			r.roll()
		}
		if err := r.readAll(ids); err != nil {
			t.Errorf("%s: %v", when, err)
		}
		for id, i := range last {
			if res := send(reqs[i : i+1])[0]; res.Err != nil || !res.Repeat || res.Base != want[i] {
				t.Errorf("%s, the last batch of partition %d again: got %+v, want offset %d", when, id, res, want[i])
			}
		}
	}
	r.checked(ids)
}

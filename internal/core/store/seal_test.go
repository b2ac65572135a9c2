package store

import (
	"bytes"
	"testing"

	"millrace/internal/core/batch"
)

func TestSealedBatchesCarryWhatWasDecided(t *testing.T) {
	finished := sealedBatch(7, 2, 5, true, 3)
	for _, c := range []struct {
		name string
		a    Append
		want batch.Header
	}{
		{
			"finished",
			Append{Base: 40, Count: 3, LeaderEpoch: 4, AppendTime: 9, Batch: finished},
			batch.Header{BaseOffset: 40, LeaderEpoch: 4, LastOffsetDelta: 2, MaxTimestamp: 1, ProducerID: 7, ProducerEpoch: 2, BaseSequence: 5, Attributes: attrTransactional},
		},
		{
			"finished, with append time",
			Append{Base: 40, Count: 3, AppendTime: 9, Batch: finished, LogAppendTime: true},
			batch.Header{BaseOffset: 40, LastOffsetDelta: 2, MaxTimestamp: 9, ProducerID: 7, ProducerEpoch: 2, BaseSequence: 5, Attributes: attrTransactional | 1<<3},
		},
		{
			"loose",
			Append{Base: 50, Count: 2, LeaderEpoch: 4, AppendTime: 9, MaxTimestamp: 9, Attributes: 1 << 3, Loose: [][]Record{{{Key: []byte("k")}}, {{Value: []byte("v")}}}},
			batch.Header{BaseOffset: 50, LeaderEpoch: 4, LastOffsetDelta: 1, MaxTimestamp: 9, ProducerID: -1, ProducerEpoch: -1, BaseSequence: -1, Attributes: 1 << 3},
		},
		{
			"marker",
			Append{Base: 60, Count: 1, LeaderEpoch: 4, AppendTime: 9, MaxTimestamp: 9, Marker: MarkerAbort, Producer: 7, ProducerEpoch: 2},
			batch.Header{BaseOffset: 60, LeaderEpoch: 4, MaxTimestamp: 9, ProducerID: 7, ProducerEpoch: 2, BaseSequence: -1, Attributes: attrTransactional | attrControl},
		},
	} {
		before := bytes.Clone(c.a.Batch)
		b := c.a.AppendSealed([]byte("before"))
		if !bytes.HasPrefix(b, []byte("before")) || !bytes.Equal(before, c.a.Batch) {
			t.Errorf("%s: changed what was there", c.name)
		}
		got, err := batch.Verify(b[len("before"):])
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		got.Length, got.CRC, got.Count, got.FirstTimestamp = 0, 0, 0, 0
		if got != c.want {
			t.Errorf("%s: got %+v, want %+v", c.name, got, c.want)
		}
	}
}

func TestMarkerSaysHowTheTransactionEnded(t *testing.T) {
	for marker, want := range map[Marker]batch.Marker{MarkerAbort: batch.MarkerAbort, MarkerCommit: batch.MarkerCommit} {
		a := Append{Count: 1, Marker: marker, Producer: 7}
		if got, err := batch.MarkerType(a.AppendSealed(nil)); err != nil || got != want {
			t.Errorf("marker %d: got %v, %v; want %v", marker, got, err, want)
		}
	}
}

func TestEventsTellEachPartitionOnce(t *testing.T) {
	s := stateWith(t, &Request{
		Parts:     []PartitionChange{{Kind: PartitionCreate, Partition: 1}, {Kind: PartitionCreate, Partition: 2}, {Kind: PartitionCreate, Partition: 3}},
		Producers: []ProducerChange{{Kind: ProducerInit, Producer: 7}},
	})
	g := s.Begin(100)
	for _, req := range []AppendRequest{looseRequest(2, 1), {Partition: 1, Batch: sealedBatch(7, 0, 0, true, 1)}, looseRequest(2, 1)} {
		if res := s.DecideAppend(&req, g); res.Err != nil {
			t.Fatal(res.Err)
		}
	}
	changes := &Request{Parts: []PartitionChange{
		{Kind: PartitionClose, Partition: 2},
		{Kind: PartitionTrim, Partition: 2, To: 1},
		{Kind: PartitionTrim, Partition: 1, To: 0},
		{Kind: PartitionEpoch, Partition: 1, Epoch: 1},
		{Kind: PartitionDelete, Partition: 3},
		{Kind: PartitionCreate, Partition: 4},
	}}
	if err := s.Decide(changes, g, nil); err != nil {
		t.Fatal(err)
	}
	for i := range g.Appends {
		g.Appends[i].Size = 10
	}
	want := []Event{
		{1, ChangedRecords | ChangedEpoch, 10},
		{2, ChangedRecords | ChangedStable | ChangedClosed | ChangedTrimmed, 10},
		{3, ChangedDeleted, 0},
	}
	got := s.Events(g)
	if len(got) != len(want) {
		t.Fatalf("got %+v, want %+v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("event %d: got %+v, want %+v", i, got[i], want[i])
		}
	}
}

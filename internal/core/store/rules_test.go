package store

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"testing"
)

// seen says of every key and range whether it has changed.
type seen struct{ keys, ranges bool }

func (s seen) KeyChangedSince([]byte, uint64) bool  { return s.keys }
func (s seen) RangeChangedSince(Range, uint64) bool { return s.ranges }

func stateWith(t *testing.T, req *Request) *State {
	t.Helper()
	s := NewState()
	if err := s.Decide(req, s.Begin(100), nil); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestRequestLosesToWhatChangedSinceItsSnapshot(t *testing.T) {
	s := stateWith(t, &Request{
		Parts:     []PartitionChange{{Kind: PartitionCreate, Partition: 1}},
		Producers: []ProducerChange{{Kind: ProducerInit, Producer: 1}},
	})
	key := []KeyChange{{[]byte{0x10}, nil}}
	for _, c := range []struct {
		name     string
		req      Request
		keys     Conflicts
		conflict bool
	}{
		{"key changed", Request{ReadKeys: [][]byte{{1}}}, seen{keys: true}, true},
		{"key unchanged", Request{ReadKeys: [][]byte{{1}}}, seen{ranges: true}, false},
		{"range changed", Request{ReadRanges: []Range{{}}}, seen{ranges: true}, true},
		{"range unchanged", Request{ReadRanges: []Range{{}}}, seen{keys: true}, false},
		{"head changed", Request{ReadHeads: []HeadRead{{1, FieldNext}}}, seen{}, true},
		{"head unchanged", Request{ReadHeads: []HeadRead{{1, FieldNext}}, Snapshot: 1}, seen{}, false},
		{"producer changed", Request{ReadProducers: []ProducerID{1}}, seen{}, true},
		{"producer unchanged", Request{ReadProducers: []ProducerID{1}, Snapshot: 1}, seen{}, false},
		{"missing partition", Request{ReadHeads: []HeadRead{{9, FieldNext}}}, seen{}, false},
		{"this very state", Request{ReadKeys: [][]byte{{1}}, ReadHeads: []HeadRead{{1, FieldNext}}}, nil, false},
	} {
		c.req.Keys = key
		err := s.Clone().Decide(&c.req, &Group{Seq: 2}, c.keys)
		if got := errors.Is(err, ErrConflict); got != c.conflict || !c.conflict && err != nil {
			t.Errorf("%s: got %v, conflict wanted: %v", c.name, err, c.conflict)
		}
	}
}

func TestWhatWasDeletedSinceTheSnapshotConflicts(t *testing.T) {
	s := stateWith(t, &Request{
		Parts:     []PartitionChange{{Kind: PartitionCreate, Partition: 1}},
		Producers: []ProducerChange{{Kind: ProducerInit, Producer: 1}},
	})
	del := &Request{Parts: []PartitionChange{{Kind: PartitionDelete, Partition: 1}}, Producers: []ProducerChange{{Kind: ProducerDelete, Producer: 1}}}
	if err := s.Decide(del, s.Begin(100), nil); err != nil {
		t.Fatal(err)
	}
	for snapshot, want := range map[uint64]bool{1: true, 2: false} {
		if got := s.HeadChangedSince(1, FieldOpen, snapshot); got != want {
			t.Errorf("partition, snapshot %d: got %v, want %v", snapshot, got, want)
		}
		if got := s.ProducerChangedSince(1, snapshot); got != want {
			t.Errorf("producer, snapshot %d: got %v, want %v", snapshot, got, want)
		}
	}
	if s.HeadChangedSince(2, FieldOpen, 1) {
		t.Error("a partition that never was has changed")
	}
}

func TestProducerIsNotMadeAgainInTheGroupThatDeletesIt(t *testing.T) {
	s := stateWith(t, &Request{Producers: []ProducerChange{{Kind: ProducerInit, Producer: 1}}})
	g := s.Begin(100)
	if err := s.Decide(&Request{Producers: []ProducerChange{{Kind: ProducerDelete, Producer: 1}}}, g, nil); err != nil {
		t.Fatal(err)
	}
	if err := s.Decide(&Request{Producers: []ProducerChange{{Kind: ProducerInit, Producer: 1}}}, g, nil); !errors.Is(err, ErrConflict) {
		t.Fatalf("got %v, want %v", err, ErrConflict)
	}
}

func TestOrderedKeysCarryGroupAndPlace(t *testing.T) {
	s := NewState()
	s.Restore(0x0102030405060708, 0, 0)
	g := s.Begin(1)
	for range 2 {
		if err := s.Decide(&Request{Ordered: []KV{{[]byte{0x10, 'p'}, nil}}}, g, nil); err != nil {
			t.Fatal(err)
		}
	}
	for i, c := range g.Keys {
		want := append([]byte{0x10, 'p', 1, 2, 3, 4, 5, 6, 7, 9, 0, 0, 0}, byte(i))
		if !bytes.Equal(c.Key, want) {
			t.Errorf("key %d: got %x, want %x", i, c.Key, want)
		}
	}
}

func TestGroupsHaveRisingSequencesAndTimes(t *testing.T) {
	s := NewState()
	for i, c := range []struct {
		now, time int64
		seq       uint64
		used      bool
	}{{100, 100, 1, true}, {50, 100, 2, false}, {200, 200, 2, true}, {199, 200, 3, true}} {
		g := s.Begin(c.now)
		if g.Seq != c.seq || g.Time != c.time {
			t.Errorf("group %d: got %d at %d, want %d at %d", i, g.Seq, g.Time, c.seq, c.time)
		}
		if c.used {
			g.Keys = []KeyChange{{}}
		}
		s.Undo(g)
	}
}

func TestSequenceNumbersWrapAfterTheLargest(t *testing.T) {
	for _, c := range []struct{ seq, n, want int32 }{
		{0, 1, 1}, {math.MaxInt32 - 1, 1, math.MaxInt32}, {math.MaxInt32, 1, 0}, {math.MaxInt32, 3, 2}, {5, 0, 5}, {math.MaxInt32, math.MaxInt32, math.MaxInt32 - 1},
	} {
		if got := addSequence(c.seq, c.n); got != c.want {
			t.Errorf("addSequence(%d, %d): got %d, want %d", c.seq, c.n, got, c.want)
		}
	}
}

func TestLooseRecordsFillBatchesOfTheGroup(t *testing.T) {
	s := stateWith(t, &Request{Parts: []PartitionChange{{Kind: PartitionCreate, Partition: 1}, {Kind: PartitionCreate, Partition: 2}}})
	g := s.Begin(200)
	record := func(size int) Record { return Record{Value: make([]byte, size)} }
	for i, c := range []struct {
		req  AppendRequest
		base Offset
	}{
		{AppendRequest{Partition: 1, Records: []Record{record(500 << 10), record(500 << 10)}}, 0}, // first batch
		{AppendRequest{Partition: 2, Records: []Record{record(1)}}, 0},
		{AppendRequest{Partition: 1, Records: []Record{record(1)}}, 2},                     // fits
		{AppendRequest{Partition: 1, Records: []Record{record(100 << 10), record(1)}}, 3},  // second
		{AppendRequest{Partition: 1, Records: []Record{record(3 << 20)}}, 5},               // third, alone
		{AppendRequest{Partition: 1, Records: []Record{record(1)}}, 6},                     // fourth
		{AppendRequest{Partition: 1, Batch: sealedBatch(NoProducer, -1, -1, false, 2)}, 7}, // fifth
		{AppendRequest{Partition: 1, Records: []Record{record(1)}}, 9},                     // sixth
	} {
		if res := s.DecideAppend(&c.req, g); res.Err != nil || res.Base != c.base {
			t.Errorf("request %d: got %+v, want offset %d", i, res, c.base)
		}
	}
	var got string
	next := map[PartitionID]Offset{}
	for i := range g.Appends {
		a := &g.Appends[i]
		got += fmt.Sprintf("%d:%d+%d ", a.Partition, a.Base, a.Count)
		if a.Base != next[a.Partition] {
			t.Errorf("batch %d of partition %d begins at %d, want %d", i, a.Partition, a.Base, next[a.Partition])
		}
		next[a.Partition] = a.Next()
		sealed := a.AppendSealed(nil)
		if len(sealed) > a.Size || a.Loose != nil && a.Count > 1 && len(sealed) > LooseBatchSize {
			t.Errorf("batch %d: %d bytes, bound %d", i, len(sealed), a.Size)
		}
	}
	if want := "1:0+3 2:0+1 1:3+2 1:5+1 1:6+1 1:7+2 1:9+1 "; got != want {
		t.Errorf("batches: got %s, want %s", got, want)
	}
}

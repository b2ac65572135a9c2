package store

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"millrace/internal/core/batch"
)

// sealedBatch is a finished batch of n records.
func sealedBatch(producer ProducerID, epoch int16, seq int32, txn bool, n int) []byte {
	var b batch.Builder
	b.Start(nil, 1)
	for range n {
		b.Add(&batch.Record{Value: []byte("v"), Timestamp: 1})
	}
	var attrs int16
	if txn {
		attrs = batch.AttrTransactional
	}
	return b.Finish(batch.Fields{Attributes: attrs, FirstTimestamp: 1, MaxTimestamp: 1, ProducerID: int64(producer), ProducerEpoch: epoch, BaseSequence: seq})
}

func looseRequest(id PartitionID, n int) AppendRequest {
	return AppendRequest{Partition: id, Records: slices.Repeat([]Record{{Value: []byte("v")}}, n)}
}

// describe is all of a state that can be asked for.
func describe(s *State) string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "seq %d time %d last %d\n", s.Sequence(), s.Time(), s.LastPartitionID())
	for _, id := range s.Partitions(0, 1000) {
		enc, _ := s.AppendPartitionState(nil, id)
		h, _ := s.Head(id)
		fmt.Fprintf(&b, "%d: %x %+v\n", id, enc, h)
	}
	for _, id := range s.Producers() {
		enc, _ := s.AppendProducerState(nil, id)
		p, _ := s.Producer(id)
		fmt.Fprintf(&b, "producer %d: %x %+v\n", id, enc, p)
	}
	return b.String()
}

// changes is what changed in which group.
func changes(s *State) string {
	var b bytes.Buffer
	for id := PartitionID(1); id < 10; id++ {
		for field := FieldOpen; field <= FieldRetention; field <<= 1 {
			for seq := range s.Sequence() {
				if s.HeadChangedSince(id, field, seq) {
					fmt.Fprintf(&b, "%d/%d>%d ", id, field, seq)
				}
			}
		}
	}
	for id := range ProducerID(4) {
		for seq := range s.Sequence() {
			if s.ProducerChangedSince(id, seq) {
				fmt.Fprintf(&b, "producer %d>%d ", id, seq)
			}
		}
	}
	return b.String()
}

// randomRequest asks for a few random changes.
func randomRequest(s *State, rng *rand.Rand) *Request {
	next := s.LastPartitionID() + 1 // an id is never used again
	id, producer, epoch := PartitionID(1+rng.IntN(8)), ProducerID(rng.IntN(3)), int16(rng.IntN(3))
	req := &Request{}
	for range 1 + rng.IntN(3) {
		switch rng.IntN(15) {
		case 0, 14:
			req.Parts = append(req.Parts, PartitionChange{Kind: PartitionCreate, Partition: next, Epoch: 1})
			next++
		case 3:
			kind := []PartitionKind{PartitionClose, PartitionDelete}[rng.IntN(2)]
			req.Parts = append(req.Parts, PartitionChange{Kind: kind, Partition: id})
		case 4:
			req.Parts = append(req.Parts, PartitionChange{Kind: PartitionTrim, Partition: id, To: Offset(rng.IntN(10))})
		case 5:
			req.Parts = append(req.Parts, PartitionChange{Kind: PartitionEpoch, Partition: id, Epoch: int32(rng.IntN(4))})
		case 6:
			req.Parts = append(req.Parts, PartitionChange{Kind: PartitionRetention, Partition: id, Retention: Retention{Bytes: rng.Int64N(9)}})
		case 7, 8:
			req.Producers = append(req.Producers, ProducerChange{Kind: ProducerInit, Producer: producer, Epoch: epoch})
		case 9:
			req.Producers = append(req.Producers, ProducerChange{Kind: ProducerDelete, Producer: producer})
		case 10:
			req.Ends = append(req.Ends, EndTransaction{producer, epoch, rng.IntN(2) == 0, 1 + rng.IntN(3)})
		case 11:
			req.Ordered = append(req.Ordered, KV{Key: []byte{1}})
		default:
			req.Appends = append(req.Appends, &TxAppend{Request: randomAppend(rng)})
		}
		if rng.IntN(2) == 0 {
			id = PartitionID(1 + rng.IntN(8))
		}
	}
	return req
}

func randomAppend(rng *rand.Rand) AppendRequest {
	id := PartitionID(1 + rng.IntN(8))
	switch rng.IntN(3) {
	case 0:
		return looseRequest(id, 1+rng.IntN(3))
	case 1:
		return AppendRequest{Partition: id, Batch: sealedBatch(NoProducer, -1, -1, false, 1+rng.IntN(2))}
	default:
		return AppendRequest{Partition: id, Batch: sealedBatch(ProducerID(rng.IntN(3)), int16(rng.IntN(3)), int32(rng.IntN(4)), rng.IntN(3) > 0, 1)}
	}
}

// randomGroup decides some random requests and checks that a refused one has changed nothing.
func randomGroup(t *testing.T, s *State, rng *rand.Rand) *Group {
	t.Helper()
	g := s.Begin(int64(rng.IntN(1000)))
	for range 1 + rng.IntN(4) {
		if rng.IntN(2) == 0 {
			req := randomAppend(rng)
			s.DecideAppend(&req, g)
			continue
		}
		before, effects := describe(s), len(g.Parts)+len(g.Producers)+len(g.Appends)+len(g.Keys)
		req := randomRequest(s, rng)
		if err := s.Decide(req, g, nil); err != nil {
			if after := describe(s); after != before || effects != len(g.Parts)+len(g.Producers)+len(g.Appends)+len(g.Keys) {
				t.Fatalf("request %+v was refused (%v) and has changed\n%s\nto\n%s", req, err, before, after)
			}
			continue
		}
		for _, a := range req.Appends {
			if a.Result.Err != nil {
				t.Fatalf("request %+v was accepted, but its append to %d got %v", req, a.Request.Partition, a.Result.Err)
			}
		}
	}
	return g
}

func TestApplyingGroupsGivesTheStateTheyWereDecidedOn(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 0))
		decided, applied := NewState(), NewState()
		for i := range 40 {
			g := randomGroup(t, decided, rng)
			applied.Apply(g)
			if got, want := describe(applied), describe(decided); got != want {
				t.Fatalf("seed %d, group %d: applied\n%s\ndecided\n%s\ngroup %+v", seed, i, got, want, g)
			}
			checkInvariants(t, applied)
		}
		if got, want := changes(applied), changes(decided); got != want {
			t.Fatalf("seed %d: changes of applied\n%s\nof decided\n%s", seed, got, want)
		}
	}
}

// checkInvariants compares what a state keeps twice.
func checkInvariants(t *testing.T, s *State) {
	t.Helper()
	for id, p := range s.partitions.All() {
		stable := p.head.Next
		for producer, first := range p.open {
			stable = min(stable, first)
			if pr := s.producers[producer]; pr == nil || pr.open[id] != first {
				t.Fatalf("partition %d has an open transaction of producer %d from %d that the producer does not know: %+v", id, producer, first, pr)
			}
		}
		if p.head.LastStable != stable || p.head.Start > p.head.Next {
			t.Fatalf("partition %d: head %+v, last stable should be %d", id, p.head, stable)
		}
		for _, a := range p.aborted {
			if a.Last < p.head.Start || a.First > a.Last {
				t.Fatalf("partition %d starts at %d and lists %+v", id, p.head.Start, a)
			}
		}
		for producer, e := range p.producers {
			if len(e.last) > LastBatches || s.producers[producer] == nil {
				t.Fatalf("partition %d remembers %d batches of producer %d", id, len(e.last), producer)
			}
		}
	}
	for id, pr := range s.producers {
		for partition := range pr.open {
			if p := s.partitions.Get(partition); p == nil {
				t.Fatalf("producer %d has an open transaction in partition %d, which is gone", id, partition)
			}
		}
	}
}

func TestStateIsRestoredFromItsEncoding(t *testing.T) {
	for seed := range uint64(100) {
		rng := rand.New(rand.NewPCG(seed, 1))
		s := NewState()
		for range 30 {
			randomGroup(t, s, rng)
		}
		restored := NewState()
		restored.Restore(s.Sequence(), s.Time(), s.LastPartitionID())
		for _, id := range s.Producers() {
			enc, _ := s.AppendProducerState(nil, id)
			if err := restored.RestoreProducer(id, enc); err != nil {
				t.Fatalf("seed %d, producer %d: %v", seed, id, err)
			}
		}
		for _, id := range s.Partitions(0, 1000) {
			enc, _ := s.AppendPartitionState(nil, id)
			if err := restored.RestorePartition(id, enc); err != nil {
				t.Fatalf("seed %d, partition %d: %v", seed, id, err)
			}
		}
		if got, want := describe(restored), describe(s); got != want {
			t.Fatalf("seed %d: restored\n%s\nwant\n%s", seed, got, want)
		}
		checkInvariants(t, restored)
		// Both go on alike.
		a, b := rand.New(rand.NewPCG(seed, 2)), rand.New(rand.NewPCG(seed, 2))
		for range 10 {
			randomGroup(t, s, a)
			randomGroup(t, restored, b)
		}
		if got, want := describe(restored), describe(s); got != want {
			t.Fatalf("seed %d: restored and gone on\n%s\nwant\n%s", seed, got, want)
		}
	}
}

func TestCloneIsChangedApart(t *testing.T) {
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 3))
		s := NewState()
		for range 20 {
			randomGroup(t, s, rng)
		}
		before, beforeChanges := describe(s), changes(s)
		c := s.Clone()
		if got := describe(c) + changes(c); got != before+beforeChanges {
			t.Fatalf("seed %d: clone\n%s\nwant\n%s", seed, got, before)
		}
		for range 20 {
			randomGroup(t, c, rng)
		}
		if got := describe(s) + changes(s); got != before+beforeChanges {
			t.Fatalf("seed %d: changing the clone has changed\n%s\nto\n%s", seed, before, got)
		}
	}
}

func TestEncodedStateIsGolden(t *testing.T) {
	s := NewState()
	g := s.Begin(1000)
	if err := s.Decide(&Request{
		Parts:     []PartitionChange{{Kind: PartitionCreate, Partition: 1, Epoch: 3, Retention: Retention{Millis: 60, Bytes: 70}}},
		Producers: []ProducerChange{{Kind: ProducerInit, Producer: 7, Epoch: 2}, {Kind: ProducerInit, Producer: 8, Epoch: 0}},
	}, g, nil); err != nil {
		t.Fatal(err)
	}
	for _, b := range [][]byte{sealedBatch(7, 2, 5, true, 2), sealedBatch(8, 0, 0, true, 1)} {
		req := AppendRequest{Partition: 1, Batch: b}
		if res := s.DecideAppend(&req, g); res.Err != nil {
			t.Fatal(res.Err)
		}
	}
	g = s.Begin(2000)
	end := &Request{Ends: []EndTransaction{{Producer: 7, Epoch: 2, Commit: false, Limit: 9}}, Parts: []PartitionChange{{Kind: PartitionClose, Partition: 1}}}
	if err := s.Decide(end, g, nil); err != nil {
		t.Fatal(err)
	}
	partition, _ := s.AppendPartitionState(nil, 1)
	producer, _ := s.AppendProducerState(nil, 7)
	// The example of docs/format/state.md.
	if got, want := fmt.Sprintf("%x", partition), goldenPartition; got != want {
		t.Errorf("partition: got %s, want %s", got, want)
	}
	if got, want := fmt.Sprintf("%x", producer), "0104"; got != want {
		t.Errorf("producer: got %s, want %s", got, want)
	}
}

// TestEncodedStateOfACompactedPartitionIsGolden: version 2 is version 1 and seven numbers.
func TestEncodedStateOfACompactedPartitionIsGolden(t *testing.T) {
	b, err := hex.DecodeString(goldenPartition)
	if err != nil {
		t.Fatal(err)
	}
	s := NewState()
	if err := s.RestorePartition(1, b); err != nil || len(s.Compacted()) != 0 {
		t.Fatalf("version 1: %v, compacted: %v", err, s.Compacted())
	}
	want := Compaction{Enabled: true, DeleteMillis: 100, MinLagMillis: 1, MaxLagMillis: 2, DirtyMin: 500_000, RollMillis: 3, RollBytes: 4}
	g := s.Begin(1)
	if err := s.Decide(&Request{Parts: []PartitionChange{{Kind: PartitionCompaction, Partition: 1, Compaction: want}}}, g, nil); err != nil {
		t.Fatal(err)
	}
	b, _ = s.AppendPartitionState(nil, 1)
	if got, want := fmt.Sprintf("%x", b), "02"+goldenPartition[2:]+"02c8010204c0843d0608"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	again := NewState()
	if err := again.RestorePartition(1, b); err != nil || !slices.Equal(again.Compacted(), []PartitionID{1}) {
		t.Fatalf("version 2: %v, compacted: %v", err, again.Compacted())
	}
	if h, _ := again.Head(1); h.Compaction != want {
		t.Errorf("got %+v, want %+v", h.Compaction, want)
	}
}

func TestForgottenAbortedTransactionsAreNotListed(t *testing.T) {
	s := NewState()
	b, _ := hex.DecodeString(goldenPartition)
	if err := s.RestorePartition(1, b); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		to   Offset
		left int
	}{{3, 1}, {4, 0}} { // its marker is at 3
		g := s.Begin(1)
		if err := s.Decide(&Request{Parts: []PartitionChange{{Kind: PartitionForget, Partition: 1, To: step.to}}}, g, nil); err != nil {
			t.Fatal(err)
		}
		if got := s.Aborted(1, 0, OffsetMax); len(got) != step.left {
			t.Errorf("forgotten up to %d: got %v, want %d", step.to, got, step.left)
		}
		if !s.HeadChangedSince(1, FieldAll, g.Seq-1) {
			t.Error("a driver would not keep the state anew")
		}
	}
}

const goldenPartition = "0100080602a01f788c01020e04010a0c00d00f100001000004d00f011004010e0006"

func FuzzRestorePartition(f *testing.F) {
	s := NewState()
	rng := rand.New(rand.NewPCG(1, 1))
	for range 40 {
		g := s.Begin(1)
		_ = s.Decide(randomRequest(s, rng), g, nil)
		req := randomAppend(rng)
		s.DecideAppend(&req, g)
	}
	for _, id := range s.Partitions(0, 100) {
		b, _ := s.AppendPartitionState(nil, id)
		f.Add(b)
	}
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, b []byte) {
		s := NewState()
		if err := s.RestorePartition(1, b); err != nil {
			if len(s.Partitions(0, 9)) != 0 {
				t.Fatalf("%x: refused (%v), but the partition is there", b, err)
			}
			return
		}
		again, ok := s.AppendPartitionState(nil, 1)
		if !ok {
			t.Fatalf("%x: restored, but not there", b)
		}
		other := NewState()
		if err := other.RestorePartition(1, again); err != nil || describe(other) != describe(s) {
			t.Fatalf("%x: written again as %x: %v", b, again, err)
		}
	})
}

func FuzzRestoreProducer(f *testing.F) {
	f.Add([]byte{1, 4})
	f.Fuzz(func(t *testing.T, b []byte) {
		s := NewState()
		if err := s.RestoreProducer(1, b); err != nil {
			return
		}
		if _, ok := s.AppendProducerState(nil, 1); !ok {
			t.Fatalf("%x: restored, but not there", b)
		}
	})
}

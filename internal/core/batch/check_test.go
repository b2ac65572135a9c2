package batch

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"
)

// valid is a batch of three records that passes Check.
func valid() []byte {
	return build(nil, []Record{{Value: []byte("one")}, {Key: []byte("k")}, {}}, Fields{FirstTimestamp: 10, MaxTimestamp: 10, ProducerID: 4, ProducerEpoch: 1, BaseSequence: 7})
}

// resum makes the CRC of b right again.
func resum(b []byte) []byte {
	binary.BigEndian.PutUint32(b[posCRC:], checksum(b))
	return b
}

func TestSetMaxTimestampChangesNothingElse(t *testing.T) {
	var build Builder
	build.Start(nil, 1000)
	build.Add(&Record{Value: []byte("a"), Timestamp: 1005})
	b := build.Finish(Fields{FirstTimestamp: 1000, MaxTimestamp: -1, ProducerID: NoProducer, ProducerEpoch: -1, BaseSequence: -1})
	before, err := Check(b)
	if err != nil {
		t.Fatal(err)
	}
	SetMaxTimestamp(b, 1005)
	after, err := Check(b)
	before.MaxTimestamp, before.CRC = 1005, after.CRC
	if err != nil || after != before {
		t.Fatalf("header: got %+v, %v; want %+v", after, err, before)
	}
}

func TestCheckRefusesWhatNoProducerMaySend(t *testing.T) {
	be := binary.BigEndian
	tests := []struct {
		name   string
		change func(b []byte) []byte
		want   error
		text   string
	}{
		{"empty", func([]byte) []byte { return nil }, ErrShort, ""},
		{"cut in the header", func(b []byte) []byte { return b[:40] }, ErrShort, ""},
		{"cut in the records", func(b []byte) []byte { return b[:len(b)-1] }, ErrShort, ""},
		{"a byte too many", func(b []byte) []byte { return append(b, 0) }, ErrCorrupt, "follow"},
		{"magic 1", func(b []byte) []byte { b[posMagic] = 1; return b }, ErrMagic, ""},
		{"length below a header", func(b []byte) []byte { be.PutUint32(b[posLength:], 48); return b }, ErrCorrupt, "length"},
		{"negative length", func(b []byte) []byte { be.PutUint32(b[posLength:], 1<<31); return b }, ErrCorrupt, "length"},
		{"flipped bit", func(b []byte) []byte { b[len(b)-1] ^= 1; return b }, ErrCorrupt, "crc"},
		{"count above deltas", func(b []byte) []byte { be.PutUint32(b[posCount:], 4); return resum(b) }, ErrCorrupt, "4 records"},
		{"count below deltas", func(b []byte) []byte { be.PutUint32(b[posCount:], 2); return resum(b) }, ErrInvalid, "2 records"},
		{"no records", func(b []byte) []byte { be.PutUint32(b[posCount:], 0); return resum(b) }, ErrInvalid, "no records"},
		{"negative count", func(b []byte) []byte { be.PutUint32(b[posCount:], 1<<31); return resum(b) }, ErrCorrupt, ""},
		{"largest delta", func(b []byte) []byte { be.PutUint32(b[posLastOffsetDelta:], 1<<31-1); return resum(b) }, ErrInvalid, ""},
		{"more records than bytes", func(b []byte) []byte {
			be.PutUint32(b[posLastOffsetDelta:], 99)
			be.PutUint32(b[posCount:], 100)
			return resum(b)
		}, ErrInvalid, "100 records in"},
		{"codec 5", func(b []byte) []byte { b[posAttributes+1] = 5; return resum(b) }, ErrInvalid, "compression"},
		{"unknown bit", func(b []byte) []byte { b[posAttributes] = 1; return resum(b) }, ErrInvalid, "attributes"},
		{"control", func(b []byte) []byte { b[posAttributes+1] = 0x20; return resum(b) }, ErrInvalid, "control"},
		{"delete horizon", func(b []byte) []byte { b[posAttributes+1] = 0x40; return resum(b) }, ErrInvalid, "horizon"},
		{"log append time", func(b []byte) []byte { SetLogAppendTime(b, 5); return b }, ErrInvalid, "append time"},
		{"producer without epoch", func(b []byte) []byte { be.PutUint16(b[posProducerEpoch:], 0xffff); return resum(b) }, ErrInvalid, "epoch"},
		{"producer without sequence", func(b []byte) []byte { be.PutUint32(b[posBaseSequence:], 1<<32-1); return resum(b) }, ErrInvalid, "sequence"},
		{"producer -2", func(b []byte) []byte { be.PutUint64(b[posProducerID:], 1<<64-2); return resum(b) }, ErrInvalid, "producer id"},
		{"transactional without producer", func(b []byte) []byte {
			be.PutUint64(b[posProducerID:], 1<<64-1)
			b[posAttributes+1] = 0x10
			return resum(b)
		}, ErrInvalid, "transactional"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := tt.change(valid())
			_, err := Check(b)
			if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.text) {
				t.Fatalf("Check(% x) = %v, want %v with %q", b, err, tt.want, tt.text)
			}
		})
	}
	if _, err := Check(valid()); err != nil {
		t.Fatalf("Check of a valid batch: %v", err)
	}
}

func TestPatchesLeaveTheBatchValid(t *testing.T) {
	b := valid()
	SetBaseOffset(b, 1<<40)
	SetLeaderEpoch(b, 12)
	if h, err := Check(b); err != nil || h.BaseOffset != 1<<40 || h.LeaderEpoch != 12 || h.LastOffset() != 1<<40+2 {
		t.Fatalf("after offset and epoch: %+v, %v", h, err)
	}
	SetLogAppendTime(b, 99)
	h, err := Verify(b)
	if err != nil || !h.LogAppendTime() || h.MaxTimestamp != 99 || h.FirstTimestamp != 10 {
		t.Fatalf("after append time: %+v, %v", h, err)
	}
	for r, err := range Records(b, Limits{}) {
		if err != nil || r.Timestamp != 99 {
			t.Fatalf("record %+v, %v: want timestamp 99", r, err)
		}
	}
}

func TestWalkSplitsARunAndNamesItsCutEnd(t *testing.T) {
	run := slices.Concat(valid(), Control(nil, 3, 1, 4, 1, true, 0), valid())
	for cut := range len(run) + 1 {
		var whole []byte
		var last error
		for b, err := range Walk(run[:cut]) {
			if last = err; err == nil {
				whole = append(whole, b...)
			}
		}
		if !bytes.HasPrefix(run, whole) {
			t.Fatalf("cut at %d: walked batches are not the beginning of the run", cut)
		}
		if wantErr := len(whole) < cut; wantErr != (last != nil) || last != nil && !errors.Is(last, ErrShort) {
			t.Fatalf("cut at %d: %d bytes in whole batches, error %v", cut, len(whole), last)
		}
	}
}

func FuzzCheck(f *testing.F) {
	f.Add(valid())
	f.Add(Control(nil, 3, 1, 4, 1, true, 0))
	f.Add(valid()[:70])
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := Check(b)
		for w, werr := range Walk(b) {
			if werr == nil && len(w) < HeaderSize {
				t.Fatalf("Walk yields %d bytes", len(w))
			}
		}
		if _, merr := MarkerType(b); err == nil && merr != nil {
			t.Fatalf("valid batch, MarkerType: %v", merr)
		}
		if err != nil {
			return
		}
		if h.Size() != len(b) || h.Count < 1 || h.NextOffset()-h.BaseOffset != int64(h.Count) {
			t.Fatalf("accepted %+v of %d bytes", h, len(b))
		}
		again := make([]byte, HeaderSize)
		h.put(again)
		if !bytes.Equal(again, b[:HeaderSize]) {
			t.Fatalf("header does not round-trip:\n% x\n% x", again, b[:HeaderSize])
		}
	})
}

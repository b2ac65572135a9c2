package batch

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
)

// codecs are all forms that a batch may come in.
var codecs = []struct {
	codec  Compression
	xerial bool
}{{None, false}, {Gzip, false}, {Snappy, false}, {Snappy, true}, {LZ4, false}, {Zstd, false}}

// thin opens b and writes it with the records for which keep says so.
func thin(tb testing.TB, t *Thinner, b []byte, keep func(i int) bool, horizon int64) []byte {
	tb.Helper()
	if err := t.Open(b, Limits{}); err != nil {
		tb.Fatal(err)
	}
	var kept []bool
	var r Record
	for t.Next(&r) {
		kept = append(kept, keep(len(kept)))
	}
	if t.Err() != nil {
		tb.Fatal(t.Err())
	}
	out, err := t.Write([]byte("before"), kept, horizon)
	if err != nil {
		tb.Fatal(err)
	}
	return out[len("before"):]
}

// clones reads all records of a batch.
func clones(tb testing.TB, b []byte) []Record {
	tb.Helper()
	var all []Record
	for r, err := range Records(b, Limits{}) {
		if err != nil {
			tb.Fatal(err)
		}
		r.Key, r.Value = bytes.Clone(r.Key), bytes.Clone(r.Value)
		r.Headers = append([]RecordHeader(nil), r.Headers...)
		for i := range r.Headers {
			r.Headers[i] = RecordHeader{bytes.Clone(r.Headers[i].Key), bytes.Clone(r.Headers[i].Value)}
		}
		all = append(all, r)
	}
	return all
}

// wantThinned compares what was written with what it was made of.
func wantThinned(tb testing.TB, got, from []byte, keep func(i int) bool, horizon int64) {
	tb.Helper()
	h, err := Verify(got)
	if err != nil {
		tb.Fatal(err)
	}
	want, _ := ReadHeader(from)
	var left []Record
	maxTime := want.MaxTimestamp
	for i, r := range clones(tb, from) {
		if keep(i) {
			if len(left) == 0 || r.Timestamp > maxTime {
				maxTime = r.Timestamp
			}
			left = append(left, r)
		}
	}
	want.Length, want.CRC, want.Count, want.MaxTimestamp = h.Length, h.CRC, int32(len(left)), maxTime
	if horizon != NoHorizon {
		want.Attributes |= AttrDeleteHorizon
		want.FirstTimestamp = horizon
	}
	if h != want {
		tb.Errorf("header: got %+v, want %+v", h, want)
	}
	if records := clones(tb, got); !reflect.DeepEqual(records, left) {
		tb.Errorf("records: got %v, want %v", records, left)
	}
}

func TestThinnedBatchKeepsAllButTheRecordsThatGo(t *testing.T) {
	var thinner Thinner
	for seed := range uint64(40) {
		rng := rand.New(rand.NewPCG(seed, 2))
		recs := randRecords(rng, 1+rng.IntN(60), 0)
		f := Fields{BaseOffset: rng.Int64N(1 << 40), LeaderEpoch: 3, ProducerID: 77, ProducerEpoch: 2, BaseSequence: 9, MaxTimestamp: 5000}
		if rng.IntN(3) == 0 {
			f.Attributes |= AttrTransactional
		}
		if rng.IntN(3) == 0 {
			f.Attributes |= AttrLogAppendTime
		}
		plain := build(nil, recs, f)
		kept := rng.Uint64() | 1
		keep := func(i int) bool { return kept>>(i%64)&1 == 1 }
		horizon := int64(NoHorizon)
		if rng.IntN(2) == 0 {
			horizon = 1_700_000_000_000
		}
		for _, c := range codecs {
			t.Run(fmt.Sprintf("seed %d, %v", seed, c), func(t *testing.T) {
				b := plain
				if c.codec != None {
					b = pack(t, plain, c.codec, c.xerial)
				}
				once := thin(t, &thinner, b, keep, horizon)
				wantThinned(t, once, b, keep, horizon)
				twice := thin(t, &thinner, once, func(i int) bool { return i == 0 }, NoHorizon) // keeps its horizon
				wantThinned(t, twice, once, func(i int) bool { return i == 0 }, NoHorizon)
				h, _ := ReadHeader(twice)
				if (h.Attributes&AttrDeleteHorizon != 0) != (horizon != NoHorizon) {
					t.Errorf("attributes %#x after a horizon of %d", h.Attributes, horizon)
				}
			})
		}
	}
}

func TestMarkerGetsAHorizon(t *testing.T) {
	var thinner Thinner
	b := Control(nil, 42, 1000, 7, 1, false, 3)
	got := thin(t, &thinner, b, func(int) bool { return true }, 99_000)
	wantThinned(t, got, b, func(int) bool { return true }, 99_000)
	if m, err := MarkerType(got); m != MarkerAbort || err != nil {
		t.Errorf("got %v, %v, want an abort marker", m, err)
	}
}

func TestCompressIsOpenedByDecompress(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	for _, size := range []int{0, 1, 100, xerialBlock, xerialBlock + 1, 200_000} {
		src := bytes.Repeat([]byte{byte(rng.Uint32()), 1, 2}, size/3+1)[:size]
		for c := None; c <= Zstd; c++ {
			packed, err := Compress([]byte("x"), c, src)
			if err != nil || packed[0] != 'x' {
				t.Fatalf("%v of %d bytes: %v", c, size, err)
			}
			got, err := Decompress(nil, c, packed[1:], Limits{})
			if err != nil || !bytes.Equal(got, src) {
				t.Errorf("%v of %d bytes: got %d bytes, %v", c, size, len(got), err)
			}
		}
	}
	if _, err := Compress(nil, 5, nil); err == nil {
		t.Error("an unknown codec was taken")
	}
}

func FuzzThinner(f *testing.F) {
	rng := rand.New(rand.NewPCG(1, 1))
	plain := build(nil, randRecords(rng, 9, 0), Fields{BaseOffset: 5, ProducerID: NoProducer})
	for _, c := range codecs {
		b := plain
		if c.codec != None {
			b = pack(f, plain, c.codec, c.xerial)
		}
		f.Add(b, uint64(0x155), true)
		f.Add(b, uint64(1), false)
	}
	f.Fuzz(func(t *testing.T, b []byte, kept uint64, horizon bool) {
		var thinner Thinner
		if err := thinner.Open(b, Limits{MaxBytes: 1 << 20}); err != nil {
			return
		}
		var keep []bool
		var r Record
		for thinner.Next(&r) {
			keep = append(keep, kept>>(len(keep)%64)&1 == 1)
		}
		if thinner.Err() != nil || !slices.Contains(keep, true) {
			return
		}
		at := int64(NoHorizon)
		if horizon {
			at = 12345
		}
		out, err := thinner.Write(nil, keep, at)
		if err != nil {
			t.Fatal(err)
		}
		if h, _ := ReadHeader(b); h.LastOffsetDelta < 0 {
			return // Verify refuses it before and after
		}
		wantThinned(t, out, b, func(i int) bool { return keep[i] }, at)
	})
}

package batch

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// pack compresses the records of the uncompressed batch b.
func pack(tb testing.TB, b []byte, c Compression, xerial bool) []byte {
	tb.Helper()
	var w bytes.Buffer
	records := b[HeaderSize:]
	var err error
	switch c {
	case None:
		w.Write(records)
	case Gzip:
		z := gzip.NewWriter(&w)
		_, err = z.Write(records)
		err = errors.Join(err, z.Close())
	case LZ4:
		z := lz4.NewWriter(&w)
		_, err = z.Write(records)
		err = errors.Join(err, z.Close())
	case Zstd:
		var z *zstd.Encoder
		z, err = zstd.NewWriter(&w, zstd.WithEncoderConcurrency(1))
		if err == nil {
			_, err = z.Write(records)
			err = errors.Join(err, z.Close())
		}
	case Snappy:
		w.Write(snappyOf(records, xerial))
	}
	if err != nil {
		tb.Fatal(err)
	}
	out := append(slices.Clone(b[:HeaderSize]), w.Bytes()...)
	binary.BigEndian.PutUint32(out[posLength:], uint32(len(out)-lengthPrefix))
	out[posAttributes+1] |= byte(c)
	return resum(out)
}

func snappyOf(b []byte, xerial bool) []byte {
	if !xerial {
		return snappy.Encode(nil, b)
	}
	out := append(slices.Clone(xerialMagic), 0, 0, 0, 1, 0, 0, 0, 1)
	for chunk := range slices.Chunk(b, 1000) {
		raw := snappy.Encode(nil, chunk)
		out = binary.BigEndian.AppendUint32(out, uint32(len(raw)))
		out = append(out, raw...)
	}
	return out
}

func TestRecordsOpensEveryCodec(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	recs := randRecords(rng, 50, 0)
	plain := build(nil, recs, Fields{BaseOffset: 100, ProducerID: NoProducer})
	for _, tt := range []struct {
		codec  Compression
		xerial bool
	}{{None, false}, {Gzip, false}, {Snappy, false}, {Snappy, true}, {LZ4, false}, {Zstd, false}} {
		b := plain
		if tt.codec != None {
			b = pack(t, plain, tt.codec, tt.xerial)
		}
		if _, err := Check(b); err != nil {
			t.Fatalf("%v: Check: %v", tt.codec, err)
		}
		i := 0
		for r, err := range Records(b, Limits{}) {
			if err != nil {
				t.Fatalf("%v: %v", tt.codec, err)
			}
			if !sameBytes(r.Key, recs[i].Key) || !sameBytes(r.Value, recs[i].Value) || r.Timestamp != recs[i].Timestamp || r.Offset != 100+int64(i) {
				t.Fatalf("%v: record %d: got %+v, want %+v", tt.codec, i, r, recs[i])
			}
			i++
		}
		if i != len(recs) {
			t.Fatalf("%v: got %d records, want %d", tt.codec, i, len(recs))
		}
	}
}

func TestDecompressionStopsAtItsLimits(t *testing.T) {
	zeros := make([]byte, HeaderSize+8<<20)
	copy(zeros, valid()[:HeaderSize])
	for _, codec := range []Compression{Gzip, Snappy, LZ4, Zstd} {
		b := pack(t, zeros, codec, codec == Snappy)
		for _, lim := range []Limits{{MaxBytes: 4 << 20}, {MaxRatio: 2}} {
			if codec == Snappy && lim.MaxRatio > 0 {
				lim.MaxRatio = 1 // it packs zeros by 21 only
			}
			_, err := Decompress(nil, codec, b[HeaderSize:], lim)
			if !errors.Is(err, ErrTooLarge) {
				t.Fatalf("%v of 8 MiB of zeros in %d bytes under %+v: %v, want ErrTooLarge", codec, len(b), lim, err)
			}
		}
		out, err := Decompress(nil, codec, b[HeaderSize:], Limits{MaxRatio: 1 << 20})
		if err != nil || len(out) != 8<<20 {
			t.Fatalf("%v: %d bytes, %v", codec, len(out), err)
		}
	}
}

func TestZstdWindowIsBounded(t *testing.T) {
	var w bytes.Buffer
	z, err := zstd.NewWriter(&w, zstd.WithWindowSize(32<<20), zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	noise := make([]byte, 33<<20)
	rng := rand.NewChaCha8([32]byte{1})
	_, _ = rng.Read(noise)
	_, werr := z.Write(noise)
	if err := errors.Join(werr, z.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := Decompress(nil, Zstd, w.Bytes(), Limits{}); !errors.Is(err, ErrTooLarge) {
		t.Fatalf("a frame with a window of 32 MiB: %v, want ErrTooLarge", err)
	}
}

func TestDamagedRecordsAreRefused(t *testing.T) {
	good := valid()
	for at := HeaderSize; at < len(good); at++ {
		for _, v := range []byte{0, 1, 0x7f, 0x80, 0xff} {
			b := slices.Clone(good)
			b[at] = v
			n := 0
			for _, err := range Records(b, Limits{}) {
				if err != nil && !errors.Is(err, ErrCorrupt) {
					t.Fatalf("byte %d = %#x: %v, want ErrCorrupt", at, v, err)
				}
				n++
			}
			if n > 4 {
				t.Fatalf("byte %d = %#x: %d records of 3", at, v, n)
			}
		}
	}
}

func TestCursorAllocatesNothing(t *testing.T) {
	recs := make([]Record, 100)
	for i := range recs {
		recs[i] = Record{Key: []byte("key"), Value: make([]byte, 100), Headers: []RecordHeader{{Key: []byte("h")}}}
	}
	b := build(nil, recs, Fields{ProducerID: NoProducer})
	var c Cursor
	var r Record
	read := func() {
		if err := c.Reset(b); err != nil {
			t.Fatal(err)
		}
		n := 0
		for c.Next(&r) {
			n++
		}
		if n != 100 || c.Err() != nil {
			t.Fatalf("%d records, %v", n, c.Err())
		}
	}
	read() // grows r.Headers once
	if n := testing.AllocsPerRun(100, read); n != 0 {
		t.Fatalf("%v allocations, want 0", n)
	}
}

// FuzzRecords holds opening a batch to an allocation budget: a small multiple of an uncompressed one,
// and for a compressed one what its limit and a decoder's window allow.
func FuzzRecords(f *testing.F) {
	plain := valid()
	f.Add(plain)
	for _, c := range []Compression{Gzip, Snappy, LZ4, Zstd} {
		f.Add(pack(f, plain, c, false))
	}
	f.Add(pack(f, plain, Snappy, true))
	lim := Limits{MaxBytes: 1 << 20}
	f.Fuzz(func(t *testing.T, b []byte) {
		h, _ := ReadHeader(b)
		budget := uint64(64<<10 + 32*len(b))
		if h.Compression() != None {
			budget = 48 << 20
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		n := 0
		for _, err := range Records(b, lim) {
			if err == nil {
				n++
			}
		}
		runtime.ReadMemStats(&after)
		if got := after.TotalAlloc - before.TotalAlloc; got > budget {
			t.Fatalf("%d bytes of %s allocated %d, budget %d", len(b), h.Compression(), got, budget)
		}
		if n > max(int(h.Count), 0) {
			t.Fatalf("%d records, header says %d", n, h.Count)
		}
	})
}

func BenchmarkCursor100x1KiB(b *testing.B) {
	recs := make([]Record, 100)
	for i := range recs {
		recs[i] = Record{Key: []byte("key"), Value: make([]byte, 1024)}
	}
	raw := build(nil, recs, Fields{ProducerID: NoProducer})
	var c Cursor
	var r Record
	b.ReportAllocs()
	for b.Loop() {
		_ = c.Reset(raw)
		for c.Next(&r) {
		}
	}
}

func BenchmarkCheck100KiB(b *testing.B) {
	raw := build(nil, []Record{{Value: make([]byte, 100<<10)}}, Fields{ProducerID: NoProducer})
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Check(raw); err != nil {
			b.Fatal(err)
		}
	}
}

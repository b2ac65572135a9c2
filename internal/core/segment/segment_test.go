package segment

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"millrace/internal/core/batch"
	"millrace/internal/core/fault"
)

// run is a partition's batches as a test wants them.
type run struct {
	entries []Entry
	stored  [][]byte
}

// randRun makes n batches with holes, markers, producers, all encodings and timestamps that go back.
func randRun(rng *rand.Rand, n int) run {
	var r run
	offset, appended := rng.Int64N(1000), int64(1_700_000_000_000)
	for range n {
		offset += rng.Int64N(3)
		appended += rng.Int64N(3) * rng.Int64N(50)
		e := Entry{Base: offset, AppendTime: appended, LeaderEpoch: rng.Int32N(3), ProducerID: -1, ProducerEpoch: -1, BaseSequence: -1}
		if rng.IntN(3) == 0 {
			e.ProducerID, e.ProducerEpoch, e.BaseSequence = rng.Int64N(1<<40), int16(rng.IntN(9)), rng.Int32()
		}
		var stored []byte
		if e.ProducerID >= 0 && rng.IntN(4) == 0 {
			commit := rng.IntN(2) == 0
			e.Marker = uint8(batch.MarkerAbort)
			if commit {
				e.Marker = uint8(batch.MarkerCommit)
			}
			e.BaseSequence = -1
			stored = batch.Control(nil, offset, appended, e.ProducerID, e.ProducerEpoch, commit, 0)
		} else {
			stored = plainBatch(rng, &e)
		}
		h, _ := batch.Verify(stored)
		e.Count, e.MaxTimestamp, e.Attributes = h.LastOffsetDelta+1, h.MaxTimestamp, h.Attributes
		e.PlainLen = uint32(len(stored))
		switch rng.IntN(6) {
		case 0:
			e.Encoding, stored = Zstd, stored[:len(stored)/2]
		case 1:
			e.Encoding, e.KeyID, e.Nonce = Sealed, rng.Uint64(), [12]byte{byte(rng.Uint32()), 1}
			stored = append(stored, make([]byte, 16)...)
		}
		e.StoredLen, e.CRC = uint32(len(stored)), checksum(stored)
		r.entries, r.stored = append(r.entries, e), append(r.stored, stored)
		offset = e.Next()
	}
	return r
}

func plainBatch(rng *rand.Rand, e *Entry) []byte {
	var b batch.Builder
	b.Start(nil, e.AppendTime)
	for range 1 + rng.IntN(5) {
		b.Add(&batch.Record{Value: make([]byte, rng.IntN(200)), Timestamp: e.AppendTime})
	}
	return b.Finish(batch.Fields{
		BaseOffset: e.Base, LeaderEpoch: e.LeaderEpoch, FirstTimestamp: e.AppendTime,
		MaxTimestamp: e.AppendTime + rng.Int64N(1000) - 500,
		ProducerID:   e.ProducerID, ProducerEpoch: e.ProducerEpoch, BaseSequence: e.BaseSequence,
	})
}

func writeSegment(tb testing.TB, fs vfs.FS, r run) Info {
	tb.Helper()
	w, err := Create(fs, "s", 7, WriterOptions{SyncEveryBytes: 4096, BufferBytes: 1000})
	if err != nil {
		tb.Fatal(err)
	}
	for i := range r.entries {
		r.entries[i].Pos = w.Size()
		if err := w.Add(r.entries[i], r.stored[i]); err != nil {
			tb.Fatalf("Add %d: %v", i, err)
		}
	}
	info, err := w.Finish()
	if err != nil {
		tb.Fatal(err)
	}
	return info
}

func open(tb testing.TB, fs vfs.FS, path string, opts ReaderOptions) *Reader {
	tb.Helper()
	r, err := Open(fs, path, opts)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = r.Close() })
	return r
}

// collect is all entries from offset on.
func collect(t *testing.T, x *Index, offset int64) []Entry {
	t.Helper()
	var got []Entry
	c := x.Find(offset)
	for e, ok := c.Next(); ok; e, ok = c.Next() {
		got = append(got, e)
	}
	if c.Err() != nil {
		t.Fatal(c.Err())
	}
	return got
}

// lookups holds every look-up of x against a plain search of entries.
func lookups(t *testing.T, rng *rand.Rand, x *Index, entries []Entry) {
	t.Helper()
	if got := collect(t, x, 0); !reflect.DeepEqual(got, entries) {
		t.Fatalf("reading from the start: %d entries differ from the %d written", len(got), len(entries))
	}
	first, last := &entries[0], &entries[len(entries)-1]
	for range 50 {
		offset := first.Base - 2 + rng.Int64N(last.Next()-first.Base+4)
		i := slices.IndexFunc(entries, func(e Entry) bool { return e.Next() > offset })
		e, ok := x.Find(offset).Next()
		if ok != (i >= 0) || ok && e != entries[i] {
			t.Fatalf("Find(%d) = %+v, %v, want entry %d", offset, e, ok, i)
		}
		ms := first.AppendTime - 600 + rng.Int64N(last.AppendTime-first.AppendTime+1200)
		seeks(t, "SeekAppendTime", x.SeekAppendTime, ms, entries, func(e Entry) bool { return e.AppendTime >= ms })
		seeks(t, "SeekTimestamp", x.SeekTimestamp, ms, entries, func(e Entry) bool { return e.MaxTimestamp >= ms })
	}
}

func seeks(t *testing.T, name string, seek func(int64) (Entry, bool, error), ms int64, entries []Entry, is func(Entry) bool) {
	t.Helper()
	i := slices.IndexFunc(entries, is)
	e, ok, err := seek(ms)
	if err != nil || ok != (i >= 0) || ok && e != entries[i] {
		t.Fatalf("%s(%d) = %+v, %v, %v, want entry %d", name, ms, e, ok, err, i)
	}
}

type mapCache map[BlockKey][]Entry

func (c mapCache) Get(k BlockKey) ([]Entry, bool) { e, ok := c[k]; return e, ok }
func (c mapCache) Put(k BlockKey, e []Entry)      { c[k] = e }

func TestSegmentReadsBackWhatWasWritten(t *testing.T) {
	for seed, n := range []int{1, 2, 255, 256, 257, 1500} {
		rng := rand.New(rand.NewPCG(uint64(seed), 1))
		fs := vfs.NewMem()
		want := randRun(rng, n)
		info := writeSegment(t, fs, want)
		cache := mapCache{}
		for _, opts := range []ReaderOptions{{}, {Cache: cache}} {
			r := open(t, fs, "s", opts)
			if r.Info() != info || info.Entries != int64(n) || info.Partition != 7 || info.Next != want.entries[n-1].Next() {
				t.Fatalf("%d batches: info %+v, the writer said %+v", n, r.Info(), info)
			}
			lookups(t, rng, &r.Index, want.entries)
			for i, e := range want.entries {
				got, err := r.ReadStored(e, []byte("before"))
				if err != nil || !bytes.Equal(got, append([]byte("before"), want.stored[i]...)) {
					t.Fatalf("batch %d: %d bytes, %v", i, len(got), err)
				}
			}
		}
		if blocks := (n + blockEntries - 1) / blockEntries; len(cache) != blocks {
			t.Fatalf("%d blocks in the cache, want %d", len(cache), blocks)
		}
		if got, err := Verify(fs, "s"); err != nil || got != info {
			t.Fatalf("Verify: %+v, %v", got, err)
		}
	}
}

func TestSidecarIndexesManyPartitions(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	fs := vfs.NewMem()
	runs := map[uint64][]Entry{}
	data := slices.Clone(make([]byte, 4096)) // something before the first batch
	for range 20 {
		id := rng.Uint64()
		r := randRun(rng, 1+rng.IntN(600))
		for i := range r.entries {
			r.entries[i].Pos = int64(len(data))
			data = append(data, append(r.stored[i], make([]byte, rng.IntN(20))...)...)
		}
		runs[id] = r.entries
	}
	runs[3] = nil
	if err := WriteSidecar(fs, "x", 99, runs); err != nil {
		t.Fatal(err)
	}
	s, err := OpenSidecar(fs, "x", ReaderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if s.DataFile() != 99 || len(s.Partitions()) != 20 {
		t.Fatalf("data file %d, %d partitions", s.DataFile(), len(s.Partitions()))
	}
	for id, entries := range runs {
		x, ok := s.Partition(id)
		if ok != (entries != nil) {
			t.Fatalf("partition %d: %v", id, ok)
		}
		if !ok {
			continue
		}
		lookups(t, rng, x, entries)
		for _, e := range entries {
			if _, err := ReadStored(bytes.NewReader(data), "d", e, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := VerifySidecar(fs, "x", bytes.NewReader(data), "d"); err != nil {
		t.Fatalf("VerifySidecar: %v", err)
	}
	data[5000] ^= 1
	var damage *CorruptError
	if _, err := VerifySidecar(fs, "x", bytes.NewReader(data), "d"); !errors.As(err, &damage) || damage.File != "d" {
		t.Fatalf("VerifySidecar over damaged data: %v", err)
	}
	if _, err := VerifySidecar(fs, "x", nil, ""); err != nil {
		t.Fatalf("VerifySidecar without data: %v", err)
	}
	if _, err := Open(fs, "x", ReaderOptions{}); !errors.As(err, &damage) {
		t.Fatalf("a sidecar opened as a segment: %v", err)
	}
}

// file is a whole segment as bytes.
func file(tb testing.TB, seed uint64, n int) []byte {
	tb.Helper()
	fs := vfs.NewMem()
	writeSegment(tb, fs, randRun(rand.New(rand.NewPCG(seed, 2)), n))
	b, err := fs.UnsafeGetFileDataBuffer("s")
	if err != nil {
		tb.Fatal(err)
	}
	return slices.Clone(b)
}

func put(tb testing.TB, b []byte) vfs.FS {
	tb.Helper()
	fs := vfs.NewMem()
	f, err := fs.Create("s", vfs.WriteCategoryUnspecified)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := f.Write(b); err != nil {
		tb.Fatal(err)
	}
	return fs
}

func TestEveryDamagedByteIsFoundAndNamed(t *testing.T) {
	good := file(t, 1, 12)
	for at := range good {
		b := slices.Clone(good)
		b[at] ^= 1 << (at % 8)
		_, err := Verify(put(t, b), "s")
		var damage *CorruptError
		if !errors.As(err, &damage) || damage.File != "s" || damage.Offset > int64(at) {
			t.Fatalf("byte %d of %d: %v, want damage named at or before it", at, len(good), err)
		}
	}
}

func TestEveryCutFileIsRefused(t *testing.T) {
	good := file(t, 1, 3)
	for n := range good {
		var damage *CorruptError
		if _, err := Open(put(t, good[:n]), "s", ReaderOptions{}); !errors.As(err, &damage) {
			t.Fatalf("%d of %d bytes: %v", n, len(good), err)
		}
	}
}

func TestAddRefusesWhatDoesNotFollow(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	r := randRun(rng, 3)
	tests := []struct {
		name   string
		change func(e *Entry, stored *[]byte)
	}{
		{"wrong crc", func(e *Entry, _ *[]byte) { e.CRC++ }},
		{"wrong length", func(_ *Entry, s *[]byte) { *s = (*s)[1:] }},
		{"another batch", func(e *Entry, _ *[]byte) { e.Encoding, e.PlainLen, e.Base = Plain, e.StoredLen, e.Base+1 }},
		{"offset before the last", func(e *Entry, _ *[]byte) { e.Encoding, e.Base = Zstd, r.entries[0].Base }},
		{"append time before the last", func(e *Entry, _ *[]byte) { e.AppendTime = r.entries[0].AppendTime - 1 }},
		{"no offsets", func(e *Entry, _ *[]byte) { e.Count = 0 }},
	}
	for _, tt := range tests {
		w, err := Create(vfs.NewMem(), "s", 1, WriterOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Add(r.entries[0], r.stored[0]); err != nil {
			t.Fatal(err)
		}
		e, stored := r.entries[1], slices.Clone(r.stored[1])
		tt.change(&e, &stored)
		if err := w.Add(e, stored); err == nil {
			t.Errorf("%s: accepted", tt.name)
		}
	}
	w, err := Create(vfs.NewMem(), "s", 1, WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Finish(); err == nil {
		t.Error("an empty segment was finished")
	}
}

func TestWriterSyncsInSmallStepsAndAtTheEnd(t *testing.T) {
	fs := fault.NewCount(vfs.NewMem())
	r := randRun(rand.New(rand.NewPCG(6, 6)), 300)
	writeSegment(t, fs, r)
	if dirty := fs.Dirty(); len(dirty) > 0 {
		t.Fatalf("not synced after Finish: %v", dirty)
	}
	since := 0
	for _, e := range fs.Events() {
		if e.Op == fault.OpSync {
			since = 0
		}
		since += e.Len
		if since > 4096+1000 {
			t.Fatalf("%d bytes without a sync, the step is 4096", since)
		}
	}
}

func TestFinishedSegmentSurvivesACrash(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 7))
		fs := fault.NewTorn()
		fs.CrashAt(1+rng.Int64N(60), rng)
		writeSegment(t, fs, randRun(rng, 40))
		d, err := fs.OpenDir("")
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Sync(); err != nil {
			t.Fatal(err)
		}
		finished := fs.Crashed() == nil
		after := fs.Crashed()
		if finished {
			after = fs.Crash(rng)
		}
		if _, err := Verify(after, "s"); finished && err != nil {
			t.Fatalf("seed %d: a finished segment: %v", seed, err)
		}
	}
}

func TestAbortGivesRoomBack(t *testing.T) {
	fs := fault.NewFull(vfs.NewMem(), 2000)
	r := randRun(rand.New(rand.NewPCG(8, 8)), 100)
	w, err := Create(fs, "s", 7, WriterOptions{BufferBytes: 500})
	if err != nil {
		t.Fatal(err)
	}
	var failed error
	for i := range r.entries {
		if failed = w.Add(r.entries[i], r.stored[i]); failed != nil {
			break
		}
	}
	if !vfs.IsNoSpaceError(failed) {
		t.Fatalf("writing to a full disk: %v", failed)
	}
	if err := errors.Join(w.Abort(), w.Abort()); err != nil || fs.Used() != 0 {
		t.Fatalf("Abort: %v, %d bytes used", err, fs.Used())
	}
}

func FuzzOpen(f *testing.F) {
	f.Add(file(f, 1, 3), false)
	f.Add(file(f, 2, 300), false)
	fs := vfs.NewMem()
	r := randRun(rand.New(rand.NewPCG(1, 2)), 20)
	if err := WriteSidecar(fs, "x", 1, map[uint64][]Entry{1: r.entries[:10], 2: r.entries[10:]}); err != nil {
		f.Fatal(err)
	}
	b, _ := fs.UnsafeGetFileDataBuffer("x")
	f.Add(slices.Clone(b), true)
	writeShared(f, fs, rand.New(rand.NewPCG(3, 4)), 4)
	b, _ = fs.UnsafeGetFileDataBuffer("s")
	f.Add(slices.Clone(b), true)
	f.Fuzz(func(t *testing.T, b []byte, sums bool) {
		if sums {
			resum(b)
		}
		fs := put(t, b)
		_, verr := Verify(fs, "s")
		_, serr := VerifySidecar(fs, "s", bytes.NewReader(b), "s")
		_, herr := VerifyShared(fs, "s")
		for _, err := range []error{verr, serr, herr} {
			var damage *CorruptError
			if err != nil && !errors.As(err, &damage) {
				t.Fatalf("%v is no CorruptError", err)
			}
		}
	})
}

// resum makes header, footer and tail sums right, so that fuzzing gets behind them.
func resum(b []byte) {
	if len(b) < headerSize+footerSize {
		return
	}
	foot := b[len(b)-footerSize:]
	var f footer
	putSum := func(p []byte) { copy(p[60:], le32(checksum(p[:60]))) }
	putSum(b[:headerSize])
	putSum(foot)
	if f.decode(foot, int64(len(b))) == "" {
		copy(foot[40:], le32(checksum(b[f.tailAt:len(b)-footerSize])))
		putSum(foot)
	}
}

func le32(v uint32) []byte { return []byte{byte(v), byte(v >> 8), byte(v >> 16), byte(v >> 24)} }

func FuzzBlock(f *testing.F) {
	f.Add(appendBlock(nil, randRun(rand.New(rand.NewPCG(1, 1)), 5).entries))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > blockHeadSize {
			copy(b[4:], le32(uint32(len(b))))
			copy(b, le32(checksum(b[4:])))
		}
		entries, reason := decodeBlock(b)
		if reason != "" {
			return
		}
		again, reason := decodeBlock(appendBlock(nil, entries))
		if reason != "" || !slices.Equal(again, entries) {
			t.Fatalf("entries do not round-trip: %q\n%+v\n%+v", reason, again, entries)
		}
	})
}

func BenchmarkFind(b *testing.B) {
	fs := vfs.NewMem()
	r := randRun(rand.New(rand.NewPCG(1, 1)), 20_000)
	info := writeSegment(b, fs, r)
	x := open(b, fs, "s", ReaderOptions{})
	b.ReportMetric(float64(fileSize(b, fs)-info.Bytes)/float64(info.Entries), "index-B/entry")
	rng := rand.New(rand.NewPCG(2, 2))
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := x.Find(info.Base + rng.Int64N(info.Next-info.Base)).Next(); !ok {
			b.Fatal("not found")
		}
	}
}

func fileSize(b *testing.B, fs vfs.FS) int64 {
	info, err := fs.Stat("s")
	if err != nil {
		b.Fatal(err)
	}
	return info.Size()
}

func BenchmarkScan(b *testing.B) {
	fs := vfs.NewMem()
	writeSegment(b, fs, randRun(rand.New(rand.NewPCG(1, 1)), 20_000))
	x := open(b, fs, "s", ReaderOptions{})
	n := 0
	for b.Loop() {
		for c := x.Find(0); ; n++ {
			if _, ok := c.Next(); !ok {
				break
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/entry")
}

func BenchmarkWrite(b *testing.B) {
	stored := make([]byte, 64<<10)
	e := Entry{Count: 1, ProducerID: -1, ProducerEpoch: -1, BaseSequence: -1, Encoding: Zstd, StoredLen: uint32(len(stored)), PlainLen: uint32(len(stored)), CRC: checksum(stored)}
	fs := vfs.NewMem()
	b.SetBytes(int64(len(stored)) * 100)
	for i := 0; b.Loop(); i++ {
		w, err := Create(fs, fmt.Sprint(i%2), 1, WriterOptions{})
		if err != nil {
			b.Fatal(err)
		}
		for range 100 {
			if err := w.Add(e, stored); err != nil {
				b.Fatal(err)
			}
			e.Base++
		}
		if _, err := w.Finish(); err != nil {
			b.Fatal(err)
		}
	}
}

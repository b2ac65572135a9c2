package segment

import (
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"millrace/internal/core/fault"
)

// writeShared puts runs of partitions 1, 1, 4, 5 … into one file: the first partition has two.
func writeShared(tb testing.TB, fs vfs.FS, rng *rand.Rand, runs int) (ids []uint64, all []run) {
	tb.Helper()
	w, err := CreateShared(fs, "s", 9, WriterOptions{SyncEveryBytes: 4096, BufferBytes: 1000})
	if err != nil {
		tb.Fatal(err)
	}
	for i := range runs {
		r, id := randRun(rng, 1+rng.IntN(600)), uint64(i+2)
		if i == 0 {
			id = 1
		}
		if i == 1 { // behind the first, of the same partition
			id = 1
			first := all[0]
			r = run{first.entries[len(first.entries)/2:], first.stored[len(first.stored)/2:]}
			all[0] = run{first.entries[:len(first.entries)/2], first.stored[:len(first.stored)/2]}
		}
		ids, all = append(ids, id), append(all, r)
	}
	for i, r := range all {
		if err := w.Begin(ids[i], r.entries[0].Base); err != nil {
			tb.Fatal(err)
		}
		for k := range r.entries {
			r.entries[k].Pos = w.Size()
			if err := w.Add(r.entries[k], r.stored[k]); err != nil {
				tb.Fatal(err)
			}
		}
	}
	infos, err := w.Finish()
	if err != nil || len(infos) != len(all) {
		tb.Fatalf("Finish: %d runs, %v", len(infos), err)
	}
	return ids, all
}

func TestSharedFileGivesEachRun(t *testing.T) {
	fs := fault.NewTorn()
	rng := rand.New(rand.NewPCG(3, 4))
	ids, all := writeShared(t, fs, rng, 12)
	s, err := OpenShared(fs, "s", ReaderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	for i, r := range all {
		x, ok := s.Run(ids[i], r.entries[0].Base)
		if !ok {
			t.Fatalf("run %d of partition %d is not there", i, ids[i])
		}
		lookups(t, rng, x, r.entries)
		for k, e := range r.entries {
			got, err := ReadStored(s, "s", e, nil)
			if err != nil || !reflect.DeepEqual(got, r.stored[k]) {
				t.Fatalf("run %d, batch %d: %v", i, k, err)
			}
		}
	}
	for _, no := range []struct {
		id   uint64
		base int64
	}{{2, all[0].entries[0].Base}, {1, all[0].entries[0].Base + 1}, {99, 0}} {
		if _, ok := s.Run(no.id, no.base); ok {
			t.Errorf("a run of partition %d from %d on is there", no.id, no.base)
		}
	}
	infos, err := VerifyShared(fs, "s")
	if err != nil || !reflect.DeepEqual(infos, s.Runs()) {
		t.Errorf("VerifyShared: %v, %v", infos, err)
	}
	if _, err := Open(fs, "s", ReaderOptions{}); err == nil {
		t.Error("a shared file opens as a segment")
	}
	if _, err := OpenSidecar(fs, "s", ReaderOptions{}); err == nil {
		t.Error("a shared file opens as a sidecar")
	}
}

func TestSharedRunsStandInOrder(t *testing.T) {
	fs := fault.NewTorn()
	r := randRun(rand.New(rand.NewPCG(5, 6)), 4)
	w, err := CreateShared(fs, "s", 1, WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Finish(); err == nil {
		t.Error("a file without runs is finished")
	}
	if err := w.Begin(5, r.entries[1].Base); err != nil {
		t.Fatal(err)
	}
	if err := w.Begin(6, 0); err == nil {
		t.Error("a run follows one without batches")
	}
	if err := w.Add(r.entries[1], r.stored[1]); err != nil {
		t.Fatal(err)
	}
	if err := w.Begin(4, 0); err == nil {
		t.Error("partition 4 follows partition 5")
	}
	if err := w.Begin(5, r.entries[0].Base); err == nil {
		t.Error("an earlier run of a partition follows a later one")
	}
	bad := r.entries[2]
	bad.Pos, bad.CRC = 77, bad.CRC+1
	var damage *CorruptError
	if err := w.AddFrom("source", &bad, r.stored[2]); !errors.As(err, &damage) || damage.File != "source" || damage.Offset != 77 {
		t.Errorf("AddFrom with another sum: %v", err)
	}
	if err := w.Abort(); err != nil {
		t.Error(err)
	}
	if _, err := fs.Stat("s"); err == nil {
		t.Error("an aborted file is still there")
	}
}

func TestDamagedSharedFileIsTold(t *testing.T) {
	mem := vfs.NewMem()
	rng := rand.New(rand.NewPCG(7, 8))
	writeShared(t, mem, rng, 5)
	whole, err := mem.UnsafeGetFileDataBuffer("s")
	if err != nil {
		t.Fatal(err)
	}
	for range 300 {
		b := slices.Clone(whole)
		at := rng.IntN(len(b))
		b[at] ^= 1 << rng.IntN(8)
		var damage *CorruptError
		if _, err := VerifyShared(put(t, b), "s"); !errors.As(err, &damage) {
			t.Errorf("byte %d of %d was changed: %v", at, len(b), err)
		}
	}
}

// pageWriter is a second way to a file that takes whole pages only.
type pageWriter struct {
	t *testing.T
	*os.File
	writes int
}

func (w *pageWriter) WriteAt(b []byte, at int64) (int, error) {
	if w.writes++; len(b)%pageSize != 0 || at%pageSize != 0 {
		w.t.Errorf("write of %d bytes at %d: no whole pages", len(b), at)
	}
	return w.File.WriteAt(b, at)
}

func TestDirectWritesMakeTheSameFile(t *testing.T) {
	dir, r := t.TempDir(), randRun(rand.New(rand.NewPCG(9, 9)), 700)
	var direct *pageWriter
	write := func(name string, opts WriterOptions) []byte {
		path := filepath.Join(dir, name)
		w, err := Create(vfs.Default, path, 7, opts)
		if err != nil {
			t.Fatal(err)
		}
		for i := range r.entries {
			if err := w.Add(r.entries[i], r.stored[i]); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := w.Finish(); err != nil {
			t.Fatal(err)
		}
		if _, err := Verify(vfs.Default, path); err != nil {
			t.Error(err)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	want := write("plain", WriterOptions{})
	got := write("direct", WriterOptions{
		Buffer: make([]byte, 0, 4*pageSize),
		Direct: func(path string) (io.WriterAt, error) {
			f, err := os.OpenFile(path, os.O_WRONLY, 0)
			direct = &pageWriter{t, f, 0}
			return direct, err
		},
	})
	if !slices.Equal(got, want) || direct.writes < 10 {
		t.Errorf("%d bytes in %d writes are not the %d of a file that is written in one way", len(got), direct.writes, len(want))
	}
	if err := direct.Close(); err == nil {
		t.Error("the second way is still open")
	}
	refused := write("refused", WriterOptions{
		Buffer: make([]byte, 0, 4*pageSize),
		Direct: func(string) (io.WriterAt, error) { return nil, errors.ErrUnsupported },
	})
	if !slices.Equal(refused, want) {
		t.Error("without direct writes the file is another one")
	}
}

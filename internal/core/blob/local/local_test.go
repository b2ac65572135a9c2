package local

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"millrace/internal/core/blob"
	"millrace/internal/core/blob/blobtest"
	"millrace/internal/core/fault"
)

func open(t *testing.T, fs vfs.FS, dir string) *Store {
	t.Helper()
	s, err := Open(fs, dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStoreOnDisk(t *testing.T) {
	blobtest.Run(t, func(t *testing.T) blob.Store { return open(t, vfs.Default, filepath.Join(t.TempDir(), "blobs")) })
}

func TestStoreInMemory(t *testing.T) {
	blobtest.Run(t, func(t *testing.T) blob.Store { return open(t, fault.NewTorn(), "blobs") })
}

func TestPutObjectsSurviveCrashesWhole(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 0))
		fs := fault.NewTorn()
		fs.CrashAt(1+rng.Int64N(150), rng)
		s := open(t, fs, "blobs")
		want := map[string]bool{} // true: Put returned before the crash
		for i := range 12 {
			name := fmt.Sprintf("%d/%d", rng.IntN(3), i)
			if err := s.Put(t.Context(), name, []byte(name), rng.IntN(2) == 0); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			want[name] = fs.Crashed() == nil
		}
		after := fs.Crashed()
		if after == nil {
			after = fs.Crash(rng)
		}
		again := open(t, after, "blobs")
		for name, acknowledged := range want {
			got, err := again.GetRange(t.Context(), name, 0, -1, nil)
			if errors.Is(err, blob.ErrNotFound) && !acknowledged {
				continue
			}
			if err != nil || string(got) != name {
				t.Fatalf("seed %d: %s (acknowledged: %v) is %q, %v", seed, name, acknowledged, got, err)
			}
		}
		if left, err := after.List("blobs/" + tmpDir); err != nil || len(left) > 0 {
			t.Fatalf("seed %d: unfinished files left: %v, %v", seed, left, err)
		}
	}
}

func TestFullDiskLeavesNothingBehind(t *testing.T) {
	fs := fault.NewFull(vfs.NewMem(), 1000)
	s := open(t, fs, "blobs")
	if err := s.Put(t.Context(), "a", make([]byte, 600), true); err != nil {
		t.Fatal(err)
	}
	if err := s.Put(t.Context(), "b", make([]byte, 600), true); !vfs.IsNoSpaceError(err) {
		t.Fatalf("Put on a full disk: %v", err)
	}
	if fs.Used() != 600 {
		t.Fatalf("%d bytes used, want 600", fs.Used())
	}
	if err := s.Delete(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if err := s.Put(t.Context(), "b", make([]byte, 600), true); err != nil {
		t.Fatalf("Put after room was made: %v", err)
	}
}

func TestFailedSyncIsReported(t *testing.T) {
	for nth := 1; nth <= 3; nth++ { // the file, the parent of a new folder, the folder
		fs := fault.NewErr(vfs.NewMem())
		s := open(t, fs, "blobs")
		fs.FailNth(fault.OpSync, nth, nil)
		if err := s.Put(t.Context(), "d/a", []byte("x"), false); err == nil {
			t.Fatalf("Put succeeded although sync %d failed", nth)
		}
	}
}

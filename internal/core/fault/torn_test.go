package fault

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

func must[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func create(t *testing.T, fs vfs.FS, name string, data []byte) vfs.File {
	t.Helper()
	f := must[vfs.File](t)(fs.Create(name, vfs.WriteCategoryUnspecified))
	_, err := f.Write(data)
	check(t, err)
	return f
}

func syncDir(t *testing.T, fs vfs.FS, name string) {
	t.Helper()
	d := must[vfs.File](t)(fs.OpenDir(name))
	check(t, d.Sync())
	check(t, d.Close())
}

func contents(t *testing.T, fs vfs.FS, name string) []byte {
	t.Helper()
	f := must[vfs.File](t)(fs.Open(name))
	defer f.Close()
	return must[[]byte](t)(io.ReadAll(f))
}

// TestCrashTearsSectorsOverRecycledContent writes two versions over synced content: each sector must be
// one of the three whole, and over many crashes each of the three must be seen, side by side.
func TestCrashTearsSectorsOverRecycledContent(t *testing.T) {
	fs := NewTorn()
	const size = 8 * sectorSize
	f := create(t, fs, "f", bytes.Repeat([]byte{'0'}, size))
	check(t, f.Sync())
	syncDir(t, fs, "/")
	for _, v := range []byte{'1', '2'} {
		_ = must[int](t)(f.WriteAt(bytes.Repeat([]byte{v}, size+100), 0))
	}
	seen := map[byte]int{}
	mixed, lengths := 0, map[int]bool{}
	for seed := range uint64(500) {
		got := contents(t, fs.Crash(rand.New(rand.NewPCG(seed, 0))), "f")
		if len(got) < size || len(got) > size+100 {
			t.Fatalf("seed %d: length %d, synced %d", seed, len(got), size)
		}
		lengths[len(got)] = true
		versions := map[byte]bool{}
		for s := range slices.Chunk(got[:size], sectorSize) {
			if len(bytes.Trim(s, string(s[:1]))) > 0 {
				t.Fatalf("seed %d: a sector is torn inside: %q", seed, s)
			}
			seen[s[0]]++
			versions[s[0]] = true
		}
		if len(versions) > 1 {
			mixed++
		}
	}
	if len(seen) != 3 || mixed < 100 || len(lengths) != 2 {
		t.Fatalf("sectors by version %v, %d of 500 disks mixed, lengths %v", seen, mixed, lengths)
	}
	if got := contents(t, fs, "f"); got[0] != '2' || len(got) != size+100 {
		t.Fatalf("a crash changed the running disk: %d bytes of %q", len(got), got[:1])
	}
}

func TestCrashKeepsWhatWasSynced(t *testing.T) {
	fs := NewTorn()
	check(t, fs.MkdirAll("a/b", 0o755))
	f := create(t, fs, "a/b/f", []byte("synced"))
	check(t, f.Sync())
	syncDir(t, fs, "a/b")
	syncDir(t, fs, "a")
	syncDir(t, fs, "/")
	for seed := range uint64(50) {
		if got := contents(t, fs.Crash(rand.New(rand.NewPCG(seed, 0))), "a/b/f"); string(got) != "synced" {
			t.Fatalf("seed %d: %q", seed, got)
		}
	}
}

func TestCrashMayLoseAnUnsyncedName(t *testing.T) {
	fs := NewTorn()
	create(t, fs, "old", []byte("x"))
	fs.SyncAll()
	f := create(t, fs, "new", []byte("y"))
	check(t, f.Sync())
	check(t, fs.Rename("old", "renamed"))
	check(t, fs.Link("new", "linked"))
	seen := map[string]int{}
	for seed := range uint64(300) {
		names := must[[]string](t)(fs.Crash(rand.New(rand.NewPCG(seed, 0))).List("/"))
		slices.Sort(names)
		key := strings.Join(names, " ")
		if strings.Contains(key, "old") == strings.Contains(key, "renamed") {
			t.Fatalf("seed %d: a rename is half done: %s", seed, key)
		}
		seen[key]++
	}
	for _, want := range []string{"old", "new old", "new renamed", "linked new renamed"} {
		if seen[want] == 0 {
			t.Errorf("never saw %q in %v", want, seen)
		}
	}
}

func TestSyncOfOneDirectoryCarriesARenameWhole(t *testing.T) {
	fs := NewTorn()
	check(t, fs.MkdirAll("a", 0o755))
	check(t, fs.MkdirAll("b", 0o755))
	fs.SyncAll()
	f := create(t, fs, "a/f", []byte("x"))
	check(t, f.Sync())
	check(t, fs.Rename("a/f", "b/f"))
	syncDir(t, fs, "b")
	for seed := range uint64(50) {
		c := fs.Crash(rand.New(rand.NewPCG(seed, 0)))
		if _, err := c.Stat("a/f"); !errors.Is(err, os.ErrNotExist) {
			t.Fatalf("seed %d: the old name is back: %v", seed, err)
		}
		if got := contents(t, c, "b/f"); string(got) != "x" {
			t.Fatalf("seed %d: %q", seed, got)
		}
	}
}

func TestFailedSyncLosesWritesThatLaterSyncsCover(t *testing.T) {
	fs := NewTorn()
	f := create(t, fs, "f", bytes.Repeat([]byte{'0'}, 2*sectorSize))
	fs.SyncAll()
	_ = must[int](t)(f.WriteAt(bytes.Repeat([]byte{'1'}, sectorSize), 0))
	fs.FailSync(func(path string) bool { return path == "f" })
	if err := f.Sync(); !errors.Is(err, syscall.EIO) {
		t.Fatalf("Sync: %v, want EIO", err)
	}
	fs.FailSync(nil)
	_ = must[int](t)(f.WriteAt(bytes.Repeat([]byte{'2'}, sectorSize), sectorSize))
	check(t, f.Sync())
	if got := contents(t, fs, "f"); got[0] != '1' {
		t.Fatalf("the page cache shows %q, want '1'", got[0])
	}
	for seed := range uint64(50) {
		if got := contents(t, fs.Crash(rand.New(rand.NewPCG(seed, 0))), "f"); got[0] != '0' || got[sectorSize] != '2' {
			t.Fatalf("seed %d: sectors %q %q, want '0' '2'", seed, got[0], got[sectorSize])
		}
	}
}

func TestCrashAtStopsAtItsOperation(t *testing.T) {
	for op := int64(1); op <= 5; op++ {
		fs := NewTorn()
		fs.CrashAt(op, rand.New(rand.NewPCG(uint64(op), 0)))
		f := create(t, fs, "f", []byte("x")) // 1 create, 2 write
		check(t, f.Sync())                   // 3
		syncDir(t, fs, "/")                  // 4
		before := fs.Crashed() == nil
		create(t, fs, "g", nil) // 5, 6
		c := fs.Crashed()
		if c == nil || before != (op == 5) {
			t.Fatalf("op %d: crashed %v, before the fifth: %v", op, c != nil, before)
		}
		_, err := c.Stat("f")
		if op >= 4 && err != nil {
			t.Fatalf("op %d: a synced name is lost: %v", op, err)
		}
	}
}

// TestPebbleRunsOnATornDisk writes numbered keys in batches with a WAL, syncs some, crashes at random
// and opens again: what was synced is there and what is there is a prefix.
func TestPebbleRunsOnATornDisk(t *testing.T) {
	for seed := range uint64(30) {
		rng := rand.New(rand.NewPCG(seed, 9))
		fs := NewTorn()
		synced := -1
		crashAt := rng.IntN(120)
		for {
			db := openPebble(t, fs)
			for i := verifyPrefix(t, seed, db, synced); i < crashAt; i++ {
				opt := pebble.NoSync
				if rng.IntN(4) == 0 {
					opt = pebble.Sync
				}
				check(t, db.Set([]byte(fmt.Sprintf("%06d", i)), make([]byte, rng.IntN(3000)), opt))
				if opt == pebble.Sync {
					synced = i
				}
				if rng.IntN(20) == 0 {
					check(t, db.Flush())
					synced = i
				}
			}
			after := fs.Crash(rng)
			check(t, db.Close())
			if crashAt > 300 {
				break
			}
			fs, crashAt = after, crashAt+1+rng.IntN(120)
		}
	}
}

func openPebble(t *testing.T, fs vfs.FS) *pebble.DB {
	t.Helper()
	db, err := pebble.Open("db", &pebble.Options{FS: fs, MemTableSize: 64 << 10, Logger: quiet{}})
	check(t, err)
	syncDir(t, fs, "/") // the name of the folder itself is the caller's to sync
	return db
}

// verifyPrefix returns how many keys db holds, which must be the first ones and all synced ones.
func verifyPrefix(t *testing.T, seed uint64, db *pebble.DB, synced int) int {
	t.Helper()
	it := must[*pebble.Iterator](t)(db.NewIter(nil))
	defer it.Close()
	n := 0
	for ok := it.First(); ok; ok = it.Next() {
		if got := string(it.Key()); got != fmt.Sprintf("%06d", n) {
			t.Fatalf("seed %d: key %d is %s: a hole", seed, n, got)
		}
		n++
	}
	if n <= synced {
		t.Fatalf("seed %d: %d keys, %d were synced", seed, n, synced+1)
	}
	return n
}

type quiet struct{}

func (quiet) Infof(string, ...any)      {}
func (quiet) Errorf(string, ...any)     {}
func (quiet) Fatalf(f string, a ...any) { panic(fmt.Sprintf(f, a...)) }

func BenchmarkCrash(b *testing.B) {
	fs := NewTorn()
	for i := range 4 {
		f, _ := fs.Create(fmt.Sprint(i), vfs.WriteCategoryUnspecified)
		_, _ = f.Write(make([]byte, 128<<10))
		_ = f.Sync()
		_, _ = f.WriteAt(make([]byte, 16<<10), 4096)
	}
	d, _ := fs.OpenDir("/")
	_ = d.Sync()
	rng := rand.New(rand.NewPCG(1, 1))
	b.ReportAllocs()
	for b.Loop() {
		fs.Crash(rng)
	}
}

package embedded

import (
	"context"
	"errors"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"testing"

	"millrace/internal/core/fault"
	"millrace/internal/core/segment"
	"millrace/internal/core/store"
)

// stocked is a stopped store with batches in segments, in adopted journal files and in the journal.
func stocked(t *testing.T) (fs *fault.TornFS, o Options, ids []store.PartitionID, unmoved []string) {
	t.Helper()
	fs = fault.NewTorn()
	o = small(fs)
	o.MoveAfterBytes, o.AdoptBatchBytes = 256<<10, 8<<10
	r := openRig(t, o)
	for range 3 {
		ids = append(ids, r.create(store.Retention{}))
	}
	r.seal(ids[0])
	r.seal(ids[1])
	for range 60 {
		for _, id := range ids {
			r.fill(id, 2, 700)
		}
	}
	await(t, "segments", func() bool { return len(r.files(segmentsDir, ".seg")) >= 3 })
	r.fill(ids[0], 80, 20<<10)
	await(t, "an adopted file", func() bool { return len(r.files(journalDir, ".idx")) >= 2 })
	r.stop()
	o.MoveAfterBytes, o.AdoptBatchBytes, o.MaxUnmovedBytes = 64<<20, 1<<20, 128<<20 // what comes now stays in the journal
	r = openRig(t, o)
	r.seal(ids[1])
	for range 30 {
		for _, id := range ids {
			r.fill(id, 2, 1500)
		}
		r.set("a", make([]byte, 2000))
	}
	r.stop()
	for _, f := range r.Store.files {
		unmoved = append(unmoved, f.name)
	}
	fs.SyncAll()
	return fs, o, ids, unmoved
}

// damagedAt says which file an error names.
func damagedAt(t *testing.T, what string, err error) (file string, at int64) {
	t.Helper()
	var damage *store.CorruptError
	if !errors.As(err, &damage) {
		t.Fatalf("%s: got %v, want damage", what, err)
	}
	return damage.File, damage.Offset
}

// readEverything opens the store and compares all records; nil when all are what was written.
func readEverything(o Options, ids []store.PartitionID) error {
	o.Fatal = func(error) {} // Close says it
	s, err := Open(o)
	if err != nil {
		return err
	}
	var errs []error
	for _, id := range ids {
		errs = append(errs, s.readNumbered(id, 0))
	}
	return errors.Join(append(errs, s.Close())...)
}

// TestDamageIsNamed changes single bytes of every kind of file. Check names file and place of each that is read at all,
// Read never returns other bytes, and what Read finds Check finds too.
func TestDamageIsNamed(t *testing.T) {
	fs, o, ids, unmoved := stocked(t)
	whole := o
	whole.FS = fs.Crash(rand.New(rand.NewPCG(1, 1)))
	if err := readEverything(whole, ids); err != nil {
		t.Fatalf("before any damage: %v", err)
	}
	list := func(dir, suffix string) (paths []string) {
		for _, n := range contentsOf(t, fs, dir) {
			if strings.HasSuffix(n, suffix) {
				paths = append(paths, dir+"/"+n)
			}
		}
		slices.Sort(paths)
		return paths
	}
	var adopted []string
	for _, idx := range list("store/journal", ".idx") {
		adopted = append(adopted, strings.TrimSuffix(idx, ".idx")+".log")
	}
	for _, kind := range []struct {
		name  string
		files []string
		least int // of 100 changed bytes, how many Check has to find: the rest are zeros between groups and reserves
	}{
		{"journal", unmoved[:len(unmoved)-1], 30},
		{"end of the journal", unmoved[len(unmoved)-1:], 0},
		{"adopted file", adopted, 100}, // only bytes of batches are changed: nothing else in it is read
		{"sidecar", list("store/journal", ".idx"), 80},
		{"segment", list("store/segments", ".seg"), 80},
		{"keys", list("store/keys", ".sst"), 50},
	} {
		t.Run(kind.name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(1, 2))
			found, tries := 0, 30
			if len(kind.files) == 0 {
				t.Fatal("the store has no such file")
			}
			for range tries {
				name := kind.files[rng.IntN(len(kind.files))]
				b := contents(t, fs, name)
				at := rng.IntN(len(b))
				if kind.name == "adopted file" {
					at = batchByte(t, fs, strings.TrimSuffix(name, ".log")+".idx", rng)
				}
				o := o
				o.FS = damagedCopy(t, fs, name, int64(at), b[at]^byte(1<<rng.IntN(8)))
				_, err := Check(o, func(string) {})
				if err != nil {
					found++
					file, _ := damagedAt(t, kind.name, err)
					if kind.name != "keys" && file != name && file != path.Dir(name) && !strings.HasPrefix(file, strings.TrimSuffix(name, ".idx")) {
						t.Fatalf("byte %d of %s was changed, Check names %s: %v", at, name, file, err)
					}
				}
				o.FS = damagedCopy(t, fs, name, int64(at), b[at]^1)
				_, checked := Check(o, func(string) {})
				read := readEverything(o, ids)
				if read != nil && checked == nil {
					t.Fatalf("byte %d of %s was changed: Read finds it, Check does not: %v", at, name, read)
				}
				if read != nil && kind.name != "keys" {
					damagedAt(t, kind.name, read)
				}
			}
			if found*100 < kind.least*tries {
				t.Errorf("Check has found %d of %d changed bytes, at least %d of 100 are read", found, tries, kind.least)
			}
		})
	}
}

// batchByte picks a byte of a batch that a sidecar names.
func batchByte(t *testing.T, fs *fault.TornFS, sidecar string, rng *rand.Rand) int {
	t.Helper()
	side, err := segment.OpenSidecar(fs, sidecar, segment.ReaderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer side.Close()
	parts := side.Partitions()
	x, _ := side.Partition(parts[rng.IntN(len(parts))].Partition)
	skip := rng.IntN(int(x.Info().Entries))
	cursor := x.Find(0)
	e, _ := cursor.Next()
	for range skip {
		e, _ = cursor.Next()
	}
	if cursor.Err() != nil || e.StoredLen == 0 {
		t.Fatalf("entry %d of %s: %+v, %v", skip, sidecar, e, cursor.Err())
	}
	return int(e.Pos) + rng.IntN(int(e.StoredLen))
}

func damagedCopy(t *testing.T, fs *fault.TornFS, name string, at int64, to byte) *fault.TornFS {
	t.Helper()
	c := fs.Crash(rand.New(rand.NewPCG(1, 1))) // all is synced: a copy
	overwrite(t, c, name, at, []byte{to})
	c.SyncAll()
	return c
}

func TestMissingSealedFileIsDamage(t *testing.T) {
	fs, o, ids, _ := stocked(t)
	for _, dir := range []string{"store/segments", "store/journal"} {
		for _, n := range contentsOf(t, fs, dir) {
			if !strings.HasSuffix(n, ".seg") && !strings.HasSuffix(n, ".idx") {
				continue
			}
			c := fs.Crash(rand.New(rand.NewPCG(1, 1)))
			if err := c.Remove(dir + "/" + n); err != nil {
				t.Fatal(err)
			}
			c.SyncAll()
			o.FS = c
			_, err := Check(o, func(string) {})
			damagedAt(t, "Check without "+n, err)
			damagedAt(t, "Read without "+n, readEverything(o, ids))
		}
	}
}

// TestDamageInOneBatchLeavesTheOthersReadable: what stands before a damaged batch is returned, then the damage is named, and
// other partitions are as they were.
func TestDamageInOneBatchLeavesTheOthersReadable(t *testing.T) {
	o := small(fault.NewTorn())
	o.TailCacheBytes = 1
	r := openRig(t, o)
	a, b := r.create(store.Retention{}), r.create(store.Retention{})
	r.fill(a, 20, 1000)
	r.fill(b, 20, 1000)
	r.stop()
	r = openRig(t, o)
	e := r.idx.parts.Get(a).tail[10]
	overwrite(t, o.FS, r.Store.files[0].name, int64(e.pos)+70, []byte{0xff, 0xfe})
	res, err := r.Read(context.Background(), store.ReadRequest{Partition: a, MaxBytes: 1 << 20})
	if err != nil || len(res.Batches) != 10 {
		t.Fatalf("before the damage: %d batches, %v; want 10", len(res.Batches), err)
	}
	res.Release()
	_, err = r.Read(context.Background(), store.ReadRequest{Partition: a, From: 10, MaxBytes: 1 << 20})
	if file, at := damagedAt(t, "Read", err); file != r.Store.files[0].name || at != int64(e.pos) {
		t.Errorf("damage of %s at %d, want %s at %d", file, at, r.Store.files[0].name, e.pos)
	}
	for _, x := range []struct {
		id   store.PartitionID
		from store.Offset
	}{{a, 11}, {b, 0}} {
		if err := r.readNumbered(x.id, x.from); err != nil {
			t.Errorf("partition %d from %d: %v", x.id, x.from, err)
		}
	}
}

package embedded

import (
	"errors"
	"path/filepath"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"millrace/internal/core/fault"
	"millrace/internal/core/store"
)

// sharing makes the mover put the runs of many partitions into few files, in several passes.
func sharing(t *testing.T, parts int) (*rig, []store.PartitionID) {
	t.Helper()
	return sharingOn(t, fault.NewTorn(), "store", parts)
}

func sharingOn(t *testing.T, fs vfs.FS, dir string, parts int) (*rig, []store.PartitionID) {
	t.Helper()
	o := moving(fs, false)
	o.Dir = dir
	o.JournalFileBytes, o.MoveAfterBytes, o.MoveBufferBytes = 512<<10, 64<<10, 40<<10
	r := openRig(t, o)
	var ids []store.PartitionID
	for range parts {
		ids = append(ids, r.create(store.Retention{}))
	}
	return r, ids
}

// shape returns how many files of each kind runs point to, and the most runs of a partition.
func (r *rig) shape() (shared, own, runs int) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, p := range r.idx.parts.All() {
		runs = max(runs, len(p.runs))
	}
	return len(r.idx.files(fileShared)), len(r.idx.files(fileSegment)), runs
}

// mostRuns returns the most runs of some partitions.
func (r *rig) mostRuns(ids []store.PartitionID) (runs int) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, id := range ids {
		runs = max(runs, len(r.idx.parts.Get(id).runs))
	}
	return runs
}

func (r *rig) readAll(ids []store.PartitionID) error {
	var errs []error
	for _, id := range ids {
		errs = append(errs, r.readNumbered(id, r.head(id).Start))
	}
	return errors.Join(errs...)
}

func (r *rig) checked(ids []store.PartitionID) {
	r.Helper()
	if err := r.readAll(ids); err != nil {
		r.Error(err)
	}
	r.stop()
	if _, err := Check(r.opts, func(string) {}); err != nil {
		r.Errorf("Check: %v", err)
	}
	again := openRig(r, r.opts)
	if err := again.readAll(ids); err != nil {
		r.Error(err)
	}
	again.stop()
}

func TestManyPartitionsShareFiles(t *testing.T) {
	r, ids := sharing(t, 100)
	for range 12 {
		for _, id := range ids {
			r.fill(id, 3, 300)
		}
		r.fill(ids[7], 40, 2000) // enough for a file of its own
	}
	r.roll()
	shared, own, runs := r.shape()
	// Files of 128 KiB, a quarter of a full one, stay: 1.1 MB are nine of them. Less than thinFiles smaller ones may stay too.
	if shared == 0 || shared > 9+thinFiles || own == 0 || own > 12 || runs > 4*mergeRuns {
		t.Errorf("%d shared files, %d own ones, up to %d runs of a partition", shared, own, runs)
	}
	few := slices.Delete(slices.Clone(ids), 7, 8)
	if runs, most := r.mostRuns(few), 2*(mergeRuns-1); runs > most { // 13 KB each: two size classes
		t.Errorf("up to %d runs of a partition with few bytes, want %d at most", runs, most)
	}
	r.checked(ids)
}

// TestManyPartitionsShareFilesOfTheDisk goes past the page cache where the disk lets it.
func TestManyPartitionsShareFilesOfTheDisk(t *testing.T) {
	r, ids := sharingOn(t, vfs.Default, filepath.Join(t.TempDir(), "store"), 60)
	r.seal(ids[3])
	for i := range 12 {
		var req []store.AppendRequest // groups that are large enough to be written directly
		for _, id := range ids {
			next := r.head(id).Next
			a := store.AppendRequest{Partition: id, Key: r.sealed[id]}
			for k := range 6 {
				a.Records = append(a.Records, store.Record{Value: numbered(id, next+store.Offset(k), 300+30*(i%7))})
			}
			req = append(req, a)
		}
		if err := appendOK(r.Append(t.Context(), req)); err != nil {
			t.Fatal(err)
		}
	}
	r.roll()
	if shared, _, runs := r.shape(); shared == 0 || runs > 4*mergeRuns {
		t.Errorf("%d shared files, up to %d runs of a partition", shared, runs)
	}
	r.checked(ids)
}

func TestSharedFilesGoWithTheirPartitions(t *testing.T) {
	r, ids := sharing(t, 60)
	for range 20 {
		for _, id := range ids {
			r.fill(id, 3, 300)
		}
	}
	r.roll()
	r.update(func(tx store.Tx) error {
		var errs []error
		for i, id := range ids {
			if i%3 > 0 {
				errs = append(errs, tx.DeletePartition(id))
			} else {
				errs = append(errs, tx.TrimPartition(id, 31))
			}
		}
		return errors.Join(errs...)
	})
	var left []store.PartitionID
	for i, id := range ids {
		if i%3 == 0 {
			left = append(left, id)
		}
	}
	if err := r.readAll(left); err != nil {
		t.Error(err)
	}
	r.update(func(tx store.Tx) error {
		var errs []error
		for _, id := range left {
			errs = append(errs, tx.TrimPartition(id, 60))
		}
		return errors.Join(errs...)
	})
	r.roll()
	await(t, "no shared file", func() bool {
		r.fill(left[0], 1, 3000)
		return len(r.files(segmentsDir, ".seg")) <= 2
	})
	r.checked(left[1:])
}

// TestThinFilesAreWrittenAgain: of many files with one live run each, few are left, and nothing of the runs is lost.
func TestThinFilesAreWrittenAgain(t *testing.T) {
	r, ids := sharing(t, 30)
	slow := ids[0]
	for range 3 * thinFiles {
		for _, id := range ids[1:] {
			r.fill(id, 10, 300)
		}
		r.fill(slow, 2, 300)
		r.roll()
		r.update(func(tx store.Tx) error {
			var errs []error
			for _, id := range ids[1:] {
				errs = append(errs, tx.TrimPartition(id, r.head(id).Next))
			}
			return errors.Join(errs...)
		})
	}
	await(t, "few files", func() bool {
		shared, _, _ := r.shape()
		return shared <= thinFiles+1
	})
	r.checked(ids)
}

// TestSharedFileHoldsSeveralRunsOfAPartition: small runs between large ones are not merged, but their files are.
func TestSharedFileHoldsSeveralRunsOfAPartition(t *testing.T) {
	r, ids := sharing(t, 2)
	for range thinFiles + 2 {
		for _, id := range ids {
			r.fill(id, 1, 200)
		}
		r.roll()
		for _, id := range ids {
			r.fill(id, smallRun/10_000+1, 10_000)
		}
		r.roll()
	}
	await(t, "few files", func() bool {
		shared, _, _ := r.shape()
		return shared < thinFiles
	})
	most := 0
	r.mu.RLock()
	for _, id := range ids {
		in := map[fileID]int{}
		for _, run := range r.idx.parts.Get(id).runs {
			in[run.file]++
			most = max(most, in[run.file])
		}
	}
	r.mu.RUnlock()
	if most < 2 {
		t.Error("no file has two runs of a partition")
	}
	for _, id := range ids {
		for at := store.Offset(0); at < r.head(id).Next; at += 3 {
			if err := r.readNumbered(id, at); err != nil {
				t.Fatalf("from %d on: %v", at, err)
			}
		}
	}
	r.checked(ids)
}

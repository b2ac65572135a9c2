package embedded

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"millrace/internal/core/clock"
	"millrace/internal/core/fault"
	"millrace/internal/core/store"
)

// moving makes the mover work after each file; adopt lets it adopt the ones with batches of 4 KiB.
func moving(fs vfs.FS, adopt bool) Options {
	o := small(fs)
	o.JournalFileBytes, o.MoveAfterBytes, o.AdoptBatchBytes = 128<<10, 64<<10, 1<<20
	if adopt {
		o.AdoptBatchBytes = 4 << 10
	}
	return o
}

func (r *rig) sealedFiles() int {
	return len(r.files(segmentsDir, ".seg")) + len(r.files(journalDir, ".idx"))
}

// namedFiles is how many sealed files runs point to. The caller holds mu.
func (r *rig) namedFiles() int {
	return len(r.idx.files(fileSegment)) + len(r.idx.files(fileShared)) + len(r.idx.files(fileJournal))
}

// roll closes the active file, so that the mover takes all that is there.
func (r *rig) roll() {
	r.Helper()
	id := r.create(store.Retention{})
	moved := func() int64 { c := r.Counters(); return c.MovedFiles + c.AdoptedFiles }
	before, last := moved(), r.Store.files[len(r.Store.files)-1].header.Seq
	for r.activeSeq() <= last+1 {
		r.append(id, make([]byte, 3000))
	}
	await(r, "the mover", func() bool { return moved() > before })
	r.update(func(tx store.Tx) error { return tx.DeletePartition(id) })
}

func (r *rig) activeSeq() uint64 {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.Store.files[len(r.Store.files)-1].header.Seq
}

func TestTrimmedFilesAreDeleted(t *testing.T) {
	for name, adopt := range map[string]bool{"segments": false, "adopted journal files": true} {
		t.Run(name, func(t *testing.T) {
			r := openRig(t, moving(fault.NewTorn(), adopt))
			id := r.create(store.Retention{})
			r.fill(id, 120, 10<<10)
			await(t, "sealed files", func() bool { c := r.Counters(); return c.AdoptedFiles+c.MovedFiles > 0 })
			if err := r.readNumbered(id, 0); err != nil {
				t.Fatal(err)
			}
			if c := r.Counters(); adopt == (c.AdoptedFiles == 0) || adopt == (c.MovedFiles > 0) {
				t.Fatalf("%d files were adopted, %d moved", c.AdoptedFiles, c.MovedFiles)
			}
			r.update(func(tx store.Tx) error { return tx.TrimPartition(id, 60) })
			if err := r.readNumbered(id, 60); err != nil {
				t.Error(err)
			}
			r.update(func(tx store.Tx) error { return tx.DeletePartition(id) })
			other := r.create(store.Retention{})
			r.roll()
			await(t, "no sealed file but those of others", func() bool {
				r.fill(other, 1, 3000)
				r.mu.RLock()
				defer r.mu.RUnlock()
				return r.namedFiles() >= r.sealedFiles()
			})
			r.stop()
			if _, err := Check(r.opts, func(string) {}); err != nil {
				t.Errorf("Check: %v", err)
			}
		})
	}
}

func TestRetentionTrimsByAge(t *testing.T) {
	now := clock.NewManual(time.UnixMilli(1_700_000_000_000))
	o := moving(fault.NewTorn(), false)
	o.Clock = now
	r := openRig(t, o)
	id := r.create(store.Retention{Millis: time.Hour.Milliseconds()})
	keep := r.create(store.Retention{})
	r.fill(id, 100, 5000)
	r.fill(keep, 10, 5000)
	now.Advance(40 * time.Minute)
	r.fill(id, 100, 5000)
	await(t, "the older half to be trimmed", func() bool {
		if h := r.head(id); h.Start == 100 {
			return true
		}
		now.Advance(time.Minute) // the loop that trims wakes at some of them
		if age := now.Now().UnixMilli() - 1_700_000_000_000; age > (95 * time.Minute).Milliseconds() {
			now.Set(time.UnixMilli(1_700_000_000_000).Add(95 * time.Minute)) // the younger half stays
		}
		return false
	})
	if h := r.head(keep); h.Start != 0 {
		t.Errorf("a partition without retention starts at %d", h.Start)
	}
	if err := errors.Join(r.readNumbered(id, 100), r.readNumbered(keep, 0)); err != nil {
		t.Error(err)
	}
	var trimmed *store.TrimmedError
	if err := r.readNumbered(id, 99); !errors.As(err, &trimmed) || trimmed.First != 100 {
		t.Errorf("read before the start: %v", err)
	}
}

func TestRetentionTrimsBySize(t *testing.T) {
	r := openRig(t, moving(fault.NewTorn(), true))
	id := r.create(store.Retention{Bytes: 200 << 10})
	for range 10 {
		r.fill(id, 50, 6<<10)
		if _, err := store.ApplyRetention(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		h := r.head(id)
		if kept := int64(h.Next-h.Start) * 6 << 10; kept > 200<<10 || kept < 150<<10 {
			t.Fatalf("%d bytes are kept of 200 KiB: %+v", kept, h)
		}
		if err := r.readNumbered(id, h.Start); err != nil {
			t.Fatal(err)
		}
	}
	await(t, "room from what was trimmed", func() bool {
		r.fill(id, 1, 6<<10)
		if _, err := store.ApplyRetention(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		return r.sealedFiles() <= 6
	})
}

func TestFilesThatNothingNamesAreRemovedAtStart(t *testing.T) {
	o := moving(fault.NewTorn(), false)
	r := openRig(t, o)
	id := r.create(store.Retention{})
	r.fill(id, 100, 3000)
	await(t, "a segment", func() bool { return len(r.files(segmentsDir, ".seg")) > 0 })
	r.stop()
	strays := []string{"store/segments/00000000000fffff.seg", "store/journal/00000000000fffff.idx"}
	for _, name := range strays {
		f, err := o.FS.Create(name, vfs.WriteCategoryUnspecified)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte("half of a segment")); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Check(o, func(string) {}); err != nil {
		t.Errorf("Check with files that nothing names: %v", err)
	}
	r = openRig(t, o)
	for _, name := range strays {
		if _, err := o.FS.Stat(name); err == nil {
			t.Errorf("%s is still there", name)
		}
	}
	r.fill(id, 100, 3000)
	r.roll()
	if err := r.readNumbered(id, 0); err != nil {
		t.Error(err)
	}
}

func TestSmallRunsAreMerged(t *testing.T) {
	r := openRig(t, moving(fault.NewTorn(), false))
	id := r.create(store.Retention{})
	for range 12 {
		r.fill(id, 10, 200)
		r.roll()
	}
	r.mu.RLock()
	runs := len(r.idx.parts.Get(id).runs)
	r.mu.RUnlock()
	if most := 2 * (mergeRuns - 1); runs > most { // of two size classes; when a round begins is the mover's affair
		t.Errorf("120 small records are in %d runs, want %d at most", runs, most)
	}
	if err := r.readNumbered(id, 0); err != nil {
		t.Error(err)
	}
	st, err := r.Stat(t.Context(), id)
	if err != nil || st.Batches < 12 || st.Head.Next != 120 {
		t.Errorf("stat %+v, %v", st, err)
	}
	r.stop()
	if n := len(r.files(segmentsDir, ".seg")); n > thinFiles+mergeRuns {
		t.Errorf("%d files are left of those that were replaced", n)
	}
}

func TestRunsAreWrittenAgainOnceForEachClass(t *testing.T) {
	for _, piece := range []int64{100, 5 << 10, 20 << 10, 70 << 10} {
		var runs []run
		var written int64
		most, rounds := 0, 4*smallRun/piece
		for i := range rounds {
			last, total := merged(runs, piece)
			written += total
			runs = append(runs[:len(runs)-len(last)], run{bytes: total, file: fileID{fileShared, uint64(i)}})
			small := 0
			for _, r := range runs {
				if r.bytes < smallRun {
					small++
				}
			}
			most = max(most, small)
		}
		classes := sizeClass(smallRun) - sizeClass(piece)
		bar := float64(1 + classes)
		if piece < firstClass {
			bar += float64(firstClass/piece) / (mergeRuns - 1) // the first class is not four times anything
		}
		if times := float64(written) / float64(rounds*piece); times > bar {
			t.Errorf("%d pieces of %d bytes: each was written %.1f times, want %.1f at most", rounds, piece, times, bar)
		}
		if most > (mergeRuns-1)*(classes+1) {
			t.Errorf("%d pieces of %d bytes: up to %d small runs, want %d at most", rounds, piece, most, (mergeRuns-1)*(classes+1))
		}
	}
	adopted := slices.Repeat([]run{{bytes: 100, file: fileID{fileJournal, 1}}}, 2*mergeRuns)
	if got, _ := merged(adopted, 100); len(got) != 0 {
		t.Errorf("adopted files are written again: %v", got)
	}
	large := slices.Repeat([]run{{bytes: smallRun, file: fileID{fileShared, 1}}}, 2*mergeRuns)
	if got, _ := merged(large, 10*smallRun); len(got) != 0 {
		t.Errorf("runs that are large enough are written again: %v", got)
	}
}

// TestReadersNeverNoticeTheMover reads everything, byte for byte, while others write, trim and the mover works.
func TestReadersNeverNoticeTheMover(t *testing.T) {
	for name, adopt := range map[string]bool{"moving": false, "adopting": true} {
		t.Run(name, func(t *testing.T) {
			o := moving(fault.NewTorn(), adopt)
			o.TailCacheBytes, o.MaxOpenFiles = 1, 16
			r := openRig(t, o)
			ids := []store.PartitionID{r.create(store.Retention{}), r.create(store.Retention{}), r.create(store.Retention{})}
			var done atomic.Bool
			var writers, readers sync.WaitGroup
			for i, id := range ids {
				writers.Go(func() {
					for n := range 40 {
						r.fill(id, 5, []int{500, 3 << 10, 12 << 10}[(i+n)%3])
						if i == 0 && n%4 == 3 {
							r.update(func(tx store.Tx) error { return tx.TrimPartition(id, store.Offset(n*3)) })
						}
					}
				})
			}
			var reads atomic.Int64
			for range 3 {
				readers.Go(func() {
					for !done.Load() {
						for _, id := range ids {
							var trimmed *store.TrimmedError
							if err := r.readNumbered(id, r.head(id).Start); err != nil && !errors.As(err, &trimmed) {
								t.Errorf("partition %d: %v", id, err)
								return
							}
							for _, by := range []store.SeekBy{store.SeekAppendTime, store.SeekTimestamp} {
								if _, _, err := r.Seek(t.Context(), id, r.Now()-5, by); err != nil {
									t.Errorf("seek in partition %d: %v", id, err)
									return
								}
							}
							reads.Add(1)
						}
					}
				})
			}
			writers.Wait()
			r.roll()
			await(t, "some reads", func() bool { return reads.Load() > 20 })
			done.Store(true)
			readers.Wait()
			if c := r.Counters(); c.MovedFiles+c.AdoptedFiles == 0 || adopt && c.AdoptedFiles == 0 {
				t.Errorf("%d files were moved, %d adopted", c.MovedFiles, c.AdoptedFiles)
			}
			r.stop()
			if _, err := Check(o, func(string) {}); err != nil {
				t.Errorf("Check: %v", err)
			}
		})
	}
}

// TestFailedMoveIsTriedAgain: nothing is lost, and nothing is left of the attempt.
func TestFailedMoveIsTriedAgain(t *testing.T) {
	disk := &ruleFS{FS: fault.NewTorn()}
	now := clock.NewManual(time.UnixMilli(1_700_000_000_000))
	o := moving(disk, false)
	o.MaxUnmovedBytes, o.Clock = 64<<20, now
	r := openRig(t, o)
	var failures atomic.Int64
	disk.set(func(op fault.Op, path string) error {
		if op == fault.OpWrite && strings.HasSuffix(path, ".seg") {
			failures.Add(1)
			return errNoRoom
		}
		return nil
	})
	id := r.create(store.Retention{})
	r.fill(id, 200, 3000)
	await(t, "three failed rounds", func() bool { now.Advance(time.Second); return failures.Load() >= 3 })
	if err := r.readNumbered(id, 0); err != nil {
		t.Error(err)
	}
	disk.set(nil)
	await(t, "a round that succeeds", func() bool { now.Advance(time.Second); return r.Counters().MovedFiles > 0 })
	if err := r.readNumbered(id, 0); err != nil {
		t.Error(err)
	}
	r.stop()
	r.mu.RLock()
	named := r.namedFiles()
	r.mu.RUnlock()
	if n := len(r.files(segmentsDir, ".seg")); n != named {
		t.Errorf("%d segments are there, %d are named", n, named)
	}
}

// TestHeldBytesDoNotChange keeps results of Read while the store writes many times what its cache and journal hold.
func TestHeldBytesDoNotChange(t *testing.T) {
	o := moving(fault.NewTorn(), false)
	o.TailCacheBytes = 1
	r := openRig(t, o)
	id := r.create(store.Retention{})
	type held struct {
		res  store.ReadResult
		copy [][]byte
	}
	var all []held
	hold := func(from store.Offset) {
		res, err := r.Read(t.Context(), store.ReadRequest{Partition: id, From: from, MaxBytes: 100 << 10})
		if err != nil {
			t.Fatal(err)
		}
		h := held{res: res}
		for _, b := range res.Batches {
			h.copy = append(h.copy, bytes.Clone(b.Bytes))
		}
		all = append(all, h)
	}
	for i := range 20 {
		next := r.head(id).Next
		r.fill(id, 10, 100<<10)
		hold(next)                         // from the cache
		hold(0)                            // from a segment
		hold(max(0, next-store.Offset(i))) // from either, or from the journal
	}
	r.update(func(tx store.Tx) error { return tx.TrimPartition(id, 190) })
	for i := range all {
		for k, b := range all[i].res.Batches {
			if !bytes.Equal(b.Bytes, all[i].copy[k]) {
				t.Fatalf("batch at %d, result %d of %d: its bytes have changed", b.Base, i, len(all))
			}
		}
		all[i].res.Release()
	}
	r.stop()
	for _, f := range r.segments.open {
		t.Errorf("%s is still open", f.path)
	}
}

package embedded

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"millrace/internal/core/fault"
	"millrace/internal/core/store"
)

// TestFullDiskRefusesWritesAndServesReads fills a disk, reads from it, and makes it larger.
func TestFullDiskRefusesWritesAndServesReads(t *testing.T) {
	full := fault.NewFull(fault.NewTorn(), 3<<20)
	o := small(full)
	o.MaxUnmovedBytes, o.MoveAfterBytes = 64<<20, 32<<20
	o.BallastBytes = 64 << 10
	r := openRig(t, o)
	id := r.create(store.Retention{})
	n := fillDisk(t, r, id)
	if _, err := r.Update(t.Context(), func(tx store.Tx) error { return tx.Set(topicKey("a"), make([]byte, 8<<10)) }); !errors.Is(err, store.ErrFull) {
		t.Errorf("a transaction: got %v, want %v", err, store.ErrFull)
	}
	if h := r.head(id); h.Next != n || n < 100 {
		t.Errorf("head %+v after %d records", h, n)
	}
	if err := r.readNumbered(id, 0); err != nil {
		t.Errorf("read from a full disk: %v", err)
	}
	full.SetLimit(64 << 20)
	awaitRoom(t, r, id, n)
	r.fill(id, 50, 8<<10)
	if err := r.readNumbered(id, 0); err != nil {
		t.Error(err)
	}
	r.stop()
	if _, err := Check(o, func(string) {}); err != nil {
		t.Errorf("Check: %v", err)
	}
}

// TestRoomThatTrimmingFreesIsUsedAgain writes twice what the disk holds.
func TestRoomThatTrimmingFreesIsUsedAgain(t *testing.T) {
	full := fault.NewFull(fault.NewTorn(), 6<<20)
	o := small(full)
	o.MoveAfterBytes, o.MaxUnmovedBytes = 128<<10, 1<<20
	r := openRig(t, o)
	id := r.create(store.Retention{})
	for range 75 {
		r.fill(id, 20, 8<<10)
		if n := r.head(id).Next; n > 50 {
			r.update(func(tx store.Tx) error { return tx.TrimPartition(id, n-50) })
		}
	}
	if err := r.readNumbered(id, r.head(id).Start); err != nil {
		t.Error(err)
	}
}

// TestKeyChangesAreRefusedWhileKeysCannotBeFlushed: Pebble would block when its memtables are full, and with it everybody.
func TestKeyChangesAreRefusedWhileKeysCannotBeFlushed(t *testing.T) {
	disk := &ruleFS{FS: fault.NewTorn()}
	o := small(disk)
	o.JournalFileBytes, o.MaxUnmovedBytes, o.MoveAfterBytes = 4<<20, 256<<20, 128<<20
	r := openRig(t, o)
	id := r.create(store.Retention{})
	disk.set(func(op fault.Op, path string) error {
		if op == fault.OpCreate && strings.HasSuffix(path, ".sst") {
			return errNoRoom
		}
		return nil
	})
	var err error
	n := 0
	for end := time.Now().Add(awaited); err == nil && time.Now().Before(end); n++ {
		_, err = r.Update(t.Context(), func(tx store.Tx) error { return tx.Set(topicKey(fmt.Sprint(n)), make([]byte, 16<<10)) })
	}
	if !errors.Is(err, store.ErrFull) {
		t.Fatalf("after %d transactions of 16 KiB: got %v, want %v", n, err, store.ErrFull)
	}
	r.fill(id, 300, 8<<10)
	if err := r.readNumbered(id, 0); err != nil {
		t.Errorf("reads while keys cannot be flushed: %v", err)
	}
	if got := r.get("0"); len(got) != 16<<10 {
		t.Errorf("a key that was set before: %d bytes", len(got))
	}
	disk.set(nil)
	await(t, "a key change when there is room again", func() bool {
		_, err := r.Update(t.Context(), func(tx store.Tx) error { return tx.Set(topicKey("last"), []byte("1")) })
		if err != nil && !errors.Is(err, store.ErrFull) {
			t.Fatalf("got %v", err)
		}
		return err == nil
	})
	r.stop()
	r = openRig(t, o)
	if got := r.get("last"); string(got) != "1" {
		t.Errorf("after opening again: got %q", got)
	}
}

func TestFailedSyncStopsTheStore(t *testing.T) {
	in := func(prefix string) func(string) bool {
		return func(path string) bool { return strings.HasPrefix(path, prefix) }
	}
	for where, c := range map[string]struct {
		nth     int
		match   func(r *rig) func(path string) bool
		unknown bool // whether calls stand in what is not synced
	}{
		"a group":                   {1, func(r *rig) func(string) bool { return in(r.active.name) }, true},
		"the page of the next file": {1, func(r *rig) func(string) bool { return in(nextJournal(t, r)) }, false},
		"the keys":                  {5, func(*rig) func(string) bool { return in("store/keys/") }, false},
	} {
		t.Run(where, func(t *testing.T) {
			disk := fault.NewErr(fault.NewTorn())
			o := small(disk)
			var fatal atomic.Int64
			o.Fatal = func(error) { fatal.Add(1) }
			r := openRig(t, o)
			id := r.create(store.Retention{})
			r.set("a", []byte("1"))
			disk.FailNth(fault.OpSync, c.nth, c.match(r))
			var wg sync.WaitGroup
			var unknown, stopped atomic.Int64
			for w := range 8 {
				wg.Go(func() {
					for i := 0; ; i++ {
						var err error
						if w%2 == 0 {
							_, err = r.Append(context.Background(), one(id, make([]byte, 3000)))
						} else {
							_, err = r.Update(context.Background(), func(tx store.Tx) error { return tx.Set(topicKey(fmt.Sprint(w, i)), make([]byte, 3000)) })
						}
						switch {
						case errors.Is(err, store.ErrUnknownOutcome):
							unknown.Add(1)
						case errors.Is(err, store.ErrStopped), errors.Is(err, store.ErrFull) && r.failure() != nil:
							stopped.Add(1)
							return
						case err != nil:
							t.Errorf("got %v", err)
							return
						}
					}
				})
			}
			wg.Wait()
			await(t, "the call of Fatal", func() bool { return fatal.Load() > 0 }) // others are refused while it is on its way
			if stopped.Load() != 8 || (unknown.Load() > 0) != c.unknown {
				t.Errorf("%d calls have an unknown outcome, want some: %v; %d were refused, want 8", unknown.Load(), c.unknown, stopped.Load())
			}
			if _, err := r.Append(t.Context(), one(id, nil)); !errors.Is(err, store.ErrStopped) {
				t.Errorf("append afterwards: got %v, want %v", err, store.ErrStopped)
			}
			if _, err := r.Update(t.Context(), func(tx store.Tx) error { return tx.Set(topicKey("a"), nil) }); !errors.Is(err, store.ErrStopped) {
				t.Errorf("transaction afterwards: got %v, want %v", err, store.ErrStopped)
			}
			done := make(chan error, 1)
			go func() { done <- r.Close() }()
			select {
			case err := <-done:
				if err == nil {
					t.Error("Close of a store that has failed: no error")
				}
			case <-time.After(awaited):
				t.Error("Close of a store that has failed does not end")
			}
			if fatal.Load() != 1 {
				t.Errorf("Fatal was called %d times, want once", fatal.Load())
			}
		})
	}
}

// nextJournal is the name of the file that is written ahead, from when all of it is on disk.
func nextJournal(t *testing.T, r *rig) (name string) {
	t.Helper()
	await(t, "a file that is written ahead", func() bool {
		r.space.mu.Lock()
		defer r.space.mu.Unlock()
		if r.space.ready != nil {
			name = r.space.ready.name
		}
		return name != ""
	})
	return name
}

// TestCloseEndsWhileKeysCannotBeFlushed: what is in the journal is enough for the next start.
func TestCloseEndsWhileKeysCannotBeFlushed(t *testing.T) {
	for name, busy := range map[string]bool{"idle": false, "while the mover waits for a flush": true} {
		t.Run(name, func(t *testing.T) {
			disk := &ruleFS{FS: fault.NewTorn()}
			o := small(disk)
			o.Fatal = func(err error) { t.Errorf("Fatal was called: %v", err) }
			r := openRig(t, o)
			id := r.create(store.Retention{})
			r.set("a", []byte("1"))
			disk.set(func(op fault.Op, path string) error {
				if op == fault.OpCreate && strings.HasSuffix(path, ".sst") {
					return errNoRoom
				}
				return nil
			})
			if busy {
				r.fill(id, 100, 8<<10)
				await(t, "a flush that fails", func() bool { return r.gate.failing.Load() })
			}
			done := make(chan error, 1)
			go func() { done <- r.Close() }()
			select {
			case err := <-done:
				if err == nil {
					t.Error("Close does not say that keys were not flushed")
				}
			case <-time.After(awaited):
				t.Fatal("Close does not end")
			}
			disk.set(nil)
			left := disk.FS.(*fault.TornFS).Crash(rand.New(rand.NewPCG(1, 1))) // as the end of the process leaves it
			left.SyncAll()
			o.FS = left
			r = openRig(t, o)
			if got := r.get("a"); string(got) != "1" {
				t.Errorf("after opening again: got %q", got)
			}
			if err := r.readNumbered(id, 0); err != nil {
				t.Error(err)
			}
			r.stop()
			if _, err := Check(o, func(string) {}); err != nil {
				t.Errorf("Check: %v", err)
			}
		})
	}
}

// TestWritersAreRefusedWhileTheMoverWaitsForAFlush: at the bound on unmoved journal they would wait as long as the disk is full.
func TestWritersAreRefusedWhileTheMoverWaitsForAFlush(t *testing.T) {
	disk := &ruleFS{FS: fault.NewTorn()}
	o := moving(disk, false)
	o.MaxUnmovedBytes = 512 << 10
	r := openRig(t, o)
	id := r.create(store.Retention{})
	disk.set(func(op fault.Op, path string) error {
		if op == fault.OpCreate && strings.HasSuffix(path, ".sst") {
			return errNoRoom
		}
		return nil
	})
	ctx, cancel := context.WithTimeout(t.Context(), awaited)
	defer cancel()
	n := store.Offset(0)
	var err error
	for ; err == nil && n < 1000; n++ {
		_, err = r.Append(ctx, one(id, numbered(id, n, 3000)))
	}
	n--
	if !errors.Is(err, store.ErrFull) {
		t.Fatalf("after %d records: got %v, want %v", n, err, store.ErrFull)
	}
	if err := r.readNumbered(id, 0); err != nil {
		t.Error(err)
	}
	disk.set(nil)
	await(t, "a write when there is room again", func() bool {
		_, err := r.Append(ctx, one(id, numbered(id, n, 3000)))
		return err == nil
	})
	r.fill(id, 100, 3000)
	if err := r.readNumbered(id, 0); err != nil {
		t.Error(err)
	}
	r.stop()
}

// TestFullDiskIsCleanedUpByTrimming: trims are taken when nothing else is, and what they free is written to again.
func TestFullDiskIsCleanedUpByTrimming(t *testing.T) {
	full := fault.NewFull(fault.NewTorn(), 3<<20)
	o := small(full)
	o.MaxUnmovedBytes, o.MoveAfterBytes = 64<<20, 32<<20
	o.BallastBytes = 256 << 10
	r := openRig(t, o)
	id := r.create(store.Retention{})
	n := fillDisk(t, r, id)
	if _, err := r.Update(t.Context(), func(tx store.Tx) error { return tx.TrimPartition(id, n-5) }); err != nil {
		t.Fatalf("a trim on the full disk: %v", err)
	}
	awaitRoom(t, r, id, n)
	r.fill(id, 20, 8<<10)
	if err := r.readNumbered(id, n-5); err != nil {
		t.Error(err)
	}
}

// fillDisk writes records of 8 KiB until there is no room, and returns how many there are.
func fillDisk(t *testing.T, r *rig, id store.PartitionID) (n store.Offset) {
	t.Helper()
	for end := time.Now().Add(awaited); time.Now().Before(end); n++ {
		_, err := r.Append(t.Context(), one(id, numbered(id, n, 8<<10)))
		if errors.Is(err, store.ErrFull) {
			return n
		}
		if err != nil {
			t.Fatalf("record %d: got %v, want %v in the end", n, err, store.ErrFull)
		}
	}
	t.Fatalf("after %d records the disk is not full", n)
	return 0
}

// awaitRoom waits until record n is taken; until then the store says that it is full.
func awaitRoom(t *testing.T, r *rig, id store.PartitionID, n store.Offset) {
	t.Helper()
	await(t, "a write where there is room again", func() bool {
		_, err := r.Append(t.Context(), one(id, numbered(id, n, 8<<10)))
		if err != nil && !errors.Is(err, store.ErrFull) {
			t.Fatalf("with room again: %v", err)
		}
		return err == nil
	})
}

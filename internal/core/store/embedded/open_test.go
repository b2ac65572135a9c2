package embedded

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"millrace/internal/core/fault"
	"millrace/internal/core/store"
)

func TestSecondOpenIsToldWhoHasTheFolder(t *testing.T) {
	for name, o := range map[string]Options{"memory": small(fault.NewTorn()), "disk": small(vfs.Default)} {
		t.Run(name, func(t *testing.T) {
			if name == "disk" {
				o.Dir = filepath.Join(t.TempDir(), "data")
			}
			r := openRig(t, o)
			var locked *store.LockedError
			if _, err := Open(o); !errors.As(err, &locked) || locked.Path != o.Dir || locked.Holder != fmt.Sprintf("process %d", os.Getpid()) {
				t.Errorf("second Open: got %v (%+v)", err, locked)
			}
			if _, err := Check(o, func(string) {}); !errors.As(err, &locked) {
				t.Errorf("Check: got %v", err)
			}
			r.set("a", []byte("1"))
			r.stop()
			r = openRig(t, o)
			if got := r.get("a"); string(got) != "1" {
				t.Errorf("after the lock was given up: got %q", got)
			}
		})
	}
}

// TestAFolderOfAProcessThatEndsIsWaitedFor has the holder be another process, which ends after a second or not at all.
func TestAFolderOfAProcessThatEndsIsWaitedFor(t *testing.T) {
	for _, ends := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			o := small(fault.NewTorn())
			first, err := Open(o)
			if err != nil {
				t.Fatal(err)
			}
			f, err := o.FS.Create(o.FS.PathJoin(o.Dir, holderName), vfs.WriteCategoryUnspecified)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.Write([]byte("process 1")); err != nil {
				t.Fatal(err)
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
			if ends {
				time.AfterFunc(time.Second, func() { _ = first.Close() })
			}
			began := time.Now()
			o.LockWait = 5 * time.Second
			second, err := Open(o)
			waited := time.Since(began)
			if ends {
				if err != nil || waited < time.Second || waited > 2*time.Second {
					t.Fatalf("the holder ended after a second: got %v after %v", err, waited)
				}
				if err := second.Close(); err != nil {
					t.Fatal(err)
				}
				return
			}
			var locked *store.LockedError
			if !errors.As(err, &locked) || waited < o.LockWait || waited > 2*o.LockWait {
				t.Errorf("the holder stayed: got %v after %v", err, waited)
			}
			if err := first.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestAFolderThatCannotBeLockedIsNotOneThatIsLocked has a folder where the lock's file would be.
func TestAFolderThatCannotBeLockedIsNotOneThatIsLocked(t *testing.T) {
	o := small(vfs.Default)
	o.Dir, o.LockWait = t.TempDir(), time.Minute
	if err := os.Mkdir(filepath.Join(o.Dir, lockName), 0o700); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	_, err := Open(o)
	var locked *store.LockedError
	if err == nil || errors.As(err, &locked) || !strings.Contains(err.Error(), lockName) {
		t.Errorf("got %v, want an error that names the file", err)
	}
	if waited := time.Since(began); waited >= o.LockWait {
		t.Errorf("waited %v for nobody", waited)
	}
}

// withKeys changes the keys of a store that is closed.
func withKeys(t *testing.T, o Options, change func(db *pebble.DB) error) {
	t.Helper()
	s := newStore(o.withDefaults())
	db, err := pebble.Open(s.path(keysDir), s.pebbleOptions())
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(change(db), db.Flush(), db.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestNewerLevelIsRefused(t *testing.T) {
	o := small(fault.NewTorn())
	openRig(t, o).stop()
	withKeys(t, o, func(db *pebble.DB) error {
		return db.Set(keyLevel, binary.BigEndian.AppendUint32(nil, uint32(store.LevelRead+1)), pebble.NoSync)
	})
	for what, open := range map[string]func() error{
		"Open":  func() error { _, err := Open(o); return err },
		"Check": func() error { _, err := Check(o, func(string) {}); return err },
	} {
		var level *store.LevelError
		if err := open(); !errors.As(err, &level) || level.Found != store.LevelRead+1 || level.Readable != store.LevelRead {
			t.Errorf("%s: got %v", what, err)
		}
	}
}

func TestUnknownFamilyIsRefused(t *testing.T) {
	for _, family := range []byte{0x05, 0x7f, 0xff} {
		o := small(fault.NewTorn())
		r := openRig(t, o)
		r.set("a", []byte("1"))
		r.stop()
		withKeys(t, o, func(db *pebble.DB) error { return db.Set([]byte{family, 1}, nil, pebble.NoSync) })
		var unknown *store.FamilyError
		if _, err := Open(o); !errors.As(err, &unknown) || byte(unknown.Found) != family {
			t.Errorf("family %#x: got %v", family, err)
		}
	}
}

func TestMissingLevelIsDamage(t *testing.T) {
	o := small(fault.NewTorn())
	r := openRig(t, o)
	r.set("a", []byte("1"))
	r.stop()
	withKeys(t, o, func(db *pebble.DB) error { return db.Delete(keyLevel, pebble.NoSync) })
	var damage *store.CorruptError
	if _, err := Open(o); !errors.As(err, &damage) {
		t.Errorf("got %v", err)
	}
}

// TestMissingJournalIsNeverAnEmptyStore takes files away and cuts them short.
func TestMissingJournalIsNeverAnEmptyStore(t *testing.T) {
	build := func(t *testing.T) (Options, []string) {
		o := small(fault.NewTorn())
		o.MoveAfterBytes, o.MaxUnmovedBytes = 64<<20, 128<<20 // all of it stays in the journal
		r := openRig(t, o)
		id := r.create(store.Retention{})
		r.fill(id, 200, 3000)
		r.stop()
		var used []string
		for _, f := range r.Store.files {
			used = append(used, f.name)
		}
		return o, used
	}
	_, used := build(t)
	if len(used) < 3 {
		t.Fatalf("only %d journal files", len(used))
	}
	damaged := func(t *testing.T, o Options) {
		t.Helper()
		var damage *store.CorruptError
		if _, err := Check(o, func(string) {}); !errors.As(err, &damage) || !strings.HasPrefix(damage.File, "store/journal") {
			t.Errorf("Check: got %v", err)
		}
		if _, err := Open(o); !errors.As(err, &damage) || !strings.HasPrefix(damage.File, "store/journal") {
			t.Errorf("Open: got %v", err)
		}
	}
	for i := range used {
		t.Run(fmt.Sprintf("file %d removed", i), func(t *testing.T) {
			o, used := build(t)
			if err := o.FS.Remove(used[i]); err != nil {
				t.Fatal(err)
			}
			damaged(t, o)
		})
		t.Run(fmt.Sprintf("file %d cut short", i), func(t *testing.T) {
			o, used := build(t)
			cutShort(t, o.FS, used[i], 4<<10)
			damaged(t, o)
		})
		t.Run(fmt.Sprintf("file %d without its page", i), func(t *testing.T) {
			o, used := build(t)
			overwrite(t, o.FS, used[i], 0, make([]byte, 64))
			damaged(t, o)
		})
	}
	t.Run("all removed", func(t *testing.T) {
		o, _ := build(t)
		for _, name := range contentsOf(t, o.FS, "store/journal") {
			if err := o.FS.Remove("store/journal/" + name); err != nil {
				t.Fatal(err)
			}
		}
		damaged(t, o)
	})
}

func contentsOf(t *testing.T, fs vfs.FS, dir string) []string {
	t.Helper()
	names, err := fs.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func cutShort(t *testing.T, fs vfs.FS, name string, n int64) {
	t.Helper()
	b := contents(t, fs, name)
	f, err := fs.Create(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(b[:n]); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func overwrite(t *testing.T, fs vfs.FS, name string, at int64, b []byte) {
	t.Helper()
	f, err := fs.OpenReadWrite(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(b, at); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func contents(t *testing.T, fs vfs.FS, name string) []byte {
	t.Helper()
	f, err := fs.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, info.Size())
	if len(b) > 0 {
		if _, err := f.ReadAt(b, 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return b
}

// TestCloseWaitsForViews: what a view reads is not closed under it.
func TestCloseWaitsForViews(t *testing.T) {
	s := mustOpen(t, small(fault.NewTorn()))
	if _, err := s.Update(t.Context(), func(tx store.Tx) error { return tx.Set(topicKey("a"), []byte("1")) }); err != nil {
		t.Fatal(err)
	}
	inside, closed := make(chan struct{}), make(chan error, 1)
	err := s.View(t.Context(), func(tx store.ReadTx) error {
		close(inside)
		go func() { closed <- s.Close() }()
		<-s.stopped
		s.done.Wait() // nothing but this view keeps the store open
		v, ok, err := tx.Get(topicKey("a"))
		if err != nil || !ok || string(v) != "1" {
			t.Errorf("in a view while the store stops: got %q, %v, %v", v, ok, err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	<-inside
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if err := s.View(t.Context(), func(store.ReadTx) error { return nil }); !errors.Is(err, store.ErrStopped) {
		t.Errorf("a view after Close: got %v, want %v", err, store.ErrStopped)
	}
}

package fault

import (
	"errors"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

func TestNilSetIsOff(t *testing.T) {
	var none *Set
	for _, p := range Points() {
		if none.On(p) {
			t.Fatalf("nil set: %s is on", p)
		}
		s := New(p)
		for _, q := range Points() {
			if s.On(q) != (p == q) {
				t.Fatalf("with %s enabled, On(%s) = %v", p, q, s.On(q))
			}
		}
		s.Disable(p)
		if s.On(p) {
			t.Fatalf("%s is on after Disable", p)
		}
	}
}

func TestUnknownPointPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Fatal("Enable of an unknown point did not panic")
		}
	}()
	New("no-such-bug")
}

func TestCountShowsSyncsBetweenWritesAndNotes(t *testing.T) {
	fs := NewCount(vfs.NewMem())
	f := create(t, fs, "j", []byte("one"))
	if got := fs.Dirty(); !slices.Equal(got, []string{"j"}) {
		t.Fatalf("dirty %v, want j", got)
	}
	check(t, f.SyncData())
	fs.Note("answer 1")
	_ = must[int](t)(f.WriteAt([]byte("two"), 3))
	check(t, fs.Rename("j", "k"))
	fs.Note("answer 2")
	if got := fs.Dirty(); !slices.Equal(got, []string{"k"}) {
		t.Fatalf("dirty %v, want k: a rename syncs nothing", got)
	}
	var got []string
	for _, e := range fs.Events() {
		got = append(got, e.String())
	}
	want := []string{"create j", "write j [-1 +3]", "sync j", "note answer 1", "write j [3 +3]", "rename k", "note answer 2"}
	if !slices.Equal(got, want) {
		t.Fatalf("events\n got %s\nwant %s", strings.Join(got, ", "), strings.Join(want, ", "))
	}
	if fs.Count(OpWrite) != 2 || fs.Count(OpSync) != 1 {
		t.Fatalf("%d writes, %d syncs", fs.Count(OpWrite), fs.Count(OpSync))
	}
	fs.Reset()
	if n := len(fs.Events()); n != 0 {
		t.Fatalf("%d events after Reset", n)
	}
}

func TestFullDiskRefusesAndTakesAgain(t *testing.T) {
	fs := NewFull(vfs.NewMem(), 100)
	f := create(t, fs, "f", make([]byte, 60))
	n, err := f.Write(make([]byte, 60))
	if n != 40 || !errors.Is(err, syscall.ENOSPC) || !vfs.IsNoSpaceError(err) {
		t.Fatalf("write of 60 with room for 40: %d, %v", n, err)
	}
	g := must[vfs.File](t)(fs.OpenReadWrite("f", vfs.WriteCategoryUnspecified))
	if n, err := g.WriteAt(make([]byte, 100), 0); n != 100 || err != nil {
		t.Fatalf("writing over what is there: %d, %v", n, err)
	}
	if n, err := g.WriteAt([]byte{1}, 100); n != 0 || !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("growing a full disk: %d, %v", n, err)
	}
	check(t, fs.Link("f", "l"))
	check(t, fs.Remove("f"))
	if fs.Used() != 100 {
		t.Fatalf("%d used while a link remains, want 100", fs.Used())
	}
	check(t, fs.Rename("l", "m"))
	check(t, fs.Remove("m"))
	if fs.Used() != 0 {
		t.Fatalf("%d used after the last name went", fs.Used())
	}
	h := create(t, fs, "h", make([]byte, 90))
	if err := h.Preallocate(90, 11); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("reservation beyond the disk: %v", err)
	}
	fs.SetLimit(200)
	check(t, h.Preallocate(90, 60))
	if u := must[vfs.DiskUsage](t)(fs.GetDiskUsage("")); u.AvailBytes != 50 || u.UsedBytes != 150 {
		t.Fatalf("usage %+v", u)
	}
}

func TestErrFailsTheNthCall(t *testing.T) {
	fs := NewErr(vfs.NewMem())
	f := create(t, fs, "wal", nil)
	g := create(t, fs, "other", nil)
	fs.FailNth(OpSync, 2, func(path string) bool { return path == "wal" })
	fs.FailNth(OpWrite, 1, nil)
	if _, err := g.Write([]byte("x")); !errors.Is(err, syscall.EIO) {
		t.Fatalf("first write: %v, want EIO", err)
	}
	for i, want := range []error{nil, syscall.EIO, nil} {
		check(t, g.Sync())
		if err := f.SyncData(); !errors.Is(err, want) {
			t.Fatalf("sync %d: %v, want %v", i+1, err, want)
		}
	}
}

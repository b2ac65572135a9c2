package journal

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"unsafe"
)

func TestAlignedBuffersBeginAtAPage(t *testing.T) {
	for pages := range 20 {
		b := Aligned(pages * PageSize)
		if len(b) != 0 || cap(b) != pages*PageSize || uintptr(unsafe.Pointer(unsafe.SliceData(b)))%PageSize != 0 {
			t.Fatalf("%d pages: got length %d, capacity %d at %p", pages, len(b), cap(b), unsafe.SliceData(b))
		}
	}
}

// TestDirectWritesAreReadBack: where the file system has no direct writes, opening says so.
func TestDirectWritesAreReadBack(t *testing.T) {
	name := filepath.Join(t.TempDir(), testFile)
	group := seal(t, large(1), header7, PageSize)
	if err := os.WriteFile(name, make([]byte, 2*PageSize+len(group)), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := OpenDirect(name, true)
	if err != nil {
		t.Logf("no direct writes here: %v", err)
		return
	}
	if _, err := f.WriteAt(append(Aligned(len(group)), group...), PageSize); err != nil {
		t.Fatalf("write %d bytes: %v", len(group), err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(name)
	if err != nil || !bytes.Equal(got[PageSize:PageSize+len(group)], group) {
		t.Errorf("read back %d bytes, %v: they differ", len(got), err)
	}
}

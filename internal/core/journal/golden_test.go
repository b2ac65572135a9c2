package journal

import (
	"bytes"
	"encoding/hex"
	"flag"
	"os"
	"path/filepath"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "write testdata anew; the format is permanent, so a difference is a mistake")

// golden compares bytes with a dump in testdata, which every release has to read.
func golden(t *testing.T, name string, b []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	got := hex.Dump(b)
	if *rewrite {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: the bytes have changed: got\n%swant\n%s", path, got, want)
	}
}

func TestFilePageHasItsBytes(t *testing.T) {
	page := header7.page()
	if len(page) != PageSize || len(bytes.Trim(page[52:], "\x00")) != 0 {
		t.Errorf("a page of %d bytes, which after its header holds %q", len(page), bytes.Trim(page[52:], "\x00"))
	}
	golden(t, "page.txt", page[:64])
}

func TestGroupHasItsBytes(t *testing.T) {
	b := seal(t, everything(5), header7, PageSize)
	h, err := readHeader(b)
	if err != nil {
		t.Fatal(err)
	}
	if len(b) != PageSize || len(bytes.Trim(b[h.Length:], "\x00")) != 0 {
		t.Errorf("a group of %d bytes in %d, which are not zeros behind it", h.Length, len(b))
	}
	golden(t, "group.txt", b[:h.Length])
}

func TestCleanStopHasItsBytes(t *testing.T) {
	g := everything(6)
	g.Appends, g.Parts, g.Producers, g.Keys = nil, nil, nil, nil
	h := Header{Flags: FlagClean, FileID: header7.ID, FileSeq: header7.Seq, Durable: 5}
	b, err := Seal(make([]byte, 0, PageSize), g, &h, 0, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "clean.txt", b[:h.Length])
}

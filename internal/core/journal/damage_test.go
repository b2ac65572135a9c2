package journal

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"millrace/internal/core/store"
)

const sector = 512

// large is a group of some pages, with batches.
func large(seq uint64) *store.Group {
	g := everything(seq)
	g.Appends = append(g.Appends, looseAppend(9, 100, 1_700_000_000_200, strings.Repeat("x", 9000), strings.Repeat("y", 3000)))
	g.Keys = append(g.Keys, store.KeyChange{Key: []byte("\x10long"), Value: bytes.Repeat([]byte("v"), 5000)})
	return g
}

// TestTornGroupIsCutAtEverySector cuts the last group at each sector, over zeros and over an earlier use of the file:
// the groups before it are read, and the cut one only if nothing of it is missing.
func TestTornGroupIsCutAtEverySector(t *testing.T) {
	before, last := everything(1), large(2)
	old := FileHeader{Seq: 3, ID: 99}
	over := file(t, old, 64<<10, large(100), large(101), large(102)).b
	for _, under := range [][]byte{make([]byte, 64<<10), over} {
		whole := bytes.Clone(under)
		n := copy(whole, file(t, header7, 0, before).b)
		group := seal(t, last, header7, int64(n))
		var h Header
		for cut := 0; cut <= len(group); cut += sector {
			b := bytes.Clone(whole)
			copy(b[n:], group[:cut])
			f := bytesFile(b)
			got, end, err := f.walk(header7)
			if err != nil || len(got) < 1 {
				t.Fatalf("cut at %d: %d groups, error %v", cut, len(got), err)
			}
			switch {
			case len(got) == 2: // header, directory and changes are there: then its batches tell
				h = got[1].Header
				err := CheckBatches(f, testFile, got[1])
				if complete := cut >= h.Length; (err == nil) != complete {
					t.Fatalf("cut at %d of %d: batches say %v", cut, h.Length, err)
				}
				if want := HeaderSize + h.Meta; cut < want {
					t.Fatalf("cut at %d: a group whose meta ends at %d was taken", cut, want)
				}
			case end.Pos != int64(n) || end.Torn != (cut > 0):
				t.Fatalf("cut at %d: got end %+v, want torn at %d", cut, end, n)
			}
		}
		if h.Length == 0 {
			t.Fatal("the whole group was not read")
		}
	}
}

func TestBadGroupBeforeAGoodOneIsDamage(t *testing.T) {
	good := file(t, header7, 64<<10, everything(1), large(2), everything(3))
	groups, _, err := good.walk(header7)
	if err != nil || len(groups) != 3 {
		t.Fatalf("%d groups, error %v", len(groups), err)
	}
	h := groups[1].Header
	for at := int64(0); at < int64(HeaderSize+h.Meta); at++ {
		b := bytes.Clone(good.b)
		b[groups[1].Pos+at] ^= 0x10
		_, end, err := bytesFile(b).walk(header7)
		var damage *store.CorruptError
		if at >= 4 && at < 6 && err != nil { // the version: named as such
			continue
		}
		if !errors.As(err, &damage) || damage.File != testFile || damage.Offset != groups[1].Pos {
			t.Fatalf("byte %d of the group changed: end %+v, error %v; want damage of %s at %d", at, end, err, testFile, groups[1].Pos)
		}
	}
}

func TestDamagedBatchIsNamed(t *testing.T) {
	good := file(t, header7, 64<<10, large(1))
	groups, _, err := good.walk(header7)
	if err != nil {
		t.Fatal(err)
	}
	g := groups[0]
	for i := range g.Stored {
		s := &g.Stored[i]
		for at := s.Pos; at < s.Pos+int64(s.Len); at += 97 {
			b := bytes.Clone(good.b)
			b[at] ^= 1
			var damage *store.CorruptError
			if err := CheckBatches(bytesFile(b), testFile, g); !errors.As(err, &damage) || damage.File != testFile || damage.Offset != s.Pos {
				t.Fatalf("byte %d changed: got %v, want damage of %s at %d", at, err, testFile, s.Pos)
			}
		}
	}
	short := bytesFile(good.b[:g.Stored[2].Pos+10])
	var damage *store.CorruptError
	if err := CheckBatches(short, testFile, g); !errors.As(err, &damage) || damage.Offset != g.Stored[2].Pos {
		t.Errorf("a file that ends in a batch: got %v", err)
	}
	moved := *g
	moved.Data.Appends = append([]store.Append(nil), g.Data.Appends...)
	moved.Data.Appends[0].Base++
	if err := CheckBatches(good, testFile, &moved); !errors.As(err, &damage) {
		t.Errorf("a batch at another offset than its directory says: got %v", err)
	}
}

// TestGroupsOfOtherFilesAreNotTaken puts whole groups where they do not belong: one of an earlier use of the file behind
// the end, and one inside of a payload.
func TestGroupsOfOtherFilesAreNotTaken(t *testing.T) {
	for _, other := range []FileHeader{{Seq: header7.Seq, ID: 1}, {Seq: 6, ID: header7.ID}, {Seq: 6, ID: 1}} {
		b := file(t, header7, 64<<10, everything(1)).b
		copy(b[2*PageSize:], seal(t, everything(2), other, 2*PageSize))
		got, end, err := bytesFile(b).walk(header7)
		if err != nil || len(got) != 1 || end.Pos != 2*PageSize || end.Torn {
			t.Errorf("a group of file %+v: %d groups, end %+v, error %v", other, len(got), end, err)
		}
	}
	// A payload that looks like groups of a file, page for page, with another id: whoever writes it cannot know ours.
	forged := bytes.Repeat(seal(t, everything(2), FileHeader{Seq: header7.Seq, ID: header7.ID + 1}, 0), 20)
	g := &store.Group{Seq: 1, Appends: []store.Append{looseAppend(1, 0, 1, string(forged))}}
	b := file(t, header7, 256<<10, g).b
	for cut := len(b); cut > PageSize; cut -= PageSize {
		c := append(bytes.Clone(b[:cut]), make([]byte, len(b)-cut)...)
		c[PageSize+200] ^= byte(len(b) - cut) // from the second round on, the header is bad as well
		got, _, err := bytesFile(c).walk(header7)
		if err != nil || len(got) > 1 {
			t.Fatalf("cut at %d: %d groups, error %v", cut, len(got), err)
		}
	}
}

func TestHeaderWithCountsThatDoNotFitIsRefused(t *testing.T) {
	whole := file(t, header7, 16<<10, everything(1)).b
	group := whole[PageSize:]
	sum := func() { le.PutUint32(group[92:], headerSum(group[:HeaderSize+le.Uint32(group[56:])])) }
	for _, x := range []struct {
		name string
		at   int
		put  uint64
		size int
	}{
		{"length over the limit", 48, MaxGroupSize + 1, 8},
		{"length that is negative as a number", 48, 1 << 63, 8},
		{"meta over the length", 56, 1 << 20, 4},
		{"more batches than there is room for", 60, 1 << 20, 4},
		{"batches that overflow", 60, 1<<32 - 1, 4},
		{"partitions that overflow", 64, 1<<32 - 1, 4},
		{"producers that overflow", 68, 1<<32 - 1, 4},
		{"keys that overflow", 72, 1<<32 - 1, 4},
		{"one key less than there are", 72, 2, 4},
		{"one key more than there are", 72, 4, 4},
		{"one partition more than there are", 64, 7, 4},
	} {
		t.Run(x.name, func(t *testing.T) {
			saved := bytes.Clone(group[:HeaderSize])
			defer copy(group, saved)
			if x.size == 8 {
				le.PutUint64(group[x.at:], x.put)
			} else {
				le.PutUint32(group[x.at:], uint32(x.put))
			}
			if meta := le.Uint32(group[56:]); int(meta)+HeaderSize <= len(group) {
				sum()
			}
			got, end, err := bytesFile(whole).walk(header7)
			if err != nil || len(got) != 0 || !end.Torn {
				t.Fatalf("%d groups, end %+v, error %v; want none and a torn end", len(got), end, err)
			}
		})
	}
}

func TestCopyKeepsGroupsAndPlaces(t *testing.T) {
	fs := vfs.NewMem()
	src := file(t, header7, 64<<10, everything(1), large(2), everything(3))
	from, err := fs.Create("from", vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := from.WriteAt(src.b, 0); err != nil {
		t.Fatal(err)
	}
	groups, end, err := src.walk(header7)
	if err != nil {
		t.Fatal(err)
	}
	to := FileHeader{Seq: 8, ID: 4711, Size: 64 << 10}
	copied := func(end int64) []*Group {
		t.Helper()
		dst, err := fs.Create("to", vfs.WriteCategoryUnspecified)
		if err != nil {
			t.Fatal(err)
		}
		if err := Copy(dst, to, from, header7, end); err != nil {
			t.Fatalf("copy up to %d: %v", end, err)
		}
		b, err := io.ReadAll(io.NewSectionReader(dst, 0, 1<<20))
		if err != nil {
			t.Fatal(err)
		}
		if h, err := ReadFileHeader(bytes.NewReader(b)); err != nil || h != to {
			t.Fatalf("file page of the copy: %+v, %v", h, err)
		}
		f := bytesFile(b)
		got, _, err := f.walk(to)
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range got {
			if err := CheckBatches(f, "to", g); err != nil {
				t.Fatal(err)
			}
		}
		if old, _, _ := f.walk(header7); len(old) != 0 {
			t.Fatalf("the copy still has %d groups of the old file", len(old))
		}
		return got
	}
	got := copied(end.Pos)
	if len(got) != 3 {
		t.Fatalf("%d groups, want 3", len(got))
	}
	for i, g := range got {
		if g.Pos != groups[i].Pos {
			t.Errorf("group %d is at %d, was at %d", i, g.Pos, groups[i].Pos)
		}
		sameGroup(t, g, &groups[i].Data)
	}
	if got := copied(groups[2].Pos); len(got) != 2 {
		t.Errorf("copy up to the third group: %d groups", len(got))
	}
	dst, err := fs.Create("bad", vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	if err := Copy(dst, to, from, header7, end.Pos+PageSize); err == nil {
		t.Error("copy beyond the last group: no error")
	}
	if _, err := ReadFileHeader(dst); !errors.Is(err, ErrNotJournal) {
		t.Errorf("a copy that failed is a journal file: %v", err)
	}
}

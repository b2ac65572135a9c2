package journal

import (
	"errors"
	"reflect"
	"testing"

	"millrace/internal/core/store"
)

// batchesOf are the batches of a file, by both walks.
func batchesOf(tb testing.TB, f *memFile) (whole, quick []Stored, appends, quickAppends []store.Append, ends [2]End) {
	tb.Helper()
	groups, end, err := f.walk(header7)
	if err != nil {
		tb.Fatalf("Walk: %v", err)
	}
	for _, g := range groups {
		whole, appends = append(whole, g.Stored...), append(appends, g.Data.Appends...)
	}
	again, err := WalkBatches(f, testFile, header7, int64(len(f.b)), func(a *store.Append, s *Stored) error {
		quick, quickAppends = append(quick, *s), append(quickAppends, *a)
		return nil
	})
	if err != nil {
		tb.Fatalf("WalkBatches: %v", err)
	}
	return whole, quick, appends, quickAppends, [2]End{end, again}
}

func TestWalkBatchesTellsWhatWalkTells(t *testing.T) {
	f := file(t, header7, 8<<20, everything(1), large(2), everything(3), large(4), large(5), everything(6))
	whole, quick, appends, quickAppends, ends := batchesOf(t, f)
	if len(whole) < 6 || !reflect.DeepEqual(whole, quick) || !reflect.DeepEqual(appends, quickAppends) {
		t.Errorf("batches: got %d, want %d; they differ", len(quick), len(whole))
	}
	if ends[0] != ends[1] {
		t.Errorf("end: got %+v, want %+v", ends[1], ends[0])
	}
	mine := errors.New("mine")
	if _, err := WalkBatches(f, testFile, header7, int64(len(f.b)), func(*store.Append, *Stored) error { return mine }); !errors.Is(err, mine) {
		t.Errorf("error of fn: got %v", err)
	}
}

// TestWalkBatchesEndsAtDamage damages each byte of the last group's header and directory.
func TestWalkBatchesEndsAtDamage(t *testing.T) {
	f := file(t, header7, 32<<10, everything(1), everything(2))
	groups, _, err := f.walk(header7)
	if err != nil {
		t.Fatal(err)
	}
	last := groups[1]
	for i := range HeaderSize + 2*EntrySize {
		if i == 4 || i == 5 {
			continue // another version is an error
		}
		f.b[last.Pos+int64(i)] ^= 0x40
		_, quick, _, _, ends := batchesOf(t, f)
		f.b[last.Pos+int64(i)] ^= 0x40
		if len(quick) != len(groups[0].Stored) || ends[1].Pos != last.Pos {
			t.Fatalf("byte %d of the last group is damaged: got %d batches up to %d, want %d up to %d", i, len(quick), ends[1].Pos, len(groups[0].Stored), last.Pos)
		}
	}
}

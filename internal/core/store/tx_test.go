package store

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"
)

// fixed is a snapshot of a few keys; errors can be planted.
type fixed struct {
	keys map[string]string
	err  error
}

func (f *fixed) Sequence() uint64 { return 41 }
func (f *fixed) Now() int64       { return 5 }

func (f *fixed) Get(key []byte) ([]byte, bool, error) {
	v, ok := f.keys[string(key)]
	if !ok {
		return nil, false, f.err
	}
	return []byte(v), true, f.err
}

func (f *fixed) GetMany(keys [][]byte) ([][]byte, error) {
	values := make([][]byte, len(keys))
	for i, k := range keys {
		values[i], _, _ = f.Get(k)
	}
	return values, f.err
}

func (f *fixed) Scan(from, to []byte, limit int, reverse bool) ([]KV, error) {
	var found []KV
	for k, v := range f.keys {
		if k >= string(from) && k < string(to) {
			found = append(found, KV{[]byte(k), []byte(v)})
		}
	}
	slices.SortFunc(found, func(a, b KV) int { return bytes.Compare(a.Key, b.Key) })
	if reverse {
		slices.Reverse(found)
	}
	return found[:min(limit, len(found))], f.err
}

func (f *fixed) Head(id PartitionID, _ HeadField) (Head, bool, error) {
	return Head{Start: 1, Next: 2, LastStable: 2, Epoch: 3, Closed: true, LastAppend: 4, Retention: Retention{5, 6}}, id == 1, f.err
}

func (f *fixed) Producer(id ProducerID) (Producer, bool, error) {
	if id != 1 {
		return Producer{}, false, f.err
	}
	return Producer{Epoch: 2, Open: []OpenPartition{{1, 0}, {2, 0}, {3, 0}}}, true, f.err
}

func snapshotOf(keys ...string) *fixed {
	f := &fixed{keys: map[string]string{}}
	for _, k := range keys {
		f.keys["\x10"+k] = k
	}
	return f
}

func k(s string) []byte { return []byte("\x10" + s) }

func TestScanTracksExactlyWhatItLookedAt(t *testing.T) {
	for _, c := range []struct {
		limit   int
		reverse bool
		own     string // keys written before; a capital letter deletes
		want    string // keys found
		from    string
		to      string
	}{
		{10, false, "", "b d f", "a", "z"},
		{3, false, "", "b d f", "a", "f\x00"}, // the next one after f was not looked at
		{2, false, "", "b d", "a", "d\x00"},
		{2, true, "", "f d", "d", "z"},
		{10, true, "", "f d b", "a", "z"},
		{2, false, "c", "b c", "a", "c\x00"},
		{1, false, "B", "d", "a", "d\x00"},
		{1, true, "F", "d", "d", "z"},
		{3, false, "e", "b d e", "a", "e\x00"},
		{5, false, "BDF", "", "a", "z"},
	} {
		req, err := RunTx(snapshotOf("b", "d", "f"), func(tx Tx) error {
			for _, own := range []byte(c.own) {
				if own < 'a' {
					if err := tx.Delete(k(string(own + 32))); err != nil {
						return err
					}
				} else if err := tx.Set(k(string(own)), []byte{own}); err != nil {
					return err
				}
			}
			found, err := tx.Scan(k("a"), k("z"), c.limit, c.reverse)
			var got [][]byte
			for _, kv := range found {
				got = append(got, kv.Value)
			}
			if s := string(bytes.Join(got, []byte(" "))); s != c.want {
				t.Errorf("%+v: found %q", c, s)
			}
			return err
		})
		if err != nil {
			t.Fatalf("%+v: %v", c, err)
		}
		if want := (Range{k(c.from), k(c.to)}); len(req.ReadRanges) != 1 || fmt.Sprint(req.ReadRanges[0]) != fmt.Sprint(want) {
			t.Errorf("%+v: tracked %q", c, req.ReadRanges)
		}
	}
}

func TestRequestNamesReadsAndSortedWrites(t *testing.T) {
	req, err := RunTx(snapshotOf("a"), func(tx Tx) error {
		_, _, err := tx.Get(k("a"))
		_, err2 := tx.Head(1, FieldEpoch)
		_, err3 := tx.Head(1, FieldStart)
		_, _, err4 := tx.Producer(1)
		_, _, err5 := tx.Get(k("z"))
		return errors.Join(err, err2, err3, err4, err5, tx.Set(k("c"), nil), tx.Delete(k("b")), tx.Set(k("a"), []byte("x")))
	})
	if err != nil {
		t.Fatal(err)
	}
	if req.Snapshot != 41 || len(req.ReadKeys) != 2 || len(req.ReadProducers) != 1 ||
		!slices.Equal(req.ReadHeads, []HeadRead{{1, FieldOpen | FieldEpoch | FieldStart}}) {
		t.Errorf("reads: got %+v", req)
	}
	var writes []string
	for _, c := range req.Keys {
		writes = append(writes, fmt.Sprintf("%s=%q %v", c.Key[1:], c.Value, c.Value == nil))
	}
	if want := []string{`a="x" false`, `b="" true`, `c="" false`}; !slices.Equal(writes, want) {
		t.Errorf("writes: got %q, want %q", writes, want)
	}
}

func TestHeadShowsOnlyTheFieldsAskedFor(t *testing.T) {
	for fields, want := range map[HeadField]Head{
		0:                          {Closed: true},
		FieldStart:                 {Closed: true, Start: 1},
		FieldNext:                  {Closed: true, Next: 2, LastAppend: 4},
		FieldStable | FieldEpoch:   {Closed: true, LastStable: 2, Epoch: 3},
		FieldRetention | FieldOpen: {Closed: true, Retention: Retention{5, 6}},
	} {
		err := RunView(snapshotOf(), func(tx ReadTx) error {
			got, err := tx.Head(1, fields)
			if got != want {
				t.Errorf("fields %06b: got %+v, want %+v", fields, got, want)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestConflictOfASnapshotCannotBeSwallowed(t *testing.T) {
	f := snapshotOf("a")
	f.err = ErrConflict
	for name, read := range map[string]func(tx ReadTx){
		"Get":      func(tx ReadTx) { _, _, _ = tx.Get(k("a")) },
		"GetMany":  func(tx ReadTx) { _, _ = tx.GetMany([][]byte{k("a")}) },
		"Scan":     func(tx ReadTx) { _, _ = tx.Scan(k("a"), nil, 1, false) },
		"Head":     func(tx ReadTx) { _, _ = tx.Head(1, FieldAll) },
		"Producer": func(tx ReadTx) { _, _, _ = tx.Producer(1) },
	} {
		if _, err := RunTx(f, func(tx Tx) error { read(tx); return nil }); !errors.Is(err, ErrConflict) {
			t.Errorf("%s in a transaction: got %v", name, err)
		}
		if _, err := RunTx(f, func(tx Tx) error { read(tx); return errors.New("fn's own") }); !errors.Is(err, ErrConflict) {
			t.Errorf("%s in a transaction that fails by itself: got %v", name, err)
		}
		if err := RunView(f, func(tx ReadTx) error { read(tx); return nil }); !errors.Is(err, ErrConflict) {
			t.Errorf("%s in a view: got %v", name, err)
		}
	}
}

func TestEndTransactionCountsItsPartitions(t *testing.T) {
	for _, c := range []struct{ limit, remain, ends int }{{1, 2, 1}, {3, 0, 1}, {NoLimit, 0, 1}} {
		req, err := RunTx(snapshotOf(), func(tx Tx) error {
			remain, err := tx.EndTransaction(1, 2, true, c.limit)
			if remain != c.remain {
				t.Errorf("limit %d: got %d remaining, want %d", c.limit, remain, c.remain)
			}
			return err
		})
		if err != nil || len(req.Ends) != c.ends || len(req.ReadProducers) != 1 {
			t.Errorf("limit %d: got %+v, %v", c.limit, req, err)
		}
	}
	if _, err := RunTx(snapshotOf(), func(tx Tx) error { _, err := tx.EndTransaction(1, 2, true, 0); return err }); !errors.Is(err, ErrTooLarge) {
		t.Errorf("limit 0: got %v, want %v", err, ErrTooLarge)
	}
}

func TestDamagedCounterIsNamed(t *testing.T) {
	f := &fixed{keys: map[string]string{"\x01n": "not a counter"}}
	var corrupt *CorruptError
	if _, err := RunTx(f, func(tx Tx) error { _, err := tx.NextID("n"); return err }); !errors.As(err, &corrupt) {
		t.Fatalf("got %v", err)
	}
}

package capture

import (
	"bytes"
	"cmp"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"millrace/internal/core/store"
)

func TestChangeIsReadBackAndOthersAreRefused(t *testing.T) {
	for _, c := range []struct {
		old, new []byte
		expired  bool
		want     Kind
	}{
		{nil, []byte("new"), false, Insert},
		{[]byte("old"), []byte("new"), false, Modify},
		{[]byte("old"), nil, false, Remove},
		{bytes.Repeat([]byte("o"), 400<<10), nil, true, Remove},
	} {
		v := Append(nil, c.old, c.new, c.expired)
		if len(v) > len(c.old)+len(c.new)+MaxOverhead {
			t.Errorf("%d bytes for images of %d and %d", len(v), len(c.old), len(c.new))
		}
		r, err := Decode(v)
		if err != nil || r.Kind != c.want || r.Expired != c.expired || !bytes.Equal(r.Old, c.old) || !bytes.Equal(r.New, c.new) || (r.Old == nil) != (c.old == nil) || (r.New == nil) != (c.new == nil) {
			t.Errorf("%q to %q: got %+v, %v, want kind %d", c.old, c.new, r, err, c.want)
		}
	}
	for _, v := range []string{"", "\x01", "\x02\x01\x00\x00n", "\x01\x01\x00\x01on", "\x01\x02\x00\x00n", "\x01\x03\x00\x00", "\x01\x04\x00\x01on", "\x01\x02\x02\x01on", "\x01\x02\x00\x05on"} {
		if r, err := Decode([]byte(v)); err == nil {
			t.Errorf("%q: got %+v, want an error", v, r)
		}
	}
}

// Golden values: what stands in stores must be read for ever.
func TestValuesAreWrittenAsDocumented(t *testing.T) {
	shards := Shards{}
	first := shards.Add(3, 5, ShardID{}, 256)
	shards.Rotate(first, 7, 512)
	for name, c := range map[string][2]string{
		"insert":  {string(Append(nil, nil, []byte("n"), false)), "\x01\x01\x00\x00n"},
		"modify":  {string(Append(nil, []byte("old"), []byte("new"), false)), "\x01\x02\x00\x03oldnew"},
		"expired": {string(Append(nil, []byte("o"), nil, true)), "\x01\x03\x01\x01o"},
		"slice":   {string(Slice{First: 1, Last: 0x0203, Base: 4}.Encode()), "\x01\x00\x01\x02\x03\x00\x00\x00\x00\x00\x00\x00\x04"},
		"shards": {string(shards.AppendTo(nil)), "\x02\x02" +
			"\x80\x02\xb1\xf3\xdd\xf1\x09\x00\x00\x03\x05\x08\x80\x02\x80\x04" + "\x80\x04\xe2\xe6\xbb\xe3\x03\x80\x02\xb1\xf3\xdd\xf1\x09\x03\x07\x00\x80\x04\x00"},
		"number":   {Number(7, 1000, 5), "1" + "000000000001005" + "00007"},
		"shard id": {first.String(), "shardId-00000000000000000256-9e3779b1"},
	} {
		if c[0] != c[1] {
			t.Errorf("%s: got  %q\nwant %q", name, c[0], c[1])
		}
	}
}

func TestNumbersGrowAndLeadBackToTheirOffsets(t *testing.T) {
	before := ""
	for _, at := range []store.Offset{0, 1, 2, 9, 10, 99_999, 1 << 40} {
		n := Number(42, 17, at)
		if n <= before || len(n) != numberDigits {
			t.Errorf("offset %d: got %s after %s", at, n, before)
		}
		before = n
		if got, exact, ok := Position(n, 42, 17); got != at || !exact || !ok {
			t.Errorf("%s: got %d, %v, %v, want %d", n, got, exact, ok, at)
		}
		if got, exact, ok := Position(n, 41, 17); got != at+1 || exact || !ok {
			t.Errorf("%s in the partition before: got %d, %v, %v, want %d", n, got, exact, ok, at+1)
		}
		if got, exact, ok := Position(n, 43, 17); got != at || exact || !ok {
			t.Errorf("%s in the partition after: got %d, %v, %v, want %d", n, got, exact, ok, at)
		}
	}
	for _, bad := range []string{"", "1", strings.Repeat("1", 22), "200000000000000000000", "1-0000000000000000000", "1+0000000000000000000", "199999999999999999999"} {
		if at, _, ok := Position(bad, 0, 0); ok && at < 0 || ok && bad != "199999999999999999999" {
			t.Errorf("%q: got %d", bad, at)
		}
	}
}

func TestSlicesAndTheirHalvesCoverAllHashes(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	for _, n := range []int{1, 3, 4, 1000, hashes} {
		all := Slices(n)
		for range 20 {
			i := rnd.IntN(len(all))
			if halves, ok := all[i].Halves(100); ok {
				if halves[0].Base != all[i].Base+100 || halves[1].Base != all[i].Base+100 {
					t.Fatalf("halves of %+v: got %+v", all[i], halves)
				}
				all = append(all[:i:i], append(halves[:], all[i+1:]...)...)
			} else if all[i].First != all[i].Last {
				t.Fatalf("%+v is not split", all[i])
			}
		}
		next := 0
		for _, s := range all {
			if int(s.First) != next || s.Last < s.First {
				t.Fatalf("%d slices: got %+v, want it to begin at %d", n, s, next)
			}
			next = int(s.Last) + 1
			if got, ok := DecodeSlice(s.Encode()); !ok || got != s {
				t.Fatalf("%+v is read back as %+v, %v", s, got, ok)
			}
		}
		if next != hashes {
			t.Errorf("%d slices end at %d", n, next)
		}
	}
}

func TestShardsDoNotRotateIntoMoreThanTheirBound(t *testing.T) {
	var s Shards
	last, now := s.Add(0, 0, ShardID{}, 1000), int64(1000)
	for at := store.Offset(1); len(s.All) < MaxShards; at++ {
		now++
		s.Rotate(last, at, now)
		last = s.All[len(s.All)-1].ID
	}
	s.Rotate(last, MaxShards, now+1000)
	if sh := s.Get(last); len(s.All) != MaxShards || !sh.Open() || sh.Since != now+1000 {
		t.Errorf("got %d shards, the last %+v; want %d, and the last to go on", len(s.All), *sh, MaxShards)
	}
	if size := len(s.AppendTo(nil)); size > 256<<10 {
		t.Errorf("they are stored in %d bytes", size)
	}
	s.Drop(now)
	if s.Rotate(last, MaxShards, now+2000); len(s.All) != 2 {
		t.Errorf("got %d shards after the old ones were dropped, want the last and its child", len(s.All))
	}
}

func TestShardsFollowEachOtherOverRotationSplitAndEnd(t *testing.T) {
	var s Shards
	a := s.Add(0, 0, ShardID{}, 1000)
	s.Rotate(a, 0, 2000)
	if len(s.All) != 1 || !s.All[0].Open() || s.Due(100, 500) != 2100 {
		t.Fatalf("a shard without records was rotated: %+v", s)
	}
	s.Rotate(a, 10, 2000)
	s.Rotate(a, 20, 2000)
	b := s.All[1].ID
	s.Split(b, [2]int{1, 2}, 2000) // in the same moment
	s.Close(5000)
	want := []Shard{
		{ID: a, Partition: 0, From: 0, To: 10, Ended: 2000},
		{ID: b, Parent: a, Partition: 0, From: 10, To: ToEnd, Ended: 2000},
		{Parent: b, Partition: 1, From: 0, To: ToEnd, Ended: 5000},
		{Parent: b, Partition: 2, From: 0, To: ToEnd, Ended: 5000},
	}
	if len(s.All) != len(want) {
		t.Fatalf("got %+v", s.All)
	}
	all := slices.Clone(s.All)
	slices.SortFunc(all[2:], func(a, b Shard) int { return cmp.Compare(a.Partition, b.Partition) }) // of one moment: in any order
	for i, w := range want {
		got := all[i]
		w.Since = got.Since
		if w.ID == (ShardID{}) {
			w.ID = got.ID
		}
		if got != w || got.Parent != (ShardID{}) && got.ID.String() <= got.Parent.String() {
			t.Errorf("shard %d: got %+v, want %+v", i, got, w)
		}
		if f := s.Find(got.ID.String()); f == nil || *f != got {
			t.Errorf("shard %d is not found", i)
		}
	}
	if due := s.Due(100, 500); due != 2500 {
		t.Errorf("due: got %d, want 2500", due)
	}
	if s.Drop(2000); len(s.All) != 2 || s.Find(a.String()) != nil {
		t.Errorf("after the drop: got %+v", s.All)
	}
}

func TestShardsAreFoundByTheirTextsAlone(t *testing.T) {
	var s Shards
	id := s.Add(0, 0, ShardID{}, 0xabcdef)
	text := id.String()
	for i := range 1000 {
		s.Add(0, 0, ShardID{}, 0xabcdef+int64(i))
	}
	if got := s.Find(text); got == nil || got.ID != id {
		t.Errorf("%s: got %+v", text, got)
	}
	for _, bad := range []string{
		"", "shardId-", text + "0", text[:len(text)-1], strings.ToUpper(text), strings.Replace(text, "-0", "-+", 1), strings.Replace(text, "d-0", "d--", 1),
		"shardId-99999999999999999999-00000000", "shardId-00000000000000000001-0000000g", "shardId-00000000000000000001-00000000",
	} {
		if got := s.Find(bad); got != nil {
			t.Errorf("%q: found %+v", bad, got)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(Append(nil, []byte("old"), []byte("new"), true))
	f.Add([]byte{1, 1, 0, 0})
	f.Fuzz(func(t *testing.T, v []byte) {
		r, err := Decode(v)
		if err != nil {
			return
		}
		again, err := Decode(Append(nil, r.Old, r.New, r.Expired))
		if err != nil || again.Kind != r.Kind || !bytes.Equal(again.Old, r.Old) || !bytes.Equal(again.New, r.New) {
			t.Fatalf("%x: read as %+v, then as %+v, %v", v, r, again, err)
		}
	})
}

func FuzzDecodeShards(f *testing.F) {
	var s Shards
	s.Rotate(s.Add(0, 0, ShardID{}, 1000), 10, 2000)
	f.Add(s.AppendTo(nil))
	f.Fuzz(func(t *testing.T, v []byte) {
		s, ok := DecodeShards(v)
		if !ok {
			return
		}
		again, ok := DecodeShards(s.AppendTo(nil))
		if !ok || len(again.All) != len(s.All) || again.Made != s.Made {
			t.Fatalf("%x: read as %+v, then as %+v, %v", v, s, again, ok)
		}
	})
}

func FuzzPosition(f *testing.F) {
	f.Add(Number(3, 4, 5))
	f.Fuzz(func(t *testing.T, n string) {
		at, exact, ok := Position(n, 3, 4)
		if ok && (at < 0 || exact && Number(3, 4, at) != n) {
			t.Fatalf("%q: got %d, %v", n, at, exact)
		}
	})
}

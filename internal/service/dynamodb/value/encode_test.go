package value_test

import (
	"bytes"
	"encoding/hex"
	"math/rand/v2"
	"strings"
	"testing"

	"millrace/internal/service/dynamodb/value"
	"millrace/internal/service/dynamodb/value/valuetest"
)

func number(tb testing.TB, s string) value.Number {
	tb.Helper()
	n, err := value.ParseNumber(s)
	if err != nil {
		tb.Fatal(err)
	}
	return n
}

func set(tb testing.TB) func(value.Value, error) value.Value {
	tb.Helper()
	return func(v value.Value, err error) value.Value {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
		return v
	}
}

// everyKind is an item with each of the ten types.
func everyKind(tb testing.TB) value.Item {
	tb.Helper()
	return value.NewItem([]value.Attr{
		{Name: "s", Value: value.String("héllo")},
		{Name: "n", Value: value.Num(number(tb, "-42.12"))},
		{Name: "b", Value: value.Binary([]byte{0, 1, 255})},
		{Name: "yes", Value: value.Bool(true)},
		{Name: "no", Value: value.Bool(false)},
		{Name: "null", Value: value.Null()},
		{Name: "m", Value: value.Map(value.NewItem([]value.Attr{{Name: "x", Value: value.String("")}}))},
		{Name: "l", Value: value.List([]value.Value{value.Null(), value.List(nil)})},
		{Name: "ss", Value: set(tb)(value.StringSet([]string{"b", "", "a"}))},
		{Name: "ns", Value: set(tb)(value.NumberSet([]value.Number{number(tb, "2"), number(tb, "-1")}))},
		{Name: "bs", Value: set(tb)(value.BinarySet([]string{"\xff", "\x00"}))},
	})
}

func TestStoredItemsHaveTheirPermanentBytes(t *testing.T) {
	want := strings.Join([]string{
		"01", "3b", // version 1, 59 bytes as AWS counts
		"2c", "07101922282c373d475156", // 11 elements, where each ends
		"0162" + "03" + "03" + "0001ff",              // b
		"026273" + "0a" + "080102" + "00" + "ff",     // bs, sorted
		"016c" + "07" + "080103" + "05" + "0700",     // l
		"016d" + "06" + "0404" + "0178" + "0100",     // m
		"016e" + "02" + "3eaae7",                     // n
		"026e6f" + "04",                              // no
		"026e73" + "09" + "080204" + "3efd" + "c104", // ns, sorted
		"046e756c6c" + "05",                          // null
		"0173" + "01" + "06" + "68c3a96c6c6f",        // s
		"027373" + "08" + "0c000102" + "61" + "62",   // ss, sorted
		"03796573" + "14",                            // yes
	}, "")
	if got := hex.EncodeToString(value.AppendItem(nil, everyKind(t))); got != want {
		t.Errorf("stored item:\n got %s\nwant %s", got, want)
	}
	if got := hex.EncodeToString(value.AppendItem(nil, nil)); got != "010000" {
		t.Errorf("item without attributes: %s, want 010000", got)
	}
}

func TestWideContainersHaveWideEnds(t *testing.T) {
	for _, c := range []struct {
		text int
		want string // front of an item with one attribute "a"
	}{
		{200, "01c901" + "04" + "cd"}, // one byte of ends
		{252, "01fd01" + "05" + "0101"},
		{70_000, "01f1a204" + "06" + "76110100"},
	} {
		item := value.Item{{Name: "a", Value: value.String(strings.Repeat("x", c.text))}}
		if got := hex.EncodeToString(value.AppendItem(nil, item)); !strings.HasPrefix(got, c.want) {
			t.Errorf("a text of %d bytes: item begins %.20s, want %s", c.text, got, c.want)
		}
	}
}

func TestStoredItemsComeBack(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 3000 {
		item := valuetest.Item(r, 20, 4)
		b := value.AppendItem(nil, item)
		v, err := value.Open(b)
		if err != nil {
			t.Fatalf("open %x: %v", b, err)
		}
		got, err := v.Item()
		if err != nil || !got.Equal(item) {
			t.Fatalf("%x is decoded with %v, want no error and what was encoded", b, err)
		}
		if v.Size() != item.Size() {
			t.Fatalf("%x: stored size %d, want %d", b, v.Size(), item.Size())
		}
		if err := value.Check(b); err != nil {
			t.Fatalf("check %x: %v", b, err)
		}
		for i, a := range item {
			name, raw := v.Attr(i)
			found, ok := v.Get(a.Name)
			if name != a.Name || !ok || !bytes.Equal(found, raw) || raw.Size() != a.Value.Size() {
				t.Fatalf("attribute %q of %x: name %q, found %t %x, size %d, want %d", a.Name, b, name, ok, found, raw.Size(), a.Value.Size())
			}
		}
		if _, ok := v.Get("no such name"); ok {
			t.Fatalf("%x has an attribute nobody put there", b)
		}
	}
}

func TestEqualItemsHaveEqualBytesInWhateverOrderTheyAreBuilt(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	var b value.Builder
	for range 2000 {
		item := valuetest.Item(r, 30, 3)
		want := value.AppendItem(nil, item)
		b.Reset()
		c := b.Open(value.KindNone)
		order := r.Perm(len(item))
		for _, i := range order {
			if r.IntN(4) == 0 { // a value that is overwritten
				b.Name(item[i].Name)
				b.Done(b.String("overwritten"))
			}
			b.Name(item[i].Name)
			b.Done(b.Value(item[i].Value))
		}
		size, err := b.Close(c)
		if err != nil || size != item.Size() {
			t.Fatalf("close: size %d, want %d; %v", size, item.Size(), err)
		}
		if !bytes.Equal(b.Bytes(), want) {
			t.Fatalf("built in order %v:\n got %x\nwant %x", order, b.Bytes(), want)
		}
	}
}

func TestValuesAreFoundInNestedViews(t *testing.T) {
	v, err := value.Open(value.AppendItem(nil, everyKind(t)))
	if err != nil {
		t.Fatal(err)
	}
	m, _ := v.Get("m")
	x, ok := m.Get("x")
	if !ok || x.Kind() != value.KindS || x.Str() != "" {
		t.Errorf("m.x = %x, %t, want an empty string", x, ok)
	}
	l, _ := v.Get("l")
	if e, ok := l.Index(1); !ok || e.Kind() != value.KindL {
		t.Errorf("l[1] = %x, %t, want a list", e, ok)
	}
	if e, ok := l.Index(2); ok {
		t.Errorf("l[2] = %x, want none", e)
	}
	if _, ok := l.Get("x"); ok {
		t.Error("a list has an attribute")
	}
	n, _ := v.Get("n")
	if n.Number() != number(t, "-42.12") {
		t.Errorf("n = %s, want -42.12", n.Number())
	}
	yes, _ := v.Get("yes")
	no, _ := v.Get("no")
	if !yes.Bool() || no.Bool() || no.Kind() != value.KindBOOL {
		t.Errorf("yes = %t, no = %t of kind %s", yes.Bool(), no.Bool(), no.Kind())
	}
}

func TestDeepValuesAreRefusedFromDisk(t *testing.T) {
	deep := func(maps int) value.Value {
		v := value.String("leaf")
		for range maps {
			v = value.Map(value.Item{{Name: "n", Value: v}})
		}
		return v
	}
	for maps, want := range map[int]bool{31: true, 32: false} {
		v := deep(maps)
		if got := v.Depth() <= value.MaxDepth; got != want {
			t.Errorf("%d maps: depth %d, want it allowed: %t", maps, v.Depth(), want)
		}
		_, err := value.Decode(value.AppendItem(nil, value.Item{{Name: "a", Value: v}}))
		if (err == nil) != want {
			t.Errorf("%d maps are decoded with %v, want it allowed: %t", maps, err, want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(value.AppendItem(nil, everyKind(f)))
	r := rand.New(rand.NewPCG(9, 10))
	for range 20 {
		f.Add(value.AppendItem(nil, valuetest.Item(r, 10, 3)))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := value.Open(b)
		if err != nil {
			return
		}
		for i := range v.Len() {
			name, raw := v.Attr(i)
			raw.Size()
			raw.Get(name)
			raw.Index(0)
		}
		item, err := v.Item()
		if err != nil {
			return
		}
		again := value.AppendItem(nil, item)
		if value.Check(b) == nil != bytes.Equal(again, b) {
			t.Fatalf("check of %x says %v, encoded again it is %x", b, value.Check(b), again)
		}
		if back, err := value.Decode(again); err != nil || !back.Equal(item) {
			t.Fatalf("%x is encoded again as %x, which is decoded with %v", b, again, err)
		}
	})
}

func BenchmarkAppendItem(b *testing.B) {
	r := rand.New(rand.NewPCG(11, 12))
	var item value.Item
	for len(item) < 14 {
		item = valuetest.Item(r, 20, 2)
	}
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = value.AppendItem(buf[:0], item)
	}
}

package value_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"millrace/internal/service/dynamodb/value"
	"millrace/internal/service/dynamodb/value/valuetest"
)

func TestSizesAreCountedAsTheGuideSays(t *testing.T) {
	if got, want := everyKind(t).Size(), 59; got != want {
		t.Errorf("item with every kind: %d bytes, want %d", got, want)
	}
	str, one := value.String, value.Num(number(t, "1"))
	for _, c := range []struct {
		what string
		v    value.Value
		want int
	}{
		{"empty string", str(""), 0},
		{"string of 3 letters and 6 bytes", str("水ß1"), 6},
		{"empty list", value.List(nil), 3},
		{"empty map", value.Map(nil), 3},
		{"list of a list", value.List([]value.Value{value.List(nil)}), 7},
		{"map with a 1 below ab", value.Map(value.Item{{Name: "ab", Value: one}}), 3 + 1 + 2 + 2},
		{"number set", set(t)(value.NumberSet([]value.Number{number(t, "1.5"), number(t, "-42")})), 6},
		{"true", value.Bool(true), 1},
		{"null", value.Null(), 1},
	} {
		if got := c.v.Size(); got != c.want {
			t.Errorf("%s: %d bytes, want %d", c.what, got, c.want)
		}
	}
}

func TestSetsAreEqualInAnyOrder(t *testing.T) {
	a := set(t)(value.StringSet([]string{"x", "y", ""}))
	b := set(t)(value.StringSet([]string{"", "y", "x"}))
	if !value.Equal(a, b) {
		t.Error("sets with the same strings differ")
	}
	n1 := set(t)(value.NumberSet([]value.Number{number(t, "123456789012345678"), number(t, "1.0")}))
	n2 := set(t)(value.NumberSet([]value.Number{number(t, "1"), number(t, "123456789012345678.0")}))
	n3 := set(t)(value.NumberSet([]value.Number{number(t, "1"), number(t, "123456789012345679")}))
	if !value.Equal(n1, n2) || value.Equal(n1, n3) {
		t.Errorf("number sets: equal %t, want true; differing in digit 18: equal %t, want false", value.Equal(n1, n2), value.Equal(n1, n3))
	}
	if value.Equal(value.String("a"), value.BinaryString("a")) {
		t.Error("a string equals a binary")
	}
}

// Source: paritysuite/dynamodb-conformance, tests/tier3/error-messages/valueLayers.test.ts.
func TestBadSetsHaveTheTextsOfBothLayers(t *testing.T) {
	const invalid = "One or more parameter values were invalid: "
	for _, c := range []struct {
		what        string
		err         error
		text, older string
	}{
		{
			"SS", second(value.StringSet([]string{"b", "a", "b"})),
			invalid + `Input collection ["a", "b", "b"] contains duplicates.`, invalid + "Input collection [b, a, b] contains duplicates.",
		},
		{
			"BS", second(value.BinarySet([]string{"\xff", "\x00", "\x00"})),
			invalid + `Input collection ["AA==","/w==","AA=="]of type BS contains duplicates.`,
			invalid + "Input collection [/w==, AA==, AA==]of type BS contains duplicates.",
		},
		{
			"NS", second(value.NumberSet([]value.Number{number(t, "2"), number(t, "1"), number(t, "2.0")})),
			invalid + "Input collection contains duplicates.", "Input collection contains duplicates",
		},
		{"empty SS", second(value.StringSet(nil)), invalid + "An string set  may not be empty", invalid + "An string set  may not be empty"},
		{"empty NS", second(value.NumberSet(nil)), invalid + "An number set  may not be empty", invalid + "An number set  may not be empty"},
		{"empty BS", second(value.BinarySet(nil)), invalid + "Binary sets should not be empty", invalid + "Binary sets should not be empty"},
	} {
		var e *value.Error
		if !errors.As(c.err, &e) || e.Error() != c.text || e.Older() != c.older {
			t.Errorf("%s: %v\nwant %q, older %q", c.what, c.err, c.text, c.older)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestComparedAreOnlyValuesOfOneKind(t *testing.T) {
	n := func(s string) value.Value { return value.Num(number(t, s)) }
	for _, c := range []struct {
		a, b value.Value
		want int
		ok   bool
	}{
		{n("2"), n("10"), -1, true},
		{n("1.0"), n("1"), 0, true},
		{value.String("b"), value.String("aa"), 1, true},
		{value.BinaryString("\x80"), value.BinaryString("\x7f"), 1, true},
		{value.String("1"), n("1"), 0, false},
		{value.Bool(true), value.Bool(false), 0, false},
		{value.List(nil), value.List(nil), 0, false},
	} {
		if got, ok := value.Compare(c.a, c.b); got != c.want || ok != c.ok {
			t.Errorf("compare %s %q with %s %q = %d, %t, want %d, %t", c.a.Kind(), c.a.Str(), c.b.Kind(), c.b.Str(), got, ok, c.want, c.ok)
		}
	}
}

func TestSetsAreUnitedAndSubtracted(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 14))
	pick := func() ([]string, map[string]bool) {
		var out []string
		in := map[string]bool{}
		for s := range strings.SplitSeq("abcdefgh", "") {
			if r.IntN(2) == 0 {
				out, in[s] = append(out, s), true
			}
		}
		if len(out) == 0 {
			return []string{"z"}, map[string]bool{"z": true}
		}
		return out, in
	}
	for range 500 {
		a, inA := pick()
		b, inB := pick()
		va, vb := set(t)(value.StringSet(a)), set(t)(value.StringSet(b))
		u, _ := value.Union(va, vb)
		d, _ := value.Difference(va, vb)
		for s := range strings.SplitSeq("abcdefghz", "") {
			if got, want := value.Contains(u, value.String(s)), inA[s] || inB[s]; got != want {
				t.Fatalf("%q in the union of %q and %q: %t, want %t", s, a, b, got, want)
			}
			if got, want := value.Contains(d, value.String(s)), inA[s] && !inB[s]; got != want {
				t.Fatalf("%q in %q without %q: %t, want %t", s, a, b, got, want)
			}
		}
	}
	ns := set(t)(value.NumberSet([]value.Number{number(t, "1")}))
	if _, ok := value.Union(ns, set(t)(value.StringSet([]string{"1"}))); ok {
		t.Error("a number set is united with a string set")
	}
	if !value.Contains(ns, value.Num(number(t, "1.00"))) {
		t.Error("1.00 is not in a set with 1")
	}
}

func TestChangedItemsLeaveTheOriginalAsItWas(t *testing.T) {
	r := rand.New(rand.NewPCG(15, 16))
	for range 500 {
		item := valuetest.Item(r, 12, 3)
		before := item.Clone()
		name := valuetest.Text(r)
		if len(item) > 0 && r.IntN(2) == 0 {
			name = item[r.IntN(len(item))].Name
		}
		with := item.With(name, value.String("new"))
		without := with.Without(name)
		if v, ok := with.Get(name); !ok || v.Str() != "new" {
			t.Fatalf("with %q: %q, %t", name, v.Str(), ok)
		}
		if _, ok := without.Get(name); ok {
			t.Fatalf("%q is there without it", name)
		}
		if !slices.IsSortedFunc(with, func(a, b value.Attr) int { return strings.Compare(a.Name, b.Name) }) {
			t.Fatalf("with %q the item is not sorted", name)
		}
		if !item.Equal(before) {
			t.Fatalf("setting and removing %q changed the item", name)
		}
	}
}

func TestClonesAliasNothing(t *testing.T) {
	buf := value.AppendItem(nil, everyKind(t))
	item, err := value.Decode(buf)
	if err != nil {
		t.Fatal(err)
	}
	c := item.Clone()
	clear(buf)
	if !c.Equal(everyKind(t)) {
		t.Error("the clone changed with the bytes it was decoded from")
	}
}

func TestOfAttributesWithOneNameTheLastStays(t *testing.T) {
	m := value.NewItem([]value.Attr{{Name: "b", Value: value.Bool(true)}, {Name: "a", Value: value.String("1")}, {Name: "b", Value: value.Null()}})
	if v, _ := m.Get("b"); len(m) != 2 || v.Kind() != value.KindNULL {
		t.Errorf("item has %d attributes and b of kind %s, want 2 and NULL", len(m), v.Kind())
	}
}

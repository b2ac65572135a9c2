package kbin

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"unsafe"
)

func TestWhatIsWrittenIsReadBack(t *testing.T) {
	for _, flexible := range []bool{false, true} {
		text, id := "größe", UUID{1, 2, 15: 9}
		w := NewWriter([]byte("head"))
		w.SetFlexible(flexible)
		w.Bool(true)
		w.Int8(-3)
		w.Int16(-300)
		w.Uint16(65000)
		w.Int32(math.MinInt32)
		w.Int64(math.MaxInt64)
		w.Float64(-0.5)
		w.UUID(id)
		w.String(text)
		w.NullableString(nil, true)
		w.NullableString(&text, true)
		w.NullableString(nil, false)
		w.Blob([]byte{7})
		w.NullableBlob(nil, true)
		w.NullableBlob([]byte{}, true)
		w.BlobLength(-1)
		PutNumbers(&w, []int32{1, -1}, false, (*Writer).Int32)
		PutNumbers(&w, []int64(nil), true, (*Writer).Int64)
		PutStrings(&w, []string{"a", ""}, false)
		PutUUIDs(&w, []UUID{id}, false)
		w.Present(true)
		w.Present(false)
		w.Raw([]byte{1, 2})
		if w.Err() != nil || w.Len() != len(w.Bytes()) || w.Flexible() != flexible {
			t.Fatalf("flexible %v: got %v, %d bytes", flexible, w.Err(), w.Len())
		}

		r := NewReader(w.Bytes())
		r.SetFlexible(flexible)
		if head := r.Raw(4); string(head) != "head" {
			t.Errorf("got %q", head)
		}
		got := []any{
			r.Bool(), r.Int8(), r.Int16(), r.Uint16(), r.Int32(), r.Int64(), r.Float64(), r.UUID(), r.String(),
			r.NullableString(true) == nil, *r.NullableString(true), *r.NullableString(true), string(r.Bytes()),
			r.NullableBytes(true) == nil, r.NullableBytes(true) != nil, r.NullableBytes(true) == nil,
		}
		want := []any{
			true, int8(-3), int16(-300), uint16(65000), int32(math.MinInt32), int64(math.MaxInt64), -0.5, id, text,
			true, text, "", "\a", true, true, true,
		}
		if !slices.Equal(got, want) {
			t.Errorf("flexible %v\n got %v\nwant %v", flexible, got, want)
		}
		numbers, none := Numbers(&r, false, (*Reader).Int32), Numbers(&r, true, (*Reader).Int64)
		names, ids := Strings(&r, false), UUIDs(&r, false)
		if !slices.Equal(numbers, []int32{1, -1}) || none != nil || !slices.Equal(names, []string{"a", ""}) || ids[0] != id {
			t.Errorf("flexible %v: got %v %v %q %v", flexible, numbers, none, names, ids)
		}
		if !r.Present(false, 8) || r.Present(true, 8) || !bytes.Equal(r.Rest(), []byte{1, 2}) || r.Err() != nil || r.Len() != 0 || r.Pos() != w.Len() {
			t.Errorf("flexible %v: structs, or the end at %d, %v", flexible, r.Pos(), r.Err())
		}
	}
}

func TestVariableLengthNumbersAreThoseOfTheStandardLibrary(t *testing.T) {
	for _, v := range []int64{0, 1, -1, 63, 64, -65, math.MaxInt32, math.MinInt32, math.MaxInt64, math.MinInt64} {
		var w Writer
		w.Varlong(v)
		r := NewReader(w.Bytes())
		if got := r.Varlong(); got != v || r.Err() != nil || r.Len() != 0 {
			t.Errorf("varlong %d: got %d, %v", v, got, r.Err())
		}
		if v != int64(int32(v)) {
			continue
		}
		w = Writer{}
		w.Varint(int32(v))
		if want := binary.AppendVarint(nil, v); !bytes.Equal(w.Bytes(), want) {
			t.Errorf("varint %d: got % x, want % x", v, w.Bytes(), want)
		}
		r = NewReader(w.Bytes())
		if got := r.Varint(); int64(got) != v || r.Err() != nil {
			t.Errorf("varint %d: got %d, %v", v, got, r.Err())
		}
	}
}

func TestBytesThatAreRefused(t *testing.T) {
	long := bytes.Repeat([]byte{0xff}, 12)
	for name, c := range map[string]struct {
		flexible bool
		in       []byte
		read     func(*Reader)
		want     error
	}{
		"number cut short":             {false, []byte{1, 2, 3}, func(r *Reader) { r.Int32() }, ErrShort},
		"varint cut short":             {false, []byte{0x80}, func(r *Reader) { r.Uvarint() }, ErrShort},
		"varint of six bytes":          {false, long, func(r *Reader) { r.Uvarint() }, ErrVarint},
		"varint above 32 bits":         {false, []byte{0xff, 0xff, 0xff, 0xff, 0x7f}, func(r *Reader) { r.Uvarint() }, ErrVarint},
		"varlong of eleven bytes":      {false, long, func(r *Reader) { r.Varlong() }, ErrVarint},
		"string longer than the rest":  {false, []byte{0, 9, 'a'}, func(r *Reader) { _ = r.String() }, ErrLength},
		"string of length -2":          {false, []byte{0xff, 0xfe}, func(r *Reader) { r.NullableString(true) }, ErrLength},
		"null string":                  {false, []byte{0xff, 0xff}, func(r *Reader) { _ = r.String() }, ErrNull},
		"null in a version without":    {true, []byte{0}, func(r *Reader) { r.NullableBytes(false) }, ErrNull},
		"null struct":                  {false, []byte{0xff}, func(r *Reader) { r.Present(false, 1) }, ErrNull},
		"null array":                   {true, []byte{0}, func(r *Reader) { Strings(r, false) }, ErrNull},
		"array above the rest":         {false, []byte{0, 0, 0, 3, 1, 2, 3, 4, 5, 6, 7, 8}, func(r *Reader) { Numbers(r, false, (*Reader).Int32) }, ErrLength},
		"array of two thousand mill.":  {true, []byte{0xff, 0xff, 0xff, 0xff, 0x0f}, func(r *Reader) { Strings(r, false) }, ErrLength},
		"129 tagged fields":            {true, append([]byte{0x81, 1}, make([]byte, 400)...), func(r *Reader) { r.SkipTags() }, ErrTags},
		"tagged field above the rest":  {true, []byte{1, 0, 5, 1}, func(r *Reader) { r.SkipTags() }, ErrLength},
		"tagged field that is not all": {true, []byte{1, 0, 5, 1, 2, 3, 4, 5}, func(r *Reader) { r.Tags(); _, end := r.Tag(); r.Int32(); r.EndTag(end) }, ErrTagSize},
		"more memory than the budget":  {true, []byte{5, 1, 1, 1, 1}, func(r *Reader) { r.Count(1, 1<<20, false) }, ErrBudget},
	} {
		r := NewReader(c.in)
		r.SetFlexible(c.flexible)
		c.read(&r)
		if !errors.Is(r.Err(), c.want) {
			t.Errorf("%s, % x: got %v, want %v", name, c.in, r.Err(), c.want)
		}
		if r.Int64() != 0 || r.String() != "" || r.Bytes() != nil || r.Len() != 0 || r.Charge(1) || !errors.Is(r.Err(), c.want) {
			t.Errorf("%s: something is read after the error, %v", name, r.Err())
		}
	}
}

func TestStringsAliasTheInput(t *testing.T) {
	in := []byte{0, 2, 'a', 'b'}
	r := NewReader(in)
	if s := r.String(); unsafe.StringData(s) != &in[2] {
		t.Errorf("%q is a copy", s)
	}
	if n := testing.AllocsPerRun(10, func() { r := NewReader(in); _ = r.String() }); n != 0 {
		t.Errorf("got %v allocations, want none", n)
	}
}

func TestTaggedFieldsAreReadAndSkipped(t *testing.T) {
	var w Writer
	w.SetFlexible(true)
	w.Tags(2)
	at := w.BeginTag(3)
	w.Raw(bytes.Repeat([]byte{9}, 300)) // a size of two bytes
	w.EndTag(at)
	at = w.BeginTag(1)
	w.Int32(77)
	w.EndTag(at)
	w.Raw([]byte{5, 6})
	r := NewReader(w.Bytes())
	r.SetFlexible(true)
	var got int32
	for range r.Tags() {
		tag, end := r.Tag()
		if tag == 1 {
			got = r.Int32()
		} else {
			r.SkipTag(end)
		}
		r.EndTag(end)
	}
	if r.Skip(2); got != 77 || r.Err() != nil || r.Len() != 0 {
		t.Errorf("got %d, %v, %d bytes left", got, r.Err(), r.Len())
	}
}

func TestStringsAboveTheirLengthFieldAreNotWritten(t *testing.T) {
	for _, flexible := range []bool{false, true} {
		var w Writer
		w.SetFlexible(flexible)
		w.String(strings.Repeat("x", math.MaxInt16))
		if w.Err() != nil {
			t.Errorf("flexible %v: longest string: %v", flexible, w.Err())
		}
		if w.String(strings.Repeat("x", math.MaxInt16+1)); !errors.Is(w.Err(), ErrTooLong) {
			t.Errorf("flexible %v: got %v, want %v", flexible, w.Err(), ErrTooLong)
		}
	}
}

func TestUUIDsArePrintedAsKafkaDoes(t *testing.T) {
	id := UUID{0xfb, 0xff, 15: 1}
	if got, want := id.String(), "-_8AAAAAAAAAAAAAAAAAAQ"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// FuzzReader lets the first bytes choose what is read from the rest: nothing panics, nothing is read twice
// or past the end, and no array is larger than its bytes.
func FuzzReader(f *testing.F) {
	f.Add(true, []byte{0, 1, 2, 3, 4, 5, 6, 7}, []byte{3, 1, 2, 3, 4})
	f.Add(false, []byte{8, 9, 10, 11, 12, 13}, []byte{0, 0, 0, 1, 0, 2, 'a', 'b'})
	f.Fuzz(func(t *testing.T, flexible bool, ops, in []byte) {
		r := NewReader(in)
		r.SetFlexible(flexible)
		for _, op := range ops {
			before := r.Pos()
			switch op % 14 {
			case 0:
				r.Bool()
			case 1:
				r.Int16()
			case 2:
				r.UUID()
			case 3:
				r.Varint()
			case 4:
				r.Varlong()
			case 5:
				_ = r.String()
			case 6:
				r.NullableString(true)
			case 7:
				r.Bytes()
			case 8:
				r.NullableBytes(op > 100)
			case 9:
				r.SkipTags()
			case 10:
				if list := Numbers(&r, true, (*Reader).Int64); len(list)*8 > len(in) {
					t.Errorf("%d numbers from %d bytes", len(list), len(in))
				}
			case 11:
				if list := Strings(&r, false); len(list) > len(in) {
					t.Errorf("%d strings from %d bytes", len(list), len(in))
				}
			case 12:
				if list := UUIDs(&r, true); len(list)*16 > len(in) {
					t.Errorf("%d ids from %d bytes", len(list), len(in))
				}
			case 13:
				list := Array(&r, true, 3, 0, func(s *string, r *Reader, _ int16) { *s = r.String(); r.Int8() })
				if len(list)*3 > len(in) && !flexible {
					t.Errorf("%d structs from %d bytes", len(list), len(in))
				}
			}
			if r.Pos() < before || r.Pos() > len(in) || r.Len() < 0 {
				t.Fatalf("position %d after %d of %d", r.Pos(), before, len(in))
			}
		}
	})
}

// FuzzWriter reads back what it wrote.
func FuzzWriter(f *testing.F) {
	f.Add(true, "name", []byte{1}, int64(-5), int32(9))
	f.Fuzz(func(t *testing.T, flexible bool, s string, b []byte, v int64, n int32) {
		if len(s) > math.MaxInt16 {
			return
		}
		var w Writer
		w.SetFlexible(flexible)
		w.String(s)
		w.NullableBlob(b, true)
		w.Varlong(v)
		w.Varint(n)
		w.Uvarint(uint32(n))
		r := NewReader(w.Bytes())
		r.SetFlexible(flexible)
		s2, b2, v2, n2, u2 := r.String(), r.NullableBytes(true), r.Varlong(), r.Varint(), r.Uvarint()
		if s2 != s || !bytes.Equal(b2, b) || v2 != v || n2 != n || u2 != uint32(n) || r.Err() != nil || w.Err() != nil {
			t.Errorf("got %q % x %d %d %d, want %q % x %d %d; %v", s2, b2, v2, n2, u2, s, b, v, n, r.Err())
		}
	})
}

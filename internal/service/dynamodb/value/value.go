package value

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
	"unsafe"
)

// Kind is the type of an attribute value.
type Kind uint8

// The ten attribute types. KindNone is the kind of the zero Value: no value at all.
const (
	KindNone Kind = iota
	KindS
	KindN
	KindB
	KindBOOL
	KindNULL
	KindM
	KindL
	KindSS
	KindNS
	KindBS
)

var kindNames = [...]string{"", "S", "N", "B", "BOOL", "NULL", "M", "L", "SS", "NS", "BS"}

// String is the member of an AttributeValue that holds the kind: "S", "BOOL", …; "" for KindNone.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return ""
}

// ParseKind is the kind that a member of an AttributeValue names; KindNone for any other name.
func ParseKind(name string) Kind {
	for k, n := range kindNames {
		if n == name {
			return Kind(k)
		}
	}
	return KindNone
}

// Value is one attribute value. The zero Value is no value, of KindNone.
//
// It is immutable and safe to copy and to share. == does not compile; use [Equal].
type Value struct {
	_    [0]func()
	ptr  unsafe.Pointer // S, B: bytes; M: Attr; L: Value; SS, BS: string; NS: Number
	hi   uint64         // N: coefficient
	lo   uint64         // N: coefficient, low half
	n    uint32         // elements at ptr
	exp  int16          // N: power of ten
	kind Kind
	flag bool // BOOL: true; N: negative
}

// String makes an S. s is aliased.
func String(s string) Value {
	return Value{kind: KindS, ptr: unsafe.Pointer(unsafe.StringData(s)), n: uint32(len(s))} //nolint:gosec // read back by Str with the same length
}

// Num makes an N.
func Num(n Number) Value {
	return Value{kind: KindN, hi: n.hi, lo: n.lo, exp: n.exp, flag: n.neg}
}

// Binary makes a B. b is aliased and must not change afterwards.
func Binary(b []byte) Value {
	return Value{kind: KindB, ptr: unsafe.Pointer(unsafe.SliceData(b)), n: uint32(len(b))} //nolint:gosec // read back by Bytes with the same length
}

// BinaryString makes a B from bytes in a string, which is aliased.
func BinaryString(s string) Value {
	v := String(s)
	v.kind = KindB
	return v
}

// Bool makes a BOOL.
func Bool(b bool) Value { return Value{kind: KindBOOL, flag: b} }

// Null makes a NULL.
func Null() Value { return Value{kind: KindNULL} }

// Map makes an M of a sorted item (see [NewItem]), which is aliased; an empty one is a map too.
func Map(m Item) Value {
	return Value{kind: KindM, ptr: unsafe.Pointer(unsafe.SliceData(m)), n: uint32(len(m))} //nolint:gosec // read back by Map with the same length
}

// List makes an L. elems is aliased and must not change afterwards.
func List(elems []Value) Value {
	return Value{kind: KindL, ptr: unsafe.Pointer(unsafe.SliceData(elems)), n: uint32(len(elems))} //nolint:gosec // read back by List with the same length
}

// StringSet makes an SS. It takes elems over and sorts them.
//
// Errors: ErrEmptyStringSet, and one for duplicates, which quotes the elements.
func StringSet(elems []string) (Value, error) {
	if len(elems) == 0 {
		return Value{}, ErrEmptyStringSet
	}
	return stringsOf(KindSS, elems)
}

// BinarySet makes a BS; each element is the bytes of a binary. It takes elems over and sorts them.
//
// Errors: ErrEmptyBinarySet, and one for duplicates, which quotes the elements.
func BinarySet(elems []string) (Value, error) {
	if len(elems) == 0 {
		return Value{}, ErrEmptyBinarySet
	}
	return stringsOf(KindBS, elems)
}

func stringsOf(kind Kind, elems []string) (Value, error) {
	given := elems
	if !slices.IsSorted(elems) {
		given = slices.Clone(elems) // for the text of an error
		slices.Sort(elems)
	}
	for i := 1; i < len(elems); i++ {
		if elems[i-1] == elems[i] {
			return Value{}, errDuplicate(kind, given)
		}
	}
	return sortedStrings(kind, elems), nil
}

func sortedStrings(kind Kind, elems []string) Value {
	return Value{kind: kind, ptr: unsafe.Pointer(unsafe.SliceData(elems)), n: uint32(len(elems))} //nolint:gosec // read back by Strings with the same length
}

// NumberSet makes an NS. It takes elems over and sorts them.
//
// Errors: ErrEmptyNumberSet, ErrDuplicateNumbers (by value: 1 and 1.0 are one number).
func NumberSet(elems []Number) (Value, error) {
	if len(elems) == 0 {
		return Value{}, ErrEmptyNumberSet
	}
	slices.SortFunc(elems, Number.Compare)
	for i := 1; i < len(elems); i++ {
		if elems[i-1] == elems[i] {
			return Value{}, ErrDuplicateNumbers
		}
	}
	return sortedNumbers(elems), nil
}

func sortedNumbers(elems []Number) Value {
	return Value{kind: KindNS, ptr: unsafe.Pointer(unsafe.SliceData(elems)), n: uint32(len(elems))} //nolint:gosec // read back by Numbers with the same length
}

// Kind is the type of v.
func (v Value) Kind() Kind { return v.kind }

// IsNone says that v is the zero Value: no value.
func (v Value) IsNone() bool { return v.kind == KindNone }

// Str is the text of an S or the bytes of a B; "" for other kinds.
func (v Value) Str() string {
	if v.kind != KindS && v.kind != KindB {
		return ""
	}
	return unsafe.String((*byte)(v.ptr), v.n) //nolint:gosec // set by String or Binary
}

// Bytes are the bytes of a B or S, not to be changed; nil for other kinds.
func (v Value) Bytes() []byte {
	if v.kind != KindS && v.kind != KindB {
		return nil
	}
	return unsafe.Slice((*byte)(v.ptr), v.n) //nolint:gosec // set by String or Binary
}

// Number is the number of an N; zero for other kinds.
func (v Value) Number() Number {
	return Number{hi: v.hi, lo: v.lo, exp: v.exp, neg: v.flag && v.kind == KindN}
}

// Bool is the truth of a BOOL; false for other kinds.
func (v Value) Bool() bool { return v.flag && v.kind == KindBOOL }

// Map is the content of an M, not to be changed; nil for other kinds.
func (v Value) Map() Item {
	if v.kind != KindM {
		return nil
	}
	return unsafe.Slice((*Attr)(v.ptr), v.n) //nolint:gosec // set by Map
}

// List are the elements of an L, not to be changed; nil for other kinds.
func (v Value) List() []Value {
	if v.kind != KindL {
		return nil
	}
	return unsafe.Slice((*Value)(v.ptr), v.n) //nolint:gosec // set by List
}

// Strings are the sorted elements of an SS or BS, not to be changed; nil for other kinds.
func (v Value) Strings() []string {
	if v.kind != KindSS && v.kind != KindBS {
		return nil
	}
	return unsafe.Slice((*string)(v.ptr), v.n) //nolint:gosec // set by sortedStrings
}

// Numbers are the sorted elements of an NS, not to be changed; nil for other kinds.
func (v Value) Numbers() []Number {
	if v.kind != KindNS {
		return nil
	}
	return unsafe.Slice((*Number)(v.ptr), v.n) //nolint:gosec // set by sortedNumbers
}

// Len is how many elements an M, L or set has and how many bytes an S or B; 0 for other kinds.
func (v Value) Len() int { return int(v.n) }

// Equal says that a and b are of one kind and equal: numbers by value, sets as sets, maps whatever the
// order in which they were written. Two zero Values are equal.
func Equal(a, b Value) bool {
	if a.kind != b.kind || a.n != b.n {
		return false
	}
	switch a.kind {
	case KindS, KindB:
		return a.Str() == b.Str()
	case KindN:
		return a.Number() == b.Number()
	case KindBOOL:
		return a.flag == b.flag
	case KindM:
		return a.Map().Equal(b.Map())
	case KindL:
		return slices.EqualFunc(a.List(), b.List(), Equal)
	case KindSS, KindBS:
		return slices.Equal(a.Strings(), b.Strings())
	case KindNS:
		return slices.Equal(a.Numbers(), b.Numbers())
	default: // KindNone, KindNULL
		return true
	}
}

// Compare orders two values of one kind that has an order: S by the bytes of its UTF-8, B by unsigned bytes,
// N by value. ok is false for other kinds and for values of different kinds.
func Compare(a, b Value) (c int, ok bool) {
	if a.kind != b.kind {
		return 0, false
	}
	switch a.kind {
	case KindS, KindB:
		return strings.Compare(a.Str(), b.Str()), true
	case KindN:
		return a.Number().Compare(b.Number()), true
	default:
		return 0, false
	}
}

// Clone copies v with all it holds; the copy aliases nothing.
func (v Value) Clone() Value {
	switch v.kind {
	case KindS, KindB:
		c := v
		c.ptr = unsafe.Pointer(unsafe.SliceData(bytes.Clone(v.Bytes()))) //nolint:gosec // as long as v
		return c
	case KindM:
		return Map(v.Map().Clone())
	case KindL:
		elems := slices.Clone(v.List())
		for i := range elems {
			elems[i] = elems[i].Clone()
		}
		return List(elems)
	case KindSS, KindBS:
		elems := slices.Clone(v.Strings())
		for i := range elems {
			elems[i] = strings.Clone(elems[i])
		}
		return sortedStrings(v.kind, elems)
	case KindNS:
		return sortedNumbers(slices.Clone(v.Numbers()))
	default:
		return v
	}
}

// Attr is a named value.
type Attr struct {
	Name  string
	Value Value
}

// Item is the content of an item or map: attributes sorted by the bytes of their names, each name once.
type Item []Attr

// NewItem sorts attrs in place and makes them an item; of attributes with one name the last stays.
func NewItem(attrs []Attr) Item {
	byName := func(a, b Attr) int { return strings.Compare(a.Name, b.Name) }
	slices.SortStableFunc(attrs, byName)
	out := attrs[:0]
	for i, a := range attrs {
		if i+1 < len(attrs) && attrs[i+1].Name == a.Name {
			continue
		}
		out = append(out, a)
	}
	return out
}

// Find is the position of name, or the one where it belongs.
func (m Item) Find(name string) (int, bool) {
	return slices.BinarySearchFunc(m, name, func(a Attr, name string) int { return cmp.Compare(a.Name, name) })
}

// Get is the value of name; ok is false when there is none.
func (m Item) Get(name string) (v Value, ok bool) {
	i, ok := m.Find(name)
	if !ok {
		return Value{}, false
	}
	return m[i].Value, true
}

// With is a copy of m in which name has value v; m stays as it is.
func (m Item) With(name string, v Value) Item {
	i, ok := m.Find(name)
	if ok {
		out := slices.Clone(m)
		out[i].Value = v
		return out
	}
	out := make(Item, 0, len(m)+1)
	out = append(out, m[:i]...)
	out = append(out, Attr{name, v})
	return append(out, m[i:]...)
}

// Without is a copy of m that lacks name, or m itself when it does not have it.
func (m Item) Without(name string) Item {
	i, ok := m.Find(name)
	if !ok {
		return m
	}
	out := make(Item, 0, len(m)-1)
	return append(append(out, m[:i]...), m[i+1:]...)
}

// Equal says that both have the same names with equal values.
func (m Item) Equal(o Item) bool {
	return slices.EqualFunc(m, o, func(a, b Attr) bool { return a.Name == b.Name && Equal(a.Value, b.Value) })
}

// Clone copies m with all it holds; the copy aliases nothing.
func (m Item) Clone() Item {
	out := slices.Clone(m)
	for i, a := range out {
		out[i] = Attr{strings.Clone(a.Name), a.Value.Clone()}
	}
	return out
}

package value

import (
	"bytes"
	"encoding/binary"
	"strings"
)

// View is a stored item, read where it lies. What it returns aliases the bytes, which must not change.
//
// Opening one checks the front only. Bytes that are not as AppendItem writes them are found when they are
// touched, as elements that do not exist or as ErrCorrupt; nothing panics.
type View struct {
	Elems
	size int
}

// Elems are the elements of a stored item or container.
type Elems struct {
	n, code int
	ends    []byte
	data    []byte
}

// Raw is a stored value: a tag and what belongs to it. Two are equal when their bytes are.
type Raw []byte

// Open reads the front of a stored item.
//
// Errors: ErrCorrupt.
func Open(b []byte) (View, error) {
	if len(b) == 0 || b[0] != itemVersion {
		return View{}, ErrCorrupt
	}
	size, k := binary.Uvarint(b[1:])
	if k <= 0 || size > maxStoredSize {
		return View{}, ErrCorrupt
	}
	e, rest, ok := openElems(b[1+k:])
	if !ok || len(rest) != 0 {
		return View{}, ErrCorrupt
	}
	return View{e, int(size)}, nil
}

// maxStoredSize bounds a size read from disk: what a request of 16 MiB can hold, far above an item.
const maxStoredSize = 1 << 25

// openElems reads the front of a container and cuts off what follows it.
func openElems(b []byte) (e Elems, rest []byte, ok bool) {
	head, k := binary.Uvarint(b)
	if k <= 0 || head&3 > 2 || head>>2 > uint64(len(b)) {
		return Elems{}, nil, false
	}
	e.n, e.code = int(head>>2), int(head&3)
	b = b[k:]
	if e.n<<e.code > len(b) {
		return Elems{}, nil, false
	}
	e.ends, b = b[:e.n<<e.code], b[e.n<<e.code:]
	total := 0
	if e.n > 0 {
		total = e.end(e.n - 1)
	}
	if total > len(b) {
		return Elems{}, nil, false
	}
	e.data = b[:total]
	return e, b[total:], true
}

func (e *Elems) end(i int) int {
	switch e.code {
	case 0:
		return int(e.ends[i])
	case 1:
		return int(binary.LittleEndian.Uint16(e.ends[2*i:]))
	default:
		return int(binary.LittleEndian.Uint32(e.ends[4*i:]))
	}
}

// Len is how many elements there are.
func (e *Elems) Len() int { return e.n }

// At is element i: of a list a Raw, of an SS or BS the bytes, of an NS the number's encoding; empty when there is
// none.
func (e *Elems) At(i int) []byte {
	if i < 0 || i >= e.n {
		return nil
	}
	start, end := 0, e.end(i)
	if i > 0 {
		start = e.end(i - 1)
	}
	if start > end || end > len(e.data) {
		return nil
	}
	return e.data[start:end:end]
}

// Attr is attribute i of an item or map.
func (e *Elems) Attr(i int) (name string, r Raw) {
	b := e.At(i)
	n, k := binary.Uvarint(b)
	if k <= 0 || n > uint64(len(b)-k) {
		return "", nil
	}
	return aliasString(b[k : k+int(n)]), Raw(b[k+int(n):])
}

// Get is the attribute with that name of an item or map.
func (e *Elems) Get(name string) (Raw, bool) {
	lo, hi := 0, e.n
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		at, r := e.Attr(mid)
		switch c := strings.Compare(at, name); {
		case c == 0:
			return r, r != nil
		case c < 0:
			lo = mid + 1
		default:
			hi = mid
		}
	}
	return nil, false
}

// Size is the item's size as AWS counts it.
func (v *View) Size() int { return v.size }

// Item decodes all of it; names and values alias the stored bytes.
//
// Errors: ErrCorrupt.
func (v *View) Item() (Item, error) {
	return v.item(1)
}

// Decode reads a stored item whole.
//
// Errors: ErrCorrupt.
func Decode(b []byte) (Item, error) {
	v, err := Open(b)
	if err != nil {
		return nil, err
	}
	return v.Item()
}

// Check says whether b is exactly what AppendItem writes for some item.
//
// Errors: ErrCorrupt.
func Check(b []byte) error {
	item, err := Decode(b)
	if err != nil {
		return err
	}
	if !bytes.Equal(AppendItem(nil, item), b) {
		return ErrCorrupt
	}
	return nil
}

// Kind is the type of r; KindNone when it is none.
func (r Raw) Kind() Kind {
	if len(r) == 0 {
		return KindNone
	}
	switch k := Kind(r[0] &^ 0x10); {
	case k > KindBS, r[0] != byte(k) && r[0] != tagTrue:
		return KindNone
	default:
		return k
	}
}

// Str is the text of an S or the bytes of a B; "" for others.
func (r Raw) Str() string {
	if k := r.Kind(); k != KindS && k != KindB {
		return ""
	}
	n, k := binary.Uvarint(r[1:])
	if k <= 0 || n != uint64(len(r)-1-k) {
		return ""
	}
	return aliasString(r[1+k:])
}

// Bool is the truth of a BOOL.
func (r Raw) Bool() bool { return len(r) == 1 && r[0] == tagTrue }

// Ordered is the encoding of an N, which sorts as numbers do; nil for others.
func (r Raw) Ordered() []byte {
	if r.Kind() != KindN {
		return nil
	}
	return r[1:]
}

// Number is the number of an N; zero for others.
func (r Raw) Number() Number {
	n, _, err := DecodeOrdered(r.Ordered())
	if err != nil {
		return Number{}
	}
	return n
}

// Elems opens an M, L or set; others have no elements.
func (r Raw) Elems() Elems {
	if r.Kind() < KindM {
		return Elems{}
	}
	e, rest, ok := openElems(r[1:])
	if !ok || len(rest) != 0 {
		return Elems{}
	}
	return e
}

// Get is the attribute with that name of an M.
func (r Raw) Get(name string) (Raw, bool) {
	if r.Kind() != KindM {
		return nil, false
	}
	e := r.Elems()
	return e.Get(name)
}

// Index is element i of an L.
func (r Raw) Index(i int) (Raw, bool) {
	if r.Kind() != KindL {
		return nil, false
	}
	e := r.Elems()
	v := e.At(i)
	return v, len(v) != 0
}

// Size is how many bytes AWS counts for r, without a name.
func (r Raw) Size() int {
	switch kind := r.Kind(); kind {
	case KindS, KindB:
		return len(r.Str())
	case KindN:
		return r.Number().Size()
	case KindBOOL, KindNULL:
		return 1
	case KindNone:
		return 0
	default:
		return r.elemsSize(kind)
	}
}

func (r Raw) elemsSize(kind Kind) int {
	e, size := r.Elems(), 0
	if kind == KindM || kind == KindL {
		size = containerSize + e.Len()
	}
	for i := range e.Len() {
		switch kind {
		case KindM:
			name, v := e.Attr(i)
			size += len(name) + v.Size()
		case KindL:
			size += Raw(e.At(i)).Size()
		case KindNS:
			if n, _, err := DecodeOrdered(e.At(i)); err == nil {
				size += n.Size()
			}
		default:
			size += len(e.At(i))
		}
	}
	return size
}

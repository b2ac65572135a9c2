package value

import (
	"encoding/binary"
	"sync"
	"unsafe"
)

// The stored form of an item; docs/format/item.md describes it. It is permanent.
//
//	item      = version (1) | size (uvarint) | container of named values, sorted by name
//	container = count<<2 | width code (uvarint) | end of each element (count × width) | elements
//	value     = tag | payload
//	named     = length of the name (uvarint) | name | value
//
// A width is 1, 2 or 4 bytes, the least that holds the end of the last element; ends are little-endian and
// count from the first element. So an element is found by its number in one step, a name by a binary search, and
// any value can be passed over.
const (
	itemVersion = 1

	// Tags are the kinds; a true BOOL has a bit more.
	tagTrue = byte(KindBOOL) | 0x10
)

// Builder writes stored items and values in one pass, in whatever order attributes and elements come:
// containers are sorted when they are closed. It counts AWS's size on the way.
//
// The zero Builder is ready. It keeps its buffers from use to use and is not safe for concurrent use.
//
// The order of calls: Open; for each element Name or Elem, one value, Done; Close. Values are a String, Binary,
// Number, Bool, Null, Raw or Value, or an Open and Close of a further container.
type Builder struct {
	buf     []byte
	entries []entry // elements of the open containers, innermost last
	scratch []byte  // elements while they are sorted
}

// entry is an element of an open container; positions are in buf.
type entry struct {
	prefix     uint64 // first 8 bytes of the key, big-endian: decides most comparisons
	start, end uint32 // the element
	key        uint32 // where its key starts: the name of a named value, all of an element of a set
	keyEnd     uint32
	size       uint32 // as AWS counts: name and value
}

// Container is an open container of a Builder.
type Container struct {
	kind  Kind
	start int // of its tag
	first int // of its entries
}

// Reset forgets what was written. Buffers that grew beyond what an item needs go.
func (b *Builder) Reset() {
	b.buf, b.entries = b.buf[:0], b.entries[:0]
	if cap(b.buf) > maxKept {
		b.buf = nil
	}
	if cap(b.scratch) > maxKept {
		b.scratch = nil
	}
	if cap(b.entries)*int(unsafe.Sizeof(entry{})) > maxKept {
		b.entries = nil
	}
}

// maxKept is the largest buffer a Builder keeps, in bytes: more than an item of 400 KB needs.
const maxKept = 1 << 20

// Pending is how many elements the open containers have so far.
func (b *Builder) Pending() int { return len(b.entries) }

// Open begins a container: an M, L, SS, NS or BS. KindNone begins an item.
func (b *Builder) Open(kind Kind) Container {
	c := Container{kind, len(b.buf), len(b.entries)}
	if kind != KindNone {
		b.buf = append(b.buf, byte(kind))
	}
	return c
}

// Name begins an element of an item or M.
func (b *Builder) Name(name string) {
	start := len(b.buf)
	b.buf = binary.AppendUvarint(b.buf, uint64(len(name)))
	key := len(b.buf)
	b.buf = append(b.buf, name...)
	b.entries = append(b.entries, entry{start: uint32(start), key: uint32(key), keyEnd: uint32(len(b.buf)), size: uint32(len(name))})
}

// Elem begins an element of an L.
func (b *Builder) Elem() {
	b.entries = append(b.entries, entry{start: uint32(len(b.buf))})
}

// Done ends the element that was begun last; size is what its value's method returned.
func (b *Builder) Done(size int) {
	e := &b.entries[len(b.entries)-1]
	e.end = uint32(len(b.buf))
	e.size += uint32(size)
}

// String writes an S and returns its size, as all these do.
func (b *Builder) String(s string) int {
	b.buf = append(b.buf, byte(KindS))
	b.buf = binary.AppendUvarint(b.buf, uint64(len(s)))
	b.buf = append(b.buf, s...)
	return len(s)
}

// Binary writes a B.
func (b *Builder) Binary(s string) int {
	b.buf = append(b.buf, byte(KindB))
	b.buf = binary.AppendUvarint(b.buf, uint64(len(s)))
	b.buf = append(b.buf, s...)
	return len(s)
}

// Number writes an N.
func (b *Builder) Number(n Number) int {
	b.buf = append(b.buf, byte(KindN))
	b.buf = n.AppendOrdered(b.buf)
	return n.Size()
}

// Bool writes a BOOL.
func (b *Builder) Bool(v bool) int {
	tag := byte(KindBOOL)
	if v {
		tag = tagTrue
	}
	b.buf = append(b.buf, tag)
	return 1
}

// Null writes a NULL.
func (b *Builder) Null() int {
	b.buf = append(b.buf, byte(KindNULL))
	return 1
}

// Raw writes a stored value as it is.
func (b *Builder) Raw(r Raw) int {
	b.buf = append(b.buf, r...)
	return r.Size()
}

// SetString writes a whole element of an SS or BS; no Elem or Done belongs to it.
func (b *Builder) SetString(s string) {
	start := uint32(len(b.buf))
	b.buf = append(b.buf, s...)
	b.setElem(start, len(s))
}

// SetNumber writes a whole element of an NS; no Elem or Done belongs to it.
func (b *Builder) SetNumber(n Number) {
	start := uint32(len(b.buf))
	b.buf = n.AppendOrdered(b.buf)
	b.setElem(start, n.Size())
}

func (b *Builder) setElem(start uint32, size int) {
	end := uint32(len(b.buf))
	b.entries = append(b.entries, entry{start: start, end: end, key: start, keyEnd: end, size: uint32(size)})
}

// Close ends a container and returns its size as AWS counts it. Of attributes with one name the one written last
// stays.
//
// Errors: an *Error of a set that is empty or has an element twice. The container is closed all the same; its bytes
// are of no use then.
func (b *Builder) Close(c Container) (size int, err error) {
	entries := b.entries[c.first:]
	start := c.start
	if c.kind != KindNone {
		start++
	}
	moved := false
	if c.kind != KindL {
		moved = b.sort(entries)
	}
	switch c.kind {
	case KindSS, KindNS, KindBS:
		if err := b.checkSet(c.kind, entries); err != nil {
			b.entries = b.entries[:c.first]
			return 0, err
		}
	case KindNone, KindM:
		kept := b.dropOverwritten(entries)
		moved = moved || len(kept) < len(entries)
		entries = kept
	default: // KindL
	}
	if c.kind == KindM || c.kind == KindL {
		size = containerSize + len(entries)
	}
	total := 0
	for i := range entries {
		size += int(entries[i].size)
		total += int(entries[i].end - entries[i].start)
	}
	b.frame(c, start, entries, total, size, moved)
	b.entries = b.entries[:c.first]
	return size, nil
}

// Bytes is what was written since Reset. A piece of it that is finished stays as it is until Reset: several items
// and values may be written one after the other.
func (b *Builder) Bytes() []byte { return b.buf }

// Len is how many bytes were written since Reset.
func (b *Builder) Len() int { return len(b.buf) }

// Truncate drops what was written after the first n bytes: a value whose element is still open.
func (b *Builder) Truncate(n int) { b.buf = b.buf[:n] }

// Value writes v.
func (b *Builder) Value(v Value) int {
	switch v.kind {
	case KindS:
		return b.String(v.Str())
	case KindN:
		return b.Number(v.Number())
	case KindB:
		return b.Binary(v.Str())
	case KindBOOL:
		return b.Bool(v.Bool())
	case KindNULL:
		return b.Null()
	default:
		return b.container(v)
	}
}

func (b *Builder) container(v Value) int {
	c := b.Open(v.kind)
	for _, a := range v.Map() {
		b.Name(a.Name)
		b.Done(b.Value(a.Value))
	}
	for _, e := range v.List() {
		b.Elem()
		b.Done(b.Value(e))
	}
	for _, s := range v.Strings() {
		b.SetString(s)
	}
	for _, n := range v.Numbers() {
		b.SetNumber(n)
	}
	size, err := b.Close(c)
	if err != nil {
		panic("value: " + err.Error()) // a set of a Value has elements, each once
	}
	return size
}

var builders = sync.Pool{New: func() any { return new(Builder) }}

// AppendItem appends the stored form of item, which is sorted as NewItem leaves it.
func AppendItem(dst []byte, item Item) []byte {
	b := builders.Get().(*Builder)
	b.Reset()
	c := b.Open(KindNone)
	for _, a := range item {
		b.Name(a.Name)
		b.Done(b.Value(a.Value))
	}
	if _, err := b.Close(c); err != nil {
		panic("value: " + err.Error()) // only sets have errors
	}
	dst = append(dst, b.buf...)
	b.Reset()
	builders.Put(b)
	return dst
}

// AppendValue appends the stored form of v, as Raw holds it.
func AppendValue(dst []byte, v Value) []byte {
	b := builders.Get().(*Builder)
	b.Reset()
	b.Value(v)
	dst = append(dst, b.buf...)
	b.Reset()
	builders.Put(b)
	return dst
}

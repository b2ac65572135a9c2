package value

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"slices"
)

// sort orders entries by their keys and says whether that moved any. Equal keys keep their order.
func (b *Builder) sort(entries []entry) (moved bool) {
	for i := range entries {
		e := &entries[i]
		e.prefix = keyPrefix(b.buf[e.key:e.keyEnd])
	}
	sorted := true
	for i := 1; i < len(entries) && sorted; i++ {
		sorted = b.compare(&entries[i-1], &entries[i]) <= 0
	}
	if sorted {
		return false
	}
	if len(entries) > 16 { // past that others have fewer steps than an insertion sort
		slices.SortFunc(entries, func(x, y entry) int {
			if c := b.compare(&x, &y); c != 0 {
				return c
			}
			return int(x.start) - int(y.start) // as they came
		})
		return true
	}
	for i := 1; i < len(entries); i++ {
		e := entries[i]
		j := i
		for ; j > 0 && b.compare(&e, &entries[j-1]) < 0; j-- {
			entries[j] = entries[j-1]
		}
		entries[j] = e
	}
	return true
}

func keyPrefix(key []byte) uint64 {
	if len(key) >= 8 {
		return binary.BigEndian.Uint64(key)
	}
	var p uint64
	for i, c := range key {
		p |= uint64(c) << (56 - 8*i)
	}
	return p
}

func (b *Builder) compare(x, y *entry) int {
	if x.prefix != y.prefix {
		if x.prefix < y.prefix {
			return -1
		}
		return 1
	}
	return bytes.Compare(b.buf[x.key:x.keyEnd], b.buf[y.key:y.keyEnd])
}

func (b *Builder) checkSet(kind Kind, entries []entry) error {
	if len(entries) == 0 {
		return errEmptySet(kind)
	}
	for i := 1; i < len(entries); i++ {
		if b.compare(&entries[i-1], &entries[i]) == 0 {
			return b.duplicate(kind, entries)
		}
	}
	return nil
}

func errEmptySet(kind Kind) error {
	switch kind {
	case KindSS:
		return ErrEmptyStringSet
	case KindNS:
		return ErrEmptyNumberSet
	default:
		return ErrEmptyBinarySet
	}
}

// duplicate is the error of a set that has an element twice.
func (b *Builder) duplicate(kind Kind, entries []entry) error {
	if kind == KindNS {
		return ErrDuplicateNumbers
	}
	given := slices.Clone(entries) // in the order they came
	slices.SortFunc(given, func(x, y entry) int { return int(x.start) - int(y.start) })
	elems := make([]string, len(given))
	for i, e := range given {
		elems[i] = string(b.buf[e.start:e.end])
	}
	return errDuplicate(kind, elems)
}

// dropOverwritten removes all but the last of sorted entries with one name.
func (b *Builder) dropOverwritten(entries []entry) []entry {
	out := entries[:0]
	for i := range entries {
		if i+1 < len(entries) && b.compare(&entries[i], &entries[i+1]) == 0 {
			continue
		}
		out = append(out, entries[i])
	}
	return out
}

// frame puts what stands before the elements in front of them, and the elements in the order of entries.
func (b *Builder) frame(c Container, start int, entries []entry, total, size int, moved bool) {
	var head [1 + 2*binary.MaxVarintLen64]byte
	h := head[:0]
	if c.kind == KindNone {
		h = binary.AppendUvarint(append(h, itemVersion), uint64(size))
	}
	code := widthCode(total)
	h = binary.AppendUvarint(h, uint64(len(entries))<<2|uint64(code))
	front := len(h) + len(entries)<<code

	source, at := b.buf[start:], start
	b.buf = slices.Grow(b.buf, front)[:start+front+total]
	body := b.buf[start+front:]
	if moved {
		b.scratch = append(b.scratch[:0], source...)
		source = b.scratch
	} else {
		copy(body, b.buf[start:start+total]) // overlapping, moved up
	}
	copy(b.buf[start:], h)
	ends := b.buf[start+len(h) : start+front]
	end := 0
	for i := range entries {
		e := &entries[i]
		n := int(e.end - e.start)
		if moved {
			copy(body[end:], source[int(e.start)-at:int(e.end)-at])
		}
		end += n
		putEnd(ends, i, code, end)
	}
}

// widthCode is 0, 1 or 2 for ends of 1, 2 or 4 bytes.
func widthCode(total int) int {
	return min(2, (bits.Len(uint(total>>8))+7)/8)
}

func putEnd(ends []byte, i, code, end int) {
	switch code {
	case 0:
		ends[i] = byte(end)
	case 1:
		binary.LittleEndian.PutUint16(ends[2*i:], uint16(end))
	default:
		binary.LittleEndian.PutUint32(ends[4*i:], uint32(end))
	}
}

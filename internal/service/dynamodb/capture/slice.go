package capture

import (
	"encoding/binary"

	"millrace/internal/core/field"
)

// hashes is the size of the space that hash16 spreads keys over.
const hashes = 1 << 16

// Slice is the part of a table's items whose changes one partition holds.
type Slice struct {
	First, Last uint16 // hash16 of the items, both included
	Base        int64  // of sequence numbers
}

// Slices divides the hash space into n equal slices, 1 to 65,536.
func Slices(n int) []Slice {
	all := make([]Slice, n)
	for i := range all {
		all[i] = Slice{First: uint16(i * hashes / n), Last: uint16((i+1)*hashes/n - 1)}
	}
	return all
}

// Halves are what a slice is split into; ok is false when it has one hash. next is above every offset that its partition has had or
// will have.
func (s Slice) Halves(next int64) (halves [2]Slice, ok bool) {
	if s.First == s.Last {
		return halves, false
	}
	middle := s.First + (s.Last-s.First)/2
	base := s.Base + next
	return [2]Slice{{s.First, middle, base}, {middle + 1, s.Last, base}}, base < maxPlace
}

const sliceVersion = 1

// Encode is what stands beside a partition in the catalogue:
//
//	version 01 | first hash 2 | last hash 2 | base 8
func (s Slice) Encode() []byte {
	be := binary.BigEndian
	v := be.AppendUint16([]byte{sliceVersion}, s.First)
	v = be.AppendUint16(v, s.Last)
	return be.AppendUint64(v, uint64(s.Base))
}

// DecodeSlice reads what Encode wrote; false when it is something else.
func DecodeSlice(v []byte) (Slice, bool) {
	d := field.Reader{B: v}
	version := d.Byte()
	s := Slice{First: d.Uint16(), Last: d.Uint16(), Base: int64(d.Uint64())}
	return s, d.Done() && version == sliceVersion && s.First <= s.Last && s.Base >= 0 && s.Base < maxPlace
}

package capture

import (
	"encoding/binary"
	"errors"

	"millrace/internal/core/field"
)

// Kind says what a change did to its item. Permanent.
type Kind uint8

// The kinds.
const (
	Insert Kind = 1
	Modify Kind = 2
	Remove Kind = 3
)

// Record is one change of one item: the value of a record of a capture. Its time is the append time, its key hash16 and the
// components of the item's key.
type Record struct {
	Kind    Kind
	Expired bool   // the service removed the item because its time was over
	Old     []byte // stored image before; nil of an Insert
	New     []byte // stored image after; nil of a Remove
}

const (
	recordVersion = 1
	flagExpired   = 1 << 0
)

// ErrRecord says that bytes are no record of a known version.
var ErrRecord = errors.New("capture: not a change of a known version")

// Append appends the change from before to after, stored images of which at most one is nil.
//
//	version 01 | kind | flags | length of the old image, uvarint | old image | new image
func Append(dst, before, after []byte, expired bool) []byte {
	kind, flags := Modify, byte(0)
	switch {
	case before == nil:
		kind = Insert
	case after == nil:
		kind = Remove
	}
	if expired {
		flags |= flagExpired
	}
	dst = append(dst, recordVersion, byte(kind), flags)
	dst = binary.AppendUvarint(dst, uint64(len(before)))
	return append(append(dst, before...), after...)
}

// MaxOverhead is how many bytes a record has at most beside its images.
const MaxOverhead = 3 + binary.MaxVarintLen32

// Decode reads what Append wrote. The images point into v; whether they are images is not looked at.
//
// Errors: ErrRecord.
func Decode(v []byte) (Record, error) {
	d := field.Reader{B: v}
	version, kind, flags := d.Byte(), Kind(d.Byte()), d.Byte()
	old := d.Take(d.Count(len(v)))
	r := Record{Kind: kind, Expired: flags&flagExpired != 0, Old: old, New: d.B}
	if d.Bad || version != recordVersion || flags > flagExpired {
		return Record{}, ErrRecord
	}
	if len(r.Old) == 0 {
		r.Old = nil
	}
	if len(r.New) == 0 {
		r.New = nil
	}
	has := map[Kind][2]bool{Insert: {false, true}, Modify: {true, true}, Remove: {true, false}}
	if want, ok := has[kind]; !ok || want != [2]bool{r.Old != nil, r.New != nil} {
		return Record{}, ErrRecord
	}
	return r, nil
}

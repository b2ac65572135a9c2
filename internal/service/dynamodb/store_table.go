package dynamodb

// The values of the catalogue: docs/format/tables.md draws them.

import (
	"encoding/binary"
	"math"

	"millrace/internal/core/field"
	"millrace/internal/core/store"
	"millrace/internal/service/dynamodb/expr"
	"millrace/internal/service/dynamodb/value"
)

const tableVersion = 1

// Tags of a table's fields. Permanent.
const (
	fieldNum           = 1
	fieldID            = 2
	fieldState         = 3
	fieldDue           = 4
	fieldCreated       = 5
	fieldAttribute     = 6
	fieldHash          = 7
	fieldSort          = 8
	fieldBilling       = 9
	fieldRead          = 10
	fieldWrite         = 11
	fieldIncreased     = 12
	fieldDecreased     = 13
	fieldDecreases     = 14
	fieldOnDemandSince = 15
	fieldClass         = 16
	fieldClassChanged  = 17
	fieldMaxRead       = 18
	fieldMaxWrite      = 19
	fieldWarmRead      = 20
	fieldWarmWrite     = 21
	fieldProtected     = 22
	fieldTag           = 23
	fieldNext          = 24
	fieldIndex         = 25 // index_record.go
	fieldLastIndex     = 26
	fieldCapture       = 30
	fieldStream        = 31
	fieldLatestStream  = 32
	fieldTTL           = 35
	fieldSSE           = 36
	fieldClassBefore   = 37
	fieldDataKey       = 45
	fieldNextRead      = 46
	fieldNextWrite     = 47
)

func corrupt(what string) error {
	return &store.CorruptError{File: what, Reason: "not a value of a known version"}
}

// number is a field of a table that is a number.
type number struct {
	tag byte
	at  *int64
}

// numbers are the fields that are plain numbers.
func (t *table) numbers() []number {
	return []number{
		{fieldDue, &t.due},
		{fieldCreated, &t.created},
		{fieldRead, &t.read},
		{fieldWrite, &t.write},
		{fieldIncreased, &t.increased},
		{fieldDecreased, &t.decreased},
		{fieldDecreases, &t.decreases},
		{fieldOnDemandSince, &t.onDemandSince},
		{fieldClassChanged, &t.classChanged},
		{fieldClassBefore, &t.classBefore},
		{fieldMaxRead, &t.maxRead},
		{fieldMaxWrite, &t.maxWrite},
		{fieldWarmRead, &t.warmRead},
		{fieldWarmWrite, &t.warmWrite},
		{fieldLatestStream, &t.latest},
		{fieldNextRead, &t.nextRead},
		{fieldNextWrite, &t.nextWrite},
	}
}

func appendField(v []byte, tag byte, payload []byte) []byte {
	v = append(v, tag)
	v = binary.AppendUvarint(v, uint64(len(payload)))
	return append(v, payload...)
}

func appendNumber(v []byte, tag byte, n uint64) []byte {
	if n == 0 {
		return v
	}
	return appendField(v, tag, binary.AppendUvarint(nil, n))
}

func encodeTable(t *table) []byte {
	v := []byte{tableVersion}
	v = appendNumber(v, fieldNum, t.num)
	v = appendField(v, fieldID, t.id[:])
	v = appendNumber(v, fieldState, uint64(t.state))
	for _, a := range t.attributes {
		v = appendField(v, fieldAttribute, append([]byte{kindByte(a.Kind)}, a.Name...))
	}
	v = appendField(v, fieldHash, []byte(t.hash))
	if t.sort != "" {
		v = appendField(v, fieldSort, []byte(t.sort))
	}
	v = appendNumber(v, fieldBilling, uint64(t.billing))
	v = appendNumber(v, fieldClass, uint64(t.class))
	for _, n := range t.numbers() {
		v = appendNumber(v, n.tag, uint64(*n.at))
	}
	if t.protected {
		v = appendNumber(v, fieldProtected, 1)
	}
	for _, tag := range t.tags {
		p := binary.AppendUvarint(nil, uint64(len(tag.key)))
		v = appendField(v, fieldTag, append(append(p, tag.key...), tag.value...))
	}
	if t.next != nil {
		v = appendField(v, fieldNext, encodeThroughput(*t.next))
	}
	for _, ix := range t.indexes {
		v = appendField(v, fieldIndex, encodeIndex(ix))
	}
	v = appendNumber(v, fieldLastIndex, uint64(t.lastIndex))
	v = appendNumber(v, fieldDataKey, t.dataKey)
	return t.sse.append(t.ttl.append(t.appendStream(v)))
}

func encodeThroughput(next throughput) []byte {
	p := binary.AppendUvarint(nil, uint64(next.billing))
	p = binary.AppendUvarint(p, uint64(next.read))
	return binary.AppendUvarint(p, uint64(next.write))
}

func kindByte(k value.Kind) byte {
	switch k {
	case value.KindS:
		return 1
	case value.KindN:
		return 2
	default:
		return 3
	}
}

// decodeTable reads what encodeTable wrote.
//
// Errors: *store.CorruptError.
func decodeTable(v []byte) (*table, error) {
	if len(v) == 0 || v[0] != tableVersion {
		return nil, corrupt("table")
	}
	t := &table{}
	if !readFields(v[1:], t.field) || t.num == 0 || t.state < stateActive || t.state > stateDeleting || t.attribute(t.hash).Kind == value.KindNone ||
		t.sort != "" && t.attribute(t.sort).Kind == value.KindNone || !t.indexesFit() {
		return nil, corrupt("table")
	}
	return t, nil
}

// readFields gives the fields of a record one by one; false when it is not made of fields, or one is refused.
func readFields(v []byte, take func(tag byte, p []byte) bool) bool {
	d := field.Reader{B: v}
	for len(d.B) > 0 {
		tag := d.Byte()
		p := d.Take(d.Count(len(d.B)))
		if d.Bad || !take(tag, p) {
			return false
		}
	}
	return true
}

// setNumber sets the field with a tag; false when none has it.
func setNumber(numbers []number, tag byte, u uint64) bool {
	for _, n := range numbers {
		if n.tag == tag {
			*n.at = int64(u)
			return int64(u) >= 0
		}
	}
	return false
}

// field reads one field; false when it is none.
func (t *table) field(tag byte, p []byte) bool {
	switch tag {
	case fieldID:
		return copy(t.id[:], p) == len(t.id) && len(p) == len(t.id)
	case fieldAttribute:
		if len(p) < 2 || p[0] < 1 || p[0] > 3 {
			return false
		}
		kind := [...]value.Kind{value.KindS, value.KindN, value.KindB}[p[0]-1]
		t.attributes = append(t.attributes, expr.KeyAttribute{Name: string(p[1:]), Kind: kind})
		return true
	case fieldHash:
		t.hash = string(p)
		return true
	case fieldSort:
		t.sort = string(p)
		return true
	case fieldTag:
		size, n := binary.Uvarint(p)
		if n <= 0 || size > uint64(len(p)-n) {
			return false
		}
		t.tags = append(t.tags, tag23(p[n:], int(size)))
		return true
	case fieldNext:
		t.next = decodeThroughput(p)
		return t.next != nil
	case fieldIndex:
		ix := decodeIndex(p)
		t.indexes = append(t.indexes, ix)
		return ix != nil
	case fieldCapture:
		return t.decodeCapture(p)
	case fieldStream:
		return t.decodeStream(p)
	case fieldTTL:
		return t.ttl.decode(p)
	case fieldSSE:
		return t.sse.decode(p)
	}
	u, n := binary.Uvarint(p)
	return n == len(p) && n > 0 && t.setNumber(tag, u)
}

func tag23(p []byte, size int) tag { return tag{string(p[:size]), string(p[size:])} }

// decodeThroughput reads what encodeThroughput wrote; nil when it is none.
func decodeThroughput(p []byte) *throughput {
	d := field.Reader{B: p}
	billed, read, write := d.Uvarint(), int64(d.Uvarint()), int64(d.Uvarint())
	if !d.Done() || billed > uint64(onDemand) || read < 0 || write < 0 {
		return nil
	}
	return &throughput{billing(billed), read, write}
}

func (t *table) setNumber(tag byte, u uint64) bool {
	switch tag {
	case fieldNum:
		t.num = u
		return true
	case fieldState:
		t.state = state(u)
		return u <= uint64(stateDeleting)
	case fieldBilling:
		t.billing = billing(u)
		return u <= uint64(onDemand)
	case fieldClass:
		t.class = class(u)
		return u <= uint64(classInfrequent)
	case fieldLastIndex:
		t.lastIndex = uint32(u)
		return u <= math.MaxUint32
	case fieldDataKey:
		t.dataKey = u
		return true
	case fieldProtected:
		t.protected = u == 1
		return u == 1
	}
	return setNumber(t.numbers(), tag, u)
}

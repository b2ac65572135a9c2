package dynamodb

// The record of an index is a field of its table's: docs/format/tables.md draws it.

import (
	"encoding/binary"
	"math"
	"slices"

	"millrace/internal/service/dynamodb/keyenc"
	"millrace/internal/service/dynamodb/value"
)

// Tags of an index's fields. Permanent.
const (
	indexName        = 1
	indexNum         = 2
	indexLocal       = 3
	indexHash        = 4
	indexSort        = 5
	indexProject     = 6
	indexInclude     = 7
	indexState       = 8
	indexBackfilling = 9
	indexOnline      = 10
	indexBilling     = 11
	indexRead        = 12
	indexWrite       = 13
	indexIncreased   = 14
	indexDecreased   = 15
	indexDecreases   = 16
	indexMaxRead     = 17
	indexMaxWrite    = 18
	indexWarmRead    = 19
	indexWarmWrite   = 20
	indexNext        = 21
)

// numbers are the fields that are plain numbers.
func (ix *index) numbers() []number {
	return []number{
		{indexRead, &ix.read},
		{indexWrite, &ix.write},
		{indexIncreased, &ix.increased},
		{indexDecreased, &ix.decreased},
		{indexDecreases, &ix.decreases},
		{indexMaxRead, &ix.maxRead},
		{indexMaxWrite, &ix.maxWrite},
		{indexWarmRead, &ix.warmRead},
		{indexWarmWrite, &ix.warmWrite},
	}
}

// flags are the fields that are there or not.
func (ix *index) flags() map[byte]*bool {
	return map[byte]*bool{indexLocal: &ix.local, indexBackfilling: &ix.backfilling, indexOnline: &ix.online}
}

func encodeIndex(ix *index) []byte {
	v := appendField(nil, indexName, []byte(ix.name))
	v = appendNumber(v, indexNum, uint64(ix.num))
	for _, name := range ix.hash {
		v = appendField(v, indexHash, []byte(name))
	}
	for _, name := range ix.sort {
		v = appendField(v, indexSort, []byte(name))
	}
	v = appendNumber(v, indexProject, uint64(ix.project))
	for _, name := range ix.include {
		v = appendField(v, indexInclude, []byte(name))
	}
	v = appendNumber(v, indexState, uint64(ix.state))
	v = appendNumber(v, indexBilling, uint64(ix.billing))
	for _, tag := range []byte{indexLocal, indexBackfilling, indexOnline} {
		if *ix.flags()[tag] {
			v = appendNumber(v, tag, 1)
		}
	}
	for _, n := range ix.numbers() {
		v = appendNumber(v, n.tag, uint64(*n.at))
	}
	if ix.next != nil {
		v = appendField(v, indexNext, encodeThroughput(*ix.next))
	}
	return v
}

// decodeIndex reads what encodeIndex wrote; nil when it is none.
func decodeIndex(v []byte) *index {
	ix := &index{}
	if !readFields(v, ix.field) || ix.name == "" || ix.num == 0 || ix.state == 0 || ix.project == 0 || len(ix.hash) == 0 ||
		len(ix.hash) > keyenc.MaxParts || len(ix.sort) > keyenc.MaxParts {
		return nil
	}
	return ix
}

// field reads one field; false when it is none.
func (ix *index) field(tag byte, p []byte) bool {
	switch tag {
	case indexName:
		ix.name = string(p)
		return true
	case indexHash:
		ix.hash = append(ix.hash, string(p))
		return true
	case indexSort:
		ix.sort = append(ix.sort, string(p))
		return true
	case indexInclude:
		ix.include = append(ix.include, string(p))
		return true
	case indexNext:
		ix.next = decodeThroughput(p)
		return ix.next != nil
	}
	u, n := binary.Uvarint(p)
	return n == len(p) && n > 0 && ix.setNumber(tag, u)
}

func (ix *index) setNumber(tag byte, u uint64) bool {
	switch tag {
	case indexNum:
		ix.num = uint32(u)
		return u <= math.MaxUint32
	case indexProject:
		ix.project = projection(u)
		return u <= uint64(projectInclude)
	case indexState:
		ix.state = state(u)
		return u <= uint64(stateDeleting)
	case indexBilling:
		ix.billing = billing(u)
		return u <= uint64(onDemand)
	}
	if at, ok := ix.flags()[tag]; ok {
		*at = u == 1
		return u == 1
	}
	return setNumber(ix.numbers(), tag, u)
}

// indexesFit says that the key attributes of all indexes have types, and that their numbers were given out.
func (t *table) indexesFit() bool {
	for _, ix := range t.indexes {
		if ix.num > t.lastIndex || slices.ContainsFunc(ix.keyNames(), func(name string) bool { return t.attribute(name).Kind == value.KindNone }) {
			return false
		}
	}
	return true
}

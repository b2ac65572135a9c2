package config

import (
	"encoding/binary"
	"errors"
	"maps"
	"slices"
)

// Set is what was set on one resource: name to value, as Def.Check gave it.
type Set map[string]string

// The stored form of a Set; docs/format/kafka.md draws it. Permanent.
//
//	version 01 | number of configs 2 | in order of names: name length 2 | name | value length 2 | value
const setVersion = 1

// Limits of a Set: those of a string in the protocol, and far more configs than there are.
const (
	MaxValue   = 32767
	MaxConfigs = 1000
)

// ErrSet is stored bytes that are no Set of a known version.
var ErrSet = errors.New("config: not a set of a known version")

// AppendTo appends the stored form.
func (s Set) AppendTo(b []byte) []byte {
	be := binary.BigEndian
	b = be.AppendUint16(append(b, setVersion), uint16(len(s)))
	for _, name := range slices.Sorted(maps.Keys(s)) {
		b = append(be.AppendUint16(b, uint16(len(name))), name...)
		b = append(be.AppendUint16(b, uint16(len(s[name]))), s[name]...)
	}
	return b
}

// DecodeSet reads a stored form, which is all of b. What it returns does not alias b.
//
// Errors: ErrSet.
func DecodeSet(b []byte) (Set, error) {
	if len(b) < 3 || b[0] != setVersion {
		return nil, ErrSet
	}
	n := int(binary.BigEndian.Uint16(b[1:]))
	b = b[3:]
	if n > MaxConfigs {
		return nil, ErrSet
	}
	s := Set{}
	before := ""
	for i := range n {
		name, rest, ok := takeString(b)
		if !ok || i > 0 && name <= before {
			return nil, ErrSet
		}
		value, rest, ok := takeString(rest)
		if !ok {
			return nil, ErrSet
		}
		s[name], b, before = value, rest, name
	}
	if len(b) > 0 {
		return nil, ErrSet
	}
	return s, nil
}

func takeString(b []byte) (s string, rest []byte, ok bool) {
	if len(b) < 2 {
		return "", nil, false
	}
	n := int(binary.BigEndian.Uint16(b))
	if n > MaxValue || n > len(b)-2 {
		return "", nil, false
	}
	return string(b[2 : 2+n]), b[2+n:], true
}

// Clone returns a copy that can be changed, also of nil.
func (s Set) Clone() Set {
	if s == nil {
		return Set{}
	}
	return maps.Clone(s)
}

// Equal tells whether two sets say the same.
func (s Set) Equal(o Set) bool { return maps.Equal(s, o) }

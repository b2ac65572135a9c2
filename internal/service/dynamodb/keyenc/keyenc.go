package keyenc

import (
	"bytes"
	"encoding/binary"

	"github.com/cespare/xxhash/v2"

	"millrace/internal/service/dynamodb/value"
)

// In an S or B component a zero byte is escaped by escaped; terminator after a zero byte ends it. The terminator is
// the smaller, so "a" sorts before "a\x00".
const (
	escaped    = 0xff
	terminator = 0x01
)

// HashSize is how many bytes the hash takes.
const HashSize = 2

// MaxParts is how many attributes a partition or sort key has at most. Source: DynamoDB developer guide, "Global
// secondary indexes", multi-attribute keys (read 2026-11).
const MaxParts = 4

// AppendString appends the component of an S, or of a B in a string.
func AppendString(dst []byte, s string) []byte {
	start := 0
	for i := range len(s) {
		if s[i] == 0 {
			dst = append(dst, s[start:i+1]...)
			dst = append(dst, escaped)
			start = i + 1
		}
	}
	dst = append(dst, s[start:]...)
	return append(dst, 0, terminator)
}

// AppendPrefix appends s as the beginning of an S or B component: what any component that begins with s begins
// with.
func AppendPrefix(dst []byte, s string) []byte {
	dst = AppendString(dst, s)
	return dst[:len(dst)-2]
}

// AppendNumber appends the component of an N.
func AppendNumber(dst []byte, n value.Number) []byte { return n.AppendOrdered(dst) }

// Append appends the component of an S, N or B. ok is false for any other value, which no key may be.
func Append(dst []byte, v value.Value) (out []byte, ok bool) {
	switch v.Kind() {
	case value.KindS, value.KindB:
		return AppendString(dst, v.Str()), true
	case value.KindN:
		return AppendNumber(dst, v.Number()), true
	default:
		return dst, false
	}
}

// AppendRaw is Append for a stored value: a number is copied as it is.
func AppendRaw(dst []byte, r value.Raw) (out []byte, ok bool) {
	switch r.Kind() {
	case value.KindS, value.KindB:
		return AppendString(dst, r.Str()), true
	case value.KindN:
		return append(dst, r.Ordered()...), true
	default:
		return dst, false
	}
}

// AppendKey appends hash16 and the components of a key: partition attributes, then sort attributes. ok is false when
// one of them is no S, N or B.
func AppendKey(dst []byte, partition, sort []value.Value) (out []byte, ok bool) {
	start := len(dst)
	dst = append(dst, 0, 0)
	for _, v := range partition {
		if dst, ok = Append(dst, v); !ok {
			return dst[:start], false
		}
	}
	PutHash(dst[start:])
	for _, v := range sort {
		if dst, ok = Append(dst, v); !ok {
			return dst[:start], false
		}
	}
	return dst, true
}

// PutHash writes the hash of the partition components that follow into the first HashSize bytes of key.
func PutHash(key []byte) {
	binary.BigEndian.PutUint16(key, Hash(key[HashSize:]))
}

// Hash is the slot of a partition key, of which components are the encoded attributes: the upper 16 bits of their
// XXH64. It is permanent.
func Hash(components []byte) uint16 {
	return uint16(xxhash.Sum64(components) >> 48)
}

// HashOf is the hash a key begins with; ok is false when it is too short.
func HashOf(key []byte) (hash uint16, ok bool) {
	if len(key) < HashSize {
		return 0, false
	}
	return binary.BigEndian.Uint16(key), true
}

// SegmentOf is the slots [first, end) of segment i of n, 0 ≤ i < n: slots of equal count, give or take one; past 65,536
// segments some are empty. A key is in exactly one segment.
func SegmentOf(i, n int) (first, end int) {
	const slots = 1 << 16
	return int(int64(i) * slots / int64(n)), int((int64(i) + 1) * slots / int64(n))
}

// Decode reads the component of an S, N or B and returns what follows it.
//
// Errors: value.ErrCorrupt.
func Decode(b []byte, kind value.Kind) (v value.Value, rest []byte, err error) {
	switch kind {
	case value.KindS, value.KindB:
		s, rest, err := decodeString(b)
		if kind == value.KindS {
			return value.String(s), rest, err
		}
		return value.BinaryString(s), rest, err
	case value.KindN:
		n, rest, err := value.DecodeOrdered(b)
		return value.Num(n), rest, err
	default:
		return value.Value{}, nil, value.ErrCorrupt
	}
}

func decodeString(b []byte) (s string, rest []byte, err error) {
	var out []byte
	for {
		i := bytes.IndexByte(b, 0)
		if i < 0 || i+1 == len(b) {
			return "", nil, value.ErrCorrupt
		}
		switch b[i+1] {
		case terminator:
			if out == nil {
				return string(b[:i]), b[i+2:], nil
			}
			return string(append(out, b[:i]...)), b[i+2:], nil
		case escaped:
			out = append(out, b[:i+1]...)
			b = b[i+2:]
		default:
			return "", nil, value.ErrCorrupt
		}
	}
}

// Skip is what follows the component of an S, N or B.
//
// Errors: value.ErrCorrupt.
func Skip(b []byte, kind value.Kind) (rest []byte, err error) {
	if kind == value.KindN {
		_, rest, err := value.DecodeOrdered(b)
		return rest, err
	}
	for {
		i := bytes.IndexByte(b, 0)
		if i < 0 || i+1 == len(b) || b[i+1] != terminator && b[i+1] != escaped {
			return nil, value.ErrCorrupt
		}
		end := b[i+1] == terminator
		b = b[i+2:]
		if end {
			return b, nil
		}
	}
}

// DecodeKey reads a key: the hash and a component for each of kinds, into out, which has room for all of them. It
// returns what follows. Strings are copies.
//
// Errors: value.ErrCorrupt, also when the hash is not the one of the first partition components.
func DecodeKey(key []byte, partition int, kinds []value.Kind, out []value.Value) (rest []byte, err error) {
	hash, ok := HashOf(key)
	if !ok {
		return nil, value.ErrCorrupt
	}
	rest = key[HashSize:]
	for i, kind := range kinds {
		if i == partition && Hash(key[HashSize:len(key)-len(rest)]) != hash {
			return nil, value.ErrCorrupt
		}
		if out[i], rest, err = Decode(rest, kind); err != nil {
			return nil, err
		}
	}
	if partition == len(kinds) && Hash(key[HashSize:len(key)-len(rest)]) != hash {
		return nil, value.ErrCorrupt
	}
	return rest, nil
}

// After is the first key behind all that begin with prefix; nil when there is none. It is a new slice.
func After(prefix []byte) []byte {
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i] != 0xff {
			out := bytes.Clone(prefix[:i+1])
			out[i]++
			return out
		}
	}
	return nil
}

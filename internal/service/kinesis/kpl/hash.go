package kpl

import (
	"crypto/md5"
	"encoding/binary"
	"math/bits"
)

// HashKey is the record's place among the hash keys of a stream, big-endian: the explicit hash key, else the
// MD5 of the partition key. A reader of a shard leaves out records whose hash key is not in the shard's range:
// they were put anew, to another shard, when the stream was split or merged while they were on their way.
func (r *Record) HashKey() [16]byte {
	if r.ExplicitHashKey == nil {
		return md5.Sum(r.PartitionKey)
	}
	h, _ := parseHash(r.ExplicitHashKey) // Split has parsed it
	return h
}

// parseHash reads a decimal number below 2^128, without sign or leading zeros.
func parseHash(text []byte) (h [16]byte, ok bool) {
	if len(text) == 0 || len(text) > 39 || text[0] == '0' && len(text) > 1 {
		return h, false
	}
	var hi, lo uint64
	for _, c := range text {
		if c < '0' || c > '9' {
			return h, false
		}
		overHi, hi10 := bits.Mul64(hi, 10)
		overLo, lo10 := bits.Mul64(lo, 10)
		var carry, carryHi uint64
		lo, carry = bits.Add64(lo10, uint64(c-'0'), 0)
		hi, carryHi = bits.Add64(hi10, overLo, carry)
		if overHi|carryHi != 0 {
			return h, false
		}
	}
	binary.BigEndian.PutUint64(h[:8], hi)
	binary.BigEndian.PutUint64(h[8:], lo)
	return h, true
}

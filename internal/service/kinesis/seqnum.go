package kinesis

import (
	"encoding/binary"
	"errors"
	"math"
	"math/bits"
)

// sequenceNumber is what a sequence number says. Permanent: applications keep these numbers as
// checkpoints. As 47 hex digits it is
//
//	2 ccccccccc n oooooooooooooooo 00 aaaaaaaaa ssssssss 2
//	│ │         │ │                │  │         │        └ version
//	│ │         │ │                │  │         └ shard index, 31 bits
//	│ │         │ │                │  └ append time, seconds since 1970
//	│ │         │ │                └ zero
//	│ │         │ └ offset, 63 bits
//	│ │         └ low nibble of the shard index
//	│ └ creation of the shard, seconds since 1970
//	└ marks the layout
//
// and is written as decimal, always 56 digits. The fields are AWS's in AWS's order, so numbers of one
// shard rise with the offset and those of children, created later, stand above their parents'.
//
// A shard's own StartingSequenceNumber has append second 0, so that it is below the number of the
// record at offset 0; the end of a closed shard has offset 2^63-1.
type sequenceNumber struct {
	created  int64 // s since 1970
	offset   int64
	appended int64 // s since 1970; 0 in the number a shard starts with
	shard    int32
}

const (
	// sequenceDigits: 2^185 <= n < 1.5 * 2^185, all of 56 digits.
	sequenceDigits = 56
	// endOffset is the offset in the number that ends a closed shard.
	endOffset = math.MaxInt64

	secondsMask = 1<<36 - 1
	tenTo19     = 10_000_000_000_000_000_000
)

// words gives the number as 192 bits, highest first.
func (n sequenceNumber) words() (hi, mid, lo uint64) {
	created, appended := uint64(n.created)&secondsMask, uint64(n.appended)&secondsMask
	offset, shard := uint64(n.offset), uint64(uint32(n.shard))
	hi = 2<<56 | created<<20 | shard&0xf<<16 | offset>>48
	mid = offset<<16 | appended>>28
	lo = appended<<36 | shard<<4 | 2
	return hi, mid, lo
}

// appendTo writes the 56 digits at the end of b.
func (n sequenceNumber) appendTo(b []byte) []byte {
	hi, mid, lo := n.words()
	// hi < 10^19, so three divisions of two words by one give the lowest 19 digits, and since what is
	// left is below 2^128 / 10^9, one more gives the others.
	q1, r := bits.Div64(hi, mid, tenTo19)
	q0, low := bits.Div64(r, lo, tenTo19)
	top, middle := bits.Div64(q1, q0, tenTo19)

	at := len(b)
	b = append(b, "00000000000000000000000000000000000000000000000000000000"...)
	putDigits(b[at:at+18], top)
	putDigits(b[at+18:at+37], middle)
	putDigits(b[at+37:at+56], low)
	return b
}

// putDigits fills b, of 18 or 19 bytes, with v, leading zeros included.
func putDigits(b []byte, v uint64) {
	const tenTo8, tenTo16 = 100_000_000, 10_000_000_000_000_000
	top, rest := v/tenTo16, v%tenTo16
	put8(b[len(b)-16:], rest/tenTo8)
	put8(b[len(b)-8:], rest%tenTo8)
	b = b[:len(b)-16]
	if len(b) == 3 {
		b[0] = byte('0' + top/100)
	}
	b[len(b)-2] = byte('0' + top/10%10)
	b[len(b)-1] = byte('0' + top%10)
}

// put8 writes v < 10^8 as eight digits. It cuts v in halves three times, all parts of a word at once:
// into 2 lanes of four digits, 4 of two, 8 of one. A product by a rounded-up reciprocal and a shift
// stand for the divisions; 10486/2^20 is exact for quotients by 100 below 10,000, 103/2^10 for those by
// 10 below 100.
func put8(b []byte, v uint64) {
	four := v/10_000 | v%10_000<<32
	hundreds := four * 10486 >> 20 & 0x7f_0000_007f
	two := hundreds | (four-100*hundreds)<<16
	tens := two * 103 >> 10 & 0xf_000f_000f_000f
	one := tens | (two-10*tens)<<8
	binary.LittleEndian.PutUint64(b, one|0x3030_3030_3030_3030)
}

func (n sequenceNumber) String() string {
	return string(n.appendTo(make([]byte, 0, sequenceDigits)))
}

var errSequence = errors.New("kinesis: not a sequence number")

// anySequence is a sequence number of any version that AWS ever gave out.
type anySequence struct {
	sequenceNumber
	version int // 0, 1 or 2; only numbers of version 2 have an offset
}

// endOfDates is a second in the year 2477: AWS refuses numbers of shards made then or later.
const endOfDates = 16_025_175_000

// parseSequence reads a decimal number of at most 129 digits. The shard in it may be negative.
//
// Errors: errSequence.
//
// Source: what AWS accepts and refuses, as recorded by kinesalite 3.3.3 (db/index.js, test/putRecord.js,
// test/getShardIterator.js; read 2026-11).
func parseSequence(s string) (anySequence, error) {
	hi, mid, lo, ok := parseDecimal(s)
	switch {
	case !ok || hi >= 3<<56 || s == "":
		return anySequence{}, errSequence
	case hi < 2<<56:
		if hi > 0 {
			return anySequence{}, errSequence
		}
		return oldSequence(mid, lo)
	}
	n := anySequence{version: int(lo & 0xf)}
	n.created = int64(hi >> 20 & secondsMask)
	n.shard = int32(uint32(lo >> 4))
	switch n.version {
	case 1:
		n.appended = int64((hi&0xff)<<28 | mid>>36)
		return n, nil
	case 2:
		n.offset = int64(hi<<48 | mid>>16)
		n.appended = int64(mid&0xff<<28 | lo>>36)
		if n.offset >= 0 && n.created < endOfDates {
			return n, nil
		}
	}
	return n, errSequence
}

// oldSequence reads a number of version 0: a 1, the shard's creation second in 9 hex digits, random
// digits and the shard index in 4. AWS takes smaller numbers for such without the 1, and does not look
// at the first digit.
func oldSequence(mid, lo uint64) (anySequence, error) {
	var n anySequence
	n.created = int64(mid >> 24 & secondsMask)
	n.shard = int32(lo & 0xffff)
	if n.created >= endOfDates {
		return n, errSequence
	}
	return n, nil
}

// parseDecimal reads a number below 2^192.
func parseDecimal(s string) (hi, mid, lo uint64, ok bool) {
	for i := range len(s) {
		c := s[i] - '0'
		if c > 9 {
			return 0, 0, 0, false
		}
		var carry, over uint64
		carry, lo = mulAdd(lo, uint64(c))
		carry, mid = mulAdd(mid, carry)
		over, hi = mulAdd(hi, carry)
		if over != 0 {
			return 0, 0, 0, false
		}
	}
	return hi, mid, lo, true
}

// mulAdd gives 10*w + c in two words.
func mulAdd(w, c uint64) (hi, lo uint64) {
	hi, lo = bits.Mul64(w, 10)
	lo, carry := bits.Add64(lo, c, 0)
	return hi + carry, lo
}

// decimal128 writes a number of two words.
func decimal128(hi, lo uint64) string {
	var b [39]byte
	i := len(b)
	for hi != 0 || lo != 0 || i == len(b) {
		var r uint64
		hi, r = hi/10, hi%10
		lo, r = bits.Div64(r, lo, 10)
		i--
		b[i] = byte('0' + r)
	}
	return string(b[i:])
}

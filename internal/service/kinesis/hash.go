package kinesis

import (
	"crypto/md5" // AWS routes partition keys by it; it protects nothing
	"encoding/binary"
	"math/bits"
)

// hashOf is the place of a partition key: its MD5 as a big-endian number.
func hashOf(partitionKey string) hashKey {
	sum := md5.Sum(bytesOf(partitionKey))
	return hashKey{binary.BigEndian.Uint64(sum[:8]), binary.BigEndian.Uint64(sum[8:])}
}

// maxShortKey is the longest key whose MD5 is of one block: 64 bytes less the end mark and the length.
const maxShortKey = 55

// hashTwo is hashOf for two keys of at most maxShortKey bytes, in little more than the time of one: each
// step of MD5 waits for the step before, so a processor has room for a second chain beside it. It is
// the largest part of PutRecords outside of store and network.
func hashTwo(a, b string) (hashKey, hashKey) {
	var x, y [16]uint32
	oneBlock(&x, a)
	oneBlock(&y, b)
	return sumTwo(&x, &y)
}

// oneBlock is the only block of a short key: the key, a bit, zeros, and the length in bits.
func oneBlock(x *[16]uint32, key string) {
	var block [64]byte
	block[copy(block[:], key)] = 0x80
	for i := range x {
		x[i] = binary.LittleEndian.Uint32(block[4*i:])
	}
	x[14] = uint32(len(key)) * 8
}

// sines are the constants of RFC 1321: floor(2^32 * abs(sin(i+1))).
var sines = [64]uint32{
	0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501,
	0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821,
	0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
	0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a,
	0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
	0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
	0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
	0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391,
}

// The state before the first block.
const startA, startB, startC, startD = 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476

// The four steps of MD5: a is mixed from the three others, a word of the block and a constant.
func step1(a, b, c, d, m uint32, s int) uint32 { return b + bits.RotateLeft32(a+((c^d)&b^d)+m, s) }
func step2(a, b, c, d, m uint32, s int) uint32 { return b + bits.RotateLeft32(a+((b^c)&d^c)+m, s) }
func step3(a, b, c, d, m uint32, s int) uint32 { return b + bits.RotateLeft32(a+(b^c^d)+m, s) }
func step4(a, b, c, d, m uint32, s int) uint32 { return b + bits.RotateLeft32(a+(c^(b|^d))+m, s) }

// sumTwo is the MD5 of two messages of one block each. a to d belong to x, e to h to y.
func sumTwo(x, y *[16]uint32) (hashKey, hashKey) {
	a, b, c, d := uint32(startA), uint32(startB), uint32(startC), uint32(startD)
	e, f, g, h := a, b, c, d
	for i := 0; i < 16; i += 4 {
		k := sines[i&63 : i&63+4 : i&63+4]
		a, e = step1(a, b, c, d, x[i&15]+k[0], 7), step1(e, f, g, h, y[i&15]+k[0], 7)
		d, h = step1(d, a, b, c, x[(i+1)&15]+k[1], 12), step1(h, e, f, g, y[(i+1)&15]+k[1], 12)
		c, g = step1(c, d, a, b, x[(i+2)&15]+k[2], 17), step1(g, h, e, f, y[(i+2)&15]+k[2], 17)
		b, f = step1(b, c, d, a, x[(i+3)&15]+k[3], 22), step1(f, g, h, e, y[(i+3)&15]+k[3], 22)
	}
	for i := 0; i < 16; i += 4 {
		k := sines[16+i : 20+i : 20+i]
		a, e = step2(a, b, c, d, x[(5*i+1)&15]+k[0], 5), step2(e, f, g, h, y[(5*i+1)&15]+k[0], 5)
		d, h = step2(d, a, b, c, x[(5*i+6)&15]+k[1], 9), step2(h, e, f, g, y[(5*i+6)&15]+k[1], 9)
		c, g = step2(c, d, a, b, x[(5*i+11)&15]+k[2], 14), step2(g, h, e, f, y[(5*i+11)&15]+k[2], 14)
		b, f = step2(b, c, d, a, x[(5*i+16)&15]+k[3], 20), step2(f, g, h, e, y[(5*i+16)&15]+k[3], 20)
	}
	for i := 0; i < 16; i += 4 {
		k := sines[32+i : 36+i : 36+i]
		a, e = step3(a, b, c, d, x[(3*i+5)&15]+k[0], 4), step3(e, f, g, h, y[(3*i+5)&15]+k[0], 4)
		d, h = step3(d, a, b, c, x[(3*i+8)&15]+k[1], 11), step3(h, e, f, g, y[(3*i+8)&15]+k[1], 11)
		c, g = step3(c, d, a, b, x[(3*i+11)&15]+k[2], 16), step3(g, h, e, f, y[(3*i+11)&15]+k[2], 16)
		b, f = step3(b, c, d, a, x[(3*i+14)&15]+k[3], 23), step3(f, g, h, e, y[(3*i+14)&15]+k[3], 23)
	}
	for i := 0; i < 16; i += 4 {
		k := sines[48+i : 52+i : 52+i]
		a, e = step4(a, b, c, d, x[(7*i)&15]+k[0], 6), step4(e, f, g, h, y[(7*i)&15]+k[0], 6)
		d, h = step4(d, a, b, c, x[(7*i+7)&15]+k[1], 10), step4(h, e, f, g, y[(7*i+7)&15]+k[1], 10)
		c, g = step4(c, d, a, b, x[(7*i+14)&15]+k[2], 15), step4(g, h, e, f, y[(7*i+14)&15]+k[2], 15)
		b, f = step4(b, c, d, a, x[(7*i+21)&15]+k[3], 21), step4(f, g, h, e, y[(7*i+21)&15]+k[3], 21)
	}
	return ended(a, b, c, d), ended(e, f, g, h)
}

// ended adds the state before the block and gives the digest, whose words are little-endian, as a number.
func ended(a, b, c, d uint32) hashKey {
	word := func(n uint32) uint64 { return uint64(bits.ReverseBytes32(n)) }
	return hashKey{
		word(a+startA)<<32 | word(b+startB),
		word(c+startC)<<32 | word(d+startD),
	}
}

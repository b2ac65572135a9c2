package value

// The encoding of a number that sorts as numbers do. It is permanent: keys of tables and indexes and
// the numbers in stored items are in it.
//
//	header | base-100 digits
//
// A number that is not zero is ±0.D1 D2 … Dn × 100^e with base-100 digits, of which D1 and Dn are not 0; from
// 1E-130 to 9.99…E+125 e goes from -64 to 63. Its header is 0x80 + (e + 64), and a digit D is the byte 2·D + 1 when
// another follows and 2·D when it is the last, so the end needs no mark and a shorter number sorts before a longer
// one with the same beginning. A negative number has all bytes of its absolute value inverted. Zero is 0x80 0x00:
// the digit 0 of the smallest exponent.
//
// 42.12 is 0x80+65, 2·42+1, 2·12. The longest has 38 digits at an odd place: 20 digits and a header.
const (
	orderedZero = 0x80
	orderedBias = 64

	// MaxOrdered is the longest encoding of a number in bytes.
	MaxOrdered = 21
)

// AppendOrdered appends the encoding of n that sorts as numbers do, at most MaxOrdered bytes, which end by
// themselves.
func (n Number) AppendOrdered(dst []byte) []byte {
	if n.IsZero() {
		return append(dst, orderedZero, 0)
	}
	var flip byte
	if n.neg {
		flip = 0xff
	}
	// The place of the coefficient's end decides how digits pair up: with an odd exponent the last pair is the
	// last digit and a zero.
	c, exp := n.coef(), int(n.exp)
	var buf [MaxOrdered]byte
	at := len(buf)
	if exp&1 != 0 {
		var d uint64
		c, d = c.divSmall(10)
		at--
		buf[at] = byte(d * 20)
		exp--
	} else {
		var d uint64
		c, d = c.divSmall(100)
		at--
		buf[at] = byte(d * 2)
	}
	for ; c.hi != 0; at-- {
		var d uint64
		c, d = c.divSmall(100)
		buf[at-1] = byte(d*2 + 1)
	}
	for lo := c.lo; lo != 0; lo /= 100 {
		at--
		buf[at] = byte(lo%100*2 + 1)
	}
	e := exp/2 + len(buf) - at
	at--
	buf[at] = byte(orderedZero + e + orderedBias)
	start := len(dst)
	dst = append(dst, buf[at:]...)
	if flip != 0 {
		for i := start; i < len(dst); i++ {
			dst[i] = ^dst[i]
		}
	}
	return dst
}

func (a u128) divSmall(d uint64) (u128, uint64) {
	if a.hi == 0 {
		return u128{0, a.lo / d}, a.lo % d
	}
	return a.div64(d)
}

// DecodeOrdered reads what AppendOrdered wrote and returns what follows it.
//
// Errors: ErrCorrupt for anything AppendOrdered does not write.
func DecodeOrdered(b []byte) (n Number, rest []byte, err error) {
	size, ok := orderedLen(b)
	if !ok {
		return Number{}, nil, ErrCorrupt
	}
	n, ok = readOrdered(b[:size])
	if !ok {
		return Number{}, nil, ErrCorrupt
	}
	return n, b[size:], nil
}

// orderedLen is how many bytes the number at the start of b takes.
func orderedLen(b []byte) (size int, ok bool) {
	if len(b) == 0 {
		return 0, false
	}
	flip := orderedFlip(b[0])
	for i := 1; i < len(b) && i < MaxOrdered; i++ {
		if (b[i]^flip)&1 == 0 {
			return i + 1, true
		}
	}
	return 0, false
}

func orderedFlip(header byte) byte {
	if header < orderedZero {
		return 0xff
	}
	return 0
}

// readOrdered decodes exactly b, whose end was found.
func readOrdered(b []byte) (n Number, ok bool) {
	if b[0] == orderedZero && b[1] == 0 {
		return Number{}, len(b) == 2
	}
	flip := orderedFlip(b[0])
	digits := b[1:]
	first, last := (digits[0]^flip)>>1, (digits[len(digits)-1]^flip)>>1
	if first == 0 || last == 0 || last > 99 {
		return Number{}, false
	}
	var c u128
	for _, x := range digits[:len(digits)-1] {
		d := (x ^ flip) >> 1
		if d > 99 || c.hi != 0 && c.cmp(pow10[maxDigits-2]) >= 0 {
			return Number{}, false
		}
		c = c.mul64(100).add(u128{0, uint64(d)})
	}
	// The last pair may be one digit and a zero, which the coefficient does not have.
	exp, times, room := 2*(int(b[0]^flip)-orderedZero-orderedBias-len(digits)), uint64(100), maxDigits-2
	if last%10 == 0 {
		last, exp, times, room = last/10, exp+1, 10, maxDigits-1
	}
	if c.cmp(pow10[room]) >= 0 {
		return Number{}, false
	}
	c = c.mul64(times).add(u128{0, uint64(last)})
	if checkRange(c.digits(), exp) != nil {
		return Number{}, false
	}
	return Number{hi: c.hi, lo: c.lo, exp: int16(exp), neg: flip != 0}, true
}

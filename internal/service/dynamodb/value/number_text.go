package value

import "strconv"

// ParseNumber reads a decimal: a sign, digits with or without a point, an exponent; at least one digit,
// no white space. "+5", ".5", "5.", "1.e5" and "0042.1200" are numbers.
//
// A zero is held against the bounds with the exponent it is written with: "0e126" is an overflow. An
// exponent of more than 64 bits makes it no number at all. Source: recorded answers, see Error.
//
// Errors: an *Error: not a number, overflow, underflow, more than 38 digits.
func ParseNumber(s string) (Number, error) {
	p, ok := splitNumber(s)
	if !ok {
		return Number{}, errNotNumber(s)
	}
	n, err := p.number()
	if err == nil {
		return n, nil
	}
	if place := p.place(); p.exp != int64(int32(p.exp)) || place != int64(int32(place)) {
		return Number{}, errExponent(s, p.exp, place)
	}
	return Number{}, err
}

// numberParts are the pieces of a decimal's text.
type numberParts struct {
	neg         bool
	whole, frac string // digits before and after the point
	exp         int64
}

func splitNumber(s string) (p numberParts, ok bool) {
	i := 0
	if i < len(s) && (s[i] == '+' || s[i] == '-') {
		p.neg = s[i] == '-'
		i++
	}
	start := i
	i = skipDigits(s, i)
	p.whole = s[start:i]
	if i < len(s) && s[i] == '.' {
		start = i + 1
		i = skipDigits(s, start)
		p.frac = s[start:i]
	}
	if len(p.whole)+len(p.frac) == 0 {
		return p, false
	}
	if i < len(s) && (s[i] == 'e' || s[i] == 'E') {
		p.exp, ok = readExponent(s[i+1:])
		return p, ok
	}
	return p, i == len(s)
}

func skipDigits(s string, i int) int {
	for i < len(s) && s[i]-'0' <= 9 {
		i++
	}
	return i
}

// readExponent takes a signed number of 64 bits.
func readExponent(s string) (exp int64, ok bool) {
	exp, err := strconv.ParseInt(s, 10, 64) // in base 10 it takes a sign and digits only
	return exp, err == nil
}

// place is one more than the exponent of the first digit, as far as 64 bits hold it.
func (p numberParts) place() int64 {
	whole := trimLeft(p.whole)
	d := len(whole)
	if d == 0 {
		d = len(trimLeft(p.frac)) - len(p.frac)
	}
	return clampExponent(p.exp) + int64(d)
}

// clampExponent keeps sums with lengths of texts in 64 bits; what it cuts off is out of range anyhow.
func clampExponent(exp int64) int64 {
	const far = 1 << 40 // no text is that long
	return max(min(exp, far), -far)
}

func (p numberParts) number() (Number, error) {
	exp := int(clampExponent(p.exp)) - len(p.frac)
	whole, frac := trimLeft(p.whole), p.frac
	if whole == "" {
		frac = trimLeft(frac)
	}
	if whole == "" && frac == "" {
		return Number{}, checkRange(1, exp)
	}
	if t := trimRight(frac); len(t) < len(frac) {
		exp += len(frac) - len(t)
		frac = t
	}
	if frac == "" {
		t := trimRight(whole)
		exp += len(whole) - len(t)
		whole = t
	}
	if err := checkRange(len(whole)+len(frac), exp); err != nil {
		return Number{}, err
	}
	var c u128
	c = c.appendDigits(whole)
	c = c.appendDigits(frac)
	return Number{hi: c.hi, lo: c.lo, exp: int16(exp), neg: p.neg}, nil
}

func trimLeft(s string) string {
	for s != "" && s[0] == '0' {
		s = s[1:]
	}
	return s
}

func trimRight(s string) string {
	for s != "" && s[len(s)-1] == '0' {
		s = s[:len(s)-1]
	}
	return s
}

// appendDigits writes the digits of s behind those of a.
func (a u128) appendDigits(s string) u128 {
	for len(s) > 0 {
		k := min(len(s), 19)
		var part uint64
		for i := range k {
			part = part*10 + uint64(s[i]-'0')
		}
		s = s[k:]
		if a.isZero() {
			a.lo = part
			continue
		}
		a = a.mul64(pow10[k].lo).add(u128{0, part})
	}
	return a
}

// String is the number as AWS shows it: plain decimal digits, never an exponent. 1E125 has 126 digits.
func (n Number) String() string {
	var buf [MaxNumberText]byte
	return string(n.AppendText(buf[:0]))
}

// MaxNumberText is the longest text of a number in bytes: sign, "0.", and 167 places, for 38 digits of which
// the first stands at 1E-130.
const MaxNumberText = 170

// AppendText appends the text of String.
func (n Number) AppendText(dst []byte) []byte {
	if n.IsZero() {
		return append(dst, '0')
	}
	if n.neg {
		dst = append(dst, '-')
	}
	var buf [maxDigits + 1]byte
	d := n.coef().appendText(buf[:0])
	point := len(d) + int(n.exp) // digits before the point
	switch {
	case n.exp >= 0:
		return appendZeros(append(dst, d...), int(n.exp))
	case point > 0:
		dst = append(dst, d[:point]...)
		dst = append(dst, '.')
		return append(dst, d[point:]...)
	default:
		dst = append(dst, "0."...)
		return append(appendZeros(dst, -point), d...)
	}
}

func appendZeros(dst []byte, n int) []byte {
	for range n {
		dst = append(dst, '0')
	}
	return dst
}

// appendText appends the digits of a, which has at most 38.
func (a u128) appendText(dst []byte) []byte {
	if a.hi == 0 {
		return strconv.AppendUint(dst, a.lo, 10)
	}
	high, low := a.div64(ten19)
	dst = strconv.AppendUint(dst, high.lo, 10)
	var buf [20]byte
	d := strconv.AppendUint(buf[:0], low, 10)
	return append(appendZeros(dst, 19-len(d)), d...)
}

package value

import (
	"cmp"
	"math/bits"
)

// Bounds of a number. Source: DynamoDB developer guide, "Constraints": 38 digits of precision,
// magnitudes from 1E-130 to 9.9999999999999999999999999999999999999E+125.
const (
	maxDigits   = 38
	maxExponent = 125  // of the first significant digit
	minExponent = -130 // the same
)

// Number is a decimal: ± coefficient × 10^exp. The coefficient is below 10^38 and does not end in a
// zero; zero is the zero Number. So equal numbers are the same in memory, and == compares by value.
type Number struct {
	hi, lo uint64
	exp    int16
	neg    bool
}

// ten19 is 10^19, the largest power of ten in 64 bits; a coefficient is less than its square.
const ten19 = 10_000_000_000_000_000_000

// pow10 are the powers of ten up to 10^38.
var pow10 = func() (t [maxDigits + 1]u128) {
	t[0] = u128{0, 1}
	for i := 1; i < len(t); i++ {
		t[i] = t[i-1].mul64(10)
	}
	return t
}()

// u128 is an unsigned integer of 128 bits.
type u128 struct{ hi, lo uint64 }

func (a u128) mul64(m uint64) u128 {
	hi, lo := bits.Mul64(a.lo, m)
	return u128{hi + a.hi*m, lo}
}

func (a u128) add(b u128) u128 {
	lo, c := bits.Add64(a.lo, b.lo, 0)
	return u128{a.hi + b.hi + c, lo}
}

func (a u128) sub(b u128) u128 {
	lo, c := bits.Sub64(a.lo, b.lo, 0)
	return u128{a.hi - b.hi - c, lo}
}

func (a u128) cmp(b u128) int {
	if a.hi != b.hi {
		return cmp.Compare(a.hi, b.hi)
	}
	return cmp.Compare(a.lo, b.lo)
}

func (a u128) isZero() bool { return a.hi|a.lo == 0 }

// mul is a × b for a product below 2^128.
func (a u128) mul(b u128) u128 {
	hi, lo := bits.Mul64(a.lo, b.lo)
	return u128{hi + a.hi*b.lo + a.lo*b.hi, lo}
}

// div64 divides by d; d is more than a.hi can overflow, as bits.Div64 is done twice.
func (a u128) div64(d uint64) (q u128, r uint64) {
	q.hi, r = a.hi/d, a.hi%d
	q.lo, r = bits.Div64(r, a.lo, d)
	return q, r
}

// digits is how many decimal digits a has; 0 for zero.
func (a u128) digits() int {
	if a.isZero() {
		return 0
	}
	n := bits.Len64(a.lo)
	if a.hi != 0 {
		n = 64 + bits.Len64(a.hi)
	}
	d := n * 1233 >> 12 // ⌊n·log10(2)⌋ for n ≤ 128: the digits of 2^n, less one
	if d < len(pow10) && a.cmp(pow10[d]) >= 0 {
		d++
	}
	return d
}

// NumberFromInt makes a Number of i.
func NumberFromInt(i int64) Number {
	u := uint64(i)
	if i < 0 {
		u = -u
	}
	n, _ := normal(u128{0, u}, 0, i < 0) // 19 digits are always in range
	return n
}

// normal makes the canonical Number of ± c × 10^exp.
//
// Errors: ErrNumberOverflow, ErrNumberUnderflow, ErrNumberDigits.
func normal(c u128, exp int, neg bool) (Number, error) {
	if c.isZero() {
		return Number{}, nil
	}
	for c.hi != 0 {
		q, r := c.div64(10)
		if r != 0 {
			break
		}
		c, exp = q, exp+1
	}
	for c.hi == 0 && c.lo%10 == 0 {
		c.lo, exp = c.lo/10, exp+1
	}
	d := c.digits()
	if err := checkRange(d, exp); err != nil {
		return Number{}, err
	}
	return Number{hi: c.hi, lo: c.lo, exp: int16(exp), neg: neg}, nil
}

// checkRange holds the bounds against a coefficient of d digits times 10^exp.
func checkRange(d, exp int) error {
	switch {
	case d+exp-1 > maxExponent:
		return ErrNumberOverflow
	case d+exp-1 < minExponent:
		return ErrNumberUnderflow
	case d > maxDigits:
		return ErrNumberDigits
	}
	return nil
}

func (n Number) coef() u128 { return u128{n.hi, n.lo} }

// IsZero says that n is 0.
func (n Number) IsZero() bool { return n.hi|n.lo == 0 }

// Sign is -1, 0 or 1.
func (n Number) Sign() int {
	switch {
	case n.IsZero():
		return 0
	case n.neg:
		return -1
	}
	return 1
}

// Neg is -n.
func (n Number) Neg() Number {
	n.neg = !n.neg && !n.IsZero()
	return n
}

// Int64 is n as an integer; ok is false when n has a fraction or does not fit.
func (n Number) Int64() (i int64, ok bool) {
	if n.IsZero() {
		return 0, true
	}
	if n.hi != 0 || n.exp < 0 || n.exp > 18 {
		return 0, false
	}
	hi, lo := bits.Mul64(n.lo, pow10[n.exp].lo)
	switch {
	case hi != 0 || lo > 1<<63 || lo == 1<<63 && !n.neg:
		return 0, false
	case n.neg:
		return -int64(lo), true
	}
	return int64(lo), true
}

// Ceil is the least integer that is not below n; ok is false when it does not fit.
func (n Number) Ceil() (i int64, ok bool) {
	if n.exp >= 0 {
		return n.Int64()
	}
	whole, fraction := n.coef(), false
	for left := -int(n.exp); left > 0 && !whole.isZero(); left-- {
		var digit uint64
		whole, digit = whole.div64(10)
		fraction = fraction || digit != 0
	}
	switch {
	case whole.hi != 0 || whole.lo >= 1<<63-1:
		return 0, false
	case n.neg:
		return -int64(whole.lo), true
	case fraction:
		whole.lo++
	}
	return int64(whole.lo), true
}

// Hash is equal for equal numbers.
func (n Number) Hash() uint64 {
	const odd1, odd2 = 0x9e3779b97f4a7c15, 0xd6e8feb86659fd93 // odd constants without structure
	h := n.lo ^ bits.RotateLeft64(n.hi, 31)*odd1 ^ uint64(uint16(n.exp))<<48
	if n.neg {
		h = ^h
	}
	hi, lo := bits.Mul64(h, odd2)
	return hi ^ lo
}

// Compare is -1, 0 or 1 as n is less than, equal to or greater than o.
func (n Number) Compare(o Number) int {
	s, so := n.Sign(), o.Sign()
	if s != so || s == 0 {
		return cmp.Compare(s, so)
	}
	return s * n.compareMagnitude(o)
}

// compareMagnitude compares the absolute values of two numbers that are not zero.
func (n Number) compareMagnitude(o Number) int {
	a, b := n.coef(), o.coef()
	da, db := a.digits(), b.digits()
	if c := cmp.Compare(da+int(n.exp), db+int(o.exp)); c != 0 {
		return c
	}
	switch { // the first digits stand at one place: give both the same number of digits
	case da < db:
		a = a.mul(pow10[db-da])
	case db < da:
		b = b.mul(pow10[da-db])
	}
	return a.cmp(b)
}

// Add is n + o, exactly.
//
// Errors: ErrNumberOverflow when the sum is out of range or needs more than 38 digits; AWS answers all
// of these with the one text (see arithmetic).
func (n Number) Add(o Number) (Number, error) { return arithmetic(n, o) }

// Sub is n - o, exactly; errors as of Add.
func (n Number) Sub(o Number) (Number, error) { return arithmetic(n, o.Neg()) }

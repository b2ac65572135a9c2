package value

// arithmetic adds two numbers without rounding.
//
// Source of the errors: what the service answers to update expressions, see errors.go.
func arithmetic(a, b Number) (Number, error) {
	switch {
	case a.IsZero():
		return b, nil
	case b.IsZero():
		return a, nil
	}
	if a.exp < b.exp {
		a, b = b, a
	}
	// b reaches further down. Its last digit is no zero, so the sum has a digit at that place unless both
	// end there, and must lie below 10^38 of it; then a is below 2·10^38 of it, less than 2^128.
	shift := int(a.exp) - int(b.exp)
	x, y := a.coef(), b.coef()
	if x.digits()+shift > maxDigits+1 {
		return Number{}, ErrNumberOverflow
	}
	if shift > 0 {
		var ok bool
		if x, ok = x.scale(shift); !ok {
			return Number{}, ErrNumberOverflow
		}
	}
	sum, neg := addSigned(x, a.neg, y, b.neg)
	n, err := normal(sum, int(b.exp), neg)
	if err != nil {
		return Number{}, ErrNumberOverflow
	}
	return n, nil
}

// scale is a × 10^k, which has at most 39 digits; ok is false when it is 2·10^38 or more.
func (a u128) scale(k int) (u128, bool) {
	limit := pow10[maxDigits].mul64(2)
	if a.digits()+k <= maxDigits {
		return a.mul(pow10[k]), true
	}
	// 39 digits: a first digit of 1 keeps it below the limit.
	if first := a.digits() - 1; a.cmp(pow10[first].mul64(2)) >= 0 {
		return u128{}, false
	}
	a = a.mul(pow10[k])
	return a, a.cmp(limit) < 0
}

func addSigned(x u128, xneg bool, y u128, yneg bool) (sum u128, neg bool) {
	switch {
	case xneg == yneg:
		return x.add(y), xneg
	case x.cmp(y) >= 0:
		return x.sub(y), xneg
	default:
		return y.sub(x), yneg
	}
}

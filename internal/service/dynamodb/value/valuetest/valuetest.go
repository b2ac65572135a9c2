// Package valuetest makes random items for the tests of packages that encode, compare or change them.
package valuetest

import (
	"math/rand/v2"
	"strconv"
	"strings"

	"millrace/internal/service/dynamodb/value"
)

// Item makes an item of up to attrs attributes, nested up to depth levels.
func Item(r *rand.Rand, attrs, depth int) value.Item {
	var out []value.Attr
	for range r.IntN(attrs + 1) {
		out = append(out, value.Attr{Name: name(r), Value: Value(r, depth)})
	}
	return value.NewItem(out)
}

// Value makes a value of any kind, nested up to depth levels.
func Value(r *rand.Rand, depth int) value.Value {
	kinds := 10
	if depth <= 1 {
		kinds = 8
	}
	switch r.IntN(kinds) {
	case 0:
		return value.String(Text(r))
	case 1:
		return value.Num(Number(r))
	case 2:
		return value.BinaryString(Text(r))
	case 3:
		return value.Bool(r.IntN(2) == 0)
	case 4:
		return value.Null()
	case 5, 6:
		return texts(r)
	case 7:
		return numbers(r)
	case 8:
		return value.Map(Item(r, 6, depth-1))
	default:
		elems := make([]value.Value, r.IntN(6))
		for i := range elems {
			elems[i] = Value(r, depth-1)
		}
		return value.List(elems)
	}
}

func texts(r *rand.Rand) value.Value {
	var elems []string
	for i := range 1 + r.IntN(5) {
		elems = append(elems, strconv.Itoa(i)+Text(r))
	}
	r.Shuffle(len(elems), func(i, j int) { elems[i], elems[j] = elems[j], elems[i] })
	build := value.StringSet
	if r.IntN(2) == 0 {
		build = value.BinarySet
	}
	v, err := build(elems)
	if err != nil {
		panic(err) // each element has its own first digit
	}
	return v
}

func numbers(r *rand.Rand) value.Value {
	seen := map[value.Number]bool{}
	var elems []value.Number
	for range 1 + r.IntN(5) {
		if n := Number(r); !seen[n] {
			seen[n] = true
			elems = append(elems, n)
		}
	}
	v, err := value.NumberSet(elems)
	if err != nil {
		panic(err) // no element is there twice
	}
	return v
}

// Number makes a number of up to 38 digits anywhere in the range; small integers are frequent.
func Number(r *rand.Rand) value.Number {
	if r.IntN(3) == 0 {
		return value.NumberFromInt(r.Int64N(200) - 100)
	}
	var b strings.Builder
	if r.IntN(2) == 0 {
		b.WriteByte('-')
	}
	digits := 1 + r.IntN(38)
	for range digits {
		b.WriteByte(byte('0' + r.IntN(10)))
	}
	exp := r.IntN(126+130-2*38) - 130
	n, err := value.ParseNumber(b.String() + "e" + strconv.Itoa(exp))
	if err != nil {
		panic(err) // the exponents leave room for the digits
	}
	return n
}

// Text makes a short text with quotes, control characters and letters of one to four bytes.
func Text(r *rand.Rand) string {
	letters := []rune("abcdefghijklmnopqrstuvwxyz0123456789 _-\"\\/\n\t\x00\x01\x1f<>&éß水\u2028😀")
	var b strings.Builder
	for range r.IntN(14) {
		b.WriteRune(letters[r.IntN(len(letters))])
	}
	return b.String()
}

// name is a text that is not empty.
func name(r *rand.Rand) string {
	for {
		if s := Text(r); s != "" {
			return s
		}
	}
}

package value

import (
	"errors"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"
)

func num(tb testing.TB, s string) Number {
	tb.Helper()
	n, err := ParseNumber(s)
	if err != nil {
		tb.Fatalf("ParseNumber(%q): %v", s, err)
	}
	return n
}

func TestCeilIsTheLeastIntegerThatIsNotBelow(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "7": 7, "9466849e2": 946684900, "946684801.5": 946684802, "1795206718.8525927": 1795206719, "0.1": 1, "1E-130": 1, "-0.5": 0, "-1.5": -1,
		"12345678901234567.123456789012345678901": 12345678901234568, "-9223372036854775808": -9223372036854775808,
	} {
		if got, ok := num(t, text).Ceil(); got != want || !ok {
			t.Errorf("%s: got %d, %t, want %d", text, got, ok, want)
		}
	}
	for _, text := range []string{"9223372036854775807.5", "1E20", "123456789012345678901234567890.5"} {
		if got, ok := num(t, text).Ceil(); ok {
			t.Errorf("%s: got %d, want that it does not fit", text, got)
		}
	}
}

func TestNumbersAreNormalised(t *testing.T) {
	for in, want := range map[string]string{
		"0": "0", "-0": "0", "+5": "5", ".5": "0.5", "5.": "5", "1.e5": "100000", "1.E+5": "100000",
		"0042.1200": "42.12", "100": "100", "-0.10": "-0.1", "1e-3": "0.001", "1.5E2": "150", "0e125": "0",
		"1E125":    "1" + strings.Repeat("0", 125),
		"1E-130":   "0." + strings.Repeat("0", 129) + "1",
		"0.000120": "0.00012", "12345678901234567890123456789012345678": "12345678901234567890123456789012345678",
		"9.9999999999999999999999999999999999999E+125": strings.Repeat("9", 38) + strings.Repeat("0", 88),
		"1234567890123456789012345678.9012345678":      "1234567890123456789012345678.9012345678",
		"000.0000": "0", "18446744073709551616": "18446744073709551616", "10000000000000000000.1": "10000000000000000000.1",
		"123456789012345678901234567890123456780000": "123456789012345678901234567890123456780000",
	} {
		if got := num(t, in).String(); got != want {
			t.Errorf("ParseNumber(%q) = %s, want %s", in, got, want)
		}
	}
}

// Source: paritysuite/dynamodb-conformance, tests/tier3, valueLayers and numberExponent.
func TestBadNumbersHaveTheTextsOfBothLayers(t *testing.T) {
	const (
		over   = "Number overflow. Attempting to store a number with magnitude larger than supported range"
		under  = "Number underflow. Attempting to store a number with magnitude smaller than supported range"
		digits = "Attempting to store more than 38 significant digits in a Number"
		not    = "The parameter cannot be converted to a numeric value"
	)
	for _, c := range []struct{ in, want, older string }{
		{"abc", not + ": abc", not + ": abc"},
		{"", not + ": ", not},
		{" 1", not + ":  1", not + ":  1"},
		{"1 ", not + ": 1 ", not + ": 1 "},
		{"1.2.3", not + ": 1.2.3", not + ": 1.2.3"},
		{"0x10", not + ": 0x10", not + ": 0x10"},
		{"1e", not + ": 1e", not + ": 1e"},
		{"1e+", not + ": 1e+", not + ": 1e+"},
		{"1e1_0", not + ": 1e1_0", not + ": 1e1_0"},
		{".", not + ": .", not + ": ."},
		{"-", not + ": -", not + ": -"},
		{"e5", not + ": e5", not + ": e5"},
		{"NaN", not + ": NaN", not + ": NaN"},
		{"Infinity", not + ": Infinity", not + ": Infinity"},
		{"1e126", over, over},
		{"-1e126", over, over},
		{"0e126", over, over},
		{"0e-131", under, under},
		{"1e-131", under, under},
		{"1e2147483647", over, under},
		{"1e99999999999", over, not + ": 1e99999999999"},
		{"-1e99999999999", over, not + ": -1e99999999999"},
		{"1e-99999999999", under, not + ": 1e-99999999999"},
		{"1e2147483648", over, not + ": 1e2147483648"},
		{"1e9223372036854775807", over, not + ": 1e9223372036854775807"},
		{"1e9223372036854775808", not + ": 1e9223372036854775808", not + ": 1e9223372036854775808"},
		{"123456789012345678901234567890123456789", digits, digits},
		{"1234567890123456789012345678901234567890", digits, digits},
	} {
		n, err := ParseNumber(c.in)
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("ParseNumber(%q) = %s, %v, want an *Error", c.in, n, err)
			continue
		}
		if e.Error() != c.want || e.Older() != c.older {
			t.Errorf("ParseNumber(%q):\n got %q, older %q\nwant %q, older %q", c.in, e, e.Older(), c.want, c.older)
		}
	}
}

// Source: costs measured against eu-west-2, 2026-08 (dynamodb-conformance, src/item-size.ts).
func TestNumbersCostWhatTheServiceCounts(t *testing.T) {
	for in, want := range map[string]int{
		"0": 1, "1": 2, "12": 2, "123": 3, "1234": 3, "12345678901234567890123456789012345678": 20, "0042": 2,
		"100": 2, "1010": 3, "0.0000001": 2, "1E125": 2, "1E-100": 2, "1.5": 3, "15": 2, "1.2": 3, "1.200": 3,
		"1.234": 4, "3.14159": 5, "123456": 4, "100.5": 4, "0.15": 2, "-42": 3, "-0": 1,
	} {
		if got := num(t, in).Size(); got != want {
			t.Errorf("size of %s = %d, want %d", in, got, want)
		}
	}
}

// rat is n exactly, by way of its text.
func rat(tb testing.TB, n Number) *big.Rat {
	tb.Helper()
	r, ok := new(big.Rat).SetString(n.String())
	if !ok {
		tb.Fatalf("math/big does not read %s", n)
	}
	return r
}

// randomNumber has up to 38 digits and any exponent; many are close to others in size.
func randomNumber(r *rand.Rand) Number {
	var b strings.Builder
	if r.IntN(2) == 0 {
		b.WriteByte('-')
	}
	for range 1 + r.IntN(38) {
		b.WriteByte("00123456789999"[r.IntN(14)])
	}
	exp := r.IntN(40) - 30
	if r.IntN(4) == 0 {
		exp = r.IntN(250) - 135
	}
	n, err := ParseNumber(b.String() + "e" + NumberFromInt(int64(exp)).String())
	if err != nil {
		return randomNumber(r)
	}
	return n
}

func TestNumbersAgreeWithMathBig(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 30_000 {
		a, b := randomNumber(r), randomNumber(r)
		if r.IntN(8) == 0 {
			b = a.Neg()
		}
		ra, rb := rat(t, a), rat(t, b)
		if got, want := a.Compare(b), ra.Cmp(rb); got != want {
			t.Fatalf("%s compared with %s = %d, want %d", a, b, got, want)
		}
		if (a == b) != (ra.Cmp(rb) == 0) {
			t.Fatalf("%s == %s is %t", a, b, a == b)
		}
		checkSum(t, a, b, "+", a.Add, new(big.Rat).Add(ra, rb))
		checkSum(t, a, b, "-", a.Sub, new(big.Rat).Sub(ra, rb))
	}
}

func checkSum(t *testing.T, a, b Number, op string, f func(Number) (Number, error), want *big.Rat) {
	t.Helper()
	got, err := f(b)
	text := "0"
	if want.Sign() != 0 {
		text = want.FloatString(200) // no sum reaches further down
	}
	wantNumber, wantErr := ParseNumber(text)
	if (err == nil) != (wantErr == nil) {
		t.Fatalf("%s %s %s = %s, %v; want %s, %v", a, op, b, got, err, text, wantErr)
	}
	if err != nil && !errors.Is(err, ErrNumberOverflow) {
		t.Fatalf("%s %s %s: %v, want overflow", a, op, b, err)
	}
	if err == nil && got != wantNumber {
		t.Fatalf("%s %s %s = %s, want %s", a, op, b, got, wantNumber)
	}
}

func TestSumsKeepThirtyEightDigits(t *testing.T) {
	max38 := strings.Repeat("9", 38)
	for _, c := range []struct{ a, b, want string }{
		{max38, "1", "1" + strings.Repeat("0", 38)},
		{"1e38", "-1", max38},
		{"1e39", "-1", ""},
		{"1e38", "1", ""},
		{"1.9e38", "-1e38", "9" + strings.Repeat("0", 37)},
		{"1e125", "0", "1" + strings.Repeat("0", 125)},
		{"9.9e125", "9.9e125", ""},
		{"1E-130", "-0.9E-129", "-" + "0." + strings.Repeat("0", 129) + "8"},
		{"5", "-5", "0"},
		{"0.1", "0.2", "0.3"},
	} {
		got, err := num(t, c.a).Add(num(t, c.b))
		if c.want == "" {
			if !errors.Is(err, ErrNumberOverflow) {
				t.Errorf("%s + %s = %s, %v; want overflow", c.a, c.b, got, err)
			}
			continue
		}
		if err != nil || got.String() != c.want {
			t.Errorf("%s + %s = %s, %v; want %s", c.a, c.b, got, err, c.want)
		}
	}
}

func TestIntegersGoThere(t *testing.T) {
	for _, i := range []int64{0, 1, -1, 42, 1000, 1 << 62, 1<<63 - 1, -1 << 63, -1<<63 + 1, 9_000_000_000_000_000_000} {
		n := NumberFromInt(i)
		if got, ok := n.Int64(); got != i || !ok {
			t.Errorf("NumberFromInt(%d).Int64() = %d, %t (text %s)", i, got, ok, n)
		}
	}
	for _, s := range []string{"0.5", "9223372036854775808", "-9223372036854775809", "1e19", "1e125", "123456789012345678901"} {
		if got, ok := num(t, s).Int64(); ok {
			t.Errorf("%s as an integer = %d, want none", s, got)
		}
	}
}

func TestHashesOfNumbersDiffer(t *testing.T) {
	r := rand.New(rand.NewPCG(17, 18))
	seen := map[uint64]Number{}
	for i := range 50_000 {
		n := randomNumber(r)
		if i%2 == 0 {
			n = NumberFromInt(int64(i))
		}
		h := n.Hash()
		if other, ok := seen[h]; ok && other != n {
			t.Fatalf("%s and %s have the hash %x", n, other, h)
		}
		seen[h] = n
	}
}

func FuzzParseNumber(f *testing.F) {
	for _, s := range []string{"1", "-0.1e5", "+.5", "5.", "1e-130", "9e125", "1e2147483647", "00", "1e", "--1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := ParseNumber(s)
		if err != nil {
			return
		}
		again, err := ParseNumber(n.String())
		if err != nil || again != n {
			t.Fatalf("%q reads as %s, which reads as %s, %v", s, n, again, err)
		}
		if len(n.String()) > MaxNumberText {
			t.Fatalf("%q has a text of %d bytes", s, len(n.String()))
		}
		want, ok := new(big.Rat).SetString(strings.TrimPrefix(s, "+"))
		if ok && rat(t, n).Cmp(want) != 0 {
			t.Fatalf("%q reads as %s", s, n)
		}
		if size := n.Size(); size < 1 || size > 22 {
			t.Fatalf("%s costs %d bytes", n, size)
		}
	})
}

func BenchmarkParseNumber(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseNumber("1732104000.25"); err != nil {
			b.Fatal(err)
		}
	}
}

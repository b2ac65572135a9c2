package value

import (
	"bytes"
	"encoding/hex"
	"math/rand/v2"
	"testing"
)

func TestOrderedNumbersHaveTheirPermanentBytes(t *testing.T) {
	for in, want := range map[string]string{
		"0":                                      "8000",
		"1":                                      "c102",
		"-1":                                     "3efd",
		"10":                                     "c114",
		"42.12":                                  "c15518",
		"-42.12":                                 "3eaae7",
		"100":                                    "c202",
		"0.5":                                    "c064",
		"0.05":                                   "c00a",
		"1e-130":                                 "8002",
		"-1e125":                                 "00eb",
		"1e125":                                  "ff14",
		"12345678901234567890123456789012345678": "d3" + "1945719db5" + "1945719db5" + "1945719db5" + "1945719c",
	} {
		got := hex.EncodeToString(num(t, in).AppendOrdered(nil))
		if got != want {
			t.Errorf("%s is encoded as %s, want %s", in, got, want)
		}
		n, rest, err := DecodeOrdered(num(t, in).AppendOrdered(nil))
		if err != nil || len(rest) != 0 || n != num(t, in) {
			t.Errorf("%s is decoded as %s with %d bytes left, %v", in, n, len(rest), err)
		}
	}
}

func TestOrderedNumbersSortAsNumbers(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	numbers := []Number{
		{},
		num(t, "1e-130"), num(t, "-1e-130"), num(t, "9.9999999999999999999999999999999999999e125"),
		num(t, "-9.9999999999999999999999999999999999999e125"), num(t, "1e-129"), num(t, "99"), num(t, "100"),
	}
	for range 40_000 {
		a := randomNumber(r)
		b := numbers[r.IntN(len(numbers))]
		if len(numbers) < 500 {
			numbers = append(numbers, a)
		}
		ea, eb := a.AppendOrdered(nil), b.AppendOrdered(nil)
		if got, want := bytes.Compare(ea, eb), a.Compare(b); got != want {
			t.Fatalf("%s (%x) sorts %d to %s (%x), want %d", a, ea, got, b, eb, want)
		}
		n, rest, err := DecodeOrdered(append(ea, eb...))
		if err != nil || n != a || !bytes.Equal(rest, eb) {
			t.Fatalf("%s (%x) is decoded as %s, rest %x, %v", a, ea, n, rest, err)
		}
		if len(ea) > MaxOrdered {
			t.Fatalf("%s takes %d bytes", a, len(ea))
		}
	}
}

func FuzzDecodeOrdered(f *testing.F) {
	for _, s := range []string{"0", "1", "-42.12", "1e125", "-1e-130", "12345678901234567890123456789012345678"} {
		f.Add(num(f, s).AppendOrdered(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		n, rest, err := DecodeOrdered(b)
		if err != nil {
			return
		}
		if again := append(n.AppendOrdered(nil), rest...); !bytes.Equal(again, b) {
			t.Fatalf("%x is decoded as %s, which is encoded as %x", b, n, again)
		}
	})
}

func BenchmarkAppendOrdered(b *testing.B) {
	b.ReportAllocs()
	n, buf := num(b, "1732104000.25"), make([]byte, 0, MaxOrdered)
	for b.Loop() {
		buf = n.AppendOrdered(buf[:0])
	}
}

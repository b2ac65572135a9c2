package kinesis

import (
	"errors"
	"math/big"
	"math/rand/v2"
	"testing"
)

// hexNumber is a number given as hex digits.
func hexNumber(tb testing.TB, digits string) string {
	tb.Helper()
	n, ok := new(big.Int).SetString(digits, 16)
	if !ok {
		tb.Fatalf("not hex: %s", digits)
	}
	return n.String()
}

func TestSequenceNumberHasItsFieldsInAWSsOrder(t *testing.T) {
	for _, c := range []struct {
		n   sequenceNumber
		hex string
	}{
		{sequenceNumber{}, "2" + "000000000" + "0" + "0000000000000000" + "00" + "000000000" + "00000000" + "2"},
		{
			sequenceNumber{created: 0x069202020, offset: 0x0123456789abcdef, appended: 0x069202abc, shard: 0x7654321f},
			"2" + "069202020" + "f" + "0123456789abcdef" + "00" + "069202abc" + "7654321f" + "2",
		},
		{
			sequenceNumber{created: endOfDates - 1, offset: endOffset, appended: 1<<36 - 1, shard: 1<<31 - 1},
			"2" + "3bb2cc3d7" + "f" + "7fffffffffffffff" + "00" + "fffffffff" + "7fffffff" + "2",
		},
	} {
		got, want := c.n.String(), hexNumber(t, c.hex)
		if got != want || len(got) != sequenceDigits {
			t.Errorf("%+v: got %s, want %s", c.n, got, want)
		}
		back, err := parseSequence(got)
		if err != nil || back.sequenceNumber != c.n || back.version != 2 {
			t.Errorf("%s: read back %+v, %v, want %+v", got, back, err, c.n)
		}
	}
}

// What AWS itself answered for three shards created together, of which kinesalite keeps the distance.
func TestFirstNumbersOfShardsCreatedTogetherAreAsFarApartAsAWSs(t *testing.T) {
	shards := newShards(3, 1_760_000_000_123)
	for i := range 2 {
		a, _ := new(big.Int).SetString(shards[i].first().String(), 10)
		b, _ := new(big.Int).SetString(shards[i+1].first().String(), 10)
		if got, want := b.Sub(b, a).String(), "22300745198530623141535718272648361505980432"; got != want {
			t.Errorf("shard %d to %d: got %s, want %s", i, i+1, got, want)
		}
	}
}

func TestSequenceNumbersRiseWithOffsetAndAboveParents(t *testing.T) {
	parent := shard{index: 900, created: 1_760_000_000, closed: true, lastAppend: 1_760_000_500_000}
	child := shard{index: 901, created: 1_760_000_501}
	rising := []sequenceNumber{
		parent.first(), parent.number(0, 1_760_000_000_000), parent.number(1, 1_760_000_000_000),
		parent.number(2, 1_760_000_500_000), parent.last(),
		child.first(), child.number(0, 1_700_000_000_000), child.number(1<<40, 1_760_000_600_000),
	}
	for i := 1; i < len(rising); i++ {
		if a, b := rising[i-1].String(), rising[i].String(); a >= b {
			t.Errorf("number %d %s is not below number %d %s", i-1, a, i, b)
		}
	}
}

func TestSequenceNumbersOfOtherVersionsAreReadAsAWSReadsThem(t *testing.T) {
	for _, c := range []struct {
		name, in string
		version  int
		shard    int32
		err      error
	}{
		{"zero", "0", 0, 0, nil},
		{"five", "5", 0, 5, nil},
		{"version 0", "425352958651173072921826052383309826", 0, 2, nil},
		{"version 0, largest date", hexNumber(t, "f3bb2cc3d7ff7fffffffffffffff0000"), 0, 0, nil},
		{"version 0, date too large", hexNumber(t, "13bb2cc3d80000000000000000000000"), 0, 0, errSequence},
		{"version 1", hexNumber(t, "20000000000000000000000000000000000000000000001"), 1, 0, nil},
		{"version 3", hexNumber(t, "20000000000000000000000000000000000000000000003"), 3, 0, errSequence},
		{"version 4", hexNumber(t, "20000000000000000000000000000000000000000000004"), 4, 0, errSequence},
		{"no version", hexNumber(t, "20000000000000000000000000000000000000000000000"), 0, 0, errSequence},
		{"initial 3", hexNumber(t, "30000000000000000000000000000000000000000000001"), 0, 0, errSequence},
		{"initial 1", hexNumber(t, "1ffffffffff7fffffffffffffff000000000007fffffff2"), 0, 0, errSequence},
		{"offset too large", hexNumber(t, "20000000000800000000000000000000000000000000002"), 2, 0, errSequence},
		{"negative shard", hexNumber(t, "20000000000000000000000000000000000000800000002"), 2, -1 << 31, nil},
		{"latest date", hexNumber(t, "23bb2cc3d7f7fffffffffffffff000000000007fffffff2"), 2, 1<<31 - 1, nil},
		{"date too large", hexNumber(t, "23bb2cc3d80000000000000000000000000000000000002"), 2, 0, errSequence},
		{"129 digits", "9" + hexNumber(t, "f000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"), 0, 0, errSequence},
		{"empty", "", 0, 0, errSequence},
		{"not a number", "12x", 0, 0, errSequence},
	} {
		got, err := parseSequence(c.in)
		if !errors.Is(err, c.err) || err == nil && (got.version != c.version || got.shard != c.shard) {
			t.Errorf("%s, %s: got %+v, %v\nwant version %d, shard %d, %v", c.name, c.in, got, err, c.version, c.shard, c.err)
		}
	}
}

func TestSequenceNumberAgreesWithBigIntegers(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		n := sequenceNumber{
			created: r.Int64N(endOfDates), offset: r.Int64() >> r.IntN(63),
			appended: r.Int64N(1 << 36), shard: r.Int32() >> r.IntN(31),
		}
		hi, mid, lo := n.words()
		want := new(big.Int).SetUint64(hi)
		want.Lsh(want, 64).Or(want, new(big.Int).SetUint64(mid))
		want.Lsh(want, 64).Or(want, new(big.Int).SetUint64(lo))
		got := n.String()
		back, err := parseSequence(got)
		if got != want.String() || err != nil || back.sequenceNumber != n {
			t.Fatalf("%+v: got %s, want %s; read back %+v, %v", n, got, want, back, err)
		}
	}
}

func FuzzSequenceNumber(f *testing.F) {
	for _, s := range []string{"", "0", "5", "49590338271490256608559692538361571095921575989136588898", "99999999999999999999999999999999999999999999999999999999999"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := parseSequence(s)
		if err != nil || n.version != 2 {
			return
		}
		if n.offset < 0 || n.created < 0 || n.appended < 0 {
			t.Fatalf("%q: read as %+v", s, n)
		}
		again, err := parseSequence(n.String())
		if err != nil || again.sequenceNumber != n.sequenceNumber {
			t.Fatalf("%q: read as %+v, written and read as %+v, %v", s, n.sequenceNumber, again, err)
		}
	})
}

func BenchmarkSequenceNumber(b *testing.B) {
	n := sequenceNumber{created: 1_760_000_000, offset: 123_456_789, appended: 1_760_000_100, shard: 3}
	buf := make([]byte, 0, sequenceDigits)
	b.ReportAllocs()
	for b.Loop() {
		n.offset++
		buf = n.appendTo(buf[:0])
	}
}

package keyenc_test

import (
	"bytes"
	"encoding/hex"
	"math/rand/v2"
	"strings"
	"testing"

	"millrace/internal/service/dynamodb/keyenc"
	"millrace/internal/service/dynamodb/value"
	"millrace/internal/service/dynamodb/value/valuetest"
)

func number(tb testing.TB, s string) value.Value {
	tb.Helper()
	n, err := value.ParseNumber(s)
	if err != nil {
		tb.Fatal(err)
	}
	return value.Num(n)
}

func key(tb testing.TB, partition, sort []value.Value) []byte {
	tb.Helper()
	k, ok := keyenc.AppendKey(nil, partition, sort)
	if !ok {
		tb.Fatal("a value is no key")
	}
	return k
}

func TestKeysHaveTheirPermanentBytes(t *testing.T) {
	one := func(v ...value.Value) []value.Value { return v }
	for _, c := range []struct {
		partition, sort []value.Value
		want            string
	}{
		{one(value.String("user#1")), nil, "hhhh" + "757365722331" + "0001"},
		{one(value.String("a\x00b")), one(number(t, "42.12")), "hhhh" + "6100ff62" + "0001" + "c15518"},
		{one(value.BinaryString("\x00\x01\xff")), one(value.String("")), "hhhh" + "00ff01ff" + "0001" + "0001"},
		{one(number(t, "-1"), value.String("x")), one(number(t, "0"), value.String("y")), "hhhh" + "3efd" + "780001" + "8000" + "790001"},
	} {
		got := key(t, c.partition, c.sort)
		if hex.EncodeToString(got[2:]) != c.want[4:] {
			t.Errorf("key %x, want hash and %s", got, c.want[4:])
		}
	}
	for text, want := range map[string]uint16{"": 0xef46, "a": 0xd24e} { // XXH64 of nothing and of "a", seed 0
		if got := keyenc.Hash([]byte(text)); got != want {
			t.Errorf("hash of %q = %04x, want %04x", text, got, want)
		}
	}
}

// scalar is a key value of kind; short alphabets make equal beginnings frequent.
func scalar(r *rand.Rand, kind value.Kind) value.Value {
	if kind == value.KindN {
		return value.Num(valuetest.Number(r))
	}
	b := make([]byte, r.IntN(5))
	for i := range b {
		b[i] = "\x00\x01\xfea\xff"[r.IntN(5)]
	}
	if kind == value.KindS {
		return value.String(strings.ToValidUTF8(string(b), "é"))
	}
	return value.Binary(b)
}

func TestKeysSortAsTheirAttributesDo(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	all := []value.Kind{value.KindS, value.KindN, value.KindB}
	for range 30_000 {
		kinds := make([]value.Kind, 1+r.IntN(2*keyenc.MaxParts))
		a, b := make([]value.Value, len(kinds)), make([]value.Value, len(kinds))
		for i := range kinds {
			kinds[i] = all[r.IntN(3)]
			a[i] = scalar(r, kinds[i])
			b[i] = a[i]
			if r.IntN(2) == 0 {
				b[i] = scalar(r, kinds[i])
			}
		}
		partition := 1 + r.IntN(min(len(kinds), keyenc.MaxParts))
		ka, kb := key(t, a[:partition], a[partition:]), key(t, b[:partition], b[partition:])
		want := 0
		for i := 0; i < len(kinds) && want == 0; i++ {
			want, _ = value.Compare(a[i], b[i])
		}
		if got := bytes.Compare(ka[keyenc.HashSize:], kb[keyenc.HashSize:]); got != want {
			t.Fatalf("%v: %x sorts %d to %x, want %d", kinds, ka, got, kb, want)
		}
		checkDecoded(t, append(ka, kb...), partition, kinds, a, kb)
	}
}

func checkDecoded(t *testing.T, k []byte, partition int, kinds []value.Kind, want []value.Value, wantRest []byte) {
	t.Helper()
	out := make([]value.Value, len(kinds))
	rest, err := keyenc.DecodeKey(k, partition, kinds, out)
	if err != nil || !bytes.Equal(rest, wantRest) {
		t.Fatalf("%x as %v: %v, rest %x, want %x", k, kinds, err, rest, wantRest)
	}
	skipped := k[keyenc.HashSize:]
	for i := range out {
		if !value.Equal(out[i], want[i]) {
			t.Fatalf("%x as %v: attribute %d differs", k, kinds, i)
		}
		if skipped, err = keyenc.Skip(skipped, kinds[i]); err != nil {
			t.Fatalf("%x as %v: skip: %v", k, kinds, err)
		}
		raw, ok := keyenc.AppendRaw(nil, value.AppendValue(nil, want[i]))
		direct, _ := keyenc.Append(nil, want[i])
		if !ok || !bytes.Equal(raw, direct) {
			t.Fatalf("stored value as component %x, want %x", raw, direct)
		}
	}
	if !bytes.Equal(skipped, wantRest) {
		t.Fatalf("%x as %v: skipped to %x, want %x", k, kinds, skipped, wantRest)
	}
}

func TestPrefixesHoldExactlyWhatBeginsWithThem(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 20_000 {
		p, s := scalar(r, value.KindB).Str(), scalar(r, value.KindB).Str()
		if r.IntN(2) == 0 {
			s = p + s
		}
		prefix := keyenc.AppendPrefix(nil, p)
		k := keyenc.AppendString(nil, s)
		end := keyenc.After(prefix)
		in := bytes.Compare(k, prefix) >= 0 && (end == nil || bytes.Compare(k, end) < 0)
		if want := strings.HasPrefix(s, p); in != want || bytes.HasPrefix(k, prefix) != want {
			t.Fatalf("%q begins with %q: in range %t, prefix %t, want %t", s, p, in, bytes.HasPrefix(k, prefix), want)
		}
	}
}

func TestSegmentsCoverAllSlotsOnce(t *testing.T) {
	for _, n := range []int{1, 2, 3, 7, 1000, 65536, 100_000, 1_000_000} {
		next := 0
		for i := range n {
			first, end := keyenc.SegmentOf(i, n)
			if first != next || end < first {
				t.Fatalf("segment %d of %d is [%d, %d), want it to begin at %d", i, n, first, end, next)
			}
			next = end
		}
		if next != 1<<16 {
			t.Fatalf("%d segments end at slot %d", n, next)
		}
	}
}

func TestOtherValuesAreNoKeys(t *testing.T) {
	for _, v := range []value.Value{value.Bool(true), value.Null(), value.Map(nil), value.List(nil), {}} {
		if k, ok := keyenc.AppendKey(nil, []value.Value{v}, nil); ok {
			t.Errorf("%s is a key: %x", v.Kind(), k)
		}
	}
}

func TestKeysWithAnotherHashAreRefused(t *testing.T) {
	k := key(t, []value.Value{value.String("a")}, []value.Value{value.String("b")})
	k[0] ^= 1
	kinds := []value.Kind{value.KindS, value.KindS}
	if _, err := keyenc.DecodeKey(k, 1, kinds, make([]value.Value, 2)); err == nil {
		t.Errorf("%x is decoded", k)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(keyenc.AppendString(nil, "a\x00b"), byte(value.KindS))
	f.Add(keyenc.AppendString(nil, ""), byte(value.KindB))
	f.Add([]byte{0xc1, 0x55, 0x18}, byte(value.KindN))
	f.Fuzz(func(t *testing.T, b []byte, kind byte) {
		v, rest, err := keyenc.Decode(b, value.Kind(kind))
		if err != nil {
			return
		}
		again, _ := keyenc.Append(nil, v)
		if again = append(again, rest...); !bytes.Equal(again, b) {
			t.Fatalf("%x is decoded and encoded again as %x", b, again)
		}
		if skipped, err := keyenc.Skip(b, value.Kind(kind)); err != nil || !bytes.Equal(skipped, rest) {
			t.Fatalf("%x is skipped to %x, %v, want %x", b, skipped, err, rest)
		}
	})
}

func BenchmarkAppendKey(b *testing.B) {
	partition := []value.Value{value.String("customer#0123456789")}
	sort := []value.Value{number(b, "1732104000.25")}
	var k []byte
	b.ReportAllocs()
	for b.Loop() {
		k, _ = keyenc.AppendKey(k[:0], partition, sort)
	}
}

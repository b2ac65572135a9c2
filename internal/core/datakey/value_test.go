package datakey

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"

	"millrace/internal/core/store"
)

// ringOf is a ring with the data keys 1 and 2 of a store.
func ringOf() (*Ring, kept) {
	root, k := NewRoot(), kept{}
	k.keep(root, 1)
	k.keep(root, 2)
	return NewRing(root), k
}

func TestValueOpensOnlyAtItsKeyAndUnderItsDataKey(t *testing.T) {
	r, k := ringOf()
	plain := []byte("what an item says")
	at := []byte("0item")
	sealed, err := r.SealValue(1, at, plain, k.get)
	if err != nil || !IsSealed(sealed) || len(sealed) != len(plain)+ValueOverhead || bytes.Contains(sealed, plain[:6]) {
		t.Fatalf("sealed: %x of %d bytes, %v", sealed, len(sealed), err)
	}
	for _, other := range []string{"0item", "0iten", "0ite", "0item1", ""} {
		got, err := r.OpenValue([]byte(other), bytes.Clone(sealed), k.get)
		if right := other == string(at); right && !bytes.Equal(got, plain) || !right && !errors.Is(err, ErrSealed) {
			t.Errorf("at %q: got %q, %v", other, got, err)
		}
	}
	for i := range sealed {
		b := bytes.Clone(sealed)
		b[i] ^= 1
		if got, err := r.OpenValue(at, b, k.get); err == nil {
			t.Errorf("byte %d changed: got %q", i, got)
		}
	}
	b := bytes.Clone(sealed)
	b[8] = 2
	if got, err := r.OpenValue(at, b, k.get); !errors.Is(err, ErrSealed) {
		t.Errorf("under data key 2: got %q, %v, want %v", got, err, ErrSealed)
	}
	b[8] = 3
	if got, err := r.OpenValue(at, b, k.get); !errors.Is(err, store.ErrNoDataKey) {
		t.Errorf("under data key 3: got %q, %v, want %v", got, err, store.ErrNoDataKey)
	}
}

func TestValueAndBatchAreNotTakenForEachOther(t *testing.T) {
	r, k := ringOf()
	key, err := r.Open(1, k.get)
	if err != nil {
		t.Fatal(err)
	}
	place := Place{7, 100, 3}
	var aad [21]byte
	at := place.aad(&aad)[1:]
	batch, nonce := Seal(key, place, []byte("a batch"))
	value := append(append([]byte{valueMark, 0, 0, 0, 0, 0, 0, 0, 1}, nonce[:]...), batch...)
	if got, err := r.OpenValue(at, value, k.get); !errors.Is(err, ErrSealed) {
		t.Errorf("a batch as a value: got %q, %v, want %v", got, err, ErrSealed)
	}
	sealed, err := r.SealValue(1, at, []byte("a value"), k.get)
	if err != nil {
		t.Fatal(err)
	}
	nonce = Nonce(sealed[9:valueHead])
	if got, err := Open(key, place, &nonce, nil, sealed[valueHead:]); !errors.Is(err, ErrSealed) {
		t.Errorf("a value as a batch: got %q, %v, want %v", got, err, ErrSealed)
	}
}

func TestValueOpensInPlaceAndSealingLeavesThePlainOneAlone(t *testing.T) {
	r, k := ringOf()
	plain := []byte("what an item says")
	sealed, err := r.SealValue(2, []byte("k"), plain, k.get)
	if err != nil || string(plain) != "what an item says" {
		t.Fatalf("sealed %q: %v", plain, err)
	}
	got, err := r.OpenValue([]byte("k"), sealed, k.get)
	if err != nil || &got[0] != &sealed[valueHead] || !bytes.Equal(got, plain) {
		t.Errorf("opened in place: got %q, %v", got, err)
	}
	again, err := r.SealValue(2, []byte("k"), plain, k.get)
	if err != nil || bytes.Equal(again[9:valueHead], sealed[9:valueHead]) {
		t.Errorf("the nonce %x came twice, %v", again[9:valueHead], err)
	}
}

// TestSealedValuesOfVersion1Open: what stands in stores must be read for ever.
func TestSealedValuesOfVersion1Open(t *testing.T) {
	root, err := ParseRoot("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n")
	if err != nil {
		t.Fatal(err)
	}
	k := kept{string(StoreKey(7)): unhex(t, "01"+"18ffd659adb9232a"+"2a9d065618c34b15ecc80af8"+
		"146adcffd382d2827f206bcc1e445f920a67671bb7974a53b7b6e91d089219af4e4ac325d4f298d8cdc422bdbdd1aca6")}
	sealed := unhex(t, "ff"+"0000000000000007"+"10ebf849135a6f0cbe192b59"+"0a2f9510ad8f72a80df8b1fbf9835231117cf55814fc62")
	if got, err := NewRing(root).OpenValue([]byte("0key"), sealed, k.get); err != nil || string(got) != "a value" {
		t.Errorf("sealed value: got %q, %v", got, err)
	}
}

func TestDataKeyIsWornByUseAndByAge(t *testing.T) {
	for _, x := range []struct {
		sealed uint64
		age    time.Duration
		want   bool
	}{
		{0, 0, false},
		{0, 1000 * MaxAge, false},
		{1, MaxAge - time.Millisecond, false},
		{1, MaxAge, true},
		{MaxSealed - 1, 0, false},
		{MaxSealed, 0, true},
	} {
		if got := Worn(x.sealed, MaxSealed, x.age); got != x.want {
			t.Errorf("after %v and %d sealed: got %v, want %v", x.age, x.sealed, got, x.want)
		}
	}
}

func FuzzOpenValue(f *testing.F) {
	r, k := ringOf()
	plain := []byte("what an item says")
	sealed, err := r.SealValue(1, []byte("0item"), plain, k.get)
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte("0item"), sealed)
	f.Add([]byte("0item"), []byte{valueMark})
	f.Add([]byte(""), []byte{})
	f.Fuzz(func(t *testing.T, at, b []byte) {
		if got, err := r.OpenValue(at, bytes.Clone(b), k.get); err == nil && (!bytes.Equal(got, plain) || string(at) != "0item") {
			t.Fatalf("OpenValue(%x, %x): got %q", at, b, got)
		}
	})
}

func BenchmarkValue(b *testing.B) {
	r, k := ringOf()
	at := make([]byte, 40)
	for _, size := range []int{200, 1 << 10, 100 << 10} {
		plain := make([]byte, size)
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				sealed, err := r.SealValue(1, at, plain, k.get)
				if err == nil {
					_, err = r.OpenValue(at, sealed, k.get)
				}
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

package datakey

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"millrace/internal/core/store"
)

// kept is a store's keys, for one data key at a time.
type kept map[string][]byte

func (k kept) get(key []byte) ([]byte, bool, error) {
	v, ok := k[string(key)]
	return v, ok, nil
}

// keep wraps a data key as Create does.
func (k kept) keep(root *Root, id uint64) {
	k[string(StoreKey(id))] = root.wrap(id, &[Size]byte{byte(id)})
}

func TestRootKeyIsReadFromItsText(t *testing.T) {
	root := NewRoot()
	again, err := ParseRoot(string(root.Text()))
	if err != nil || again.ID() != root.ID() || again.key != root.key {
		t.Fatalf("got %v, %v; want %v", again, err, root)
	}
	if len(root.Text()) != 65 {
		t.Errorf("text of %d bytes, want 64 digits and a line end", len(root.Text()))
	}
	if other := NewRoot(); other.ID() == root.ID() || other.key == root.key {
		t.Errorf("two random root keys are the same: %v", other)
	}
}

func TestTextThatIsNoRootKeyIsRefusedAndNotRepeated(t *testing.T) {
	for _, text := range []string{"", "abc", strings.Repeat("0", 63), strings.Repeat("0", 65), strings.Repeat("secret", 11)} {
		if _, err := ParseRoot(text); !errors.Is(err, ErrRootText) || text != "" && strings.Contains(err.Error(), text) {
			t.Errorf("ParseRoot(%q): got %v, want %v", text, err, ErrRootText)
		}
	}
}

func TestRootKeyIsNotPrinted(t *testing.T) {
	root := NewRoot()
	secret := strings.TrimSpace(string(root.Text()))
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("root", "key", root)
	slog.New(slog.NewTextHandler(&log, nil)).Info("root", "key", root)
	for _, text := range []string{fmt.Sprint(root), fmt.Sprintf("%v %+v %#v %s", root, root, root, root), log.String()} {
		if strings.Contains(text, secret) || strings.Contains(text, fmt.Sprintf("%d", root.key[:])) {
			t.Errorf("the key is in %q", text)
		}
	}
}

func TestDataKeyOpensOnlyUnderItsRootKeyAndNumber(t *testing.T) {
	root, k := NewRoot(), kept{}
	k.keep(root, 1)
	k.keep(root, 2)
	if _, err := NewRing(root).Open(1, k.get); err != nil {
		t.Fatalf("Open: %v", err)
	}
	var wrong *RootKeyError
	if _, err := NewRing(NewRoot()).Open(1, k.get); !errors.As(err, &wrong) || wrong.Need != root.ID() || wrong.Key != 1 {
		t.Errorf("under another root key: got %v, want an error that names data key 1 and %v", err, root.ID())
	}
	if _, err := NewRing(nil).Open(1, k.get); !errors.As(err, &wrong) || !strings.Contains(err.Error(), "without one") {
		t.Errorf("without a root key: got %v", err)
	}
	if _, err := NewRing(root).Open(3, k.get); !errors.Is(err, store.ErrNoDataKey) {
		t.Errorf("a data key that is not there: got %v, want %v", err, store.ErrNoDataKey)
	}
	k[string(StoreKey(1))] = k[string(StoreKey(2))]
	var damage *store.CorruptError
	if _, err := NewRing(root).Open(1, k.get); !errors.As(err, &damage) {
		t.Errorf("the value of another data key: got %v, want damage", err)
	}
}

func TestEveryChangedByteOfADataKeyIsFound(t *testing.T) {
	root, k := NewRoot(), kept{}
	k.keep(root, 1)
	v := k[string(StoreKey(1))]
	for i := range v {
		b := bytes.Clone(v)
		b[i] ^= 1
		_, err := NewRing(root).Open(1, kept{string(StoreKey(1)): b}.get)
		var damage *store.CorruptError
		var wrong *RootKeyError
		if inID := i >= 1 && i < 9; inID != errors.As(err, &wrong) || !inID && !errors.As(err, &damage) {
			t.Errorf("byte %d of %x changed: got %v", i, v, err)
		}
	}
}

func TestRingIsBounded(t *testing.T) {
	root, k := NewRoot(), kept{}
	r := NewRing(root)
	for id := uint64(1); id <= maxOpen+10; id++ {
		k.keep(root, id)
		if _, err := r.Open(id, k.get); err != nil {
			t.Fatal(err)
		}
	}
	if len(r.open) > maxOpen {
		t.Errorf("%d keys are open, at most %d should be", len(r.open), maxOpen)
	}
}

func TestPendingDataKeyIsNotRemembered(t *testing.T) {
	root, k := NewRoot(), kept{}
	k.keep(root, 1)
	r := NewRing(root)
	changes := []store.KeyChange{{Key: []byte("x"), Value: []byte("y")}, {Key: StoreKey(1), Value: k[string(StoreKey(1))]}}
	if key, err := r.OpenPending(1, changes); key == nil || err != nil {
		t.Fatalf("OpenPending: %v, %v", key, err)
	}
	if key, err := r.OpenPending(2, changes); key != nil || err != nil {
		t.Errorf("OpenPending of a key that is not made: %v, %v", key, err)
	}
	if _, err := r.Open(1, kept{}.get); !errors.Is(err, store.ErrNoDataKey) {
		t.Errorf("Open of a key that was only pending: got %v, want %v", err, store.ErrNoDataKey)
	}
}

func sealedOne(tb testing.TB) (r *Ring, k kept, plain, sealed []byte, nonce Nonce) {
	tb.Helper()
	root := NewRoot()
	k = kept{}
	k.keep(root, 1)
	r = NewRing(root)
	key, err := r.Open(1, k.get)
	if err != nil {
		tb.Fatal(err)
	}
	plain = []byte("what is written in the batch")
	sealed, nonce = Seal(key, Place{7, 100, 3}, append(make([]byte, 0, 100), plain...))
	return r, k, plain, sealed, nonce
}

func TestBatchOpensOnlyInItsPlace(t *testing.T) {
	r, k, plain, sealed, nonce := sealedOne(t)
	key, _ := r.Open(1, k.get)
	if len(sealed) != len(plain)+store.SealOverhead || bytes.Contains(sealed, plain[:8]) {
		t.Fatalf("sealed: %q of %d bytes", sealed, len(sealed))
	}
	for _, at := range []Place{{7, 100, 3}, {8, 100, 3}, {7, 101, 3}, {7, 100, 4}} {
		got, err := Open(key, at, &nonce, nil, bytes.Clone(sealed))
		if right := at == (Place{7, 100, 3}); right && string(got) != string(plain) || !right && !errors.Is(err, ErrSealed) {
			t.Errorf("at %+v: got %q, %v", at, got, err)
		}
	}
	other := nonce
	other[11]++
	if got, err := Open(key, Place{7, 100, 3}, &other, nil, sealed); !errors.Is(err, ErrSealed) {
		t.Errorf("under another nonce: got %q, %v", got, err)
	}
}

func TestSealingWritesOverTheBatch(t *testing.T) {
	r, k, plain, _, _ := sealedOne(t)
	key, _ := r.Open(1, k.get)
	b := append(make([]byte, 0, len(plain)+store.SealOverhead), plain...)
	sealed, nonce := Seal(key, Place{1, 1, 1}, b)
	if &sealed[0] != &b[0] {
		t.Error("Seal made a copy")
	}
	opened, err := Open(key, Place{1, 1, 1}, &nonce, sealed[:0], sealed)
	if err != nil || &opened[0] != &b[0] || !bytes.Equal(opened, plain) {
		t.Errorf("opened in place: got %q, %v", opened, err)
	}
}

func TestEveryBatchHasANonceOfItsOwn(t *testing.T) {
	r, k, plain, _, _ := sealedOne(t)
	key, _ := r.Open(1, k.get)
	seen := map[Nonce]bool{}
	for range 1000 {
		_, nonce := Seal(key, Place{1, 1, 1}, bytes.Clone(plain))
		if seen[nonce] {
			t.Fatalf("nonce %x came twice", nonce)
		}
		seen[nonce] = true
	}
}

// TestWrappedKeysAndSealedBatchesOfVersion1Open: what stands in stores must be read for ever.
func TestWrappedKeysAndSealedBatchesOfVersion1Open(t *testing.T) {
	root, err := ParseRoot("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n")
	if err != nil || root.ID().String() != "18ffd659adb9232a" {
		t.Fatalf("root key: %v, %v; want id 18ffd659adb9232a", root, err)
	}
	if got := fmt.Sprintf("%x", StoreKey(7)); got != "040000000000000007" {
		t.Errorf("key of data key 7: got %s", got)
	}
	key, err := root.unwrap(7, unhex(t, "01"+"18ffd659adb9232a"+"2a9d065618c34b15ecc80af8"+
		"146adcffd382d2827f206bcc1e445f920a67671bb7974a53b7b6e91d089219af4e4ac325d4f298d8cdc422bdbdd1aca6"))
	if err != nil {
		t.Fatalf("wrapped data key: %v", err)
	}
	nonce := Nonce(unhex(t, "74b97536069151240e0da6a4"))
	got, err := Open(key, Place{1, 2, 3}, &nonce, nil, unhex(t, "c844fa71a6c7379d967f767557c86ee318e87e9069bc28"))
	if err != nil || string(got) != "a batch" {
		t.Errorf("sealed batch: got %q, %v", got, err)
	}
}

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func FuzzUnwrap(f *testing.F) {
	root, k := NewRoot(), kept{}
	k.keep(root, 1)
	f.Add(k[string(StoreKey(1))])
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, b []byte) {
		key, err := root.unwrap(1, b)
		if (key == nil) == (err == nil) {
			t.Fatalf("unwrap(%x): %v, %v", b, key, err)
		}
	})
}

func FuzzOpen(f *testing.F) {
	r, k, plain, sealed, nonce := sealedOne(f)
	key, _ := r.Open(1, k.get)
	f.Add(sealed, nonce[:])
	f.Fuzz(func(t *testing.T, b, n []byte) {
		var nonce Nonce
		copy(nonce[:], n)
		if got, err := Open(key, Place{7, 100, 3}, &nonce, nil, b); err == nil && !bytes.Equal(got, plain) {
			t.Fatalf("Open(%x): got %q", b, got)
		}
	})
}

func BenchmarkSeal(b *testing.B) {
	r, k, _, _, _ := sealedOne(b)
	key, _ := r.Open(1, k.get)
	for _, size := range []int{1 << 10, 64 << 10} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			buf := make([]byte, size, size+store.SealOverhead)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				Seal(key, Place{1, 1, 1}, buf)
			}
		})
	}
}

package ticket

import (
	"bytes"
	"encoding/base64"
	"errors"
	"testing"

	"millrace/internal/core/store/storetest"
)

func TestKeyIsMadeOnceAndKeptInTheStore(t *testing.T) {
	st := storetest.NewModel()
	first, err := Key(t.Context(), st, "a.tokens")
	if err != nil || len(first) != KeySize {
		t.Fatalf("got %x, %v", first, err)
	}
	again, err := Key(t.Context(), st, "a.tokens")
	if err != nil || !bytes.Equal(again, first) {
		t.Errorf("again: got %x, %v, want %x", again, err, first)
	}
	if other, err := Key(t.Context(), st, "b.tokens"); err != nil || bytes.Equal(other, first) {
		t.Errorf("another name: got %x, %v", other, err)
	}
}

func TestOnlyWhatWasSealedOpens(t *testing.T) {
	s, other := NewSealer(bytes.Repeat([]byte{7}, KeySize)), NewSealer(bytes.Repeat([]byte{8}, KeySize))
	text := s.Seal([]byte("payload"))
	if got, err := s.Open(text, 7); err != nil || string(got) != "payload" {
		t.Errorf("got %q, %v", got, err)
	}
	raw, _ := base64.StdEncoding.DecodeString(text)
	for i := range len(raw) * 8 {
		raw[i/8] ^= 1 << (i % 8)
		if got, err := s.Open(base64.StdEncoding.EncodeToString(raw), 7); !errors.Is(err, ErrTicket) {
			t.Errorf("bit %d changed: got %q, %v", i, got, err)
		}
		raw[i/8] ^= 1 << (i % 8)
	}
	for name, err := range map[string]error{
		"another key": openError(other, text, 7), "too long": openError(s, text, 2), "line": openError(s, text[:4]+"\n"+text[4:], 100),
		"empty": openError(s, "", 7), "no base64": openError(s, "$", 7),
	} {
		if !errors.Is(err, ErrTicket) {
			t.Errorf("%s: got %v, want %v", name, err, ErrTicket)
		}
	}
	if a, b := s.Salt(), s.Salt(); a == b {
		t.Error("the same salt twice")
	}
}

func openError(s *Sealer, text string, most int) error {
	_, err := s.Open(text, most)
	return err
}

func FuzzOpen(f *testing.F) {
	s := NewSealer(bytes.Repeat([]byte{7}, KeySize))
	f.Add(s.Seal([]byte("payload")))
	f.Add("AAAA")
	f.Fuzz(func(t *testing.T, text string) {
		if got, err := s.Open(text, 64); err == nil && s.Seal(got) != text {
			t.Fatalf("%q opens as %q", text, got)
		}
	})
}

package journal

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"strings"
	"testing"

	"millrace/internal/core/datakey"
	"millrace/internal/core/store"
)

func testKey(t *testing.T) cipher.AEAD {
	t.Helper()
	block, err := aes.NewCipher(make([]byte, datakey.Size))
	if err != nil {
		t.Fatal(err)
	}
	key, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// TestSealedBatchComesBackWithKeyAndNonce: between plain ones, and its sum is that of the stored bytes.
func TestSealedBatchComesBackWithKeyAndNonce(t *testing.T) {
	g := everything(5)
	sealed := looseAppend(9, 7, 1_700_000_000_125, "the secret")
	sealed.Key, sealed.Size = 12, sealed.Size+store.SealOverhead
	g.Appends = append([]store.Append{g.Appends[0], sealed}, g.Appends[1:]...)
	h := Header{FileID: header7.ID, FileSeq: header7.Seq, Durable: 4}
	keys, stored := datakey.Keys{12: testKey(t)}, make([]Stored, len(g.Appends))
	b, err := Seal(make([]byte, 0, Bound(g)), g, &h, PageSize, keys, stored)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(b, []byte("the secret")) {
		t.Error("the plain text is in the group")
	}
	f := bytesFile(append(header7.page(), b...))
	groups, _, err := f.walk(header7)
	if err != nil || len(groups) != 1 {
		t.Fatalf("%d groups, %v", len(groups), err)
	}
	sameGroup(t, groups[0], g)
	if err := CheckBatches(f, testFile, groups[0]); err != nil {
		t.Errorf("CheckBatches: %v", err)
	}
	for i, s := range groups[0].Stored {
		if s != stored[i] {
			t.Errorf("batch %d: got %+v, want %+v", i, s, stored[i])
		}
		if want := i == 1; want != (s.Encoding == Sealed) || want != (s.KeyID == 12) || want != (s.Len == s.PlainLen+store.SealOverhead) {
			t.Errorf("batch %d is stored as %+v", i, s)
		}
	}
	s := &groups[0].Stored[1]
	got, err := datakey.Open(keys[12], datakey.PlaceOf(&sealed), &s.Nonce, nil, f.b[s.Pos:s.Pos+int64(s.Len)])
	if want := sealed.AppendSealed(nil); err != nil || !bytes.Equal(got, want) {
		t.Errorf("opened: %x, %v; want %x", got, err, want)
	}
}

func TestGroupWithoutTheKeyOfABatchIsNotSealed(t *testing.T) {
	g := everything(5)
	g.Appends[0].Key = 12
	h := Header{FileID: header7.ID, FileSeq: header7.Seq}
	_, err := Seal(make([]byte, 0, 2*Bound(g)), g, &h, 0, nil, make([]Stored, len(g.Appends)))
	if err == nil || !strings.Contains(err.Error(), "data key 12") {
		t.Errorf("got %v, want an error that names data key 12", err)
	}
}

package datakey

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// Size is the bytes of a root key and of a data key: AES-256.
const Size = 32

// RootID names a root key without telling anything of it.
type RootID [8]byte

func (id RootID) String() string { return hex.EncodeToString(id[:]) }

// Root is a root key. It prints as its id.
type Root struct {
	id   RootID
	key  [Size]byte
	aead cipher.AEAD
}

// NewRoot makes a random root key.
func NewRoot() *Root {
	var key [Size]byte
	_, _ = rand.Read(key[:]) // never fails
	return rootOf(key)
}

// ErrRootText: what should be a root key is not.
var ErrRootText = errors.New("datakey: want 64 hexadecimal digits, as `openssl rand -hex 32` makes them")

// ParseRoot reads what Text has made.
//
// Errors: ErrRootText, which does not repeat what was read.
func ParseRoot(text string) (*Root, error) {
	b, err := hex.DecodeString(strings.TrimSpace(text))
	if err != nil || len(b) != Size {
		return nil, ErrRootText
	}
	return rootOf([Size]byte(b)), nil
}

func rootOf(key [Size]byte) *Root {
	sum := sha256.Sum256(append([]byte("millrace root key\x00"), key[:]...))
	return &Root{id: RootID(sum[:8]), key: key, aead: newAEAD(key[:])}
}

// ID names the key.
func (r *Root) ID() RootID { return r.id }

// Text is the key itself, to be kept in a file that only its owner reads: 64 hexadecimal digits and a line end.
func (r *Root) Text() []byte { return append(hex.AppendEncode(nil, r.key[:]), '\n') }

// String is the id: a key that is logged by mistake tells nothing.
func (r *Root) String() string { return "root key " + r.id.String() }

// GoString is String.
func (r *Root) GoString() string { return r.String() }

// RootKeyError is a data key that was wrapped by another root key than the one at hand.
type RootKeyError struct {
	Key  uint64 // the data key
	Need RootID
	Have RootID // zero: there is none
}

func (e *RootKeyError) Error() string {
	if e.Have == (RootID{}) {
		return fmt.Sprintf("datakey: data key %d needs root key %s, and the store was opened without one", e.Key, e.Need)
	}
	return fmt.Sprintf("datakey: data key %d needs root key %s, not %s", e.Key, e.Need, e.Have)
}

// newAEAD is AES-256-GCM with nonces of 12 bytes.
func newAEAD(key []byte) cipher.AEAD {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // Size is one of AES's
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err) // AES has blocks of 16 bytes
	}
	return aead
}

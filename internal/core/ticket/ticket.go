// Package ticket makes the texts that clients carry for us between calls: iterators and the tokens of pages. They hold all that is
// needed to go on, so nodes remember nothing, and are authenticated, so a client cannot make one up.
//
//	base64 of: payload of the caller | 16 bytes of HMAC-SHA256 over it
//
// The key stands in the store, so that all nodes share it and tickets outlive a restart.
package ticket

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash"
	"strings"
	"sync"
	"sync/atomic"

	"millrace/internal/core/store"
)

// CodeSize is how many bytes a ticket has beside its payload, before base64.
const CodeSize = 16

// KeySize is the size of HMAC-SHA256's output, as RFC 2104 recommends at least.
const KeySize = 32

// keyVersion begins the stored key.
const keyVersion = 1

// ErrTicket says that a text is not one that we made.
var ErrTicket = errors.New("ticket: not one of ours")

// Key reads the key that is kept as a setting of the store under a name; the first to ask makes it.
//
// Errors: *store.CorruptError, those of the store.
func Key(ctx context.Context, s store.Store, setting string) ([]byte, error) {
	name := append([]byte{byte(store.FamilySetting)}, setting...)
	fresh := make([]byte, KeySize)
	_, _ = rand.Read(fresh) // never fails
	var found []byte
	_, err := s.Update(ctx, func(tx store.Tx) error {
		v, ok, err := tx.Get(name)
		if err != nil {
			return err
		}
		if ok {
			if len(v) != 1+KeySize || v[0] != keyVersion {
				return &store.CorruptError{File: setting, Reason: "not a value of a known version"}
			}
			found = v[1:]
			return nil
		}
		found = fresh
		return tx.Set(name, append([]byte{keyVersion}, fresh...))
	})
	return found, err
}

// Sealer makes and checks tickets under a key. Safe for concurrent use.
type Sealer struct {
	macs sync.Pool // of hash.Hash
	salt atomic.Uint64
}

// NewSealer returns a sealer under a key of KeySize bytes.
func NewSealer(key []byte) *Sealer {
	s := &Sealer{macs: sync.Pool{New: func() any { return hmac.New(sha256.New, key) }}}
	var salt [8]byte
	_, _ = rand.Read(salt[:]) // never fails
	s.salt.Store(binary.LittleEndian.Uint64(salt[:]))
	return s
}

// Salt is a number that differs each time: in the payload it makes sure that no two tickets are equal.
func (s *Sealer) Salt() uint64 { return s.salt.Add(1) }

// Seal gives the text of a payload, to which it may append: room for sha256.Size bytes behind it saves an allocation.
func (s *Sealer) Seal(payload []byte) string {
	return base64.StdEncoding.EncodeToString(s.sign(payload, payload))
}

// sign appends the code of b to dst.
func (s *Sealer) sign(dst, b []byte) []byte {
	mac := s.macs.Get().(hash.Hash)
	defer s.macs.Put(mac)
	mac.Reset()
	_, _ = mac.Write(b) // never fails
	n := len(dst)
	return mac.Sum(dst)[:n+CodeSize]
}

// Open gives the payload of a text, at most so many bytes.
//
// Errors: ErrTicket.
func (s *Sealer) Open(text string, most int) ([]byte, error) {
	if base64.StdEncoding.DecodedLen(len(text)) > most+CodeSize+2 || strings.ContainsAny(text, "\r\n") { // which base64 passes over
		return nil, ErrTicket
	}
	b, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || len(b) < CodeSize {
		return nil, ErrTicket
	}
	b, code := b[:len(b)-CodeSize], b[len(b)-CodeSize:]
	var want [sha256.Size]byte
	if !hmac.Equal(s.sign(want[:0], b), code) {
		return nil, ErrTicket
	}
	return b, nil
}

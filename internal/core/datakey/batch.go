package datakey

import (
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"

	"millrace/internal/core/store"
)

// Nonce is the nonce of a sealed batch. It stands beside the batch.
type Nonce = [nonceSize]byte

// Place is where a sealed batch belongs; it opens nowhere else.
type Place struct {
	Partition store.PartitionID
	Base      store.Offset
	Count     int32 // offsets that it takes
}

// PlaceOf is the place of a decided batch.
func PlaceOf(a *store.Append) Place { return Place{a.Partition, a.Base, a.Count} }

// batchAAD begins the AAD of batches, so that what else is sealed under a data key is told from them.
const batchAAD = 1

func (p Place) aad(b *[21]byte) []byte {
	b[0] = batchAAD
	binary.BigEndian.PutUint64(b[1:], uint64(p.Partition))
	binary.BigEndian.PutUint64(b[9:], uint64(p.Base))
	binary.BigEndian.PutUint32(b[17:], uint32(p.Count))
	return b[:]
}

// Seal encrypts a batch and returns it with the nonce that opens it. It is written over where its capacity takes
// store.SealOverhead more bytes.
func Seal(key cipher.AEAD, at Place, plain []byte) (sealed []byte, nonce Nonce) {
	var b [21]byte
	_, _ = rand.Read(nonce[:]) // never fails
	return key.Seal(plain[:0], nonce[:], plain, at.aad(&b)), nonce
}

// Open decrypts a batch and appends it to dst, which may be sealed[:0].
//
// Errors: ErrSealed.
func Open(key cipher.AEAD, at Place, nonce *Nonce, dst, sealed []byte) ([]byte, error) {
	var b [21]byte
	plain, err := key.Open(dst, nonce[:], sealed, at.aad(&b))
	if err != nil {
		return nil, ErrSealed
	}
	return plain, nil
}

// ErrSealed: a batch or value is not what was sealed for its place under its key.
var ErrSealed = errors.New("what is sealed does not open under its data key in this place")

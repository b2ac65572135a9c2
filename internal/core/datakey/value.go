package datakey

import (
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"

	"millrace/internal/core/store"
)

// A sealed value of the store: mark 1, id of the data key 8, nonce 12, encrypted bytes, tag 16. Permanent.
const (
	// valueMark begins sealed values: no plain value of whoever seals begins with it.
	valueMark = 0xff

	valueHead = 1 + 8 + nonceSize

	// ValueOverhead is by how much a sealed value is longer than the plain one.
	ValueOverhead = valueHead + store.SealOverhead
)

// valueAAD begins the AAD of values, which is their key in the store: a value opens nowhere else.
const valueAAD = 2

func aadOfValue(at []byte) []byte {
	aad := make([]byte, 0, 1+len(at))
	return append(append(aad, valueAAD), at...)
}

// IsSealed says whether a value is sealed, of somebody whose plain values never begin with the mark.
func IsSealed(value []byte) bool { return len(value) > 0 && value[0] == valueMark }

// sealValue encrypts a value that is to stand at a key of the store under the data key with an id. The result is new.
func sealValue(key cipher.AEAD, id uint64, at, plain []byte) []byte {
	v := make([]byte, valueHead, ValueOverhead+len(plain))
	v[0] = valueMark
	binary.BigEndian.PutUint64(v[1:], id)
	nonce := v[1+8 : valueHead]
	_, _ = rand.Read(nonce) // never fails
	return key.Seal(v, nonce, plain, aadOfValue(at))
}

// keyOfValue is the id of the data key that a value is sealed under.
//
// Errors: ErrSealed.
func keyOfValue(sealed []byte) (uint64, error) {
	if len(sealed) < ValueOverhead || !IsSealed(sealed) {
		return 0, ErrSealed
	}
	return binary.BigEndian.Uint64(sealed[1:]), nil
}

// openValue decrypts a value in place.
//
// Errors: ErrSealed.
func openValue(key cipher.AEAD, at, sealed []byte) ([]byte, error) {
	if _, err := keyOfValue(sealed); err != nil {
		return nil, err
	}
	rest := sealed[valueHead:]
	plain, err := key.Open(rest[:0], sealed[1+8:valueHead], rest, aadOfValue(at))
	if err != nil {
		return nil, ErrSealed
	}
	return plain, nil
}

// SealValue encrypts a value that is to stand at a key of the store under the data key with an id, as Open has it. The
// result is new and ValueOverhead longer.
//
// Errors: those of Open.
func (r *Ring) SealValue(id uint64, at, plain []byte, get func(key []byte) ([]byte, bool, error)) ([]byte, error) {
	key, err := r.Open(id, get)
	if err != nil {
		return nil, err
	}
	return sealValue(key, id, at, plain), nil
}

// OpenValue decrypts a value that stands at a key of the store. The result takes the place of sealed, which is lost.
//
// Errors: ErrSealed, those of Open.
func (r *Ring) OpenValue(at, sealed []byte, get func(key []byte) ([]byte, bool, error)) ([]byte, error) {
	id, err := keyOfValue(sealed)
	if err != nil {
		return nil, err
	}
	key, err := r.Open(id, get)
	if err != nil {
		return nil, err
	}
	return openValue(key, at, sealed)
}

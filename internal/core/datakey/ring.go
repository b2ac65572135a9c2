package datakey

import (
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"

	"millrace/internal/core/store"
)

const (
	valueVersion = 1
	nonceSize    = 12
	valueSize    = 1 + len(RootID{}) + nonceSize + Size + store.SealOverhead

	// counter numbers data keys (Tx.NextID).
	counter = "data-key"

	// maxOpen bounds the keys of a ring: each is some 1 KiB, with the tables of its cipher.
	maxOpen = 4096
)

// StoreKey is where the store keeps a data key.
func StoreKey(id uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{byte(store.FamilyDataKey)}, id)
}

// Create makes a data key, which can be used when tx is committed, and in tx itself.
//
// Errors: ErrNoRoot without a root key; those of tx.
func Create(tx store.Tx, root *Root) (id uint64, err error) {
	if root == nil {
		return 0, ErrNoRoot
	}
	if id, err = tx.NextID(counter); err != nil {
		return 0, err
	}
	var key [Size]byte
	_, _ = rand.Read(key[:]) // never fails
	return id, tx.Set(StoreKey(id), root.wrap(id, &key))
}

// ErrNoRoot: a data key is asked for, and there is no root key to wrap it.
var ErrNoRoot = errors.New("datakey: there is no root key")

func wrapAAD(id uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte("millrace data key\x00"), id)
}

func (r *Root) wrap(id uint64, key *[Size]byte) []byte {
	v := append([]byte{valueVersion}, r.id[:]...)
	var nonce [nonceSize]byte
	_, _ = rand.Read(nonce[:]) // never fails
	v = append(v, nonce[:]...)
	return r.aead.Seal(v, nonce[:], key[:], wrapAAD(id))
}

// unwrap opens a data key.
//
// Errors: *RootKeyError, *store.CorruptError.
func (r *Root) unwrap(id uint64, value []byte) (cipher.AEAD, error) {
	damaged := &store.CorruptError{File: fmt.Sprintf("data key %d", id), Reason: "it is not a wrapped key of a known version"}
	if len(value) != valueSize || value[0] != valueVersion {
		return nil, damaged
	}
	need, rest := RootID(value[1:]), value[1+len(RootID{}):]
	if r == nil {
		return nil, &RootKeyError{Key: id, Need: need}
	}
	if need != r.id {
		return nil, &RootKeyError{Key: id, Need: need, Have: r.id}
	}
	key, err := r.aead.Open(nil, rest[:nonceSize], rest[nonceSize:], wrapAAD(id))
	if err != nil {
		damaged.Reason = "it does not open under its root key"
		return nil, damaged
	}
	return newAEAD(key), nil
}

// Keys are open data keys by id: those that one group is sealed with.
type Keys map[uint64]cipher.AEAD

// Ring opens the data keys of one store and remembers the open ones. Safe for concurrent use.
type Ring struct {
	root *Root

	mu   sync.RWMutex // guards open
	open Keys
}

// NewRing is for a store's driver. root may be nil: then nothing sealed can be read or written.
func NewRing(root *Root) *Ring { return &Ring{root: root, open: Keys{}} }

// Open returns a data key that is committed. get reads a key of the store; it is asked only for what the ring does
// not remember.
//
// Errors: store.ErrNoDataKey, *RootKeyError, *store.CorruptError, those of get.
func (r *Ring) Open(id uint64, get func(key []byte) ([]byte, bool, error)) (cipher.AEAD, error) {
	r.mu.RLock()
	aead := r.open[id]
	r.mu.RUnlock()
	if aead != nil {
		return aead, nil
	}
	v, ok, err := get(StoreKey(id))
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, store.ErrNoDataKey
	}
	if aead, err = r.root.unwrap(id, v); err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for old := range r.open {
		if len(r.open) < maxOpen {
			break
		}
		delete(r.open, old) // any one: it is read again when it is needed
	}
	r.open[id] = aead
	return aead, nil
}

// OpenPending returns a data key that one of changes, not committed yet, makes; nil when none does. The ring does not
// remember it: if they are not committed, the number is given to another key.
//
// Errors: *RootKeyError, *store.CorruptError.
func (r *Ring) OpenPending(id uint64, changes []store.KeyChange) (cipher.AEAD, error) {
	key := StoreKey(id)
	for i := range slices.Backward(changes) {
		if c := &changes[i]; c.Value != nil && string(c.Key) == string(key) {
			return r.root.unwrap(id, c.Value)
		}
	}
	return nil, nil
}

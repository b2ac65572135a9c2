package dynamodb

import (
	"errors"
	"sync"
	"sync/atomic"

	"millrace/internal/core/datakey"
	"millrace/internal/core/store"
)

// Items of tables under a KMS key are sealed at rest, each value for itself: items, rows of indexes, and what these were
// (index_delay.go). Everybody reads and writes them through a vault, and sees plain values: sizes, comparisons and images are of those. A
// sealed value says under which data key it opens, so what a table has from before it was encrypted, from the data keys before this one, or
// from before its encryption was ended is readable beside each other. What is plain of an encrypted table is sealed by worker_seals.go, the rest when
// it is written next.
//
// Keys are not sealed, and with them the values of key attributes, nor are sizes of item collections, counts, and when items expire.

// vault opens and seals values. Safe for concurrent use.
type vault struct {
	ring *datakey.Ring
	used sync.Map // of a table's number to an *atomic.Uint64: what was sealed since it was noted in the store
}

func newVault(root *datakey.Root) *vault { return &vault{ring: datakey.NewRing(root)} }

// open is the plain form of a value that was read at a key, whose bytes it may take; a plain one, or nil, is what it was.
//
// Errors: those of the store, *datakey.RootKeyError, *store.CorruptError.
func (v *vault) open(tx store.ReadTx, at, stored []byte) ([]byte, error) {
	if !datakey.IsSealed(stored) {
		return stored, nil
	}
	plain, err := v.ring.OpenValue(at, stored, tx.Get)
	if errors.Is(err, datakey.ErrSealed) {
		return nil, &store.CorruptError{File: "sealed value of a table", Reason: err.Error()}
	}
	return plain, err
}

// get is Get of a value that may be sealed; nil when there is none.
func (v *vault) get(tx store.ReadTx, at []byte) ([]byte, error) {
	stored, _, err := tx.Get(at)
	if err != nil {
		return nil, err
	}
	return v.open(tx, at, stored)
}

// getMany is GetMany of values that may be sealed.
func (v *vault) getMany(tx store.ReadTx, at [][]byte) ([][]byte, error) {
	found, err := tx.GetMany(at)
	if err != nil {
		return nil, err
	}
	for i, stored := range found {
		if found[i], err = v.open(tx, at[i], stored); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// scan is Scan of values that may be sealed.
func (v *vault) scan(tx store.ReadTx, from, to []byte, limit int, reverse bool) ([]store.KV, error) {
	kvs, err := tx.Scan(from, to, limit, reverse)
	if err != nil {
		return nil, err
	}
	for i := range kvs {
		if kvs[i].Value, err = v.open(tx, kvs[i].Key, kvs[i].Value); err != nil {
			return nil, err
		}
	}
	return kvs, nil
}

// put sets a value of a table, sealed if the table is encrypted.
//
// Errors: those of the store, *datakey.RootKeyError.
func (t *table) put(tx store.Tx, at, plain []byte) error {
	if t.dataKey == 0 {
		return tx.Set(at, plain)
	}
	sealed, err := t.vault.ring.SealValue(t.dataKey, at, plain, tx.Get)
	if err != nil {
		return err
	}
	t.vault.count(t.num, 1)
	return tx.Set(at, sealed)
}

// count notes that so many values of a table were sealed. A transaction that runs again counts again: the count is an upper bound.
func (v *vault) count(table, values uint64) {
	n, ok := v.used.Load(table)
	if !ok {
		n, _ = v.used.LoadOrStore(table, new(atomic.Uint64))
	}
	n.(*atomic.Uint64).Add(values)
}

// take is what was counted of a table since the last take.
func (v *vault) take(table uint64) uint64 {
	if n, ok := v.used.Load(table); ok {
		return n.(*atomic.Uint64).Swap(0)
	}
	return 0
}

// keep forgets the counts of all tables but those that are encrypted.
func (v *vault) keep(encrypted map[uint64]bool) {
	v.used.Range(func(table, _ any) bool {
		if !encrypted[table.(uint64)] {
			v.used.Delete(table)
		}
		return true
	})
}

package dynamodb

// The tokens of transactions: docs/format/tables.md draws them.

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"time"

	"millrace/internal/core/store"
)

const (
	tokenVersion = 1
	tokenSize    = 1 + 8 + sha256.Size

	// tokenLife is how long a token stands for its transaction. Source: API reference, TransactWriteItems (read 2026-11).
	tokenLife = 10 * time.Minute
	// tokenSlice bounds the tokens that one transaction of the worker forgets.
	tokenSlice = 1000
)

func tokenKey(p place, token string) []byte {
	k := appendPlace([]byte{byte(store.FamilyTable), kindToken}, p)
	return append(k, token...)
}

// tokenEnd is the key that finds a token when it ends; what follows the time is what follows the kind in the token's key.
func tokenEnd(expires int64, key []byte) []byte {
	k := binary.BigEndian.AppendUint64([]byte{byte(store.FamilyTable), kindEnd}, uint64(expires))
	return append(k, key[2:]...)
}

// repeated says whether a token stands for a transaction that has committed, and whether that was the same one.
func repeated(tx store.ReadTx, key []byte, digest [sha256.Size]byte) (is, same bool, err error) {
	v, ok, err := tx.Get(key)
	if err != nil || !ok {
		return false, false, err
	}
	if len(v) != tokenSize || v[0] != tokenVersion {
		return false, false, corrupt("token of a transaction")
	}
	if int64(binary.BigEndian.Uint64(v[1:])) <= tx.Now() {
		return false, false, nil
	}
	return true, bytes.Equal(v[9:], digest[:]), nil
}

// remember keeps a token with its transaction. One that has ended and was not forgotten yet is replaced.
func remember(tx store.Tx, key []byte, digest [sha256.Size]byte) error {
	if v, ok, err := tx.Get(key); err != nil {
		return err
	} else if ok {
		if err := tx.Delete(tokenEnd(int64(binary.BigEndian.Uint64(v[1:])), key)); err != nil {
			return err
		}
	}
	expires := tx.Now() + tokenLife.Milliseconds()
	v := binary.BigEndian.AppendUint64([]byte{tokenVersion}, uint64(expires))
	if err := tx.Set(key, append(v, digest[:]...)); err != nil {
		return err
	}
	return tx.Set(tokenEnd(expires, key), present)
}

// endedTokens is the end of the range of keys of tokens that have ended.
func endedTokens(now int64) []byte { return tokenEnd(now+1, []byte{0, 0}) }

// isTokenEnd says whether a key may be one of tokenEnd.
func isTokenEnd(key []byte) bool { return len(key) > 2+8 }

// forgetTokens deletes some tokens that have ended. Keys that are none are left to chores, which reports them.
func (s *Service) forgetTokens(ctx context.Context) error {
	_, err := s.store.Update(ctx, func(tx store.Tx) error {
		var ends [][]byte
		err := eachKey(tx, []byte{byte(store.FamilyTable), kindEnd}, endedTokens(tx.Now()), tokenSlice, func(kv store.KV) bool {
			if isTokenEnd(kv.Key) {
				ends = append(ends, kv.Key)
			}
			return len(ends) < tokenSlice
		})
		if err != nil {
			return err
		}
		for _, end := range ends {
			if err := tx.Delete(append([]byte{byte(store.FamilyTable), kindToken}, end[2+8:]...)); err != nil {
				return err
			}
			if err := tx.Delete(end); err != nil {
				return err
			}
		}
		return nil
	})
	return err
}

package cluster

import (
	"context"
	"crypto/cipher"
	"errors"
	"fmt"
	"maps"

	"github.com/jackc/pgx/v5"

	"millrace/internal/core/datakey"
	"millrace/internal/core/store"
)

// Data keys are opened before a request is decided. A key is one that is committed, or one that a transaction of the same
// group makes.

// keyQuerier is a connection, or the pool.
type keyQuerier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// databaseError is one of reading a data key that the request is not to blame for.
type databaseError struct{ error }

func (e databaseError) Unwrap() error { return e.error }

// committedKey opens a data key.
//
// Errors: store.ErrNoDataKey, *datakey.RootKeyError, *store.CorruptError, databaseError.
func (s *Store) committedKey(ctx context.Context, q keyQuerier, id uint64) (cipher.AEAD, error) {
	return s.keys.Open(id, func(key []byte) (v []byte, ok bool, err error) {
		err = q.QueryRow(ctx, "SELECT value FROM store_keys WHERE domain = 1 AND key = $1 AND value IS NOT NULL", key).Scan(&v)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil, false, nil
		}
		if err != nil {
			return nil, false, databaseError{fmt.Errorf("read data key %d: %w", id, err)}
		}
		return v, true, nil
	})
}

// fatal tells whether an error of openKeys is the database's: the group cannot go on.
func (w *groupWriter) fatal(err error) bool {
	_, ok := errors.AsType[databaseError](err)
	return ok
}

// openKeys opens the data keys of appends that come with changes of keys. They are the group's (keep) when the appends are.
//
// Errors: as committedKey.
func (w *groupWriter) openKeys(appends []store.AppendRequest, changes []store.KeyChange) (own datakey.Keys, err error) {
	for i := range appends {
		id := appends[i].Key
		if id == 0 || own[id] != nil {
			continue
		}
		key, err := w.findKey(id, changes)
		if err != nil {
			return nil, err
		}
		if own == nil {
			own = datakey.Keys{}
		}
		own[id] = key
	}
	return own, nil
}

func (w *groupWriter) findKey(id uint64, changes []store.KeyChange) (cipher.AEAD, error) {
	if key := w.keys[id]; key != nil {
		return key, nil
	}
	key, err := w.s.committedKey(w.s.work, w.s.conn, id)
	if !errors.Is(err, store.ErrNoDataKey) {
		return key, err
	}
	for _, made := range [...][]store.KeyChange{changes, w.g.Keys} {
		if key, err := w.s.keys.OpenPending(id, made); key != nil || err != nil {
			return key, err
		}
	}
	return nil, store.ErrNoDataKey
}

func (w *groupWriter) keep(keys datakey.Keys) {
	if len(keys) == 0 {
		return
	}
	if w.keys == nil {
		w.keys = datakey.Keys{}
	}
	maps.Copy(w.keys, keys)
}

// appendsOf are a transaction's appends that are sealed.
func appendsOf(req *store.Request) []store.AppendRequest {
	var sealed []store.AppendRequest
	for _, a := range req.Appends {
		if a.Request.Key != 0 {
			sealed = append(sealed, a.Request)
		}
	}
	return sealed
}

// unseal makes the batches of a partition plain, in place.
//
// Errors: those of the first batch; of later ones, what comes before is returned alone.
func (s *Store) unseal(ctx context.Context, id store.PartitionID, found []sealedRow) ([]store.Batch, error) {
	batches := make([]store.Batch, 0, len(found))
	for i := range found {
		b := &found[i].Batch
		if b.Key != 0 {
			if err := s.unsealBatch(ctx, id, &found[i]); err != nil && i > 0 {
				return batches, nil // the next read names what is wrong
			} else if err != nil {
				return nil, err
			}
		}
		batches = append(batches, *b)
	}
	return batches, nil
}

// sealedRow is a row of store_batches.
type sealedRow struct {
	store.Batch
	nonce []byte
}

func (s *Store) unsealBatch(ctx context.Context, id store.PartitionID, r *sealedRow) error {
	key, err := s.committedKey(ctx, s.pool, r.Key)
	if err != nil {
		return err
	}
	damaged := &store.CorruptError{File: fmt.Sprintf("store_batches, partition %d", id), Offset: int64(r.Base), Reason: datakey.ErrSealed.Error()}
	if len(r.nonce) != len(datakey.Nonce{}) {
		damaged.Reason = "a sealed batch has no nonce"
		return damaged
	}
	nonce := datakey.Nonce(r.nonce)
	at := datakey.Place{Partition: id, Base: r.Base, Count: int32(r.Next - r.Base)}
	if r.Bytes, err = datakey.Open(key, at, &nonce, r.Bytes[:0], r.Bytes); err != nil {
		return damaged
	}
	return nil
}

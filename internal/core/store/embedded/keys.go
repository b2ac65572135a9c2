package embedded

import (
	"crypto/cipher"
	"errors"
	"maps"
	"slices"

	"millrace/internal/core/datakey"
	"millrace/internal/core/journal"
	"millrace/internal/core/store"
)

// Data keys are opened before a request is decided, so that sealing the group cannot fail. A key is one that Pebble has,
// or one that a transaction of the same group makes: nobody can know of one in between.

// openKey opens the data key of an append outside of transactions for the group of j.
//
// Errors: store.ErrNoDataKey, *datakey.RootKeyError, *store.CorruptError, those of Pebble.
func (s *Store) openKey(j *job, id uint64) error {
	if j.keys[id] != nil {
		return nil
	}
	key, err := s.findKey(j, id, nil)
	if err == nil {
		j.keep(datakey.Keys{id: key})
	}
	return err
}

// findKey looks for a data key among those that are committed, then among those that a transaction with these changes,
// or the group before it, makes.
func (s *Store) findKey(j *job, id uint64, changes []store.KeyChange) (cipher.AEAD, error) {
	if key := j.keys[id]; key != nil {
		return key, nil
	}
	key, err := s.committedKey(id)
	if !errors.Is(err, store.ErrNoDataKey) {
		return key, err
	}
	for _, made := range [...][]store.KeyChange{changes, j.group.Keys} {
		if key, err := s.keys.OpenPending(id, made); key != nil || err != nil {
			return key, err
		}
	}
	return nil, store.ErrNoDataKey
}

// openKeys opens the data keys of a transaction's appends. It returns those that the group has not got yet; they are the
// group's when the transaction is.
//
// Errors: as openKey.
func (s *Store) openKeys(j *job, req *store.Request) (own datakey.Keys, err error) {
	for _, a := range req.Appends {
		id := a.Request.Key
		if id == 0 || own[id] != nil {
			continue
		}
		key, err := s.findKey(j, id, req.Keys)
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

func (j *job) keep(keys datakey.Keys) {
	if len(keys) == 0 {
		return
	}
	if j.keys == nil {
		j.keys = datakey.Keys{}
	}
	maps.Copy(j.keys, keys)
}

func (s *Store) committedKey(id uint64) (cipher.AEAD, error) {
	return s.keys.Open(id, func(key []byte) ([]byte, bool, error) { return get(s.db, key) })
}

// sealing is what opens one sealed batch of the unmoved journal.
type sealing struct {
	base  store.Offset
	key   uint64
	nonce datakey.Nonce
}

// unseal makes the sealed pieces plain: in place what was read from files, and from the tail cache, whose memory
// others read too, into a buffer of its own.
func (r *reading) unseal() error {
	need := 0
	for i := range r.pieces {
		if p := &r.pieces[i]; p.stored.Encoding == journal.Sealed && p.chunk != nil {
			need += len(p.batch.Bytes)
		}
	}
	if need > 0 {
		r.plain = readBuffer(need)
	}
	for i := range r.pieces {
		err := r.unsealPiece(&r.pieces[i])
		if err != nil && i > 0 {
			r.cut(i) // what comes before is good; the next read names what is wrong
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *reading) unsealPiece(p *piece) error {
	st, b := &p.stored, &p.batch
	switch st.Encoding {
	case journal.Plain:
		return nil
	case journal.Sealed:
	default:
		return p.damaged("it is stored in a way that this binary does not know")
	}
	key, err := r.s.committedKey(st.KeyID)
	if err != nil {
		return err
	}
	dst := b.Bytes[:0]
	if p.chunk != nil {
		dst = r.plain[len(r.plain):]
	}
	at := datakey.Place{Partition: r.req.Partition, Base: b.Base, Count: int32(b.Next - b.Base)}
	plain, err := datakey.Open(key, at, &st.Nonce, dst, b.Bytes)
	if err != nil {
		return p.damaged(err.Error())
	}
	if p.chunk != nil {
		r.plain = r.plain[:len(r.plain)+len(plain)]
		p.chunk.release()
		p.chunk = nil
	}
	b.Bytes, b.Key = slices.Clip(plain), st.KeyID
	return nil
}

func (p *piece) damaged(reason string) error {
	if p.path == "" {
		p.path = "the tail cache"
	}
	return &store.CorruptError{File: p.path, Offset: p.stored.Pos, Reason: reason}
}

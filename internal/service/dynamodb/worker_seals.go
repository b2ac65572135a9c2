package dynamodb

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"millrace/internal/core/datakey"
	"millrace/internal/core/store"
)

const (
	// sealsIdle is how often the worker looks for tables that another node has encrypted.
	sealsIdle = 10 * time.Second
	// sealSlice bounds the values of one transaction: 40 MB of the largest items.
	sealSlice = 100
)

// stepSeals seals what tables have from before they were encrypted: one slice of each. It returns how long until there is more.
func (s *Service) stepSeals(ctx context.Context) (wait time.Duration, failed error) {
	wait = sealsIdle
	for after := uint64(0); ; {
		notes, last, bad, err := s.sealNotes(ctx, after)
		if failed = errors.Join(failed, bad); err != nil {
			return 0, errors.Join(failed, err)
		}
		for i := range notes {
			n := &notes[i]
			if len(n.next) == 0 {
				continue
			}
			more, err := s.sealOlder(ctx, n)
			if err != nil { // one table must not hold up the others
				failed = errors.Join(failed, fmt.Errorf("table %s: %w", n.place.arn(), err))
			}
			if more {
				wait = 0
			}
		}
		if last == 0 {
			return wait, failed
		}
		after = last
	}
}

// sealOlder seals the next slice of a table, and says whether another may follow. Values are looked at outside of the transaction, so that
// it reads only what it writes.
func (s *Service) sealOlder(ctx context.Context, n *sealNote) (bool, error) {
	var at [][]byte // of plain values
	var next []byte
	err := s.store.View(ctx, func(tx store.ReadTx) error {
		kvs, err := tx.Scan(n.next, n.end(), sealSlice, false)
		if err != nil {
			return err
		}
		at = at[:0]
		for _, kv := range kvs {
			if !datakey.IsSealed(kv.Value) {
				at = append(at, kv.Key)
			}
		}
		if next = n.behind(); len(kvs) == sealSlice {
			next = append(bytes.Clone(kvs[len(kvs)-1].Key), 0)
		}
		return nil
	})
	if err != nil {
		return false, err
	}
	did := false
	err = inHalves(at, next, func(at [][]byte, next []byte) (err error) {
		did, err = s.sealAt(ctx, n, at, next)
		return err
	})
	return did && err == nil, err
}

// end is the first key behind the range that is being sealed: items, then rows of indexes.
func (n *sealNote) end() []byte {
	if n.next[1] == kindItem {
		return itemPrefix(n.num + 1)
	}
	return indexPrefix(n.num+1, 0)
}

// behind is where it goes on behind that range; nil when it was the last.
func (n *sealNote) behind() []byte {
	if n.next[1] == kindItem {
		return indexPrefix(n.num, 1) // sizes of collections, which stay plain, stand under 0
	}
	return nil
}

// sealAt seals values as they are now, and notes how far that is. It does nothing, and says so, when another node has done it, or the table cannot be
// written any more.
func (s *Service) sealAt(ctx context.Context, n *sealNote, at [][]byte, next []byte) (did bool, err error) {
	_, err = s.store.Update(ctx, func(tx store.Tx) error {
		did = false
		now, err := readSealNote(tx, n.num)
		if err != nil || now == nil || !bytes.Equal(now.next, n.next) {
			return err
		}
		t, err := s.readTable(tx, n.place)
		if err != nil || t == nil || t.num != n.num || !t.serves() {
			return err
		}
		found, err := s.vault.getMany(tx, at)
		if err != nil {
			return err
		}
		for i, v := range found {
			if v == nil {
				continue // it was deleted meanwhile
			}
			if err := t.put(tx, at[i], v); err != nil {
				return err
			}
		}
		now.next, did = next, true
		return tx.Set(sealNoteKey(n.num), now.encode())
	})
	return did, err
}

package dynamodb

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"millrace/internal/core/field"
	"millrace/internal/core/store"
)

// What the third byte of a chore's key says. Permanent.
const (
	choreFill = 0x01 // an index that was added is filled with the items that were there before
	choreDrop = 0x02 // the rows of a deleted index are deleted
)

const (
	// fillLook and fillBytes bound the items that the filling of an index looks at before it writes rows, and fillRun those
	// of one read: at most 40 MB of the largest.
	fillLook  = 1000
	fillBytes = 1 << 20
	fillRun   = 100
	// dropSlice bounds the rows of one transaction that deletes them, so that it takes milliseconds.
	dropSlice = 500
	// indexIdle is how long the worker sleeps when nothing is to be done: another node may have added an index.
	indexIdle = 5 * time.Second
	// indexRetry is how long it waits when writers of the same items were faster again and again.
	indexRetry = 200 * time.Millisecond
)

const fillVersion = 1

// choreKeySize is the length of a choreKey.
const choreKeySize = 15

func choreKey(kind byte, table uint64, num uint32) []byte {
	k := binary.BigEndian.AppendUint64([]byte{byte(store.FamilyTable), kindChore, kind}, table)
	return binary.BigEndian.AppendUint32(k, num)
}

// fill is how far an index has been filled.
type fill struct {
	key   []byte // of the chore
	value []byte // as it was read
	place place
	from  []byte // key of the item to go on with; nil: the first
}

func encodeFill(p place, from []byte) []byte {
	at := append(appendPlace(nil, p), p.table...)
	v := binary.AppendUvarint([]byte{fillVersion}, uint64(len(at)))
	return append(append(v, at...), from...)
}

func decodeFill(key, v []byte) (*fill, error) {
	r := field.Reader{B: v}
	version := r.Byte()
	p, ok := placeOf(r.Take(r.Count(len(r.B))))
	if version != fillVersion || r.Bad || !ok || len(key) != choreKeySize {
		return nil, corrupt("filling of an index")
	}
	return &fill{key, v, p, r.B}, nil
}

// table and index are whose rows are filled in.
func (f *fill) table() uint64 { return binary.BigEndian.Uint64(f.key[3:]) }
func (f *fill) index() uint32 { return binary.BigEndian.Uint32(f.key[11:]) }

// saveChores writes what follows from a change of a table's indexes: to fill one that was added, to delete the rows of one that is
// gone.
func saveChores(tx store.Tx, p place, old, t *table) error {
	if old == nil {
		return nil // indexes that a table is made with are complete
	}
	for _, ix := range t.indexes {
		if ix.online && ix.num > old.lastIndex {
			if err := tx.Set(choreKey(choreFill, t.num, ix.num), encodeFill(p, nil)); err != nil {
				return err
			}
		}
	}
	for _, was := range old.indexes {
		if slices.ContainsFunc(t.indexes, func(ix *index) bool { return ix.num == was.num }) {
			continue
		}
		if err := tx.Delete(choreKey(choreFill, t.num, was.num)); err != nil {
			return err
		}
		if err := tx.Set(choreKey(choreDrop, t.num, was.num), present); err != nil {
			return err
		}
	}
	return nil
}

// stepIndexes fills indexes that were added and deletes the rows of those that are gone, a slice of each, and returns how long until
// there is more. All that is to be done stands in the store, with how far it got, so nothing is forgotten over restarts, and any node may
// do it.
func (s *Service) stepIndexes(ctx context.Context) (time.Duration, error) {
	c, err := s.indexChores(ctx)
	if err != nil {
		return 0, err
	}
	wait := indexIdle
	err = c.bad // one chore that cannot be read must not hold up the others
	for _, f := range c.fills {
		did, failed := s.fillIndex(ctx, f)
		switch {
		case errors.Is(failed, store.ErrContention): // writers of the same items were faster
			wait = min(wait, indexRetry)
		case did:
			wait = 0
		}
		if !errors.Is(failed, store.ErrContention) {
			err = errors.Join(err, failed)
		}
	}
	if c.drop != nil {
		wait, err = 0, errors.Join(err, s.dropRows(ctx, c.drop))
	}
	if c.past {
		wait, err = min(wait, indexRetry), errors.Join(err, s.dropPast(ctx))
	}
	return wait, err
}

// dropPast deletes some of the earlier rows that nobody looks at any more.
func (s *Service) dropPast(ctx context.Context) error {
	_, err := s.store.Update(ctx, func(tx store.Tx) error { return s.forgetPast(tx) })
	return err
}

// indexChores are what the worker of indexes finds to do.
type indexChores struct {
	fills []*fill
	drop  []byte // key of a deletion of rows; nil: there is none
	past  bool   // there are earlier rows that nobody looks at any more
	bad   error  // what is wrong with chores that cannot be read
}

// indexChores looks for what is to be done.
func (s *Service) indexChores(ctx context.Context) (c indexChores, err error) {
	err = s.store.View(ctx, func(tx store.ReadTx) error {
		c = indexChores{}
		key := func(chore byte) []byte { return []byte{byte(store.FamilyTable), kindChore, chore} }
		err := eachKey(tx, key(choreFill), key(choreDrop), statesPage, func(kv store.KV) bool {
			f, err := decodeFill(kv.Key, kv.Value)
			if c.bad = errors.Join(c.bad, err); err == nil {
				c.fills = append(c.fills, f)
			}
			return len(c.fills) < statesPage
		})
		if err != nil {
			return err
		}
		err = eachKey(tx, key(choreDrop), key(choreDrop+1), 1, func(kv store.KV) bool {
			if len(kv.Key) != choreKeySize {
				c.bad = errors.Join(c.bad, corrupt("deletion of an index"))
				return true
			}
			c.drop = kv.Key
			return false
		})
		if err == nil {
			c.past, err = someKey(tx, key(choreDelay), s.endOfPast(tx.Now()))
		}
		return err
	})
	return c, err
}

// dropRows deletes some rows of an index that is gone.
func (s *Service) dropRows(ctx context.Context, key []byte) error {
	table, num := binary.BigEndian.Uint64(key[3:]), binary.BigEndian.Uint32(key[11:])
	_, err := s.store.Update(ctx, func(tx store.Tx) error {
		next, err := tx.DeleteRange(indexPrefix(table, num), indexPrefix(table, num+1), dropSlice)
		if err != nil || next != nil {
			return err
		}
		if err := tx.Delete(countKey(indexPrefix(table, num))); err != nil {
			return err
		}
		return tx.Delete(key)
	})
	return err
}

// purgeIndexes deletes some of what indexes had of a table that is gone; more says that it did not come to the end.
func purgeIndexes(tx store.Tx, table uint64) (more bool, err error) {
	next, err := tx.DeleteRange(indexPrefix(table, 0), indexPrefix(table+1, 0), purgeSlice)
	if err != nil || next != nil {
		return next != nil, err
	}
	if _, err := tx.DeleteRange(countKey(indexPrefix(table, 0)), countKey(indexPrefix(table+1, 0)), purgeSlice); err != nil {
		return false, err
	}
	for _, kind := range []byte{choreFill, choreDrop} {
		if _, err := tx.DeleteRange(choreKey(kind, table, 0), choreKey(kind, table+1, 0), purgeSlice); err != nil {
			return false, err
		}
	}
	return false, nil
}

// fillIndex looks at the next items and gives the index rows of them. Items are found in one snapshot and read again in the
// transaction that writes their rows, which so conflicts with writers of these very items alone: what is written meanwhile its
// writers index themselves.
func (s *Service) fillIndex(ctx context.Context, f *fill) (did bool, err error) {
	var t *table
	var ix *index
	var found []store.KV
	var next []byte
	err = s.store.View(ctx, func(tx store.ReadTx) error {
		if t, ix, err = s.filling(tx, f); err != nil || ix == nil || !ix.backfilling {
			return err
		}
		found, next, err = f.look(tx, s.vault)
		return err
	})
	switch {
	case err != nil:
		return false, err
	case ix == nil: // the index or its table is gone or going
		return false, s.endFill(ctx, f)
	case !ix.backfilling: // resources are being allocated, as AWS says
		return false, nil
	}
	var at [][]byte
	for _, kv := range found {
		r, err := ix.row(t, kv.Value)
		if err != nil {
			return false, err
		}
		if r.key != nil {
			at = append(at, kv.Key)
		}
	}
	return true, inHalves(at, next, func(at [][]byte, next []byte) error { return s.writeFill(ctx, f, at, next) })
}

// inHalves has keys written, behind which the work goes on at next: all, or while that meets writers of the same items the first half,
// of which the last decides where it goes on.
func inHalves(at [][]byte, next []byte, write func(at [][]byte, next []byte) error) error {
	err := write(at, next)
	for errors.Is(err, store.ErrContention) && len(at) > 1 {
		at = at[:len(at)/2]
		next = append(bytes.Clone(at[len(at)-1]), 0)
		err = write(at, next)
	}
	return err
}

// look reads the next items, and the key to go on from; nil when they are the last.
func (f *fill) look(tx store.ReadTx, v *vault) (found []store.KV, next []byte, err error) {
	next = f.from
	if len(next) == 0 {
		next = itemPrefix(f.table())
	}
	for size := 0; len(found) < fillLook && size < fillBytes; {
		kvs, err := v.scan(tx, next, itemPrefix(f.table()+1), fillRun, false)
		if err != nil {
			return nil, nil, err
		}
		found = append(found, kvs...)
		if len(kvs) < fillRun {
			return found, nil, nil
		}
		for _, kv := range kvs {
			size += len(kv.Value)
		}
		next = append(bytes.Clone(kvs[fillRun-1].Key), 0)
	}
	return found, next, nil
}

// filling reads the table and the index of a chore; a nil index is no longer to be filled.
func (s *Service) filling(tx store.ReadTx, f *fill) (*table, *index, error) {
	t, err := s.readTable(tx, f.place)
	if err != nil || t == nil || t.num != f.table() {
		return nil, nil, err
	}
	for _, ix := range t.indexes {
		if ix.num == f.index() && ix.state == stateCreating {
			return t, ix, nil
		}
	}
	return t, nil, nil
}

// endFill forgets a chore, unless its index is still to be filled.
func (s *Service) endFill(ctx context.Context, f *fill) error {
	_, err := s.store.Update(ctx, func(tx store.Tx) error {
		if _, ix, err := s.filling(tx, f); err != nil || ix != nil {
			return err
		}
		return tx.Delete(f.key)
	})
	return err
}

// writeFill writes the rows of items as they are now, and how far the filling got; after the last the index is active. It does nothing
// when another node has done it.
func (s *Service) writeFill(ctx context.Context, f *fill, at [][]byte, next []byte) error {
	_, err := s.store.Update(ctx, func(tx store.Tx) error {
		if v, ok, err := tx.Get(f.key); err != nil || !ok || !bytes.Equal(v, f.value) {
			return err
		}
		t, ix, err := s.filling(tx, f)
		if err != nil || ix == nil {
			return err
		}
		if err := fillRows(tx, t, ix, at); err != nil {
			return err
		}
		if next != nil {
			return tx.Set(f.key, encodeFill(f.place, next))
		}
		if err := tx.Delete(f.key); err != nil {
			return err
		}
		done := t.clone()
		done.setIndex(ix.num, func(ix *index) { ix.state, ix.backfilling, ix.online = stateActive, false, false })
		return saveTable(tx, f.place, t, done)
	})
	return err
}

func fillRows(tx store.Tx, t *table, ix *index, at [][]byte) error {
	if len(at) == 0 {
		return nil
	}
	items, err := t.vault.getMany(tx, at)
	if err != nil {
		return err
	}
	for _, item := range items {
		r, err := ix.row(t, item)
		if err != nil {
			return err
		}
		if r.key == nil {
			continue
		}
		if err := t.put(tx, r.key, r.image); err != nil {
			return err
		}
	}
	return nil
}

// setIndex changes a clone of an index of a table that is a clone itself.
func (t *table) setIndex(num uint32, change func(ix *index)) {
	for i, ix := range t.indexes {
		if ix.num == num {
			t.indexes[i] = ix.clone()
			change(t.indexes[i])
		}
	}
}

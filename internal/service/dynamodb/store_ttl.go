package dynamodb

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"

	"millrace/internal/core/store"
)

// Time to live has two kinds of keys. An expiry row stands for an item that expires: change.commit writes it with the item. A
// row may be left behind that no longer says what the item says; none is ever missing once time to live is on. A note of a table
// stands as long as its time to live is not off: it tells the worker which tables there are, and how far it has come with one.

const (
	// sweepSlice bounds the items of one transaction of the sweep, so that it takes milliseconds and seldom conflicts.
	sweepSlice = 100
	// backfillSlice bounds the items of one slice of a backfill: 40 MB of the largest items.
	backfillSlice = 100
	// ttlPage bounds the tables of one look.
	ttlPage = 100
)

const ttlNoteVersion = 1

// expiryPrefix is what the keys of a table's expiry rows begin with.
func expiryPrefix(num uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{byte(store.FamilyTable), kindExpiry}, num)
}

// expirySecond begins the rows of a second.
func expirySecond(num uint64, second int64) []byte {
	return binary.BigEndian.AppendUint64(expiryPrefix(num), uint64(second))
}

// expiryRow is the row of the item at a key of the store.
func expiryRow(num uint64, second int64, at []byte) []byte {
	return append(expirySecond(num, second), at[itemPrefixSize:]...)
}

func ttlNoteKey(num uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{byte(store.FamilyTable), kindUpkeep, upkeepTTL}, num)
}

// ttlNote is a table that the worker looks after.
type ttlNote struct {
	num   uint64
	place place
	next  []byte // of a backfill: the item to go on from; empty: from the first
}

func (n *ttlNote) encode() []byte {
	return append(appendNoted([]byte{ttlNoteVersion}, n.place), n.next...)
}

// decodeTTLNote reads a note.
//
// Errors: *store.CorruptError.
func decodeTTLNote(kv store.KV) (n ttlNote, err error) {
	if len(kv.Key) != 11 || len(kv.Value) == 0 || kv.Value[0] != ttlNoteVersion {
		return n, corrupt("note of time to live")
	}
	n.num = binary.BigEndian.Uint64(kv.Key[3:])
	var ok bool
	if n.place, n.next, ok = cutNoted(kv.Value[1:]); !ok {
		return n, corrupt("note of time to live")
	}
	return n, nil
}

// saveTTL keeps the note of a table whose time to live has moved on; old may be nil.
func saveTTL(tx store.Tx, p place, old, t *table) error {
	if old == nil || old.ttl.state == t.ttl.state {
		return nil
	}
	if t.ttl.state == ttlOff {
		return tx.Delete(ttlNoteKey(t.num))
	}
	return tx.Set(ttlNoteKey(t.num), (&ttlNote{place: p}).encode())
}

// moveExpiry writes the expiry row of an item that changes.
func (c *change) moveExpiry(tx store.Tx) error {
	before, was := c.table.ttl.expiry(c.old)
	after, is := c.table.ttl.expiry(c.new)
	is = is && after >= oldestExpiry(tx.Now())
	if was && is && before == after {
		return nil
	}
	if was {
		if err := tx.Delete(expiryRow(c.table.num, before, c.at)); err != nil {
			return err
		}
	}
	if !is {
		return nil
	}
	return tx.Set(expiryRow(c.table.num, after, c.at), present)
}

// ttlWork is what the worker finds to do for one table.
type ttlWork struct {
	ttlNote
	table *table
	rows  []store.KV // that are due
}

// ttlWorks looks at up to ttlPage tables after one, and returns the last of them, 0 when that was all, and what is wrong with those that cannot
// be read.
func (s *Service) ttlWorks(ctx context.Context, after uint64) (works []ttlWork, last uint64, bad, err error) {
	err = s.store.View(ctx, func(tx store.ReadTx) error {
		works, last, bad = nil, 0, nil
		kvs, err := tx.Scan(ttlNoteKey(after+1), []byte{byte(store.FamilyTable), kindUpkeep, upkeepTTL + 1}, ttlPage, false)
		if err != nil {
			return err
		}
		for _, kv := range kvs {
			w, err := s.ttlWork(tx, kv)
			if _, corrupted := errors.AsType[*store.CorruptError](err); corrupted {
				bad = errors.Join(bad, err)
				continue
			}
			if err != nil {
				return err
			}
			if w != nil {
				works = append(works, *w)
			}
		}
		if len(kvs) == ttlPage {
			last = noted(kvs[len(kvs)-1].Key)
		}
		return nil
	})
	return works, last, bad, err
}

// noted is the number of the table that the key of a note is about, of whichever length it is.
func noted(key []byte) uint64 {
	var num [8]byte
	copy(num[:], key[3:])
	return binary.BigEndian.Uint64(num[:])
}

// ttlWork looks at one table; nil when there is nothing to do.
func (s *Service) ttlWork(tx store.ReadTx, kv store.KV) (*ttlWork, error) {
	note, err := decodeTTLNote(kv)
	if err != nil {
		return nil, err
	}
	w := &ttlWork{ttlNote: note}
	if w.table, err = s.readTable(tx, note.place); err != nil || w.table == nil || w.table.num != note.num || !w.table.serves() {
		return nil, err
	}
	if w.table.ttl.state != ttlOn {
		return w, nil
	}
	now := tx.Now()
	due := max(now-s.opts.TimeToLiveLag.Milliseconds(), 0) / 1000
	w.rows, err = tx.Scan(expirySecond(note.num, oldestExpiry(now)), expirySecond(note.num, due+1), sweepSlice, false)
	if len(w.rows) == 0 {
		return nil, err
	}
	return w, err
}

// ttlTable reads the table of a note inside a transaction; nil when it has moved on since the worker looked.
func (s *Service) ttlTable(tx store.Tx, w *ttlWork) (*table, error) {
	t, err := s.readTable(tx, w.place)
	if err != nil || t == nil || t.num != w.num || t.ttl != w.table.ttl || !t.serves() {
		return nil, err
	}
	return t, nil
}

// backfill gives a slice of the items that were there before their expiry rows. Items are read outside of the transaction, so that no
// client conflicts with it: one that changes its item meanwhile has written the row itself, and the other row is found to be
// left behind when it is due.
func (s *Service) backfill(ctx context.Context, w *ttlWork) error {
	var kvs []store.KV
	err := s.store.View(ctx, func(tx store.ReadTx) (err error) {
		kvs, err = s.vault.scan(tx, append(itemPrefix(w.num), w.next...), itemPrefix(w.num+1), backfillSlice, false)
		return err
	})
	if err != nil {
		return err
	}
	_, err = s.store.Update(ctx, func(tx store.Tx) error {
		t, err := s.ttlTable(tx, w)
		if err != nil || t == nil {
			return err
		}
		for _, kv := range kvs {
			c := change{table: t, at: kv.Key, new: kv.Value}
			if err := c.moveExpiry(tx); err != nil {
				return err
			}
		}
		if len(kvs) < backfillSlice {
			return s.settleTTL(tx, w.place, t)
		}
		note := w.ttlNote
		note.next = append(bytes.Clone(kvs[len(kvs)-1].Key[itemPrefixSize:]), 0)
		return tx.Set(ttlNoteKey(w.num), note.encode())
	})
	return err
}

func (s *Service) settleTTL(tx store.Tx, p place, old *table) error {
	t := old.clone()
	t.ttl.settle()
	return saveTable(tx, p, old, t)
}

// dropExpiries removes a slice of the expiry rows of a table whose time to live is switched off.
func (s *Service) dropExpiries(ctx context.Context, w *ttlWork) error {
	_, err := s.store.Update(ctx, func(tx store.Tx) error {
		t, err := s.ttlTable(tx, w)
		if err != nil || t == nil {
			return err
		}
		next, err := tx.DeleteRange(expiryPrefix(w.num), expiryPrefix(w.num+1), purgeSlice)
		if err != nil || next != nil {
			return err
		}
		return s.settleTTL(tx, w.place, t)
	})
	return err
}

// sweep deletes the items of rows that are due. When clients keep changing some of them, the others are not held up.
func (s *Service) sweep(ctx context.Context, w *ttlWork, rows []store.KV) error {
	_, err := s.store.Update(ctx, func(tx store.Tx) error {
		t, err := s.ttlTable(tx, w)
		if err != nil || t == nil {
			return err
		}
		return t.expire(tx, rows)
	})
	if !errors.Is(err, store.ErrContention) {
		return err
	}
	if len(rows) == 1 {
		return nil // the next look finds it again
	}
	half := len(rows) / 2
	return errors.Join(s.sweep(ctx, w, rows[:half]), s.sweep(ctx, w, rows[half:]))
}

// expire deletes items that still expire when their rows say, and rows that were left behind.
func (t *table) expire(tx store.Tx, rows []store.KV) error {
	keys := make([][]byte, len(rows))
	for i, row := range rows {
		keys[i] = append(itemPrefix(t.num), row.Key[expiryRowSize:]...)
	}
	found, err := t.vault.getMany(tx, keys)
	if err != nil {
		return err
	}
	for i, row := range rows {
		second := int64(binary.BigEndian.Uint64(row.Key[expiryRowSize-8:]))
		if at, ok := t.ttl.expiry(found[i]); !ok || at != second {
			if err := tx.Delete(row.Key); err != nil {
				return err
			}
			continue
		}
		c := change{table: t, at: keys[i], old: found[i], expired: true}
		if err := c.commit(tx); err != nil {
			return err
		}
	}
	return nil
}

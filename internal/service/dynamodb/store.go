package dynamodb

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"

	"millrace/internal/core/store"
)

// What the second byte of a key says. Permanent: docs/format/tables.md draws the keys.
const (
	kindTable = 0x01
	kindItem  = 0x02
	kindDue   = 0x03
	kindPurge = 0x04
	kindToken = 0x05
	kindEnd   = 0x06
	kindIndex = 0x07 // rows of indexes and sizes of item collections
	kindChore = 0x08 // what is to be done for indexes

	kindExpiry = 0x0c
	kindUpkeep = 0x0d // the third byte says of what
)

// What the third byte of a key of kindUpkeep says. Permanent.
const (
	upkeepTTL   = 0x01
	upkeepCount = 0x02
	upkeepSeal  = 0x03
)

// Bytes of a key before an item's own: itemPrefix, a second more in an expiry row, and the number of the index in indexPrefix.
const (
	itemPrefixSize  = 2 + 8
	expiryRowSize   = itemPrefixSize + 8
	indexPrefixSize = itemPrefixSize + 4
)

// counterTable numbers tables.
const counterTable = "table"

// present is the value of keys that only have to be there.
var present = []byte{0x01}

// fixRegion keeps the default region, unless one is kept, and makes the kept one known.
func (s *Service) fixRegion(ctx context.Context, region string) error {
	if _, err := s.store.Update(ctx, func(tx store.Tx) error { return s.cat.FixRegion(tx, region) }); err != nil {
		return err
	}
	return s.store.View(ctx, func(tx store.ReadTx) error { return s.cat.LoadRegion(tx) })
}

// appendPlace appends account 00 region 00; neither has a zero byte.
func appendPlace(k []byte, p place) []byte {
	k = append(append(k, p.account...), 0)
	return append(append(k, p.region...), 0)
}

// tableKey is the key of the table's record.
func tableKey(p place) []byte {
	k := make([]byte, 0, 4+len(p.account)+len(p.region)+len(p.table))
	k = appendPlace(append(k, byte(store.FamilyTable), kindTable), p)
	return append(k, p.table...)
}

// placeOf reads what follows the kind and, in keys of states, the time.
func placeOf(b []byte) (place, bool) {
	account, rest, ok := bytes.Cut(b, []byte{0})
	region, name, more := bytes.Cut(rest, []byte{0})
	return place{account: string(account), region: string(region), table: string(name), named: string(name)}, ok && more
}

// appendNoted appends place and table, each part with a zero byte behind it: what a note of a table says of where that is.
func appendNoted(v []byte, p place) []byte { return append(append(appendPlace(v, p), p.table...), 0) }

// cutNoted reads what appendNoted wrote off the front of b.
func cutNoted(b []byte) (p place, rest []byte, ok bool) {
	parts := bytes.SplitN(b, []byte{0}, 4)
	if len(parts) != 4 {
		return place{}, nil, false
	}
	return place{account: string(parts[0]), region: string(parts[1]), table: string(parts[2]), named: string(parts[2])}, parts[3], true
}

// itemPrefix is what the keys of a table's items begin with.
func itemPrefix(num uint64) []byte {
	k := make([]byte, 0, 64)
	return binary.BigEndian.AppendUint64(append(k, byte(store.FamilyTable), kindItem), num)
}

func dueKey(due int64, p place) []byte {
	k := binary.BigEndian.AppendUint64([]byte{byte(store.FamilyTable), kindDue}, uint64(due))
	return append(appendPlace(k, p), p.table...)
}

func purgeKey(num uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{byte(store.FamilyTable), kindPurge}, num)
}

// cached is a table's record in both forms; nothing of it changes.
type cached struct {
	raw   []byte
	table *table
}

// readTable reads a table; nil when there is none. The record is decoded once and then compared. It must not be changed.
//
// Errors: those of the store, *store.CorruptError.
func (s *Service) readTable(tx store.ReadTx, p place) (*table, error) {
	key := tableKey(p)
	raw, ok, err := tx.Get(key)
	if err != nil {
		return nil, err
	}
	if !ok {
		s.cache.Delete(string(key))
		return nil, nil
	}
	if c, ok := s.cache.Load(string(key)); ok {
		if c := c.(*cached); bytes.Equal(c.raw, raw) {
			return c.table, nil
		}
	}
	t, err := decodeTable(raw)
	if err != nil {
		return nil, err
	}
	t.delayed, t.vault = s.opts.IndexDelay > 0, s.vault
	s.cache.Store(string(key), &cached{raw, t})
	return t, nil
}

// saveTable writes a table that replaces old, which is nil for a new one, and the key of its state's end.
func saveTable(tx store.Tx, p place, old, t *table) error {
	if old != nil && old.due != 0 && old.due != t.due {
		if err := tx.Delete(dueKey(old.due, p)); err != nil {
			return err
		}
	}
	if t.due != 0 {
		if err := tx.Set(dueKey(t.due, p), present); err != nil {
			return err
		}
	}
	if err := saveTTL(tx, p, old, t); err != nil {
		return err
	}
	if err := saveChores(tx, p, old, t); err != nil {
		return err
	}
	return tx.Set(tableKey(p), encodeTable(t))
}

// createTable adds a table in CREATING; t has all but number, state and times.
//
// Errors: errTableExists, those of the store.
func (s *Service) createTable(ctx context.Context, p place, t *table) (*table, error) {
	var made *table
	_, err := s.store.Update(ctx, func(tx store.Tx) error {
		old, err := s.readTable(tx, p)
		if err != nil {
			return err
		}
		if old != nil && old.state == stateCreating {
			return errInUse(old, p)
		}
		if old != nil {
			return errTableExists(p)
		}
		made = t.clone()
		if made.num, err = tx.NextID(counterTable); err != nil {
			return err
		}
		made.state, made.created = stateCreating, tx.Now()
		made.due = made.created + s.opts.StateDelay.Milliseconds()
		if made.billing == onDemand {
			made.onDemandSince = made.created
		}
		if err := s.followStream(tx, p, nil, made); err != nil {
			return err
		}
		if err := s.followSSE(tx, p, nil, made); err != nil {
			return err
		}
		return saveTable(tx, p, nil, made)
	})
	s.pokeTables()
	return made, err
}

// pokeTables has the workers look at tables and their streams: behind the commit, since one that looks before it sleeps on.
func (s *Service) pokeTables() {
	s.states.Poke()
	s.turns.Poke()
}

// changeTable gives a clone of a table to change, and keeps it unless change fails or the table is as before.
//
// Errors: errTableNotFound, those of change and of the store.
func (s *Service) changeTable(ctx context.Context, p place, change func(t *table, now int64) error) (*table, error) {
	var t *table
	_, err := s.store.Update(ctx, func(tx store.Tx) error {
		old, err := s.readTable(tx, p)
		if err != nil {
			return err
		}
		if old == nil {
			return errTableNotFound(p)
		}
		t = old.clone()
		if err := change(t, tx.Now()); err != nil {
			return err
		}
		if err := s.followStream(tx, p, old, t); err != nil {
			return err
		}
		if err := s.followSSE(tx, p, old, t); err != nil {
			return err
		}
		return saveTable(tx, p, old, t)
	})
	s.pokeTables()
	if err == nil && t.sse.changing {
		s.seals.Poke()
	}
	return t, err
}

// describe reads a table for the control plane.
//
// Errors: errTableNotFound, those of the store.
func (s *Service) describe(ctx context.Context, p place) (t *table, now int64, err error) {
	err = s.store.View(ctx, func(tx store.ReadTx) error {
		now = tx.Now()
		if t, err = s.readTable(tx, p); err == nil && t == nil {
			err = errTableNotFound(p)
		}
		return err
	})
	return t, now, err
}

// placeBounds are the bounds of the keys of a place's tables.
func placeBounds(p place) (from, to []byte) {
	from = appendPlace([]byte{byte(store.FamilyTable), kindTable}, p)
	to = bytes.Clone(from)
	to[len(to)-1]++ // the zero byte behind the region
	return from, to
}

// listTables returns up to limit names of a place after one, in order, and whether there are more.
func (s *Service) listTables(ctx context.Context, p place, limit int) (names []string, more bool, err error) {
	prefix, to := placeBounds(p)
	from := append(bytes.Clone(prefix), p.table...)
	if p.table != "" {
		from = append(from, 0)
	}
	err = s.store.View(ctx, func(tx store.ReadTx) error {
		kvs, err := tx.Scan(from, to, limit+1, false)
		if err != nil {
			return err
		}
		names, more = names[:0], len(kvs) > limit
		for _, kv := range kvs[:min(limit, len(kvs))] {
			names = append(names, string(kv.Key[len(prefix):]))
		}
		return nil
	})
	return names, more, err
}

// chores are what the worker finds to do.
type chores struct {
	due    []place // tables whose state has ended
	wait   int64   // ms until the next state ends; 0: none is known
	purge  uint64  // number of a dropped table that has items left; 0: there is none
	tokens bool    // a token of a transaction has ended
	bad    error   // what could not be read: it must not hold up the others
}

// chores looks for what is to be done, with up to limit tables.
func (s *Service) chores(ctx context.Context, limit int) (c chores, err error) {
	err = s.store.View(ctx, func(tx store.ReadTx) error {
		c = chores{}
		if err := c.states(tx, limit); err != nil {
			return err
		}
		err := eachKey(tx, []byte{byte(store.FamilyTable), kindPurge}, []byte{byte(store.FamilyTable), kindPurge + 1}, 1, func(kv store.KV) bool {
			if len(kv.Key) != itemPrefixSize {
				c.bad = errors.Join(c.bad, corrupt("purge of a table"))
				return true
			}
			c.purge = binary.BigEndian.Uint64(kv.Key[2:])
			return false
		})
		if err != nil {
			return err
		}
		return eachKey(tx, []byte{byte(store.FamilyTable), kindEnd}, endedTokens(tx.Now()), 1, func(kv store.KV) bool {
			if c.tokens = isTokenEnd(kv.Key); !c.tokens {
				c.bad = errors.Join(c.bad, corrupt("end of a token"))
			}
			return !c.tokens
		})
	})
	return c, err
}

// eachKey gives all keys of a range to do, which says whether it wants more, a page at a time.
//
// Errors: those of the store.
func eachKey(tx store.ReadTx, from, to []byte, page int, do func(kv store.KV) (more bool)) error {
	for {
		kvs, err := tx.Scan(from, to, page, false)
		if err != nil {
			return err
		}
		for _, kv := range kvs {
			if !do(kv) {
				return nil
			}
		}
		if len(kvs) < page {
			return nil
		}
		from = append(bytes.Clone(kvs[len(kvs)-1].Key), 0)
	}
}

// someKey says whether a range has a key.
func someKey(tx store.ReadTx, from, to []byte) (bool, error) {
	kvs, err := tx.Scan(from, to, 1, false)
	return len(kvs) > 0, err
}

func (c *chores) states(tx store.ReadTx, limit int) error {
	return eachKey(tx, []byte{byte(store.FamilyTable), kindDue}, []byte{byte(store.FamilyTable), kindDue + 1}, limit, func(kv store.KV) bool {
		p, ok := place{}, false
		if len(kv.Key) > 10 {
			p, ok = placeOf(kv.Key[10:])
		}
		if !ok {
			c.bad = errors.Join(c.bad, corrupt("state of a table"))
			return true
		}
		if at := int64(binary.BigEndian.Uint64(kv.Key[2:])); at > tx.Now() {
			c.wait = at - tx.Now()
			return false
		}
		c.due = append(c.due, p)
		return len(c.due) < limit
	})
}

// finishState ends a table's state if its time has come. A table that goes leaves its items to the purge.
func (s *Service) finishState(ctx context.Context, p place) error {
	_, err := s.store.Update(ctx, func(tx store.Tx) error {
		old, err := s.readTable(tx, p)
		if err != nil || old == nil || old.due == 0 || old.due > tx.Now() {
			return err
		}
		t := old.clone()
		if t.finish(tx.Now()) {
			return saveTable(tx, p, old, t)
		}
		if err := tx.Delete(dueKey(old.due, p)); err != nil {
			return err
		}
		if err := tx.Set(purgeKey(old.num), present); err != nil {
			return err
		}
		for _, note := range [][]byte{ttlNoteKey(old.num), sealNoteKey(old.num)} {
			if err := tx.Delete(note); err != nil {
				return err
			}
		}
		return tx.Delete(tableKey(p))
	})
	s.cache.Delete(string(tableKey(p))) // it may be gone, and nobody may ask for it again
	s.online.Poke()
	return err
}

// purge deletes some items of a table that is gone.
func (s *Service) purge(ctx context.Context, num uint64) error {
	_, err := s.store.Update(ctx, func(tx store.Tx) error {
		if _, left, err := tx.Get(purgeKey(num)); err != nil || !left {
			return err
		}
		for _, prefix := range []func(uint64) []byte{itemPrefix, expiryPrefix} {
			next, err := tx.DeleteRange(prefix(num), prefix(num+1), purgeSlice)
			if err != nil || next != nil {
				return err
			}
		}
		if err := tx.Delete(countKey(itemPrefix(num))); err != nil {
			return err
		}
		if more, err := purgeIndexes(tx, num); err != nil || more {
			return err
		}
		return tx.Delete(purgeKey(num))
	})
	return err
}

package dynamodb

import (
	"bytes"
	"encoding/binary"
	"slices"

	"millrace/internal/core/store"
)

// With Options.IndexDelay reads of global indexes lag behind: a Query or Scan sees an index as it was that long ago. Rows are
// written at once all the same. Beside each change stands, under the time of the change, what the row was before; a reader takes the rows
// as they are and undoes what is younger than it may see. Readers look through all changes of the last IndexDelay for that, which is
// what a test can afford.

// choreDelay is the third byte of the keys of earlier rows. Permanent.
const choreDelay = 0x03

const earlierVersion = 1

// delayKey is the key of what a row was before a change at a time; row is the row's key.
func delayKey(at int64, row []byte) []byte {
	k := binary.BigEndian.AppendUint64([]byte{byte(store.FamilyTable), kindChore, choreDelay}, uint64(at))
	return append(k, row[2:]...)
}

// keepEarlier notes what the row with a key was before this transaction; a nil image: there was none. Of several changes at one time
// the first counts.
func keepEarlier(tx store.Tx, t *table, key, image []byte) error {
	if key == nil {
		return nil
	}
	at := delayKey(tx.Now(), key)
	if _, ok, err := tx.Get(at); err != nil || ok {
		return err
	}
	return t.put(tx, at, append([]byte{earlierVersion}, image...))
}

// delayRows notes what rows were before one is put in the place of another.
func delayRows(tx store.Tx, t *table, old, next row) error {
	if bytes.Equal(old.key, next.key) {
		if bytes.Equal(old.image, next.image) {
			return nil
		}
		return keepEarlier(tx, t, old.key, old.image)
	}
	if err := keepEarlier(tx, t, old.key, old.image); err != nil {
		return err
	}
	return keepEarlier(tx, t, next.key, nil)
}

// past is what some rows of an index were, in the order of their keys; those without a value were not there.
type past []store.KV

// readPast reads what the rows of an index were at a time, of those that have changed since.
func (g target) readPast(tx store.ReadTx, at int64) (past, error) {
	prefix, _ := g.bounds()
	from, to := delayKey(at+1, prefix[:2]), []byte{byte(store.FamilyTable), kindChore, choreDelay + 1}
	first := map[string][]byte{} // of a row to what it was before its first change
	for {
		kvs, err := g.table.vault.scan(tx, from, to, largestRun, false)
		if err != nil {
			return nil, err
		}
		for _, kv := range kvs {
			if len(kv.Key) < 11 || len(kv.Value) == 0 || kv.Value[0] != earlierVersion {
				return nil, corrupt("earlier row of an index")
			}
			key := append(bytes.Clone(prefix[:2]), kv.Key[11:]...)
			if _, ok := first[string(key)]; !ok && bytes.HasPrefix(key, prefix) {
				first[string(key)] = kv.Value[1:]
			}
		}
		if len(kvs) < largestRun {
			break
		}
		from = append(bytes.Clone(kvs[len(kvs)-1].Key), 0)
	}
	var out past
	for key, image := range first {
		out = append(out, store.KV{Key: []byte(key), Value: image})
	}
	slices.SortFunc(out, func(a, b store.KV) int { return bytes.Compare(a.Key, b.Key) })
	return out, nil
}

// in is rows as they were, given those with keys from ≤ key < to as they are.
func (p past) in(from, to []byte, rows []store.KV, reverse bool) []store.KV {
	low, _ := slices.BinarySearchFunc(p, from, func(kv store.KV, key []byte) int { return bytes.Compare(kv.Key, key) })
	high, _ := slices.BinarySearchFunc(p, to, func(kv store.KV, key []byte) int { return bytes.Compare(kv.Key, key) })
	if low >= high {
		return rows
	}
	out := slices.Clone([]store.KV(p[low:high]))
	for _, kv := range rows {
		if _, changed := slices.BinarySearchFunc(p, kv.Key, func(kv store.KV, key []byte) int { return bytes.Compare(kv.Key, key) }); !changed {
			out = append(out, kv)
		}
	}
	out = slices.DeleteFunc(out, func(kv store.KV) bool { return len(kv.Value) == 0 })
	slices.SortFunc(out, func(a, b store.KV) int {
		if reverse {
			a, b = b, a
		}
		return bytes.Compare(a.Key, b.Key)
	})
	return out
}

// delay has a page of a global index show it as it was.
func (s *Service) delay(tx store.ReadTx, g target, pg *page) (err error) {
	if s.opts.IndexDelay > 0 && g.index != nil && !g.index.local {
		pg.past, err = g.readPast(tx, tx.Now()-s.opts.IndexDelay.Milliseconds())
	}
	return err
}

// endOfPast is the first key of an earlier row that a reader may still look at.
func (s *Service) endOfPast(now int64) []byte {
	return delayKey(max(now-s.opts.IndexDelay.Milliseconds(), 0), []byte{0, 0})
}

// forgetPast deletes some of the earlier rows that no reader looks at any more.
func (s *Service) forgetPast(tx store.Tx) error {
	_, err := tx.DeleteRange([]byte{byte(store.FamilyTable), kindChore, choreDelay}, s.endOfPast(tx.Now()), dropSlice)
	return err
}

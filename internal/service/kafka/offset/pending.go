package offset

import (
	"millrace/internal/core/store"
)

// AddPending keeps offsets of a group for the open transaction of a producer. Nobody sees them before MovePending.
// Like Commit it reads nothing. At most MaxEntries.
//
// Errors: ErrGroup, those of the store.
func AddPending(tx store.Tx, producer store.ProducerID, group string, entries []Entry) error {
	if err := checkGroup(group); err != nil || len(entries) == 0 {
		return err
	}
	if err := tx.Set(holderKey(group, producer), []byte{valueVersion}); err != nil {
		return err
	}
	for i := range entries {
		if err := tx.Set(pendingKey(producer, group, entries[i].Partition), entries[i].encode()); err != nil {
			return err
		}
	}
	return nil
}

// MovePending makes at most limit pending offsets of a producer the committed ones and tells whether there are
// more. An offset that was committed outside of the transaction after the pending one stays, as in Kafka's log.
//
// Each takes up to three of the keys that a transaction of the store may write.
//
// Errors: those of the store.
func MovePending(tx store.Tx, producer store.ProducerID, limit int) (more bool, err error) {
	page, more, err := pendingPage(tx, producer, limit)
	if err != nil || len(page) == 0 {
		return false, err
	}
	keys := make([][]byte, len(page))
	for i := range page {
		keys[i] = committedKey(page[i].group, page[i].Partition)
	}
	values, err := tx.GetMany(keys)
	if err != nil {
		return false, err
	}
	for i := range page {
		var old Entry
		if values[i] != nil && old.decode(values[i]) == nil && old.Time > page[i].Time {
			continue
		}
		if err := tx.Set(keys[i], page[i].encode()); err != nil {
			return false, err
		}
	}
	return more, remove(tx, producer, page)
}

// DropPending forgets at most limit pending offsets of a producer and tells whether there are more.
//
// Errors: those of the store.
func DropPending(tx store.Tx, producer store.ProducerID, limit int) (more bool, err error) {
	page, more, err := pendingPage(tx, producer, limit)
	if err != nil {
		return false, err
	}
	return more, remove(tx, producer, page)
}

// held is one pending offset.
type held struct {
	key   []byte
	group string
	last  bool // of its group
	Entry
}

// pendingPage reads one more than limit: only then is it known whether the last one ends its group.
func pendingPage(tx store.ReadTx, producer store.ProducerID, limit int) (page []held, more bool, err error) {
	from := producerKey(producer)
	kvs, err := tx.Scan(from, after(from), limit+1, false)
	if err != nil {
		return nil, false, err
	}
	page = make([]held, len(kvs))
	for i, kv := range kvs {
		group, p, err := parsePending(kv.Key)
		page[i] = held{key: kv.Key, group: group, last: true}
		if err == nil {
			page[i].Partition = p
			err = page[i].decode(kv.Value)
		}
		if err != nil {
			return nil, false, corrupt(kv.Key, err)
		}
		if i > 0 && page[i-1].group == group {
			page[i-1].last = false
		}
	}
	return page[:min(limit, len(page))], len(page) > limit, nil
}

// remove deletes pending offsets, and after the last of a group the key that says whose they were.
func remove(tx store.Tx, producer store.ProducerID, page []held) error {
	for i := range page {
		if err := tx.Delete(page[i].key); err != nil {
			return err
		}
		if !page[i].last {
			continue
		}
		if err := tx.Delete(holderKey(page[i].group, producer)); err != nil {
			return err
		}
	}
	return nil
}

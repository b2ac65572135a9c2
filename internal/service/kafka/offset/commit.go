package offset

import (
	"millrace/internal/core/store"
)

// MaxEntries is how many offsets one Commit or AddPending takes: with the keys beside them they fit into one
// transaction of the store.
const MaxEntries = 4000

// Commit sets offsets of a group; it reads nothing, so that it never loses to another commit. Time of each
// is set by the caller, from Tx.Now. At most MaxEntries.
//
// Errors: ErrGroup, those of the store.
func Commit(tx store.Tx, group string, entries []Entry) error {
	if err := checkGroup(group); err != nil {
		return err
	}
	for i := range entries {
		if err := tx.Set(committedKey(group, entries[i].Partition), entries[i].encode()); err != nil {
			return err
		}
	}
	return nil
}

// Fetched is what is known of one partition.
type Fetched struct {
	Entry
	Found    bool // false: the group has no offset here; Offset is -1 then
	Unstable bool // an open transaction has an offset for it: UNSTABLE_OFFSET_COMMIT when stable ones are required
}

// Fetch returns the offsets of a group for parts, in their order. Whether one is unstable is only looked up when
// stable is set.
//
// Errors: ErrGroup, those of the store.
func Fetch(tx store.ReadTx, group string, parts []Partition, stable bool) ([]Fetched, error) {
	if err := checkGroup(group); err != nil {
		return nil, err
	}
	keys := make([][]byte, len(parts))
	for i, p := range parts {
		keys[i] = committedKey(group, p)
	}
	values, err := tx.GetMany(keys)
	if err != nil {
		return nil, err
	}
	found := make([]Fetched, len(parts))
	for i, p := range parts {
		found[i] = Fetched{Entry: Entry{Partition: p, Offset: -1, LeaderEpoch: -1}}
		if values[i] == nil {
			continue
		}
		if err := found[i].decode(values[i]); err != nil {
			return nil, corrupt(keys[i], err)
		}
		found[i].Found = true
	}
	if stable {
		err = markUnstable(tx, group, found)
	}
	return found, err
}

// FetchAll returns a page of a group's offsets in order of partitions: those after the partition since (nil from
// the beginning), at most limit (1 to 10,000). A page that is not full is the last.
//
// Errors: ErrGroup, those of the store.
func FetchAll(tx store.ReadTx, group string, since *Partition, limit int, stable bool) ([]Fetched, error) {
	if err := checkGroup(group); err != nil {
		return nil, err
	}
	from := groupKey(group)
	to := after(from)
	if since != nil {
		from = append(committedKey(group, *since), 0)
	}
	kvs, err := tx.Scan(from, to, limit, false)
	if err != nil {
		return nil, err
	}
	found := make([]Fetched, len(kvs))
	for i, kv := range kvs {
		_, p, err := parseKey(kv.Key)
		if err == nil {
			found[i].Partition, found[i].Found = p, true
			err = found[i].decode(kv.Value)
		}
		if err != nil {
			return nil, corrupt(kv.Key, err)
		}
	}
	if stable {
		err = markUnstable(tx, group, found)
	}
	return found, err
}

// markUnstable finds those partitions for which an open transaction has an offset.
func markUnstable(tx store.ReadTx, group string, found []Fetched) error {
	if len(found) == 0 {
		return nil
	}
	producers, err := holders(tx, group)
	if err != nil {
		return err
	}
	for _, producer := range producers {
		keys := make([][]byte, len(found))
		for i := range found {
			keys[i] = pendingKey(producer, group, found[i].Partition)
		}
		values, err := tx.GetMany(keys)
		if err != nil {
			return err
		}
		for i := range values {
			found[i].Unstable = found[i].Unstable || values[i] != nil
		}
	}
	return nil
}

// holders lists the producers with pending offsets of a group. More than 10,000 open transactions over one group
// are not looked at: each would be of a member.
func holders(tx store.ReadTx, group string) ([]store.ProducerID, error) {
	from := holdersKey(group)
	kvs, err := tx.Scan(from, after(from), store.MaxScanKeys, false)
	if err != nil {
		return nil, err
	}
	ids := make([]store.ProducerID, 0, len(kvs))
	for _, kv := range kvs {
		_, id, err := parseHolder(kv.Key)
		if err != nil {
			return nil, corrupt(kv.Key, err)
		}
		ids = append(ids, id)
	}
	return ids, nil
}

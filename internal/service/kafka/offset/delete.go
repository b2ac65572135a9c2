package offset

import (
	"context"
	"slices"

	"millrace/internal/core/store"
)

// Delete forgets the offsets of a group for parts; it reads nothing. At most MaxEntries.
//
// Errors: ErrGroup, those of the store.
func Delete(tx store.Tx, group string, parts []Partition) error {
	if err := checkGroup(group); err != nil {
		return err
	}
	for _, p := range parts {
		if err := tx.Delete(committedKey(group, p)); err != nil {
			return err
		}
	}
	return nil
}

// DeleteGroup forgets at most about limit offsets of a group, also those of open transactions, and tells whether
// there are more.
//
// Errors: ErrGroup, those of the store.
func DeleteGroup(tx store.Tx, group string, limit int) (more bool, err error) {
	if err := checkGroup(group); err != nil {
		return false, err
	}
	from := groupKey(group)
	if next, err := tx.DeleteRange(from, after(from), limit); err != nil || next != nil {
		return next != nil, err
	}
	producers, err := holders(tx, group)
	if err != nil || len(producers) == 0 {
		return false, err
	}
	from = pendingGroupKey(producers[0], group)
	next, err := tx.DeleteRange(from, after(from), limit)
	if err != nil || next != nil {
		return next != nil, err
	}
	return len(producers) > 1, tx.Delete(holderKey(group, producers[0]))
}

// Expire forgets offsets of a group that were committed before a time (ms since 1970) and whose topic is not
// kept: one page of at most limit offsets, from the key since on, nil at first. It returns where the next page
// begins, nil after the last one. Offsets for which a transaction is open stay.
//
// The caller decides which groups are due: those that have no members, or for the topics that no member reads.
//
// Errors: ErrGroup, those of the store.
func Expire(tx store.Tx, group string, before int64, keep func(topic uint64) bool, since []byte, limit int) (next []byte, err error) {
	if err := checkGroup(group); err != nil {
		return nil, err
	}
	from := groupKey(group)
	to := after(from)
	if since != nil {
		from = since
	}
	kvs, err := tx.Scan(from, to, limit, false)
	if err != nil {
		return nil, err
	}
	due, err := expired(kvs, before, keep)
	if err != nil {
		return nil, err
	}
	if err := markUnstable(tx, group, due); err != nil {
		return nil, err
	}
	for i := range due {
		if due[i].Unstable {
			continue
		}
		if err := tx.Delete(committedKey(group, due[i].Partition)); err != nil {
			return nil, err
		}
	}
	if len(kvs) < limit {
		return nil, nil
	}
	return append(kvs[len(kvs)-1].Key, 0), nil
}

func expired(kvs []store.KV, before int64, keep func(topic uint64) bool) ([]Fetched, error) {
	var due []Fetched
	for _, kv := range kvs {
		_, p, err := parseKey(kv.Key)
		f := Fetched{Entry: Entry{Partition: p}, Found: true}
		if err == nil {
			err = f.decode(kv.Value)
		}
		if err != nil {
			return nil, corrupt(kv.Key, err)
		}
		if f.Time < before && (keep == nil || !keep(p.Topic)) {
			due = append(due, f)
		}
	}
	return due, nil
}

// Groups lists groups that have committed offsets, in the order of keys, after the group since ("" from the
// beginning), at most limit. Each costs one look into the store, however many offsets it has.
//
// Errors: those of the store.
func Groups(tx store.ReadTx, since string, limit int) ([]string, error) {
	from := prefix(kindCommitted, 0)
	end := after(from)
	if since != "" {
		from = after(groupKey(since))
	}
	var groups []string
	for len(groups) < limit {
		kvs, err := tx.Scan(from, end, 1, false)
		if err != nil || len(kvs) == 0 {
			return groups, err
		}
		group, _, err := parseKey(kvs[0].Key)
		if err != nil {
			return nil, corrupt(kvs[0].Key, err)
		}
		groups = append(groups, group)
		from = after(groupKey(group))
	}
	return groups, nil
}

// forgetPage is how many groups one look of ForgetTopics goes through, and forgetSlice how many offsets one of its
// commits deletes: slices that other commits do not notice.
const (
	forgetPage  = 100
	forgetSlice = 1000
)

// ForgetTopics deletes the offsets of all groups for topics that are gone, also those of open transactions, in
// many commits. Each group is looked at once, for all topics. It may be called again after a failure; what is left is
// found.
//
// Errors: those of the store.
func ForgetTopics(ctx context.Context, s store.Store, topics []uint64) error {
	for since := ""; ; {
		var groups []string
		err := s.View(ctx, func(tx store.ReadTx) (err error) {
			groups, err = Groups(tx, since, forgetPage)
			return err
		})
		if err != nil {
			return err
		}
		for _, group := range groups {
			if err := forget(ctx, s, groupKey(group), topics); err != nil {
				return err
			}
			since = group
		}
		if len(groups) < forgetPage {
			return forgetPending(ctx, s, topics)
		}
	}
}

// forget deletes the keys of topics under a prefix that ends before topic and partition.
func forget(ctx context.Context, s store.Store, prefix []byte, topics []uint64) error {
	var found []uint64
	err := s.View(ctx, func(tx store.ReadTx) error {
		found = found[:0]
		for _, topic := range topics {
			from, to := topicKeys(prefix, topic)
			kvs, err := tx.Scan(from, to, 1, false)
			if err != nil {
				return err
			}
			if len(kvs) > 0 {
				found = append(found, topic)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, topic := range found {
		from, to := topicKeys(prefix, topic)
		for more := true; more; {
			_, err := s.Update(ctx, func(tx store.Tx) error {
				next, err := tx.DeleteRange(from, to, forgetSlice)
				more = next != nil
				return err
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// topicKeys are the bounds of a topic's keys under such a prefix.
func topicKeys(prefix []byte, topic uint64) (from, to []byte) {
	from = appendPartition(slices.Clone(prefix), Partition{Topic: topic})
	return from, after(from[:len(from)-4])
}

// forgetPending goes through the producers that hold offsets.
func forgetPending(ctx context.Context, s store.Store, topics []uint64) error {
	from := prefix(kindHolder, 0)
	end := after(from)
	for {
		var page []store.KV
		err := s.View(ctx, func(tx store.ReadTx) (err error) {
			page, err = tx.Scan(from, end, forgetPage, false)
			return err
		})
		if err != nil {
			return err
		}
		for _, kv := range page {
			group, producer, err := parseHolder(kv.Key)
			if err != nil {
				return corrupt(kv.Key, err)
			}
			if err := forget(ctx, s, pendingGroupKey(producer, group), topics); err != nil {
				return err
			}
			if err := release(ctx, s, producer, group); err != nil {
				return err
			}
			from = append(kv.Key, 0)
		}
		if len(page) < forgetPage {
			return nil
		}
	}
}

// release deletes the key that says that a producer holds offsets of a group when it holds none.
func release(ctx context.Context, s store.Store, producer store.ProducerID, group string) error {
	_, err := s.Update(ctx, func(tx store.Tx) error {
		from := pendingGroupKey(producer, group)
		left, err := tx.Scan(from, after(from), 1, false)
		if err != nil || len(left) > 0 {
			return err
		}
		return tx.Delete(holderKey(group, producer))
	})
	return err
}

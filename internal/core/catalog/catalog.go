package catalog

import (
	"fmt"
	"sync/atomic"

	"millrace/internal/core/field"
	"millrace/internal/core/store"
)

// Catalog finds and changes topics inside of transactions. Its only memory is the default region,
// which never changes once it is fixed. Its zero value is ready; safe for concurrent use.
type Catalog struct {
	region atomic.Pointer[string]
}

// Create adds a topic with its partitions, whose store partitions it creates too. It sets t's Num,
// Region, Kafka, Revision and Partitions, and the ids of parts. The default region must be known when
// t is of the default account; otherwise t goes to it.
//
// Errors: ErrExists, ErrReserved (the Kafka name is another topic's), ErrName, ErrTooMany,
// ErrTooLarge, those of tx.
func (c *Catalog) Create(tx store.Tx, t *Topic, parts []Partition, retention store.Retention) error {
	region := t.Region
	t.Region = c.keyRegion(t.Account, region)
	t.Kafka = KafkaName(t.Account, region, t.Name, t.Account == DefaultAccount && t.Region == "")
	if !wellFormed(t.Account, t.Region, t.Name) || len(t.Kafka) > MaxName {
		return ErrName
	}
	if err := free(tx, nameKey(t.Account, t.Region, t.Name), ErrExists); err != nil {
		return err
	}
	if err := free(tx, kafkaKey(t.Kafka), ErrReserved); err != nil {
		return err
	}
	num, err := tx.NextID("topic")
	if err != nil {
		return err
	}
	t.Num, t.Revision, t.Partitions, t.due = num, 0, 0, 0
	for _, k := range [][]byte{nameKey(t.Account, t.Region, t.Name), kafkaKey(t.Kafka), idKey(t.ID)} {
		if err := tx.Set(k, encodeNumber(num)); err != nil {
			return err
		}
	}
	if err := c.AddPartitions(tx, t, parts, retention); err != nil {
		return err
	}
	return c.Save(tx, t)
}

func free(tx store.ReadTx, key []byte, taken error) error {
	_, ok, err := tx.Get(key)
	if ok {
		return taken
	}
	return err
}

// AddPartitions gives a topic further partitions, in the store and in the catalogue. The caller saves t.
//
// Errors: ErrTooMany, ErrTooLarge, those of tx.
func (c *Catalog) AddPartitions(tx store.Tx, t *Topic, parts []Partition, retention store.Retention) error {
	if len(parts) > MaxPartitions || t.Partitions+len(parts) > MaxHistory {
		return ErrTooMany
	}
	for i := range parts {
		id, err := tx.NextID("partition")
		if err != nil {
			return err
		}
		parts[i].ID = store.PartitionID(id)
		if err := tx.CreatePartition(parts[i].ID, 0, retention); err != nil {
			return err
		}
	}
	first := t.Partitions
	t.Partitions += len(parts)
	return c.SetPartitions(tx, t, first, parts)
}

// SetPartitions writes the partitions from index first on, which may be known or new ones that
// AddPartitions has counted. The caller saves t.
//
// Errors: ErrTooLarge, ErrTooMany, *store.CorruptError, those of tx.
func (c *Catalog) SetPartitions(tx store.Tx, t *Topic, first int, parts []Partition) error {
	if first < 0 || first+len(parts) > t.Partitions {
		return ErrTooMany
	}
	for i := range parts {
		if len(parts[i].Attr) > MaxAttr {
			return ErrTooLarge
		}
	}
	for len(parts) > 0 {
		chunk := first / chunkSize
		old, err := readChunk(tx, t.Num, chunk)
		if err != nil {
			return err
		}
		at := first % chunkSize
		n := min(len(parts), chunkSize-at)
		if at > len(old) {
			return corrupt(chunkKey(t.Num, chunk), fmt.Errorf("%d partitions, expected %d", len(old), at))
		}
		all := append(old[:at:at], parts[:n]...)
		if at+n < len(old) {
			all = append(all, old[at+n:]...)
		}
		if err := tx.Set(chunkKey(t.Num, chunk), encodeChunk(all)); err != nil {
			return err
		}
		first, parts = first+n, parts[n:]
	}
	return nil
}

func readChunk(tx store.ReadTx, num uint64, chunk int) ([]Partition, error) {
	k := chunkKey(num, chunk)
	v, ok, err := tx.Get(k)
	if err != nil || !ok {
		return nil, err
	}
	parts, err := decodeChunk(nil, v)
	if err != nil {
		return nil, corrupt(k, err)
	}
	return parts, nil
}

// Partitions reads all partitions of a topic, in order of index.
//
// Errors: *store.CorruptError, those of tx.
func (c *Catalog) Partitions(tx store.ReadTx, t *Topic) ([]Partition, error) {
	parts := make([]Partition, 0, t.Partitions)
	keys := make([][]byte, 0, (t.Partitions+chunkSize-1)/chunkSize)
	for chunk := range cap(keys) {
		keys = append(keys, chunkKey(t.Num, chunk))
	}
	values, err := tx.GetMany(keys)
	if err != nil {
		return nil, err
	}
	for i, v := range values {
		if parts, err = decodeChunk(parts, v); err != nil {
			return nil, corrupt(keys[i], err)
		}
	}
	if len(parts) != t.Partitions {
		return nil, corrupt(topicKey(t.Num), fmt.Errorf("%d partitions in chunks, topic says %d", len(parts), t.Partitions))
	}
	return parts, nil
}

// Save writes a topic that was read in the same transaction, with the next revision, and keeps the
// list of due topics. Names, id and number do not change.
func (c *Catalog) Save(tx store.Tx, t *Topic) error {
	if t.due != t.Due {
		if t.due != 0 {
			if err := tx.Delete(dueKey(t.due, t.Num)); err != nil {
				return err
			}
		}
		if t.Due != 0 {
			if err := tx.Set(dueKey(t.Due, t.Num), []byte{numberVersion}); err != nil {
				return err
			}
		}
		t.due = t.Due
	}
	t.Revision++
	return tx.Set(topicKey(t.Num), encodeTopic(t))
}

// Get reads a topic by number.
//
// Errors: ErrNotFound, *store.CorruptError, those of tx.
func (c *Catalog) Get(tx store.ReadTx, num uint64) (*Topic, error) {
	k := topicKey(num)
	v, ok, err := tx.Get(k)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, ErrNotFound
	}
	t, err := decodeTopic(num, v)
	if err != nil {
		return nil, corrupt(k, err)
	}
	return t, nil
}

// Lookup finds a topic by its name in an account and region.
//
// Errors: ErrNotFound, *store.CorruptError, those of tx.
func (c *Catalog) Lookup(tx store.ReadTx, account, region, name string) (*Topic, error) {
	return c.follow(tx, nameKey(account, c.keyRegion(account, region), name))
}

// LookupKafka finds a topic by its Kafka name. Errors as Lookup.
func (c *Catalog) LookupKafka(tx store.ReadTx, name string) (*Topic, error) {
	return c.follow(tx, kafkaKey(name))
}

// LookupID finds a topic by its id outside. Errors as Lookup.
func (c *Catalog) LookupID(tx store.ReadTx, id ID) (*Topic, error) {
	return c.follow(tx, idKey(id))
}

func (c *Catalog) follow(tx store.ReadTx, key []byte) (*Topic, error) {
	v, ok, err := tx.Get(key)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, ErrNotFound
	}
	num, err := decodeNumber(v)
	if err != nil {
		return nil, corrupt(key, err)
	}
	return c.Get(tx, num)
}

// Forget deletes the store partitions of a topic's partitions first to first+len(parts)-1, which keep
// their places and attributes; it sets their ids to 0. The caller saves t.
//
// Errors: as SetPartitions.
func (c *Catalog) Forget(tx store.Tx, t *Topic, first int, parts []Partition) error {
	for i := range parts {
		if parts[i].ID == 0 {
			continue
		}
		if err := tx.DeletePartition(parts[i].ID); err != nil {
			return err
		}
		parts[i].ID = 0
	}
	return c.SetPartitions(tx, t, first, parts)
}

// Remove forgets a topic: names, partitions and attributes, and deletes the store partitions that
// still exist. A transaction deletes 10,000 at most: of a topic that has more the caller has some
// forgotten before.
//
// Errors: *store.CorruptError, those of tx.
func (c *Catalog) Remove(tx store.Tx, t *Topic) error {
	parts, err := c.Partitions(tx, t)
	if err != nil {
		return err
	}
	for i := range parts {
		if parts[i].ID == 0 {
			continue
		}
		if err := tx.DeletePartition(parts[i].ID); err != nil {
			return err
		}
	}
	keys := [][]byte{topicKey(t.Num), idKey(t.ID)}
	names, err := namesOf(tx, t)
	if err != nil {
		return err
	}
	keys = append(keys, names...)
	if t.due != 0 {
		keys = append(keys, dueKey(t.due, t.Num))
	}
	for chunk := range (len(parts) + chunkSize - 1) / chunkSize {
		keys = append(keys, chunkKey(t.Num, chunk))
	}
	for _, k := range keys {
		if err := tx.Delete(k); err != nil {
			return err
		}
	}
	_, err = tx.DeleteRange(attributeKey(t.Num, ""), attributeKey(t.Num+1, ""), store.MaxScanKeys/2)
	return err
}

// Attribute reads what a service keeps beside a topic under a name; false when there is nothing.
func (c *Catalog) Attribute(tx store.ReadTx, t *Topic, name string) ([]byte, bool, error) {
	return tx.Get(attributeKey(t.Num, name))
}

// SetAttribute keeps value, which begins with a version byte of its owner, beside a topic. Names are a
// service's and few: "kinesis", "kinesis.tags". The caller saves t.
func (c *Catalog) SetAttribute(tx store.Tx, t *Topic, name string, value []byte) error {
	return tx.Set(attributeKey(t.Num, name), value)
}

// DeleteAttribute forgets an attribute; one that is not there is fine.
func (c *Catalog) DeleteAttribute(tx store.Tx, t *Topic, name string) error {
	return tx.Delete(attributeKey(t.Num, name))
}

// Attribute is a name and what a service keeps under it.
type Attribute struct {
	Name  string // without the prefix that was asked for
	Value []byte
}

// Attributes returns at most limit (1 to store.MaxScanKeys) attributes whose names begin with prefix,
// which is not empty, in order of names, those after after.
func (c *Catalog) Attributes(tx store.ReadTx, t *Topic, prefix, after string, limit int) ([]Attribute, error) {
	from := attributeKey(t.Num, prefix+after)
	if after != "" {
		from = append(from, 0)
	}
	to := attributeKey(t.Num, prefix)
	to[len(to)-1]++ // a prefix ends with a separator, never with 0xff
	kvs, err := tx.Scan(from, to, limit, false)
	if err != nil {
		return nil, err
	}
	found := make([]Attribute, len(kvs))
	skip := len(to)
	for i, kv := range kvs {
		found[i] = Attribute{Name: string(kv.Key[skip:]), Value: kv.Value}
	}
	return found, nil
}

// List returns at most limit topics of an account and region in order of names, those after after,
// and whether there are more.
//
// Errors: *store.CorruptError, those of tx.
func (c *Catalog) List(tx store.ReadTx, account, region, after string, limit int) ([]*Topic, bool, error) {
	place := placeKey(account, c.keyRegion(account, region))
	from := place
	if after != "" {
		from = append(nameKey(account, c.keyRegion(account, region), after), 0)
	}
	to := append(place[:len(place)-1:len(place)-1], 1)
	found, err := tx.Scan(from, to, limit+1, false)
	if err != nil {
		return nil, false, err
	}
	more := len(found) > limit
	topics, err := c.topics(tx, found[:min(limit, len(found))])
	return topics, more, err
}

// topics reads the topics that the values of kvs name.
func (c *Catalog) topics(tx store.ReadTx, kvs []store.KV) ([]*Topic, error) {
	keys := make([][]byte, len(kvs))
	nums := make([]uint64, len(kvs))
	for i, kv := range kvs {
		num, err := decodeNumber(kv.Value)
		if err != nil {
			return nil, corrupt(kv.Key, err)
		}
		nums[i], keys[i] = num, topicKey(num)
	}
	values, err := tx.GetMany(keys)
	if err != nil {
		return nil, err
	}
	topics := make([]*Topic, len(kvs))
	for i, v := range values {
		if topics[i], err = decodeTopic(nums[i], v); err != nil {
			return nil, corrupt(keys[i], err)
		}
	}
	return topics, nil
}

// Due returns the numbers of at most limit topics whose state ends at now (ms since 1970) or before,
// earliest first, and when the next one after those ends; 0 when none does.
//
// Errors: *store.CorruptError, those of tx.
func (c *Catalog) Due(tx store.ReadTx, now int64, limit int) (nums []uint64, next int64, err error) {
	found, err := tx.Scan(key(kindDue, 0), key(kindDue+1, 0), limit+1, false)
	if err != nil {
		return nil, 0, err
	}
	for i, kv := range found {
		due, num, err := decodeDue(kv.Key)
		if err != nil {
			return nil, 0, corrupt(kv.Key, err)
		}
		if due > now || i == limit {
			return nums, due, nil
		}
		nums = append(nums, num)
	}
	return nums, 0, nil
}

func decodeDue(key []byte) (due int64, num uint64, err error) {
	d := field.Reader{B: key}
	if d.Take(2); len(d.B) != 16 {
		return 0, 0, errValue
	}
	return int64(d.Uint64()), d.Uint64(), nil
}

// corrupt names the key of a value that cannot be read.
func corrupt(key []byte, err error) error {
	return &store.CorruptError{File: fmt.Sprintf("catalogue key %x", key), Reason: err.Error()}
}

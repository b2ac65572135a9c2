package catalog

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"

	"millrace/internal/core/store"
)

// maxTableName is how much of a table's name stands whole in the name of its topic when that would be too long.
const maxTableName = 200

// TableTopic is the Kafka name of the topic that shows a table's changes; home says that its region is the default one. It is ddb.table,
// outside of the default account and region account.region.ddb.table. One that Kafka would not allow has the first 200 characters of the
// table's name, or as many as fit, a dot, and 16 hex digits of the SHA-256 of all of it.
func TableTopic(account, region, table string, home bool) string {
	prefix := ReservedPrefix
	if account != DefaultAccount || !home {
		prefix = account + "." + region + "." + ReservedPrefix
	}
	if len(prefix)+len(table) <= MaxName {
		return prefix + table
	}
	sum := sha256.Sum256([]byte(table))
	const digits = 16
	return prefix + table[:min(len(table), maxTableName, MaxName-len(prefix)-1-digits)] + "." + hex.EncodeToString(sum[:digits/2])
}

// OfTable tells whether a Kafka name is reserved for topics that show tables.
func OfTable(kafka string) bool {
	if Qualified(kafka) {
		_, kafka, _ = strings.Cut(kafka, ".")
		_, kafka, _ = strings.Cut(kafka, ".")
	}
	return strings.HasPrefix(kafka, ReservedPrefix)
}

// CreateInternal adds a topic of OriginTable with its partitions. t's Name is the table's, and its Kafka name leads to t from now on, away from an
// earlier topic of that table, unless a topic of something else has it. It sets what Create sets.
//
// Errors: ErrName, ErrTooMany, ErrTooLarge, those of tx.
func (c *Catalog) CreateInternal(tx store.Tx, t *Topic, parts []Partition, retention store.Retention) error {
	region := t.Region
	t.Region = c.keyRegion(t.Account, region)
	t.Kafka = TableTopic(t.Account, region, t.Name, t.Region == "")
	t.Origin = OriginTable
	if t.Account == "" || len(t.Account) > 64 || t.Region != "" && !wellFormedRegion(t.Region) || len(t.Name) > 255 || len(t.Kafka) > MaxName {
		return ErrName
	}
	num, err := tx.NextID("topic")
	if err != nil {
		return err
	}
	t.Num, t.Revision, t.Partitions, t.due = num, 0, 0, 0
	if err := c.nameInternal(tx, t); err != nil {
		return err
	}
	if err := tx.Set(idKey(t.ID), encodeNumber(num)); err != nil {
		return err
	}
	if err := c.AddPartitions(tx, t, parts, retention); err != nil {
		return err
	}
	return c.Save(tx, t)
}

// nameInternal has the Kafka name lead to t. A topic that is not of that table keeps it: a stream of another region can be called ddb.table.
func (c *Catalog) nameInternal(tx store.Tx, t *Topic) error {
	old, err := c.LookupKafka(tx, t.Kafka)
	switch {
	case errors.Is(err, ErrNotFound):
	case err != nil:
		return err
	case old.Origin != OriginTable || old.Account != t.Account || old.Region != t.Region || old.Name != t.Name:
		return nil
	}
	return tx.Set(kafkaKey(t.Kafka), encodeNumber(t.Num))
}

// namesOf are the keys of a topic's names.
func namesOf(tx store.ReadTx, t *Topic) ([][]byte, error) {
	if t.Origin != OriginTable {
		return [][]byte{nameKey(t.Account, t.Region, t.Name), kafkaKey(t.Kafka)}, nil
	}
	v, ok, err := tx.Get(kafkaKey(t.Kafka))
	if err != nil || !ok || !bytes.Equal(v, encodeNumber(t.Num)) { // a later topic of the table has it
		return nil, err
	}
	return [][]byte{kafkaKey(t.Kafka)}, nil
}

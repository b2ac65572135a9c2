package dynamodb

import (
	"encoding/binary"

	"millrace/internal/api/dynamodbapi"
	"millrace/internal/core/store"
	"millrace/internal/service/dynamodb/keyenc"
	"millrace/internal/service/dynamodb/value"
	"millrace/internal/service/dynamodb/wirejson"
)

// An item collection is all items of one partition key with their rows in local indexes. Tables with local indexes keep the
// size of each beside the rows, as those of an index that has the number 0; a write that changes it reads and writes it in its
// transaction. Other tables keep none.

// maxCollection is how large an item collection may become, in bytes. Source: developer guide, "Item collections in local
// secondary indexes" (read 2026-11).
const maxCollection = 10 << 30

const collectionVersion = 1

// textCollection is as the API reference gives it for cancelled transactions.
const textCollection = "Collection size exceeded."

// collectionKey is the key of the size of the collection that an item belongs to, of which at is the key.
//
// Errors: value.ErrCorrupt.
func (t *table) collectionKey(at []byte) ([]byte, error) {
	rest, err := keyenc.Skip(at[itemPrefixSize+keyenc.HashSize:], t.attribute(t.hash).Kind)
	if err != nil {
		return nil, err
	}
	return append(indexPrefix(t.num, 0), at[itemPrefixSize:len(at)-len(rest)]...), nil
}

// readCollection is the size of a collection in bytes.
func readCollection(tx store.ReadTx, key []byte) (int64, error) {
	v, ok, err := tx.Get(key)
	if err != nil || !ok {
		return 0, err
	}
	size, n := binary.Uvarint(v[min(1, len(v)):])
	if len(v) < 2 || v[0] != collectionVersion || n != len(v)-1 {
		return 0, corrupt("size of an item collection")
	}
	return int64(size), nil
}

// collect adds what the collection of the item has grown by.
//
// Errors: ItemCollectionSizeLimitExceededException, those of the store.
func (c *change) collect(tx store.Tx, grown int64) error {
	if grown == 0 || !c.table.locals() {
		return nil
	}
	key, err := c.table.collectionKey(c.at)
	if err != nil {
		return err
	}
	size, err := readCollection(tx, key)
	if err != nil {
		return err
	}
	size += grown
	switch {
	case size > maxCollection && grown > 0:
		return dynamodbapi.ItemCollectionSizeLimitExceededException(textCollection)
	case size <= 0:
		return tx.Delete(key)
	}
	return tx.Set(key, binary.AppendUvarint([]byte{collectionVersion}, uint64(size)))
}

// metrics notes the size of the item's collection after the write, if it was asked for.
func (w *write) metrics(tx store.ReadTx) error {
	w.collection = nil
	if !w.measured || w.verb == verbCheck || !w.table.locals() {
		return nil
	}
	key, err := w.table.collectionKey(w.at)
	if err != nil {
		return err
	}
	size, err := readCollection(tx, key)
	if err != nil {
		return err
	}
	hash := w.table.attribute(w.table.hash)
	v, _, err := keyenc.Decode(key[indexPrefixSize+keyenc.HashSize:], hash.Kind)
	if err != nil {
		return err
	}
	const gb = 1 << 30
	low := float64(size / gb)
	w.collection = &dynamodbapi.ItemCollectionMetrics{
		ItemCollectionKey:   wirejson.AppendItemValue(nil, value.Item{{Name: hash.Name, Value: v}}),
		SizeEstimateRangeGB: []float64{low, low + 1},
	}
	return nil
}

// measured says whether ReturnItemCollectionMetrics asks for sizes.
func measured(asked *dynamodbapi.ReturnItemCollectionMetrics) bool {
	return text(asked) == string(dynamodbapi.ReturnItemCollectionMetricsSize)
}

// collections are the sizes that a call answers for several writes, each collection once, as it is after the last; nil when there
// are none.
func collections(writes []*write) map[string][]dynamodbapi.ItemCollectionMetrics {
	var out map[string][]dynamodbapi.ItemCollectionMetrics
	type one struct{ table, key string }
	at := map[one]int{}
	for _, w := range writes {
		if w.collection == nil {
			continue
		}
		if out == nil {
			out = map[string][]dynamodbapi.ItemCollectionMetrics{}
		}
		table := w.place.named
		k := one{table, string(w.collection.ItemCollectionKey)}
		if i, ok := at[k]; ok {
			out[table][i] = *w.collection
			continue
		}
		at[k] = len(out[table])
		out[table] = append(out[table], *w.collection)
	}
	return out
}

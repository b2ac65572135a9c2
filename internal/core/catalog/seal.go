package catalog

import (
	"encoding/binary"
	"errors"

	"millrace/internal/core/store"
)

// attrSeal is the attribute that names the data key of a topic. Permanent.
const attrSeal = "seal"

const sealVersion = 1

// DataKey is the id of the data key that records of a topic are sealed under from now on, 0: they are not. Whoever
// appends to the topic's partitions, of whatever protocol, gives it to the store (store.AppendRequest.Key).
//
// Errors: *store.CorruptError, those of tx.
func (c *Catalog) DataKey(tx store.ReadTx, t *Topic) (uint64, error) {
	v, ok, err := c.Attribute(tx, t, attrSeal)
	if err != nil || !ok {
		return 0, err
	}
	if len(v) != 9 || v[0] != sealVersion {
		return 0, corrupt(attributeKey(t.Num, attrSeal), errors.New("not a data key of a known version"))
	}
	return binary.BigEndian.Uint64(v[1:]), nil
}

// SetDataKey has records of a topic sealed under another data key, or none: 0. The caller saves t.
func (c *Catalog) SetDataKey(tx store.Tx, t *Topic, id uint64) error {
	if id == 0 {
		return c.DeleteAttribute(tx, t, attrSeal)
	}
	return c.SetAttribute(tx, t, attrSeal, binary.BigEndian.AppendUint64([]byte{sealVersion}, id))
}

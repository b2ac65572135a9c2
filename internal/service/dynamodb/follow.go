package dynamodb

import (
	"millrace/internal/core/store"
)

// change is what one write does to one item, for everything that hangs on items.
type change struct {
	table    *table
	at       []byte // key of the item in the store
	old, new []byte // stored images before and after, which differ; nil: no item
	expired  bool   // by the service, because the item's time was over; not by a client

	arms []arm // set by commit: what it has cost the indexes
}

// commit writes the item, and with it what hangs on it, so that no reader sees one without the other.
//
// Errors: those of the store.
func (c *change) commit(tx store.Tx) error {
	if c.table.ttl.follows() {
		if err := c.moveExpiry(tx); err != nil {
			return err
		}
	}
	if err := c.indexRows(tx); err != nil {
		return err
	}
	if err := c.capture(tx); err != nil {
		return err
	}
	if c.new == nil {
		return tx.Delete(c.at)
	}
	return c.table.put(tx, c.at, c.new)
}

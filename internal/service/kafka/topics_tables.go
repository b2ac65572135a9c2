package kafka

import (
	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/batch"
	"millrace/internal/core/catalog"
	"millrace/internal/core/store"
	"millrace/internal/service/kafka/fetch"
)

// Topics of tables (catalog.OriginTable) show what changed in a table. They can be read as any other, with groups and offsets; everything
// that would change them is refused. What they store is not what clients read: each record is shown anew when it is fetched, as one other
// record at its offset, with its time.

// Tables shows changes of tables: DynamoDB's service, for this package.
type Tables interface {
	// View is how the records of a topic of OriginTable are shown, as of the transaction.
	//
	// Errors: those of the store.
	View(tx store.ReadTx, topic *catalog.Topic) (TableView, error)
}

// TableView shows the changes of one table. It is used by many goroutines.
type TableView interface {
	// Show makes the key and value that clients read of the record r of a partition, of which only Key, Value, Offset and Timestamp (ms,
	// append time) count. They belong to the caller.
	Show(partition int, r *batch.Record) (key, value []byte, err error)
}

// readOnlyText is what who would change a topic of a table is told.
const readOnlyText = "The topic is a view of the changes of a table: it can be read only."

var errReadOnly = refuse(kafkaapi.PolicyViolation, readOnlyText)

// viewsOf are how the partitions of a topic are shown; nil: as they are.
func (b *Broker) viewsOf(tx store.ReadTx, c *catalog.Topic) ([]fetch.View, error) {
	if c.Origin != catalog.OriginTable {
		return nil, nil
	}
	table, err := b.opts.Tables.View(tx, c)
	if err != nil {
		return nil, err
	}
	views := make([]fetch.View, c.Partitions)
	for i := range views {
		views[i] = &partitionView{table, i}
	}
	return views, nil
}

// partitionView shows one partition of a table's topic.
type partitionView struct {
	table TableView
	index int
}

// Show implements fetch.View.
func (v *partitionView) Show(stored []byte) ([]byte, error) {
	h, err := batch.ReadHeader(stored)
	if err != nil {
		return nil, err
	}
	var c batch.Cursor
	if err := c.Reset(stored); err != nil {
		return nil, err
	}
	var out batch.Builder
	out.Start(make([]byte, 0, 3*len(stored)), h.FirstTimestamp)
	var r batch.Record
	for c.Next(&r) {
		shown := batch.Record{Timestamp: r.Timestamp}
		if shown.Key, shown.Value, err = v.table.Show(v.index, &r); err != nil {
			return nil, err
		}
		out.Add(&shown)
	}
	if err := c.Err(); err != nil {
		return nil, err
	}
	return out.Finish(batch.Fields{
		BaseOffset: h.BaseOffset, LeaderEpoch: h.LeaderEpoch, Attributes: h.Attributes, FirstTimestamp: h.FirstTimestamp, MaxTimestamp: h.MaxTimestamp,
		ProducerID: h.ProducerID, ProducerEpoch: h.ProducerEpoch, BaseSequence: h.BaseSequence,
	}), nil
}

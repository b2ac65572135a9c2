// Package logtest has what tests of the broker's data path share: stores of each driver, partitions, and batches as
// Kafka's producers send them.
package logtest

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"hash/crc32"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"millrace/internal/core/batch"
	"millrace/internal/core/store"
	"millrace/internal/core/store/embedded"
	"millrace/internal/core/store/storetest"
)

// EachStore runs a test on the reference model and on the embedded store, in memory.
func EachStore(t *testing.T, fn func(t *testing.T, s store.Store)) {
	t.Run("model", func(t *testing.T) { fn(t, storetest.NewModel()) })
	t.Run("embedded", func(t *testing.T) { fn(t, InMemory(t)) })
}

// InMemory opens an embedded store in memory, with journal files so small that they are soon written ahead.
func InMemory(tb testing.TB) store.Store {
	tb.Helper()
	return open(tb, embedded.Options{Dir: "data", FS: vfs.NewMem(), JournalFileBytes: 1 << 20})
}

// OnDisk opens an embedded store in a folder of the test, with its defaults.
func OnDisk(tb testing.TB) store.Store {
	tb.Helper()
	return open(tb, embedded.Options{Dir: tb.TempDir()})
}

func open(tb testing.TB, opts embedded.Options) store.Store {
	tb.Helper()
	opts.BallastBytes = -1
	opts.Fatal = func(err error) { tb.Errorf("fatal: %v", err) }
	s, err := embedded.Open(opts)
	if err != nil {
		tb.Fatalf("open store: %v", err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Errorf("close store: %v", err)
		}
	})
	return s
}

// Update commits what has to succeed.
func Update(tb testing.TB, s store.Store, fn func(tx store.Tx) error) {
	tb.Helper()
	if _, err := s.Update(tb.Context(), fn); err != nil {
		tb.Fatalf("update: %v", err)
	}
}

// Partition makes an empty partition.
func Partition(tb testing.TB, s store.Store) store.PartitionID {
	tb.Helper()
	return Partitions(tb, s, 1)[0]
}

// Partitions makes n empty partitions in one commit.
func Partitions(tb testing.TB, s store.Store, n int) []store.PartitionID {
	tb.Helper()
	ids := make([]store.PartitionID, n)
	Update(tb, s, func(tx store.Tx) error {
		for i := range ids {
			id, err := tx.NextID("partition")
			if err != nil {
				return err
			}
			ids[i] = store.PartitionID(id)
			if err := tx.CreatePartition(ids[i], 0, store.Retention{}); err != nil {
				return err
			}
		}
		return nil
	})
	return ids
}

// Producer makes a producer or raises its epoch.
func Producer(tb testing.TB, s store.Store, id store.ProducerID, epoch int16) {
	tb.Helper()
	Update(tb, s, func(tx store.Tx) error { return tx.InitProducer(id, epoch) })
}

// End ends a producer's transaction.
func End(tb testing.TB, s store.Store, id store.ProducerID, epoch int16, commit bool) {
	tb.Helper()
	Update(tb, s, func(tx store.Tx) error {
		_, err := tx.EndTransaction(id, epoch, commit, store.MaxTxParts)
		return err
	})
}

// Append appends one batch and returns its base offset.
func Append(tb testing.TB, s store.Store, id store.PartitionID, b []byte) store.Offset {
	tb.Helper()
	res, err := s.Append(tb.Context(), []store.AppendRequest{{Partition: id, Batch: b}})
	if err != nil || res[0].Err != nil {
		tb.Fatalf("append to partition %d: %v, %+v", id, err, res)
	}
	return res[0].Base
}

// Fields are what a producer says of a batch beside its records. The zero value is of a plain producer, without
// compression, its records at the times they have.
type Fields struct {
	Producer      int64 // 0: none
	Epoch         int16
	Sequence      int32
	Transactional bool
	Gzip          bool
	MaxTimestamp  int64 // 0: the largest of the records
}

// Batch builds a batch.
func Batch(f Fields, records ...batch.Record) []byte {
	fields := batch.Fields{ProducerID: batch.NoProducer, ProducerEpoch: -1, BaseSequence: -1}
	if f.Producer != 0 {
		fields.ProducerID, fields.ProducerEpoch, fields.BaseSequence = f.Producer, f.Epoch, f.Sequence
	}
	if f.Transactional {
		fields.Attributes |= batch.AttrTransactional
	}
	fields.FirstTimestamp, fields.MaxTimestamp = records[0].Timestamp, records[0].Timestamp
	var build batch.Builder
	build.Start(nil, fields.FirstTimestamp)
	for i := range records {
		build.Add(&records[i])
		fields.MaxTimestamp = max(fields.MaxTimestamp, records[i].Timestamp)
	}
	if f.MaxTimestamp != 0 {
		fields.MaxTimestamp = f.MaxTimestamp
	}
	b := build.Finish(fields)
	if f.Gzip {
		return pack(b)
	}
	return b
}

// Values builds a batch of records with these values, at a time in ms.
func Values(f Fields, ms int64, values ...string) []byte {
	records := make([]batch.Record, len(values))
	for i, v := range values {
		records[i] = batch.Record{Value: []byte(v), Timestamp: ms}
	}
	return Batch(f, records...)
}

// pack compresses the records of a batch.
func pack(b []byte) []byte {
	var packed bytes.Buffer
	packed.Write(b[:batch.HeaderSize])
	w := gzip.NewWriter(&packed)
	_, _ = w.Write(b[batch.HeaderSize:]) // a bytes.Buffer takes everything
	_ = w.Close()
	b = packed.Bytes()
	b[22] |= byte(batch.Gzip)
	binary.BigEndian.PutUint32(b[8:], uint32(len(b)-12))
	Resum(b)
	return b
}

// Resum writes the sum of a batch whose header a test has changed.
func Resum(b []byte) {
	binary.BigEndian.PutUint32(b[17:], crc32.Checksum(b[21:], crc32.MakeTable(crc32.Castagnoli)))
}

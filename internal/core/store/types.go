package store

import "math"

// PartitionID names a partition: dense, from 1, never reused (Tx.NextID gives them out).
type PartitionID uint64

// Offset is the place of a record in its partition, from 0.
type Offset int64

// OffsetMax is above every offset a record can have.
const OffsetMax Offset = math.MaxInt64

// ProducerID names an idempotent or transactional producer; NoProducer is a plain one.
type ProducerID int64

// NoProducer is the producer id of batches without idempotence, as in the batch header.
const NoProducer ProducerID = -1

// The limits of the contract. Every driver enforces them.
const (
	MaxKeySize    = 32 << 10 // bytes of a key
	MaxValueSize  = 2 << 20  // bytes of a value
	MaxBatchSize  = 16 << 20 // bytes of a finished batch, or of one loose record with its overhead
	MaxTxKeys     = 10_000   // keys written in one transaction
	MaxTxParts    = 10_000   // partitions created, changed or appended to in one transaction
	MaxTxBytes    = 64 << 20 // bytes written in one transaction, or given to one Append
	MaxScanKeys   = 10_000   // keys one DeleteRange deletes, or one Scan returns
	GroupSealSize = 8 << 20  // bytes after which a group takes no more requests

	// LooseBatchSize is the most that loose records of one partition are gathered into: 1 MiB, so
	// that opening a batch for one record stays cheap. A larger record has a batch of its own.
	LooseBatchSize = 1 << 20

	// SealOverhead is the bytes that sealing adds to a batch: the tag of AES-GCM.
	SealOverhead = 16

	// OrderedSuffixSize is the length of what SetOrdered adds to a prefix: the group's sequence
	// (8 bytes, big-endian) and a number inside the group (4 bytes).
	OrderedSuffixSize = 12

	// LastBatches is how many batches of a producer are remembered in each partition, so that a
	// repeat gets its first answer: five, as many as a Kafka producer has in flight.
	LastBatches = 5
)

// KV is a key and its value. Both belong to whoever received them.
type KV struct {
	Key, Value []byte
}

// Head is what is known of a partition without reading it.
type Head struct {
	Start      Offset // first offset that can be read
	Next       Offset // offset of the next record; also the high watermark
	LastStable Offset // first offset of the oldest open transaction, or Next
	Epoch      int32  // leader epoch
	Closed     bool   // takes no more records
	LastAppend int64  // append time of the newest batch in ms since 1970; 0 when there was none
	Retention  Retention
	Compaction Compaction
}

// Retention says what the store may trim by itself. Zero values keep everything.
type Retention struct {
	Millis int64 // batches whose append time is older may go
	Bytes  int64 // oldest batches may go while the partition holds more stored bytes
}

// Compaction says whether and when the store drops by itself records that a later one of the same key replaces.
// The zero value keeps them. The cluster driver keeps the setting and does not compact yet.
//
// Only records that no open transaction stands before are compacted. Offsets and order stay; records of aborted
// transactions go, and so do records without a key. A tombstone (a record with a null value) and the marker of a
// transaction of which no record is left stay for DeleteMillis after they were first compacted.
type Compaction struct {
	Enabled bool

	DeleteMillis int64 // ms
	MinLagMillis int64 // batches whose append time is younger are left alone
	MaxLagMillis int64 // batches that are older are compacted whatever DirtyMin says; 0: no limit

	// DirtyMin is the part of the stored bytes, in millionths, that has to be uncompacted before more is done.
	DirtyMin int64

	// RollMillis and RollBytes say when the newest batches become ready to be compacted: when the oldest of them is so
	// old, or when they are so many bytes. 0: no limit.
	RollMillis, RollBytes int64
}

// HeadField is a set of fields of a Head that a transaction reads and so depends on.
type HeadField uint8

// The fields that are tracked on their own. FieldOpen covers Closed and existence.
const (
	FieldOpen HeadField = 1 << iota
	FieldStart
	FieldNext // also LastAppend: both change with every append
	FieldStable
	FieldEpoch
	FieldRetention // also Compaction

	FieldAll = FieldOpen | FieldStart | FieldNext | FieldStable | FieldEpoch | FieldRetention
)

// Record is one loose record: the store puts it into a batch when a group is sealed. Its
// timestamp is the append time. Nil and empty keys and values differ, as in Kafka.
type Record struct {
	Key, Value []byte
}

// AppendRequest is records for one partition: either Batch or Records, not both.
type AppendRequest struct {
	Partition PartitionID

	// Batch is one finished record batch (magic 2) that batch.Check has accepted. The store
	// writes base offset and leader epoch into a copy.
	Batch []byte
	// LogAppendTime asks the store to write append time into the batch and sum it again.
	LogAppendTime bool

	// Records are loose; they get consecutive offsets.
	Records []Record

	// Key is the id of the data key (core/datakey) that the records are sealed under at rest; 0: they
	// are stored as they are. Loose records share a batch only with others of the same key.
	Key uint64
}

// AppendResult answers one AppendRequest.
type AppendResult struct {
	Base       Offset // of the first record
	AppendTime int64  // ms since 1970, never less than that of an earlier record of the partition
	Start      Offset // of the partition, when the request was decided
	Repeat     bool   // a repeat of one of the producer's last batches: the first answer again
	Err        error  // of this partition alone; the other results stand
}

// Commit tells where an Update stands in the order of commits.
type Commit struct {
	Sequence uint64 // of the group; 0 when nothing was written
	Time     int64  // store time of the group, ms since 1970
}

// Producer is the state of one producer.
type Producer struct {
	Epoch int16
	Open  []OpenPartition // of its open transaction, in order of partition; nil when there is none
}

// OpenPartition is a partition that an open transaction has written to.
type OpenPartition struct {
	Partition PartitionID
	First     Offset
}

// Aborted is an aborted transaction in one partition: its producer's batches from First up to the
// marker at Last are not to be delivered to readers of committed records.
type Aborted struct {
	Producer    ProducerID
	First, Last Offset
}

// Isolation is what a reader may see.
type Isolation uint8

// ReadUncommitted ends at Next, ReadCommitted at LastStable.
const (
	ReadUncommitted Isolation = iota
	ReadCommitted
)

// ReadRequest asks for batches of one partition.
type ReadRequest struct {
	Partition PartitionID
	From      Offset
	MaxBytes  int // at least one batch is returned, however large
	Isolation Isolation
}

// Batch is one stored batch as a reader gets it.
type Batch struct {
	Bytes      []byte // as the producer sent it, with base offset and leader epoch; valid until Release
	Base, Next Offset // first offset, and one more than the last
	AppendTime int64  // ms since 1970
	Key        uint64 // id of the data key that it is stored under, 0: plain. Bytes are plain in any case
}

// ReadResult is what Read found. Release must be called once when the bytes are no longer used.
type ReadResult struct {
	Batches []Batch
	Aborted []Aborted // with ReadCommitted: those that touch Batches, in order of Last
	Head    Head      // under which was read
	release func()
}

// NewReadResult is for drivers: release runs once, when the reader is done.
func NewReadResult(head Head, batches []Batch, aborted []Aborted, release func()) ReadResult {
	return ReadResult{Batches: batches, Aborted: aborted, Head: head, release: release}
}

// Release gives the bytes of the batches back. The result must not be used after it.
func (r *ReadResult) Release() {
	if r.release != nil {
		r.release()
		r.release = nil
	}
	r.Batches = nil
}

// SeekBy says which time of a batch Seek compares.
type SeekBy uint8

// SeekAppendTime compares append times, SeekTimestamp the largest timestamp in a batch.
const (
	SeekAppendTime SeekBy = iota
	SeekTimestamp
)

// Stat is a partition's size and age.
type Stat struct {
	Head        Head
	Bytes       int64 // stored bytes of its batches
	Batches     int64
	FirstAppend int64 // append time of the oldest batch, ms since 1970; 0 when there is none
}

// Change is a set of things that happened to a partition.
type Change uint8

// What a Watch tells.
const (
	ChangedRecords Change = 1 << iota // Next moved
	ChangedStable                     // LastStable moved
	ChangedClosed
	ChangedTrimmed
	ChangedDeleted
	ChangedEpoch
)

// Event is one partition's change in one commit.
type Event struct {
	Partition PartitionID
	Change    Change
	Bytes     int // of batches added
}

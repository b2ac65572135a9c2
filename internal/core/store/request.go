package store

import "errors"

// ErrConflict is for drivers: what a transaction read has changed since, so it runs again. It
// never reaches a caller of Update.
var ErrConflict = errors.New("store: transaction read what has changed since")

// Request is what one run of a transaction function read and wants written. It is data: the
// rules decide it on a State.
type Request struct {
	Snapshot uint64 // sequence of the last group that the run could see

	ReadKeys      [][]byte
	ReadRanges    []Range
	ReadHeads     []HeadRead
	ReadProducers []ProducerID

	Keys      []KeyChange
	Ordered   []KV // Key is the prefix
	Parts     []PartitionChange
	Producers []ProducerChange
	Ends      []EndTransaction
	Appends   []*TxAppend

	bytes int
	parts int
}

// Range is the keys from From up to, not including, To.
type Range struct{ From, To []byte }

// HeadRead is a partition's fields that a transaction has read.
type HeadRead struct {
	Partition PartitionID
	Fields    HeadField
}

// TxAppend is an append inside a transaction and its result.
type TxAppend struct {
	Request AppendRequest
	Result  AppendResult
}

// EndTransaction asks for the markers of an open transaction.
type EndTransaction struct {
	Producer ProducerID
	Epoch    int16
	Commit   bool
	Limit    int
}

// Empty tells whether nothing is to be written.
func (r *Request) Empty() bool {
	return len(r.Keys)+len(r.Ordered)+len(r.Parts)+len(r.Producers)+len(r.Ends)+len(r.Appends) == 0
}

// Size is the bytes that the request adds to a group, not counting fixed overheads.
func (r *Request) Size() int { return r.bytes }

// Group is what one commit changes, in the order in which it is applied: creations and producers
// first, then appends, then the other changes of partitions. It is all that has to be kept.
type Group struct {
	Seq  uint64
	Time int64 // store time, ms since 1970

	Keys      []KeyChange
	Parts     []PartitionChange
	Producers []ProducerChange
	Appends   []Append

	Bytes   int // of payloads, keys and values: an upper bound before sealing
	ordered uint32
	loose   [][]Record // room for the first records of batches
}

// firstLoose is the list of a batch's loose records when it has one request's. Lists share their memory: most batches of
// many partitions never have a second.
func (g *Group) firstLoose(records []Record) [][]Record {
	if len(g.loose) == cap(g.loose) {
		g.loose = make([][]Record, 0, min(max(8, 2*cap(g.loose)), 1024))
	}
	g.loose = append(g.loose, records)
	n := len(g.loose)
	return g.loose[n-1 : n : n]
}

// Empty tells whether the group changes nothing.
func (g *Group) Empty() bool {
	return len(g.Keys)+len(g.Parts)+len(g.Producers)+len(g.Appends) == 0
}

// KeyChange sets a key, or deletes it when Value is nil.
type KeyChange struct{ Key, Value []byte }

// PartitionKind says what happens to a partition.
type PartitionKind uint8

// The kinds of partition changes. Permanent: they stand in journals.
const (
	PartitionCreate    PartitionKind = 1
	PartitionClose     PartitionKind = 2
	PartitionTrim      PartitionKind = 3 // To
	PartitionDelete    PartitionKind = 4
	PartitionEpoch     PartitionKind = 5 // Epoch
	PartitionRetention PartitionKind = 6 // Retention

	PartitionCompaction PartitionKind = 7 // Compaction
	PartitionForget     PartitionKind = 8 // To
)

// PartitionChange is one change of one partition.
type PartitionChange struct {
	Kind      PartitionKind
	Partition PartitionID
	To        Offset
	Epoch     int32
	Retention Retention

	Compaction Compaction
}

// ProducerKind says what happens to a producer.
type ProducerKind uint8

// The kinds of producer changes. Permanent: they stand in journals.
const (
	ProducerInit   ProducerKind = 1
	ProducerDelete ProducerKind = 2
)

// ProducerChange is one change of one producer.
type ProducerChange struct {
	Kind     ProducerKind
	Producer ProducerID
	Epoch    int16
}

// Marker says whether a batch ends a transaction.
type Marker uint8

// The kinds of batches. Permanent: they stand in journals and segments.
const (
	MarkerNone   Marker = 0
	MarkerAbort  Marker = 1
	MarkerCommit Marker = 2
)

// Append is one batch of a group: what a directory says of it, and until the group is sealed the
// payload that the driver makes its bytes from.
type Append struct {
	Partition     PartitionID
	Base          Offset
	Count         int32 // offsets it takes: last offset delta + 1
	AppendTime    int64
	MaxTimestamp  int64
	Attributes    int16
	Marker        Marker
	LeaderEpoch   int32
	Producer      ProducerID
	ProducerEpoch int16
	Sequence      int32  // first one; -1 without a producer
	Key           uint64 // data key that it is sealed under; 0: plain, as markers are

	Batch         []byte     // finished, to be copied and patched
	LogAppendTime bool       // write AppendTime into the copy
	Loose         [][]Record // of many callers, in order of offsets
	Size          int        // upper bound of the sealed bytes
}

// Next is one more than the batch's last offset.
func (a *Append) Next() Offset { return a.Base + Offset(a.Count) }

package txn

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"millrace/internal/core/field"
	"millrace/internal/core/store"
)

// The kinds of keys of store.FamilyKafkaTxn, the second byte.
const (
	kindID         = 0x01 // transactional id
	kindIdempotent = 0x02 // producer(8)
)

// MaxID is the longest transactional id in bytes: half of what a string of the protocol can hold, so that every
// key stays below the store's limit.
const MaxID = 16 << 10

// maxPartitions bounds the partitions that a client may add to one transaction, and maxGroups the groups: a record
// stays below the 2 MiB of a value.
const (
	maxPartitions = 100_000
	maxGroups     = 32
)

const (
	recordVersion     = 1
	idempotentVersion = 1
)

var errRecord = errors.New("not a transactional id of a known version")

// State is where a transactional id stands, as Kafka's TransactionState. Permanent: the numbers stand in the store.
type State uint8

// The states.
const (
	Empty          State = 0
	Ongoing        State = 1
	PrepareCommit  State = 2
	PrepareAbort   State = 3
	CompleteCommit State = 4
	CompleteAbort  State = 5
)

var stateNames = [...]string{"Empty", "Ongoing", "PrepareCommit", "PrepareAbort", "CompleteCommit", "CompleteAbort"}

// String is Kafka's name of the state.
func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return fmt.Sprintf("State(%d)", uint8(s))
}

// ParseState is the state of a name; false for one that Kafka does not know either.
func ParseState(name string) (State, bool) {
	i := slices.Index(stateNames[:], name)
	return State(max(i, 0)), i >= 0
}

// noEpoch is Kafka's RecordBatch.NO_PRODUCER_EPOCH.
const noEpoch int16 = -1

// record is what is kept of a transactional id.
type record struct {
	producer store.ProducerID
	previous store.ProducerID // before the last change of the producer id; NoProducer for none
	epoch    int16

	// lastEpoch is the epoch that a client told when it was given epoch: a repeat of that InitProducerId gets the
	// same answer. ended is the epoch whose transaction ended with the change to epoch: a repeat of that EndTxn
	// gets the same answer. Both noEpoch for none.
	lastEpoch, ended int16

	// state is Ongoing only when something but an append has begun the transaction: see open in state.go.
	state   State
	timeout int32 // ms
	start   int64 // of the transaction, ms of store time; 0 when nothing but appends has begun it
	updated int64 // of the last change, ms of store time

	// While state is one of the Prepare: whose markers are being written, and with which epoch.
	ending      store.ProducerID
	endingEpoch int16

	partitions []store.PartitionID // added to the transaction by AddPartitionsToTxn, in order
	groups     []string            // that have offsets in the transaction, or may get some
}

func idKey(id string) []byte {
	return append([]byte{byte(store.FamilyKafkaTxn), kindID}, id...)
}

func idempotentKey(id store.ProducerID) []byte {
	return binary.BigEndian.AppendUint64([]byte{byte(store.FamilyKafkaTxn), kindIdempotent}, uint64(id))
}

func (r *record) encode() []byte {
	v := make([]byte, 0, 64+9*len(r.partitions))
	v = append(v, recordVersion, byte(r.state))
	for _, n := range []int64{
		int64(r.producer), int64(r.previous), int64(r.epoch), int64(r.lastEpoch), int64(r.ended),
		int64(r.timeout), r.start, r.updated, int64(r.ending), int64(r.endingEpoch),
	} {
		v = binary.AppendVarint(v, n)
	}
	v = binary.AppendUvarint(v, uint64(len(r.partitions)))
	last := store.PartitionID(0)
	for _, p := range r.partitions {
		v = binary.AppendUvarint(v, uint64(p-last))
		last = p
	}
	v = binary.AppendUvarint(v, uint64(len(r.groups)))
	for _, g := range r.groups {
		v = append(binary.AppendUvarint(v, uint64(len(g))), g...)
	}
	return v
}

func decodeRecord(v []byte) (*record, error) {
	if len(v) < 2 || v[0] != recordVersion || int(v[1]) >= len(stateNames) {
		return nil, errRecord
	}
	d := field.Reader{B: v[2:]}
	r := &record{state: State(v[1])}
	r.producer, r.previous = store.ProducerID(d.Varint()), store.ProducerID(d.Varint())
	r.epoch, r.lastEpoch, r.ended = int16(d.Varint()), int16(d.Varint()), int16(d.Varint())
	r.timeout = int32(d.Varint())
	r.start, r.updated = d.Varint(), d.Varint()
	r.ending, r.endingEpoch = store.ProducerID(d.Varint()), int16(d.Varint())
	last := store.PartitionID(0)
	for range d.Count(maxPartitions) {
		last += store.PartitionID(d.Uvarint())
		r.partitions = append(r.partitions, last)
	}
	for range d.Count(maxGroups) {
		r.groups = append(r.groups, d.TextVar())
	}
	if !d.Done() {
		return nil, errRecord
	}
	return r, nil
}

// corrupt names the key whose value cannot be read.
func corrupt(k []byte, err error) error {
	return &store.CorruptError{File: fmt.Sprintf("transaction key %x", k), Reason: err.Error()}
}

// load reads the record of a transactional id, nil when there is none.
func load(tx store.ReadTx, id string) (*record, error) {
	k := idKey(id)
	v, ok, err := tx.Get(k)
	if err != nil || !ok {
		return nil, err
	}
	r, err := decodeRecord(v)
	if err != nil {
		return nil, corrupt(k, err)
	}
	return r, nil
}

package batch

import (
	"encoding/binary"
	"fmt"
)

// Marker is what the control batch that ends a transaction says.
type Marker uint8

// The markers; the numbers are ours and stand in our own formats. Kafka's are one less.
const (
	MarkerNone Marker = iota
	MarkerAbort
	MarkerCommit
)

func (m Marker) String() string {
	names := [...]string{"none", "abort", "commit"}
	if int(m) < len(names) {
		return names[m]
	}
	return fmt.Sprintf("marker(%d)", uint8(m))
}

// ControlSize is the number of bytes Control appends: a header, and one record of a 4-byte key and a
// 6-byte value.
const ControlSize = HeaderSize + 17

// Control appends to dst the batch that ends a transaction of a producer in one partition, at
// baseOffset and time ms. It takes one offset. coordinatorEpoch is for diagnosis only.
//
// Source: EndTransactionMarker and ControlRecordType of Apache Kafka 4.1, version 0.
func Control(dst []byte, baseOffset, ms, producerID int64, producerEpoch int16, commit bool, coordinatorEpoch int32) []byte {
	var key [4]byte
	if commit {
		key[3] = 1
	}
	var value [6]byte
	binary.BigEndian.PutUint32(value[2:], uint32(coordinatorEpoch))

	var b Builder
	b.Start(dst, ms)
	b.Add(&Record{Key: key[:], Value: value[:], Timestamp: ms})
	return b.Finish(Fields{
		BaseOffset:     baseOffset,
		Attributes:     AttrTransactional | AttrControl,
		FirstTimestamp: ms,
		MaxTimestamp:   ms,
		ProducerID:     producerID,
		ProducerEpoch:  producerEpoch,
		BaseSequence:   NoProducer,
	})
}

// MarkerType says what the batch b does to its producer's transaction: MarkerNone when it is no
// control batch, or one that ends no transaction (Kafka has others, for its own quorum).
//
// Errors: those of ReadHeader, and ErrCorrupt when a control batch has no readable record.
func MarkerType(b []byte) (Marker, error) {
	h, err := ReadHeader(b)
	if err != nil || !h.Control() {
		return MarkerNone, err
	}
	var c Cursor
	if err := c.Reset(b); err != nil {
		return MarkerNone, err
	}
	var r Record
	if !c.Next(&r) || len(r.Key) < 4 {
		return MarkerNone, fmt.Errorf("%w: control batch without a control record", ErrCorrupt)
	}
	switch binary.BigEndian.Uint16(r.Key[2:]) {
	case 0:
		return MarkerAbort, nil
	case 1:
		return MarkerCommit, nil
	default:
		return MarkerNone, nil
	}
}

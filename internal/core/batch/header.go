package batch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

const (
	// HeaderSize is the number of bytes before the first record.
	HeaderSize = 61
	// Magic is the only message format this package knows; 0 and 1 ended with Kafka 4.0.
	Magic = 2
	// NoProducer stands in the producer id, epoch and sequence of a batch without a producer.
	NoProducer = -1

	// lengthPrefix is what the length field does not count: base offset and the field itself.
	lengthPrefix = 12
	crcStart     = 21
	// minRecordSize: length, attributes, two deltas, two absent lengths and no headers, one byte each.
	minRecordSize = 7
)

// Places of the fields, in bytes from the start of a batch.
const (
	posLength          = 8
	posLeaderEpoch     = 12
	posMagic           = 16
	posCRC             = 17
	posAttributes      = 21
	posLastOffsetDelta = 23
	posFirstTimestamp  = 27
	posMaxTimestamp    = 35
	posProducerID      = 43
	posProducerEpoch   = 51
	posBaseSequence    = 53
	posCount           = 57
)

// Bits of Header.Attributes.
const (
	AttrCompressionMask int16 = 0x07
	AttrLogAppendTime   int16 = 0x08
	AttrTransactional   int16 = 0x10
	AttrControl         int16 = 0x20
	AttrDeleteHorizon   int16 = 0x40

	attrKnown = AttrCompressionMask | AttrLogAppendTime | AttrTransactional | AttrControl | AttrDeleteHorizon
)

// Compression is how the records of a batch are packed, the low three bits of its attributes.
type Compression uint8

// The codecs of magic 2.
const (
	None Compression = iota
	Gzip
	Snappy
	LZ4
	Zstd
)

func (c Compression) String() string {
	names := [...]string{"none", "gzip", "snappy", "lz4", "zstd"}
	if int(c) < len(names) {
		return names[c]
	}
	return fmt.Sprintf("compression(%d)", uint8(c))
}

// What is wrong with bytes that should be a batch; compare with errors.Is.
var (
	// ErrShort: the bytes end before the batch does. In a fetched run the rest may follow.
	ErrShort = errors.New("batch: truncated")
	// ErrMagic: an older or unknown message format (Kafka: UNSUPPORTED_FOR_MESSAGE_FORMAT).
	ErrMagic = errors.New("batch: magic is not 2")
	// ErrCorrupt: lengths or CRC do not fit (Kafka: CORRUPT_MESSAGE).
	ErrCorrupt = errors.New("batch: corrupt")
	// ErrInvalid: well-formed, but nothing a producer may send (Kafka: INVALID_RECORD).
	ErrInvalid = errors.New("batch: invalid")
)

// Header is the fixed part of a batch. Timestamps are Unix milliseconds.
type Header struct {
	BaseOffset      int64
	Length          int32 // bytes after this field; Size gives the whole
	LeaderEpoch     int32
	CRC             uint32
	Attributes      int16
	LastOffsetDelta int32
	FirstTimestamp  int64
	MaxTimestamp    int64
	ProducerID      int64 // NoProducer: neither idempotent nor transactional
	ProducerEpoch   int16
	BaseSequence    int32
	Count           int32
}

// Size is the number of bytes of the whole batch on the wire and on disk.
func (h *Header) Size() int { return int(h.Length) + lengthPrefix }

// Compression says how the records are packed.
func (h *Header) Compression() Compression { return Compression(h.Attributes & AttrCompressionMask) }

// LogAppendTime says that MaxTimestamp, set by the log, is the time of every record.
func (h *Header) LogAppendTime() bool { return h.Attributes&AttrLogAppendTime != 0 }

// Transactional says that the records count only once their transaction has committed.
func (h *Header) Transactional() bool { return h.Attributes&AttrTransactional != 0 }

// Control says that the records are markers of the log, not of an application.
func (h *Header) Control() bool { return h.Attributes&AttrControl != 0 }

// LastOffset is the offset of the last record, or where it was before compaction.
func (h *Header) LastOffset() int64 { return h.BaseOffset + int64(h.LastOffsetDelta) }

// NextOffset is the offset after the batch.
func (h *Header) NextOffset() int64 { return h.LastOffset() + 1 }

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// ReadHeader decodes the header at the start of b, which may be longer or shorter than the batch.
// It checks the magic and that the length can hold a header; no CRC.
//
// Errors: ErrShort (b has less than HeaderSize bytes), ErrMagic, ErrCorrupt.
func ReadHeader(b []byte) (Header, error) {
	if len(b) <= posMagic {
		return Header{}, fmt.Errorf("%w: %d bytes", ErrShort, len(b))
	}
	if b[posMagic] != Magic {
		return Header{}, fmt.Errorf("%w: %d", ErrMagic, int8(b[posMagic]))
	}
	if len(b) < HeaderSize {
		return Header{}, fmt.Errorf("%w: %d bytes", ErrShort, len(b))
	}
	h := decodeHeader((*[HeaderSize]byte)(b))
	if h.Length < HeaderSize-lengthPrefix {
		return Header{}, fmt.Errorf("%w: length field is %d", ErrCorrupt, h.Length)
	}
	return h, nil
}

func decodeHeader(b *[HeaderSize]byte) Header {
	be := binary.BigEndian
	return Header{
		BaseOffset:      int64(be.Uint64(b[0:])),
		Length:          int32(be.Uint32(b[posLength:])),
		LeaderEpoch:     int32(be.Uint32(b[posLeaderEpoch:])),
		CRC:             be.Uint32(b[posCRC:]),
		Attributes:      int16(be.Uint16(b[posAttributes:])),
		LastOffsetDelta: int32(be.Uint32(b[posLastOffsetDelta:])),
		FirstTimestamp:  int64(be.Uint64(b[posFirstTimestamp:])),
		MaxTimestamp:    int64(be.Uint64(b[posMaxTimestamp:])),
		ProducerID:      int64(be.Uint64(b[posProducerID:])),
		ProducerEpoch:   int16(be.Uint16(b[posProducerEpoch:])),
		BaseSequence:    int32(be.Uint32(b[posBaseSequence:])),
		Count:           int32(be.Uint32(b[posCount:])),
	}
}

// put writes h into the first HeaderSize bytes of b, with h.CRC as it stands.
func (h *Header) put(b []byte) {
	be := binary.BigEndian
	_ = b[HeaderSize-1]
	be.PutUint64(b[0:], uint64(h.BaseOffset))
	be.PutUint32(b[posLength:], uint32(h.Length))
	be.PutUint32(b[posLeaderEpoch:], uint32(h.LeaderEpoch))
	b[posMagic] = Magic
	be.PutUint32(b[posCRC:], h.CRC)
	be.PutUint16(b[posAttributes:], uint16(h.Attributes))
	be.PutUint32(b[posLastOffsetDelta:], uint32(h.LastOffsetDelta))
	be.PutUint64(b[posFirstTimestamp:], uint64(h.FirstTimestamp))
	be.PutUint64(b[posMaxTimestamp:], uint64(h.MaxTimestamp))
	be.PutUint64(b[posProducerID:], uint64(h.ProducerID))
	be.PutUint16(b[posProducerEpoch:], uint16(h.ProducerEpoch))
	be.PutUint32(b[posBaseSequence:], uint32(h.BaseSequence))
	be.PutUint32(b[posCount:], uint32(h.Count))
}

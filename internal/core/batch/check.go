package batch

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"iter"
)

// Verify decodes the header of b, which must be exactly one batch, and compares its CRC. It accepts
// all that the log itself may hold: control batches, batches thinned out by compaction, empty ones.
//
// Errors: ErrShort, ErrMagic, ErrCorrupt.
func Verify(b []byte) (Header, error) {
	h, err := ReadHeader(b)
	if err != nil {
		return Header{}, err
	}
	if h.Size() > len(b) {
		return Header{}, fmt.Errorf("%w: %d bytes of %d", ErrShort, len(b), h.Size())
	}
	if h.Size() < len(b) {
		return Header{}, fmt.Errorf("%w: %d bytes follow a batch of %d", ErrCorrupt, len(b)-h.Size(), h.Size())
	}
	if sum := checksum(b); sum != h.CRC {
		return Header{}, fmt.Errorf("%w: crc is %08x, header says %08x", ErrCorrupt, sum, h.CRC)
	}
	if h.Count < 0 || h.LastOffsetDelta < 0 || int64(h.Count) > int64(h.LastOffsetDelta)+1 {
		return Header{}, fmt.Errorf("%w: %d records, last offset delta %d", ErrCorrupt, h.Count, h.LastOffsetDelta)
	}
	return h, nil
}

// Check is Verify and the rules a broker holds a producer to: at least one record, offsets without
// holes, a known codec, no bits that only the log may set, and producer fields that fit together. It
// does not open records.
//
// Errors: ErrShort, ErrMagic, ErrCorrupt, ErrInvalid.
//
// Source: LogValidator.validateBatch and DefaultRecordBatch of Apache Kafka 4.1.
func Check(b []byte) (Header, error) {
	h, err := Verify(b)
	if err != nil {
		return Header{}, err
	}
	if reason := refuse(&h); reason != "" {
		return Header{}, fmt.Errorf("%w: %s", ErrInvalid, reason)
	}
	return h, nil
}

// refuse says why a producer may not send a batch with header h, or "".
func refuse(h *Header) string {
	switch {
	case h.Count < 1:
		return "no records"
	case int64(h.Count) != int64(h.LastOffsetDelta)+1:
		return fmt.Sprintf("%d records, but last offset delta %d", h.Count, h.LastOffsetDelta)
	case h.Attributes&^attrKnown != 0:
		return fmt.Sprintf("unknown attributes %#x", uint16(h.Attributes))
	case h.Compression() > Zstd:
		return fmt.Sprintf("unknown compression %d", uint8(h.Compression()))
	case h.Control():
		return "control batch from a client"
	case h.Attributes&AttrDeleteHorizon != 0:
		return "delete horizon from a client"
	case h.LogAppendTime():
		return "log append time from a client"
	case h.Compression() == None && int(h.Count) > (h.Size()-HeaderSize)/minRecordSize:
		return fmt.Sprintf("%d records in %d bytes", h.Count, h.Size()-HeaderSize)
	}
	return refuseProducer(h)
}

func refuseProducer(h *Header) string {
	if h.ProducerID < 0 {
		switch {
		case h.ProducerID != NoProducer:
			return fmt.Sprintf("producer id %d", h.ProducerID)
		case h.Transactional():
			return "transactional without a producer id"
		}
		return ""
	}
	switch {
	case h.ProducerEpoch < 0:
		return fmt.Sprintf("producer %d with epoch %d", h.ProducerID, h.ProducerEpoch)
	case h.BaseSequence < 0:
		return fmt.Sprintf("producer %d with sequence %d", h.ProducerID, h.BaseSequence)
	}
	return ""
}

// Walk splits b, a run of batches one after the other, into its batches. It checks lengths and magic,
// no CRC. The slices are parts of b. Bytes at the end that are no whole batch yield one ErrShort (a
// fetch may cut its last batch), other damage ErrMagic or ErrCorrupt; the walk ends there.
func Walk(b []byte) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for at := 0; at < len(b); {
			h, err := ReadHeader(b[at:])
			if err == nil && h.Size() > len(b)-at {
				err = fmt.Errorf("%w: %d bytes of %d", ErrShort, len(b)-at, h.Size())
			}
			if err != nil {
				yield(nil, fmt.Errorf("at byte %d: %w", at, err))
				return
			}
			end := at + h.Size()
			if !yield(b[at:end:end], nil) {
				return
			}
			at = end
		}
	}
}

// SetBaseOffset writes the offset of the first record. The CRC does not cover it.
func SetBaseOffset(b []byte, offset int64) {
	binary.BigEndian.PutUint64(b, uint64(offset))
}

// SetLeaderEpoch writes the epoch under which the batch was appended. The CRC does not cover it.
func SetLeaderEpoch(b []byte, epoch int32) {
	binary.BigEndian.PutUint32(b[posLeaderEpoch:], uint32(epoch))
}

// SetLogAppendTime makes ms (Unix milliseconds) the time of every record of b, which must be exactly
// one batch: it sets the attribute bit and MaxTimestamp and sums the batch again.
//
// Source: DefaultRecordBatch.setMaxTimestamp of Apache Kafka 4.1.
func SetLogAppendTime(b []byte, ms int64) {
	attrs := int16(binary.BigEndian.Uint16(b[posAttributes:])) | AttrLogAppendTime
	binary.BigEndian.PutUint16(b[posAttributes:], uint16(attrs))
	binary.BigEndian.PutUint64(b[posMaxTimestamp:], uint64(ms))
	binary.BigEndian.PutUint32(b[posCRC:], checksum(b))
}

// SetMaxTimestamp makes ms (Unix milliseconds) the largest timestamp that the header of b tells, which must be exactly
// one batch, and sums the batch again: for producers that leave it out.
func SetMaxTimestamp(b []byte, ms int64) {
	binary.BigEndian.PutUint64(b[posMaxTimestamp:], uint64(ms))
	binary.BigEndian.PutUint32(b[posCRC:], checksum(b))
}

func checksum(b []byte) uint32 { return crc32.Checksum(b[crcStart:], castagnoli) }

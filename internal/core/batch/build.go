package batch

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// Record is one record of a batch. A nil Key or Value is null, which is not the same as empty.
type Record struct {
	Key, Value []byte
	Headers    []RecordHeader
	// Timestamp is in Unix milliseconds.
	Timestamp int64
	// Offset is set by readers; a Builder numbers records in the order of Add and ignores it.
	Offset int64
}

// RecordHeader is one header of a record. A nil Value is null; Key never is.
type RecordHeader struct {
	Key   []byte
	Value []byte
}

// RecordSize is the number of bytes r takes in an uncompressed batch, its length prefix included.
// offsetDelta and tsDelta (ms) are relative to the batch's base offset and first timestamp.
func RecordSize(r *Record, offsetDelta int32, tsDelta int64) int {
	n := bodySize(r, offsetDelta, tsDelta)
	return varintSize(int64(n)) + n
}

// bodySize is what stands in the length prefix of r.
func bodySize(r *Record, offsetDelta int32, tsDelta int64) int {
	n := 1 + varintSize(tsDelta) + varintSize(int64(offsetDelta)) +
		bytesSize(r.Key) + bytesSize(r.Value) + varintSize(int64(len(r.Headers)))
	for i := range r.Headers {
		n += varintSize(int64(len(r.Headers[i].Key))) + len(r.Headers[i].Key) + bytesSize(r.Headers[i].Value)
	}
	return n
}

func bytesSize(b []byte) int {
	if b == nil {
		return 1
	}
	return varintSize(int64(len(b))) + len(b)
}

// varintSize is the size of v as a zigzag varint: 7 bits a byte.
func varintSize(v int64) int {
	u := uint64(v<<1) ^ uint64(v>>63)
	return (bits.Len64(u|1) + 6) / 7
}

// Fields are what a Builder cannot know. Timestamps are Unix milliseconds.
type Fields struct {
	BaseOffset  int64
	LeaderEpoch int32
	// Attributes: the compression bits must be zero, a Builder never compresses.
	Attributes int16
	// FirstTimestamp is what the records' timestamps count from. Other than the base given to Start, it
	// moves all records by the difference: a caller that learns the time only at the end builds on 0.
	FirstTimestamp int64
	MaxTimestamp   int64
	ProducerID     int64
	ProducerEpoch  int16
	BaseSequence   int32
}

// Builder writes one uncompressed batch at the end of a buffer of the caller. Its zero value is ready
// for Start; it may be used again for the next batch, and it allocates only when the buffer is too
// small for what is added.
type Builder struct {
	buf   []byte
	start int
	count int32
	base  int64
}

// Start begins a batch after the bytes of dst, which the builder holds until Finish. base (ms) is what
// record timestamps are counted from.
func (b *Builder) Start(dst []byte, base int64) {
	b.buf, b.start = slices.Grow(dst, HeaderSize)[:len(dst)+HeaderSize], len(dst)
	b.count, b.base = 0, base
}

// Size is the number of bytes of the batch so far, header included.
func (b *Builder) Size() int { return len(b.buf) - b.start }

// Add copies r into the batch as its next record; nothing of r is kept.
func (b *Builder) Add(r *Record) {
	tsDelta := r.Timestamp - b.base
	n := bodySize(r, b.count, tsDelta)
	at := len(b.buf)
	b.buf = slices.Grow(b.buf, varintSize(int64(n))+n)[:at+varintSize(int64(n))+n]
	at = putRecord(b.buf, at, n, r, b.count, tsDelta)
	b.count++
	if at != len(b.buf) {
		panic("batch: record size and encoding disagree")
	}
}

func putRecord(buf []byte, at, bodyLen int, r *Record, offsetDelta int32, tsDelta int64) int {
	at = putVarint(buf, at, int64(bodyLen))
	buf[at] = 0 // record attributes: none are defined
	at = putVarint(buf, at+1, tsDelta)
	at = putVarint(buf, at, int64(offsetDelta))
	at = putBytes(buf, at, r.Key)
	at = putBytes(buf, at, r.Value)
	at = putVarint(buf, at, int64(len(r.Headers)))
	for i := range r.Headers {
		h := &r.Headers[i]
		at = putVarint(buf, at, int64(len(h.Key)))
		at += copy(buf[at:], h.Key)
		at = putBytes(buf, at, h.Value)
	}
	return at
}

func putBytes(buf []byte, at int, b []byte) int {
	if b == nil {
		return putVarint(buf, at, -1)
	}
	at = putVarint(buf, at, int64(len(b)))
	return at + copy(buf[at:], b)
}

func putVarint(buf []byte, at int, v int64) int {
	u := uint64(v<<1) ^ uint64(v>>63)
	for u >= 0x80 {
		buf[at] = byte(u) | 0x80
		u >>= 7
		at++
	}
	buf[at] = byte(u)
	return at + 1
}

// Finish writes the header and returns the whole buffer: what stood in dst at Start, then the batch.
// The builder no longer holds it.
func (b *Builder) Finish(f Fields) []byte {
	buf, batch := b.buf, b.buf[b.start:]
	b.buf = nil
	h := Header{
		BaseOffset:      f.BaseOffset,
		Length:          int32(len(batch) - lengthPrefix),
		LeaderEpoch:     f.LeaderEpoch,
		Attributes:      f.Attributes &^ AttrCompressionMask,
		LastOffsetDelta: max(b.count-1, 0),
		FirstTimestamp:  f.FirstTimestamp,
		MaxTimestamp:    f.MaxTimestamp,
		ProducerID:      f.ProducerID,
		ProducerEpoch:   f.ProducerEpoch,
		BaseSequence:    f.BaseSequence,
		Count:           b.count,
	}
	h.put(batch)
	binary.BigEndian.PutUint32(batch[posCRC:], checksum(batch))
	return buf
}

package segment

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Encoding says how the stored bytes of a batch relate to its plain ones. Permanent.
type Encoding = uint8

// The encodings.
const (
	Plain  Encoding = 0 // as they are
	Zstd   Encoding = 1 // one zstd frame
	Sealed Encoding = 2 // AES-256-GCM under the data key KeyID with Nonce
)

// maxStored bounds the bytes of one batch, stored or plain: twice the largest batch of 16 MiB, so that
// sealing and headers fit and damage cannot ask for gigabytes.
const maxStored = 32 << 20

// Entry is what the index knows of one batch.
type Entry struct {
	Base          int64 // offset of the first record
	Count         int32 // offsets it covers, at least 1; after compaction it may hold fewer records
	AppendTime    int64 // Unix ms; never goes back in a partition
	MaxTimestamp  int64 // Unix ms, as the batch header says
	Attributes    int16 // of the batch header
	Marker        uint8 // 0 none, 1 abort, 2 commit (batch.Marker)
	LeaderEpoch   int32
	ProducerID    int64 // -1: none
	ProducerEpoch int16
	BaseSequence  int32
	Encoding      Encoding
	StoredLen     uint32 // bytes in the data file
	PlainLen      uint32 // bytes of the batch; the same when Encoding is Plain
	CRC           uint32 // CRC32C of the stored bytes
	KeyID         uint64 // data key, 0: not sealed
	Nonce         [12]byte
	Pos           int64 // where the stored bytes begin in the data file
}

// Next is the offset after the batch.
func (e *Entry) Next() int64 { return e.Base + int64(e.Count) }

// Flags of an encoded entry.
const (
	flagProducer = 1 << 0 // producer fields follow; else they are -1
	flagKey      = 1 << 1 // key id and nonce follow; else they are zero
	flagPlainLen = 1 << 2 // plain length follows; else it is the stored one
	flagGap      = 1 << 3 // position follows; else it is where the entry before ended
	markerShift  = 4      // two bits
	flagsKnown   = 0x3f
)

// minEntrySize: encoding, flags, seven varints and the CRC.
const minEntrySize = 2 + 7 + 4

// deltas is what an entry is encoded against: mostly the one before.
type deltas struct {
	base, appendTime, pos int64
	leaderEpoch           int32
	producerID            int64
}

func (d *deltas) follow(e *Entry) {
	d.base, d.appendTime, d.pos = e.Next(), e.AppendTime, e.Pos+int64(e.StoredLen)
	d.leaderEpoch = e.LeaderEpoch
	if e.ProducerID != -1 {
		d.producerID = e.ProducerID
	}
}

// appendEntry encodes e, about 16 bytes, and lets d follow it.
func appendEntry(b []byte, e *Entry, d *deltas) []byte {
	flags := e.Marker << markerShift
	producer := e.ProducerID != -1 || e.ProducerEpoch != -1 || e.BaseSequence != -1
	key := e.KeyID != 0 || e.Nonce != [12]byte{}
	flags |= bitIf(producer, flagProducer) | bitIf(key, flagKey) |
		bitIf(e.PlainLen != e.StoredLen, flagPlainLen) | bitIf(e.Pos != d.pos, flagGap)
	b = append(b, e.Encoding, flags)
	b = binary.AppendUvarint(b, uint64(e.Base-d.base))
	b = binary.AppendUvarint(b, uint64(e.Count))
	b = binary.AppendVarint(b, e.AppendTime-d.appendTime)
	b = binary.AppendVarint(b, e.MaxTimestamp-e.AppendTime)
	b = binary.AppendUvarint(b, uint64(uint16(e.Attributes)))
	b = binary.AppendVarint(b, int64(e.LeaderEpoch)-int64(d.leaderEpoch))
	b = binary.AppendUvarint(b, uint64(e.StoredLen))
	b = binary.LittleEndian.AppendUint32(b, e.CRC)
	if producer {
		b = binary.AppendVarint(b, e.ProducerID-d.producerID)
		b = binary.AppendVarint(b, int64(e.ProducerEpoch))
		b = binary.AppendVarint(b, int64(e.BaseSequence))
	}
	if key {
		b = binary.AppendUvarint(b, e.KeyID)
		b = append(b, e.Nonce[:]...)
	}
	if flags&flagPlainLen != 0 {
		b = binary.AppendUvarint(b, uint64(e.PlainLen))
	}
	if flags&flagGap != 0 {
		b = binary.AppendVarint(b, e.Pos-d.pos)
	}
	d.follow(e)
	return b
}

func bitIf(set bool, bit uint8) uint8 {
	if set {
		return bit
	}
	return 0
}

// errEntry is any damage inside an entry; the block it is in says where.
var errEntry = errors.New("entry does not decode")

// entryDecoder takes fields off b from at on; after the first that does not fit, bad stays set. (Moving a
// number and not the slice keeps the garbage collector's write barrier out of the loop.)
type entryDecoder struct {
	b   []byte
	at  int
	bad bool
}

func (r *entryDecoder) fail() {
	r.bad, r.at = true, len(r.b)
}

func (r *entryDecoder) uvarint(most uint64) uint64 {
	if r.at < len(r.b) && r.b[r.at] < 0x80 {
		r.at++
		return uint64(r.b[r.at-1])
	}
	v, n := binary.Uvarint(r.b[r.at:])
	if n <= 0 || v > most {
		r.fail()
		return 0
	}
	r.at += n
	return v
}

func (r *entryDecoder) varint(from, to int64) int64 {
	u := r.uvarint(1<<64 - 1)
	v := int64(u>>1) ^ -int64(u&1)
	if v < from || v > to {
		r.fail()
		return 0
	}
	return v
}

// take returns the next n bytes, at most 16; zeros when there are fewer.
func (r *entryDecoder) take(n int) []byte {
	if len(r.b)-r.at < n {
		r.fail()
		return zeros[:n]
	}
	r.at += n
	return r.b[r.at-n : r.at]
}

var zeros [16]byte

const (
	maxInt16 = 1<<15 - 1
	maxInt32 = 1<<31 - 1
	maxInt64 = 1<<63 - 1
)

// decode reads one entry, the reverse of appendEntry.
func (r *entryDecoder) decode(e *Entry, d *deltas) error {
	head := r.take(2)
	encoding, flags := head[0], head[1]
	*e = Entry{Encoding: encoding, Marker: flags >> markerShift, ProducerID: -1, ProducerEpoch: -1, BaseSequence: -1, Pos: d.pos}
	e.Base = d.base + int64(r.uvarint(maxInt64))
	e.Count = int32(r.uvarint(maxInt32))
	e.AppendTime = d.appendTime + r.varint(-maxInt64, maxInt64)
	e.MaxTimestamp = e.AppendTime + r.varint(-maxInt64-1, maxInt64)
	e.Attributes = int16(r.uvarint(1<<16 - 1))
	e.LeaderEpoch = int32(int64(d.leaderEpoch) + r.varint(-1<<32, 1<<32))
	e.StoredLen = uint32(r.uvarint(maxStored))
	e.CRC = binary.LittleEndian.Uint32(r.take(4))
	e.PlainLen = e.StoredLen
	if flags&flagProducer != 0 {
		e.ProducerID = d.producerID + r.varint(-maxInt64-1, maxInt64)
		e.ProducerEpoch = int16(r.varint(-maxInt16-1, maxInt16))
		e.BaseSequence = int32(r.varint(-maxInt32-1, maxInt32))
	}
	if flags&flagKey != 0 {
		e.KeyID = r.uvarint(1<<64 - 1)
		copy(e.Nonce[:], r.take(len(e.Nonce)))
	}
	if flags&flagPlainLen != 0 {
		e.PlainLen = uint32(r.uvarint(maxStored))
	}
	if flags&flagGap != 0 {
		e.Pos = d.pos + r.varint(-maxInt64, maxInt64)
	}
	if r.bad || flags&^flagsKnown != 0 {
		return errEntry
	}
	if reason := e.invalid(); reason != "" || e.Base < d.base {
		return fmt.Errorf("%w: %s", errEntry, reason)
	}
	d.follow(e)
	return nil
}

// invalid says what no entry may be, or "".
func (e *Entry) invalid() string {
	switch {
	case e.Base < 0 || e.Count < 1 || e.Next() < e.Base:
		return fmt.Sprintf("offset %d, count %d", e.Base, e.Count)
	case e.Marker > 2:
		return fmt.Sprintf("marker %d", e.Marker)
	case e.Encoding > Sealed:
		return fmt.Sprintf("encoding %d", e.Encoding)
	case e.StoredLen == 0 || e.StoredLen > maxStored || e.PlainLen == 0 || e.PlainLen > maxStored:
		return fmt.Sprintf("%d stored, %d plain bytes", e.StoredLen, e.PlainLen)
	case e.Encoding == Plain && e.PlainLen != e.StoredLen:
		return fmt.Sprintf("plain, but %d stored for %d bytes", e.StoredLen, e.PlainLen)
	case e.Pos < 0 || e.Pos+int64(e.StoredLen) < e.Pos:
		return fmt.Sprintf("position %d", e.Pos)
	case e.LeaderEpoch < -1:
		return fmt.Sprintf("leader epoch %d", e.LeaderEpoch)
	}
	return ""
}

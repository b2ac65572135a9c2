package batch

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
)

// NoHorizon: a batch gets no delete horizon.
const NoHorizon = -1

// Thinner opens one batch after the other, whatever its codec, and writes it again with fewer records: key compaction.
// Its zero value is ready for Open; it keeps its buffers from one batch to the next, and belongs to one goroutine.
//
//	Open ─► Next for each record (may it go?) ─► Write(keep)
//
// What is written has the offsets, sequence numbers, producer, codec and times of what was opened. Only the
// count, the largest timestamp and, with a horizon, the first one differ.
type Thinner struct {
	h      Header
	plain  []byte // the records, plain: a part of the batch, or of buf
	buf    []byte
	out    []byte // records to be packed
	cursor Cursor
	ends   []int // where each record that was read ends in plain
	times  []int64
}

// Open begins to read b, which must be one whole batch and stay as it is; its CRC is not checked.
//
// Errors: ErrShort, ErrMagic, ErrCorrupt, ErrInvalid, ErrTooLarge.
func (t *Thinner) Open(b []byte, lim Limits) error {
	h, err := ReadHeader(b)
	if err != nil {
		return err
	}
	if h.Size() != len(b) {
		return fmt.Errorf("%w: %d bytes of %d", ErrShort, len(b), h.Size())
	}
	t.h, t.ends, t.times = h, t.ends[:0], t.times[:0]
	t.plain = b[HeaderSize:]
	if h.Compression() != None {
		if t.buf, err = Decompress(t.buf[:0], h.Compression(), t.plain, lim); err != nil {
			t.buf = nil
			return err
		}
		t.plain = t.buf
	}
	return t.cursor.reset(h, t.plain)
}

// Header is that of the open batch.
func (t *Thinner) Header() *Header { return &t.h }

// Next fills r with the next record and reports whether there was one; after false, Err tells why. The slices of r are
// good until the next Open.
func (t *Thinner) Next(r *Record) bool {
	if !t.cursor.Next(r) {
		return false
	}
	t.ends = append(t.ends, len(t.plain)-len(t.cursor.rest))
	t.times = append(t.times, r.Timestamp)
	return true
}

// Err is what ended the reading early, or nil.
func (t *Thinner) Err() error { return t.cursor.Err() }

// Write appends the open batch, all of whose records were read, to dst with those records that keep names, in their
// order; at least one. A horizon (Unix ms) becomes its delete horizon, NoHorizon leaves the one it has or none.
//
// Errors: those of the codec.
//
// Source: MemoryRecords.filterTo of Apache Kafka 4.1; KIP-534 for the horizon: attribute bit 6 is set, and the first
// timestamp, which the records' own count from, is the horizon.
func (t *Thinner) Write(dst []byte, keep []bool, horizon int64) ([]byte, error) {
	at := len(dst)
	h := t.h
	h.Count, h.MaxTimestamp = t.kept(keep)
	packed := h.Compression() != None
	dst = slices.Grow(dst, HeaderSize+len(t.plain))[:at+HeaderSize]
	plain := dst
	if packed {
		plain = t.out[:0]
	}
	if horizon == NoHorizon {
		plain = t.copyRecords(plain, keep)
	} else {
		h.Attributes |= AttrDeleteHorizon
		h.FirstTimestamp = horizon
		plain = t.moveRecords(plain, keep, horizon)
	}
	if !packed {
		dst = plain
	} else {
		t.out = plain
		var err error
		if dst, err = Compress(dst, h.Compression(), plain); err != nil {
			return nil, err
		}
	}
	b := dst[at:]
	h.Length = int32(len(b) - lengthPrefix)
	h.put(b)
	binary.BigEndian.PutUint32(b[posCRC:], checksum(b))
	return dst, nil
}

// kept counts the records that stay and returns their largest timestamp.
func (t *Thinner) kept(keep []bool) (n int32, maxTime int64) {
	maxTime = math.MinInt64
	for i, ms := range t.times {
		if keep[i] {
			n++
			maxTime = max(maxTime, ms)
		}
	}
	if t.h.LogAppendTime() {
		maxTime = t.h.MaxTimestamp
	}
	return n, maxTime
}

// copyRecords copies records as they are.
func (t *Thinner) copyRecords(dst []byte, keep []bool) []byte {
	start := 0
	for i, end := range t.ends {
		if keep[i] {
			dst = append(dst, t.plain[start:end]...)
		}
		start = end
	}
	return dst
}

// moveRecords writes records whose timestamps count from base.
func (t *Thinner) moveRecords(dst []byte, keep []bool, base int64) []byte {
	h := t.h
	h.Attributes &^= AttrLogAppendTime // the deltas as they are
	var c Cursor
	if err := c.reset(h, t.plain); err != nil {
		panic("batch: records that were read do not read again: " + err.Error())
	}
	var r Record
	for i := 0; c.Next(&r); i++ {
		if !keep[i] {
			continue
		}
		delta, tsDelta := int32(r.Offset-h.BaseOffset), r.Timestamp-base
		n := bodySize(&r, delta, tsDelta)
		at := len(dst)
		dst = slices.Grow(dst, varintSize(int64(n))+n)[:at+varintSize(int64(n))+n]
		putRecord(dst, at, n, &r, delta, tsDelta)
	}
	return dst
}

package batch

import (
	"fmt"
	"iter"
)

// maxHeaders bounds the headers of one record beside the bytes they need (two each): a record of 16 MiB
// would else make a reader allocate 24 times its size for empty ones.
const maxHeaders = 1 << 16

// Cursor reads the records of one batch one after the other, without allocation when the Record it
// fills is used again. Its zero value is ready for Reset.
type Cursor struct {
	h    Header
	rest []byte
	left int32
	next int64 // smallest offset delta the next record may have
	err  error
}

// Reset begins to read b, which must be one whole uncompressed batch; its CRC is not checked. Records
// will point into b.
//
// Errors: ErrShort, ErrMagic, ErrCorrupt, ErrInvalid (compressed: see Records).
func (c *Cursor) Reset(b []byte) error {
	h, err := ReadHeader(b)
	if err != nil {
		return err
	}
	if h.Compression() != None {
		return fmt.Errorf("%w: cursor over %s", ErrInvalid, h.Compression())
	}
	if h.Size() > len(b) {
		return fmt.Errorf("%w: %d bytes of %d", ErrShort, len(b), h.Size())
	}
	return c.reset(h, b[HeaderSize:h.Size()])
}

// reset begins to read records, the plain bytes after the header h.
func (c *Cursor) reset(h Header, records []byte) error {
	*c = Cursor{h: h, rest: records, left: h.Count}
	if h.Count < 0 || int(h.Count) > len(records)/minRecordSize {
		return fmt.Errorf("%w: %d records in %d bytes", ErrCorrupt, h.Count, len(records))
	}
	return nil
}

// Next fills r with the next record and reports whether there was one; after false, Err tells why. The
// slices of r point into the batch and r.Headers is used again, so a caller that keeps a record copies it.
func (c *Cursor) Next(r *Record) bool {
	if c.err != nil {
		return false
	}
	if c.left == 0 {
		if len(c.rest) > 0 {
			c.err = fmt.Errorf("%w: %d bytes after the last record", ErrCorrupt, len(c.rest))
		}
		return false
	}
	if reason := c.decode(r); reason != "" {
		c.err = fmt.Errorf("%w: record %d: %s", ErrCorrupt, c.h.Count-c.left, reason)
		return false
	}
	c.left--
	return true
}

// Err is what ended the reading early, or nil.
func (c *Cursor) Err() error { return c.err }

func (c *Cursor) decode(r *Record) string {
	size, rest, ok := takeVarint(c.rest)
	if !ok || size < minRecordSize-1 || size > int64(len(rest)) {
		return "bad length"
	}
	d := decoder{b: rest[:size]}
	c.rest = rest[size:]

	d.skip(1) // record attributes: none are defined
	tsDelta := d.varint()
	offsetDelta := d.varint()
	r.Key = d.bytes()
	r.Value = d.bytes()
	r.Headers = d.headers(r.Headers[:0])
	switch {
	case d.bad:
		return "field beyond the end"
	case len(d.b) > 0:
		return fmt.Sprintf("%d bytes after the last header", len(d.b))
	case offsetDelta < c.next || offsetDelta > int64(c.h.LastOffsetDelta):
		return fmt.Sprintf("offset delta %d, expected %d to %d", offsetDelta, c.next, c.h.LastOffsetDelta)
	}
	c.next = offsetDelta + 1
	r.Offset = c.h.BaseOffset + offsetDelta
	r.Timestamp = c.h.FirstTimestamp + tsDelta
	if c.h.LogAppendTime() {
		r.Timestamp = c.h.MaxTimestamp
	}
	return ""
}

// decoder takes fields off the front of b; after the first that does not fit, bad stays set.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) skip(n int) {
	if len(d.b) < n {
		d.bad = true
		return
	}
	d.b = d.b[n:]
}

func (d *decoder) varint() int64 {
	v, rest, ok := takeVarint(d.b)
	if !ok {
		d.bad, d.b = true, nil
		return 0
	}
	d.b = rest
	return v
}

// bytes takes a length and so many bytes; -1 is null.
func (d *decoder) bytes() []byte {
	n := d.varint()
	if n == -1 || d.bad {
		return nil
	}
	if n < 0 || n > int64(len(d.b)) {
		d.bad, d.b = true, nil
		return nil
	}
	v := d.b[:n:n]
	d.b = d.b[n:]
	return v
}

func (d *decoder) headers(hs []RecordHeader) []RecordHeader {
	n := d.varint()
	if d.bad || n < 0 || n > maxHeaders || n > int64(len(d.b)/2) {
		d.bad = true
		return hs
	}
	for range n {
		key := d.bytes()
		if key == nil {
			d.bad = true
			return hs
		}
		hs = append(hs, RecordHeader{Key: key, Value: d.bytes()})
	}
	return hs
}

// takeVarint reads a zigzag varint of at most 10 bytes.
func takeVarint(b []byte) (v int64, rest []byte, ok bool) {
	var u uint64
	for i := range min(len(b), 10) {
		c := b[i]
		if c < 0x80 {
			if i == 9 && c > 1 {
				return 0, nil, false
			}
			u |= uint64(c) << (7 * i)
			return int64(u>>1) ^ -int64(u&1), b[i+1:], true
		}
		u |= uint64(c&0x7f) << (7 * i)
	}
	return 0, nil, false
}

// Records reads the records of b, one whole batch, compressed or not, within lim; the CRC is not
// checked. Slices of an uncompressed batch point into b, those of another into memory of their own;
// Headers are used again for the next record. An error ends the sequence.
//
// Errors: ErrShort, ErrMagic, ErrCorrupt, ErrInvalid, ErrTooLarge.
func Records(b []byte, lim Limits) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		var c Cursor
		if err := c.open(b, lim); err != nil {
			yield(Record{}, err)
			return
		}
		var r Record
		for c.Next(&r) {
			if !yield(r, nil) {
				return
			}
		}
		if c.Err() != nil {
			yield(Record{}, c.Err())
		}
	}
}

// open is Reset for batches that may be compressed.
func (c *Cursor) open(b []byte, lim Limits) error {
	h, err := ReadHeader(b)
	if err != nil {
		return err
	}
	if h.Compression() == None {
		return c.Reset(b)
	}
	if h.Size() > len(b) {
		return fmt.Errorf("%w: %d bytes of %d", ErrShort, len(b), h.Size())
	}
	plain, err := Decompress(nil, h.Compression(), b[HeaderSize:h.Size()], lim)
	if err != nil {
		return err
	}
	return c.reset(h, plain)
}

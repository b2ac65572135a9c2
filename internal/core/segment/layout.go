package segment

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// Sizes and magics. Permanent: docs/format/segment.md.
const (
	version = 1

	kindSegment uint32 = 1
	kindSidecar uint32 = 2
	kindShared  uint32 = 3

	headerSize    = 64
	footerSize    = 64
	blockHeadSize = 40
	topLineSize   = 40
	partLineSize  = 80

	// blockEntries: at about 16 bytes an entry a full block is one page of 4 KiB to read, and a million
	// entries keep 160 KiB in memory.
	blockEntries = 256
	// maxBlockSize is a block of entries with every field at its longest.
	maxBlockSize = blockHeadSize + blockEntries*(minEntrySize+128)
)

var (
	headerMagic = [8]byte{'m', 'l', 'r', 'S', 'E', 'G', 'M', 'T'}
	footerMagic = [8]byte{'m', 'l', 'r', 'S', 'E', 'G', 'E', 'N'}
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

// CorruptError is damage: bytes that are not what was written.
type CorruptError struct {
	File   string
	Offset int64 // where in the file the damaged piece begins
	Reason string
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("segment: %s is damaged at byte %d: %s", e.File, e.Offset, e.Reason)
}

// header is the first 64 bytes of all kinds.
type header struct {
	kind  uint32
	owner uint64 // the partition of a segment, the data file's id of a sidecar, the file's own number of a shared one
}

func (h *header) encode() []byte {
	b := make([]byte, headerSize)
	copy(b, headerMagic[:])
	binary.LittleEndian.PutUint32(b[8:], version)
	binary.LittleEndian.PutUint32(b[12:], h.kind)
	binary.LittleEndian.PutUint64(b[16:], h.owner)
	binary.LittleEndian.PutUint32(b[60:], checksum(b[:60]))
	return b
}

// decode reads b, which has headerSize bytes, and returns what is wrong with it, or "".
func (h *header) decode(b []byte) string {
	switch {
	case [8]byte(b) != headerMagic:
		return "no segment header"
	case checksum(b[:60]) != binary.LittleEndian.Uint32(b[60:]):
		return "header crc"
	case binary.LittleEndian.Uint32(b[8:]) != version:
		return fmt.Sprintf("version %d, this program reads %d", binary.LittleEndian.Uint32(b[8:]), version)
	}
	h.kind = binary.LittleEndian.Uint32(b[12:])
	h.owner = binary.LittleEndian.Uint64(b[16:])
	return ""
}

// footer is the last 64 bytes.
type footer struct {
	kind     uint32
	blocksAt int64 // where the blocks begin: the end of the data
	tailAt   int64 // where the tail begins: the end of the blocks
	blocks   uint32
	parts    uint32
	tailCRC  uint32
}

func (f *footer) tailLen() int64 { return int64(f.blocks)*topLineSize + int64(f.parts)*partLineSize }

func (f *footer) encode() []byte {
	b := make([]byte, footerSize)
	le := binary.LittleEndian
	copy(b, footerMagic[:])
	le.PutUint32(b[8:], version)
	le.PutUint32(b[12:], f.kind)
	le.PutUint64(b[16:], uint64(f.blocksAt))
	le.PutUint64(b[24:], uint64(f.tailAt))
	le.PutUint32(b[32:], f.blocks)
	le.PutUint32(b[36:], f.parts)
	le.PutUint32(b[40:], f.tailCRC)
	le.PutUint32(b[60:], checksum(b[:60]))
	return b
}

// decode reads b, the end of a file of size bytes, and returns what is wrong with it, or "".
func (f *footer) decode(b []byte, size int64) string {
	le := binary.LittleEndian
	switch {
	case [8]byte(b) != footerMagic:
		return "no segment footer: the file was not finished"
	case checksum(b[:60]) != le.Uint32(b[60:]):
		return "footer crc"
	case le.Uint32(b[8:]) != version:
		return fmt.Sprintf("version %d, this program reads %d", le.Uint32(b[8:]), version)
	}
	*f = footer{
		kind:     le.Uint32(b[12:]),
		blocksAt: int64(le.Uint64(b[16:])),
		tailAt:   int64(le.Uint64(b[24:])),
		blocks:   le.Uint32(b[32:]),
		parts:    le.Uint32(b[36:]),
		tailCRC:  le.Uint32(b[40:]),
	}
	if f.blocksAt < headerSize || f.tailAt < f.blocksAt || f.tailAt > size || f.tailLen() != size-footerSize-f.tailAt {
		return fmt.Sprintf("footer does not fit a file of %d bytes", size)
	}
	return ""
}

// topLine stands in the tail for one block.
type topLine struct {
	first        int64 // base offset of its first entry
	appendTime   int64 // largest of the partition up to and including the block
	maxTimestamp int64 // likewise
	at           int64 // where the block begins
	size         uint32
	entries      uint32
}

func (l *topLine) append(b []byte) []byte {
	le := binary.LittleEndian
	for _, v := range [...]int64{l.first, l.appendTime, l.maxTimestamp, l.at} {
		b = le.AppendUint64(b, uint64(v))
	}
	return le.AppendUint32(le.AppendUint32(b, l.size), l.entries)
}

func (l *topLine) decode(b []byte) {
	le := binary.LittleEndian
	l.first = int64(le.Uint64(b))
	l.appendTime = int64(le.Uint64(b[8:]))
	l.maxTimestamp = int64(le.Uint64(b[16:]))
	l.at = int64(le.Uint64(b[24:]))
	l.size = le.Uint32(b[32:])
	l.entries = le.Uint32(b[36:])
}

// Info is what a file holds of one partition. Times are Unix milliseconds.
type Info struct {
	Partition    uint64
	Base         int64 // first offset
	Next         int64 // offset after the last
	Bytes        int64 // stored bytes of its batches
	FirstAppend  int64
	LastAppend   int64
	MaxTimestamp int64 // largest of all batches
	Entries      int64
}

// add extends i by the next entry.
func (i *Info) add(e *Entry) {
	if i.Entries == 0 {
		i.Base, i.FirstAppend, i.MaxTimestamp = e.Base, e.AppendTime, e.MaxTimestamp
	}
	i.Next, i.LastAppend = e.Next(), e.AppendTime
	i.MaxTimestamp = max(i.MaxTimestamp, e.MaxTimestamp)
	i.Bytes += int64(e.StoredLen)
	i.Entries++
}

// partLine stands in the tail for one partition: its Info and which blocks are its own.
type partLine struct {
	info   Info
	first  uint32 // index of its first block in the file
	blocks uint32
}

func (l *partLine) append(b []byte) []byte {
	le := binary.LittleEndian
	i := &l.info
	b = le.AppendUint64(b, i.Partition)
	for _, v := range [...]int64{i.Base, i.Next, i.Bytes, i.FirstAppend, i.LastAppend, i.MaxTimestamp, i.Entries} {
		b = le.AppendUint64(b, uint64(v))
	}
	b = le.AppendUint32(le.AppendUint32(b, l.first), l.blocks)
	return le.AppendUint64(b, 0)
}

func (l *partLine) decode(b []byte) {
	le := binary.LittleEndian
	i64 := func(at int) int64 { return int64(le.Uint64(b[at:])) }
	l.info = Info{
		Partition: le.Uint64(b), Base: i64(8), Next: i64(16), Bytes: i64(24),
		FirstAppend: i64(32), LastAppend: i64(40), MaxTimestamp: i64(48), Entries: i64(56),
	}
	l.first, l.blocks = le.Uint32(b[64:]), le.Uint32(b[68:])
}

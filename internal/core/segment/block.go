package segment

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// appendBlock encodes up to blockEntries entries of one partition:
//
//	 0  CRC32C of the rest of the block   uint32
//	 4  length of the block               uint32
//	 8  entries                           uint32
//	12  zero                              uint32
//	16  offset, append time and position that the first entry counts from, int64 each
//	40  entries
func appendBlock(b []byte, entries []Entry) []byte {
	start := len(b)
	d := deltas{base: entries[0].Base, appendTime: entries[0].AppendTime, pos: entries[0].Pos}
	b = append(b, make([]byte, blockHeadSize)...)
	le := binary.LittleEndian
	le.PutUint64(b[start+16:], uint64(d.base))
	le.PutUint64(b[start+24:], uint64(d.appendTime))
	le.PutUint64(b[start+32:], uint64(d.pos))
	for i := range entries {
		b = appendEntry(b, &entries[i], &d)
	}
	le.PutUint32(b[start+4:], uint32(len(b)-start))
	le.PutUint32(b[start+8:], uint32(len(entries)))
	le.PutUint32(b[start:], checksum(b[start+4:]))
	return b
}

// decodeBlock reads a whole block and returns what is wrong with it, or "".
func decodeBlock(b []byte) ([]Entry, string) {
	le := binary.LittleEndian
	switch {
	case len(b) < blockHeadSize:
		return nil, "block is too short"
	case checksum(b[4:]) != le.Uint32(b):
		return nil, "block crc"
	case le.Uint32(b[4:]) != uint32(len(b)):
		return nil, fmt.Sprintf("block of %d bytes says it has %d", len(b), le.Uint32(b[4:]))
	}
	n := le.Uint32(b[8:])
	if n < 1 || n > blockEntries || int(n) > (len(b)-blockHeadSize)/minEntrySize {
		return nil, fmt.Sprintf("block of %d bytes with %d entries", len(b), n)
	}
	d := deltas{base: int64(le.Uint64(b[16:])), appendTime: int64(le.Uint64(b[24:])), pos: int64(le.Uint64(b[32:]))}
	r := entryDecoder{b: b[blockHeadSize:]}
	entries := make([]Entry, n)
	for i := range entries {
		if err := r.decode(&entries[i], &d); err != nil {
			return nil, fmt.Sprintf("entry %d of its block: %v", i, err)
		}
	}
	if r.at < len(r.b) {
		return nil, fmt.Sprintf("%d bytes after the last entry of a block", len(r.b)-r.at)
	}
	return entries, ""
}

// indexBuilder gathers the blocks and the tail of a file.
type indexBuilder struct {
	open  []Entry // of the block being filled
	out   []byte  // finished blocks
	lines []topLine
	parts []partLine
}

// begin starts the next partition; partitions come in rising order.
func (x *indexBuilder) begin(partition uint64) {
	x.endPart()
	x.parts = append(x.parts, partLine{info: Info{Partition: partition}, first: uint32(len(x.lines))})
}

// add takes the next entry of the partition; it must follow the one before.
func (x *indexBuilder) add(e *Entry) error {
	info := &x.parts[len(x.parts)-1].info
	if reason := e.invalid(); reason != "" {
		return fmt.Errorf("segment: entry of partition %d: %s", info.Partition, reason)
	}
	if info.Entries > 0 && (e.Base < info.Next || e.AppendTime < info.LastAppend) {
		return fmt.Errorf("segment: entry of partition %d: offset %d at %d ms after offset %d at %d ms",
			info.Partition, e.Base, e.AppendTime, info.Next, info.LastAppend)
	}
	info.add(e)
	x.open = append(x.open, *e)
	if len(x.open) == blockEntries {
		x.endBlock()
	}
	return nil
}

func (x *indexBuilder) endBlock() {
	if len(x.open) == 0 {
		return
	}
	part := &x.parts[len(x.parts)-1]
	at := len(x.out)
	x.out = appendBlock(x.out, x.open)
	x.lines = append(x.lines, topLine{
		first: x.open[0].Base, appendTime: part.info.LastAppend, maxTimestamp: part.info.MaxTimestamp,
		at: int64(at), size: uint32(len(x.out) - at), entries: uint32(len(x.open)),
	})
	part.blocks++
	x.open = x.open[:0]
}

func (x *indexBuilder) endPart() {
	if len(x.parts) > 0 {
		x.endBlock()
	}
}

// finish returns blocks, tail and footer for a file whose data ends at dataEnd.
func (x *indexBuilder) finish(kind uint32, dataEnd int64) []byte {
	x.endPart()
	b := x.out
	f := footer{kind: kind, blocksAt: dataEnd, tailAt: dataEnd + int64(len(b)), blocks: uint32(len(x.lines)), parts: uint32(len(x.parts))}
	b = slices.Grow(b, int(f.tailLen())+footerSize)
	tail := len(b)
	for i := range x.lines {
		x.lines[i].at += dataEnd
		b = x.lines[i].append(b)
	}
	for i := range x.parts {
		b = x.parts[i].append(b)
	}
	f.tailCRC = checksum(b[tail:])
	return append(b, f.encode()...)
}

package embedded

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"millrace/internal/core/batch"
	"millrace/internal/core/journal"
	"millrace/internal/core/segment"
	"millrace/internal/core/store"
)

const (
	// gatherRead is how much of a journal file is read at once; gatherGap is how many bytes between two batches
	// are read rather than skipped.
	gatherRead = 1 << 20
	gatherGap  = 64 << 10
)

// gathering brings the batches of journal files into the order of partitions. Their directories are read first: that says
// for each batch where it belongs. Then the files are read from front to back, in large pieces, and each batch is
// copied to its place in a buffer: so often as the buffer goes into the round, instead of one read for each batch.
type gathering struct {
	files   []*journalFile
	ends    []int           // of each file's batches in batches
	batches []gathered      // in the order of the journal
	others  []segment.Entry // of batches that are not like most
	seen    store.Table[partRound]
	parts   []*partRound // in order of id, once sorted
	pages   []byte       // memory of the two that follow
	buf     []byte       // of the passes
	read    pageReader
	pass    gatherPass
}

// gathered is one batch: 48 bytes, of which a round has half a million.
type gathered struct {
	base       int64
	appendTime int64
	pos        uint32 // in the file; files are at most 1 GiB
	length     uint32
	crc        uint32
	count      int32
	epoch      int32
	rank       int32 // in the order of partitions and offsets; before that is known, nth of the partition
	other      int32 // in others; -1: loose records, plain, with nothing of their own
}

// gatherPass is what goes into the buffer at once: batches whose ranks follow each other.
type gatherPass struct {
	from    int32
	batches []gathered // by rank
	at      []int32    // of each in the buffer
	files   []int32    // of each
	warmed  int32      // so that what is read early is not left out
}

// partRound is what a round has of one partition.
type partRound struct {
	id      store.PartitionID
	start   store.Offset // what ends before is not needed; OffsetMax: the partition is gone
	bytes   int64
	batches int
	nth     int32 // in the order in which partitions were seen
}

// take reads the directories of a file; what no partition needs is left out.
func (g *gathering) take(s *Store, f *journalFile) error {
	err := f.eachBatch(func(a *store.Append, st *journal.Stored) {
		part := g.seen.Get(a.Partition)
		if part == nil {
			part = g.part(s, a.Partition)
		}
		if a.Next() <= part.start {
			return
		}
		part.bytes += int64(st.Len)
		part.batches++
		b := gathered{
			base: int64(a.Base), appendTime: a.AppendTime, pos: uint32(st.Pos), length: st.Len, crc: st.CRC,
			count: a.Count, epoch: a.LeaderEpoch, rank: part.nth, other: -1,
		}
		if !usual(a, st) {
			b.other = int32(len(g.others))
			g.others = append(g.others, segmentEntry(a, st))
		}
		g.batches = append(g.batches, b)
	})
	g.files, g.ends = append(g.files, f), append(g.ends, len(g.batches))
	return err
}

// part begins a partition.
func (g *gathering) part(s *Store, id store.PartitionID) *partRound {
	s.mu.RLock()
	defer s.mu.RUnlock()
	start := store.OffsetMax
	if h, ok := s.applied.Head(id); ok {
		start = h.Start
	}
	part := &partRound{id: id, start: start, nth: int32(g.seen.Len())}
	g.seen.Set(id, part)
	return part
}

// usual tells whether a batch is of loose records and plain: what gathered says of it is all there is.
func usual(a *store.Append, st *journal.Stored) bool {
	return a.Attributes == batch.AttrLogAppendTime && a.MaxTimestamp == a.AppendTime && a.Marker == store.MarkerNone &&
		a.Producer == store.NoProducer && a.ProducerEpoch == -1 && a.Sequence == -1 &&
		st.Encoding == journal.Plain && st.KeyID == 0 && st.PlainLen == st.Len
}

// entry is a batch as segments know it.
func (g *gathering) entry(b *gathered, e *segment.Entry) {
	if b.other >= 0 {
		*e = g.others[b.other]
		return
	}
	*e = segment.Entry{
		Base: b.base, Count: b.count, AppendTime: b.appendTime, MaxTimestamp: b.appendTime,
		Attributes: batch.AttrLogAppendTime, LeaderEpoch: b.epoch, ProducerID: -1, ProducerEpoch: -1, BaseSequence: -1,
		StoredLen: b.length, PlainLen: b.length, CRC: b.crc, Pos: int64(b.pos),
	}
}

// sort brings parts into their order, and gives each batch its rank.
func (g *gathering) sort() {
	next := make([]int32, g.seen.Len()) // the rank of the next batch of each, by nth
	at := int32(0)
	for _, part := range g.seen.All() {
		g.parts = append(g.parts, part)
		next[part.nth] = at
		at += int32(part.batches)
	}
	for i := range g.batches {
		b := &g.batches[i]
		nth := b.rank
		b.rank = next[nth]
		next[nth]++
	}
}

// passes calls fn for each batch in order, with its bytes, which are not yet checked and not kept, and the file that they
// are of. most bounds the buffer, unless one batch is larger.
func (g *gathering) passes(most int64, fn func(part *partRound, e *segment.Entry, stored []byte, file string) error) error {
	if err := g.grow(most); err != nil {
		return err
	}
	lengths := make([]uint32, len(g.batches)) // by rank
	for i := range g.batches {
		lengths[g.batches[i].rank] = g.batches[i].length
	}
	part, left := -1, 0
	var e segment.Entry
	for from := 0; from < len(lengths); {
		n := g.pass.begin(from, lengths[from:], int64(len(g.buf)))
		if err := g.load(); err != nil {
			return err
		}
		for i := range n {
			if i%warmAhead == 0 {
				g.pass.warm(i)
			}
			for left == 0 {
				part++
				left = g.parts[part].batches
			}
			left--
			b := &g.pass.batches[i]
			g.entry(b, &e)
			if err := fn(g.parts[part], &e, g.buf[g.pass.at[i]:][:b.length], g.files[g.pass.files[i]].name); err != nil {
				return err
			}
		}
		from += n
	}
	return nil
}

// begin makes a pass of the first batches that go into room bytes, from a rank on, and returns how many these are.
func (p *gatherPass) begin(from int, lengths []uint32, room int64) (n int) {
	p.from, p.at = int32(from), p.at[:0]
	size := int64(0)
	for n < len(lengths) && (n == 0 || size+int64(lengths[n]) <= room) {
		p.at = append(p.at, int32(size))
		size += int64(lengths[n])
		n++
	}
	p.batches = slices.Grow(p.batches[:0], n)[:n]
	p.files = slices.Grow(p.files[:0], n)[:n]
	return n
}

// warmAhead is how many batches of a pass are looked at ahead, some KiB: bytes that are copied between them have pushed them out of
// the processor's memory since the pass was loaded.
const warmAhead = 64

// warm reads a word of each of the next batches from one on, so that nobody waits for one after the other.
func (p *gatherPass) warm(from int) {
	to := min(from+warmAhead, len(p.at))
	for i := from; i < to; i++ {
		b := &p.batches[i]
		p.warmed += int32(b.base) + b.rank + p.at[i] + p.files[i]
	}
}

// has tells whether a batch is in the pass.
func (p *gatherPass) has(b *gathered) bool { return uint32(b.rank-p.from) < uint32(len(p.at)) }

// grow takes a buffer for the passes: most, less when all goes into it, more when a batch does not.
func (g *gathering) grow(most int64) (err error) {
	var all, largest int64
	for i := range g.batches {
		n := int64(g.batches[i].length)
		all, largest = all+n, max(largest, n)
	}
	if all == 0 {
		return nil
	}
	size := journal.Pad(int(max(min(all, most), largest)))
	piece := journal.Pad(int(max(gatherRead, largest)) + journal.PageSize)
	if g.pages, err = takePages(size + piece); err != nil {
		return fmt.Errorf("take memory to gather batches in: %w", err)
	}
	g.buf, g.read.buf = g.pages[:size], g.pages[size:][:0]
	return nil
}

// end gives the memory back.
func (g *gathering) end() error {
	if g.pages == nil {
		return nil
	}
	pages := g.pages
	g.pages, g.buf, g.read.buf = nil, nil, nil
	return givePages(pages)
}

// load copies the batches of a pass into the buffer.
func (g *gathering) load() error {
	from := 0
	for i := range g.files {
		batches := g.batches[from:g.ends[i]]
		from = g.ends[i]
		for len(batches) > 0 {
			n, err := g.loadPiece(int32(i), batches)
			if err != nil {
				return err
			}
			batches = batches[n:]
		}
	}
	return nil
}

// loadPiece reads a piece of a file with the first of its batches that are wanted, and returns how many it is done with.
func (g *gathering) loadPiece(file int32, batches []gathered) (n int, err error) {
	p := &g.pass
	for n < len(batches) && !p.has(&batches[n]) {
		n++
	}
	batches = batches[n:]
	if len(batches) == 0 {
		return n, nil
	}
	start := int64(batches[0].pos)
	end, last := start, 0
	for i := range batches {
		b := &batches[i]
		pos, stop := int64(b.pos), int64(b.pos)+int64(b.length)
		if i > 0 && (pos-end > gatherGap || stop-start > gatherRead) {
			break
		}
		if p.has(b) {
			end, last = stop, i+1
		}
	}
	f := g.files[file]
	piece, err := g.read.read(f.once(), f.name, start, end)
	if err != nil {
		return n, err
	}
	for i := range batches[:last] {
		b := &batches[i]
		if p.has(b) {
			at := b.rank - p.from
			p.batches[at], p.files[at] = *b, file
			copy(g.buf[p.at[at]:][:b.length], piece[int64(b.pos)-start:])
		}
	}
	return n + last, nil
}

// once is how a file is read that is read once or twice and then written anew: past the page cache where that is possible.
func (f *journalFile) once() io.ReaderAt {
	if f.direct != nil {
		return f.direct
	}
	return f.file
}

// pageReader reads whole pages, so that files can be read past the page cache.
type pageReader struct{ buf []byte }

// read returns the bytes of file, which path names, from start to end. They are good until the next call.
func (p *pageReader) read(file io.ReaderAt, path string, start, end int64) ([]byte, error) {
	from := start &^ (journal.PageSize - 1)
	n := journal.Pad(int(end - from))
	if cap(p.buf) < n {
		p.buf = journal.Aligned(max(gatherRead+2*journal.PageSize, n))
	}
	got, err := file.ReadAt(p.buf[:n], from)
	switch {
	case got >= int(end-from): // the file may end in the last page
		return p.buf[start-from : end-from], nil
	case errors.Is(err, io.EOF):
		return nil, &store.CorruptError{File: path, Offset: start, Reason: "the file ends inside of a batch"}
	}
	return nil, fmt.Errorf("read %s at %d: %w", path, start, err)
}

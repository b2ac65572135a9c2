package embedded

import (
	"errors"
	"fmt"
	"io"
	"slices"

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
	ends    []int // of each file's batches in batches
	batches []gathered
	parts   []partRound // in order of id, once sorted
	byID    map[store.PartitionID]int32
	order   []int32 // batches by partition and offset
	buf     []byte  // of the passes
	read    pageReader
}

// gathered is one batch, in the order of the journal.
type gathered struct {
	segment.Entry
	part int32
	at   int32 // in the buffer; -1: not in this pass
}

// partRound is what a round has of one partition.
type partRound struct {
	id      store.PartitionID
	start   store.Offset // what ends before is not needed; OffsetMax: the partition is gone
	bytes   int64
	batches int
}

// take reads the directories of a file; what no partition needs is left out.
func (g *gathering) take(s *Store, f *journalFile) error {
	_, err := journal.Walk(f.file, f.name, f.header, f.used.Load(), 0, func(group *journal.Group) error {
		s.mu.RLock()
		defer s.mu.RUnlock()
		for i := range group.Data.Appends {
			a, st := &group.Data.Appends[i], &group.Stored[i]
			part, ok := g.byID[a.Partition]
			if !ok {
				part = int32(len(g.parts))
				g.byID[a.Partition] = part
				start := store.OffsetMax
				if h, ok := s.applied.Head(a.Partition); ok {
					start = h.Start
				}
				g.parts = append(g.parts, partRound{id: a.Partition, start: start})
			}
			if a.Next() <= g.parts[part].start {
				continue
			}
			g.parts[part].bytes += int64(st.Len)
			g.parts[part].batches++
			g.batches = append(g.batches, gathered{segmentEntry(a, st), part, -1})
		}
		return nil
	})
	g.files, g.ends = append(g.files, f), append(g.ends, len(g.batches))
	return err
}

// sort makes parts and order.
func (g *gathering) sort() {
	slices.SortFunc(g.parts, func(a, b partRound) int {
		if a.id < b.id {
			return -1
		}
		return 1
	})
	ranks := make([]int32, len(g.parts)) // by the number that a partition was first seen under
	next := make([]int, len(g.parts))    // where the next batch of each goes
	at := 0
	for i := range g.parts {
		ranks[g.byID[g.parts[i].id]] = int32(i)
		next[i] = at
		at += g.parts[i].batches
	}
	g.order = make([]int32, len(g.batches))
	for i := range g.batches {
		b := &g.batches[i]
		b.part = ranks[b.part]
		g.order[next[b.part]] = int32(i)
		next[b.part]++
	}
}

// passes calls fn for each batch in order, with its bytes, which are not yet checked and not kept, and the file that they
// are of. most bounds the buffer, unless one batch is larger.
func (g *gathering) passes(most int64, fn func(part *partRound, e *segment.Entry, stored []byte, file string) error) error {
	if err := g.grow(most); err != nil {
		return err
	}
	for from := 0; from < len(g.order); {
		to, size := from, int64(0)
		for to < len(g.order) {
			b := &g.batches[g.order[to]]
			if n := int64(b.StoredLen); to > from && size+n > most {
				break
			}
			b.at = int32(size)
			size += int64(b.StoredLen)
			to++
		}
		if err := g.load(); err != nil {
			return err
		}
		for _, i := range g.order[from:to] {
			b := &g.batches[i]
			stored := g.buf[b.at:][:b.StoredLen]
			b.at = -1
			if err := fn(&g.parts[b.part], &b.Entry, stored, g.fileOf(int(i))); err != nil {
				return err
			}
		}
		from = to
	}
	return nil
}

// grow takes a buffer for the passes: most, less when all goes into it, more when a batch does not.
func (g *gathering) grow(most int64) (err error) {
	var all, largest int64
	for i := range g.batches {
		n := int64(g.batches[i].StoredLen)
		all, largest = all+n, max(largest, n)
	}
	if all == 0 {
		return nil
	}
	if g.buf, err = takePages(int(max(min(all, most), largest))); err != nil {
		return fmt.Errorf("take memory to gather batches in: %w", err)
	}
	return nil
}

// end gives the buffer back.
func (g *gathering) end() error {
	if g.buf == nil {
		return nil
	}
	b := g.buf
	g.buf = nil
	return givePages(b)
}

func (g *gathering) fileOf(batch int) string {
	for i, end := range g.ends {
		if batch < end {
			return g.files[i].name
		}
	}
	return ""
}

// load copies the batches of a pass into the buffer.
func (g *gathering) load() error {
	from := 0
	for i, f := range g.files {
		batches := g.batches[from:g.ends[i]]
		from = g.ends[i]
		for len(batches) > 0 {
			n, err := g.loadPiece(f, batches)
			if err != nil {
				return err
			}
			batches = batches[n:]
		}
	}
	return nil
}

// loadPiece reads a piece of a file with the first of its batches that are wanted, and returns how many it is done with.
func (g *gathering) loadPiece(f *journalFile, batches []gathered) (n int, err error) {
	for n < len(batches) && batches[n].at < 0 {
		n++
	}
	batches = batches[n:]
	if len(batches) == 0 {
		return n, nil
	}
	start := batches[0].Pos
	end, last := start, 0
	for i := range batches {
		b := &batches[i]
		if b.at < 0 {
			continue
		}
		if i > 0 && (b.Pos-end > gatherGap || b.Pos+int64(b.StoredLen)-start > gatherRead) {
			break
		}
		end, last = b.Pos+int64(b.StoredLen), i+1
	}
	var file io.ReaderAt = f.file
	if f.direct != nil {
		file = f.direct // it is read once or twice and then written anew
	}
	piece, err := g.read.read(file, f.name, start, end)
	if err != nil {
		return n, err
	}
	for i := range batches[:last] {
		if b := &batches[i]; b.at >= 0 {
			copy(g.buf[b.at:][:b.StoredLen], piece[b.Pos-start:])
		}
	}
	return n + last, nil
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

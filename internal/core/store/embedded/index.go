package embedded

import (
	"cmp"
	"slices"
	"sort"

	"millrace/internal/core/journal"
	"millrace/internal/core/store"
)

// index says where the batches of each partition are: sealed runs first, then entries of the
// journal files that are not moved yet. Store.mu guards it.
type index struct {
	parts   store.Table[partIndex]
	entries int64 // in all tails
	warmed  int64
}

type partIndex struct {
	tail      []entry // in order of offsets, all behind the runs
	tailBytes int64   // stored bytes of tail

	// sealings are of the sealed batches in tail, in order of offsets: most partitions have none, and
	// so an entry stays at 64 bytes.
	sealings []sealing

	runs []run // in order of offsets

	compacted uint64 // how often runs were replaced by what compaction has left of them
}

// entry is one batch in the unmoved journal: 64 bytes, without pointers.
type entry struct {
	base       store.Offset
	appendTime int64
	maxTime    int64
	chunk      uint64 // of the tail cache; 0 when it was never there
	file       uint32 // number of the journal file, modulo 2^32
	pos        uint32 // in the file; files are at most 1 GiB
	at         uint32 // in the chunk
	length     uint32
	count      int32
	crc        uint32
	encoding   journal.Encoding
}

func (e *entry) next() store.Offset { return e.base + store.Offset(e.count) }

// run is a sealed piece of a partition: a segment, a part of a shared file, or its part of an adopted journal file.
type run struct {
	part        store.PartitionID
	base, next  store.Offset
	bytes       int64
	batches     int64
	firstAppend int64
	lastAppend  int64
	maxTime     int64
	file        fileID

	// clean says that compaction has written the run: no record in it has a later one of its key up to the run's end.
	clean bool
	// horizon is when the first tombstone or marker of a clean run may go, ms since 1970; 0: it has none.
	horizon int64
}

func (x *index) part(id store.PartitionID) *partIndex {
	p := x.parts.Get(id)
	if p == nil {
		p = &partIndex{}
		x.parts.Set(id, p)
	}
	return p
}

func (x *index) add(id store.PartitionID, e entry, st *journal.Stored) {
	p := x.part(id)
	p.tail = append(p.tail, e)
	if e.encoding == journal.Sealed {
		p.sealings = append(p.sealings, sealing{e.base, st.KeyID, st.Nonce})
	}
	p.tailBytes += int64(e.length)
	x.entries++
}

// warmFrom is how many batches of a group are worth it to read a word of the end of each partition's tail first: these loads
// from memory do not depend on each other, so that nobody waits for one after the other.
const warmFrom = 16

// warm reads what adding some batches will look at.
func (x *index) warm(appends []store.Append) {
	if len(appends) < warmFrom {
		return
	}
	var sum int64
	for i := range appends {
		if p := x.parts.Get(appends[i].Partition); p != nil {
			sum += p.tailBytes
			if n := len(p.tail); n < cap(p.tail) {
				sum += int64(p.tail[:n+1][n].length)
			}
		}
	}
	x.warmed = sum // so that it is not left out
}

// dropFile removes the entries of a journal file: it is the oldest unmoved one, so they stand first.
func (x *index) dropFile(id store.PartitionID, file uint32) {
	p := x.parts.Get(id)
	if p == nil {
		return
	}
	n := 0
	for n < len(p.tail) && p.tail[n].file == file {
		n++
	}
	x.cut(p, n)
}

// cut removes the first n entries of a tail.
func (x *index) cut(p *partIndex, n int) {
	x.entries -= int64(n)
	for i := range n {
		p.tailBytes -= int64(p.tail[i].length)
	}
	if n > len(p.tail)/2 {
		p.tail = p.tail[:copy(p.tail, p.tail[n:])] // what comes next goes into the same memory
	} else {
		p.tail = p.tail[n:]
	}
	if len(p.tail) == 0 {
		p.tail = nil
	} else if cap(p.tail) > 64 && len(p.tail) < cap(p.tail)/4 {
		p.tail = slices.Clone(p.tail)
	}
	if len(p.sealings) > 0 {
		p.cutSealings()
	}
}

// cutSealings drops those of batches that have left the tail.
func (p *partIndex) cutSealings() {
	if len(p.tail) == 0 {
		p.sealings = nil
		return
	}
	p.sealings = p.sealings[p.findSealing(p.tail[0].base):]
	if cap(p.sealings) > 64 && len(p.sealings) < cap(p.sealings)/4 {
		p.sealings = slices.Clone(p.sealings)
	}
}

// findSealing returns the place of the first sealed batch from base on.
func (p *partIndex) findSealing(base store.Offset) int {
	return sort.Search(len(p.sealings), func(i int) bool { return p.sealings[i].base >= base })
}

// sealingOf adds to a piece of the tail what opens it.
func (p *partIndex) sealingOf(b *piece) error {
	i := p.findSealing(b.batch.Base)
	if i == len(p.sealings) || p.sealings[i].base != b.batch.Base {
		return b.damaged("the index has no nonce of a sealed batch")
	}
	b.stored.KeyID, b.stored.Nonce = p.sealings[i].key, p.sealings[i].nonce
	return nil
}

// trim removes what ends at or before start, and returns the runs that went.
func (x *index) trim(id store.PartitionID, start store.Offset) []run {
	p := x.parts.Get(id)
	if p == nil {
		return nil
	}
	n := 0
	for n < len(p.runs) && p.runs[n].next <= start {
		n++
	}
	gone := slices.Clone(p.runs[:n])
	p.runs = p.runs[n:]
	n = 0
	if len(p.runs) == 0 {
		for n < len(p.tail) && p.tail[n].next() <= start {
			n++
		}
	}
	x.cut(p, n)
	return gone
}

// remove forgets a partition, and returns its runs.
func (x *index) remove(id store.PartitionID) []run {
	p := x.parts.Get(id)
	if p == nil {
		return nil
	}
	x.entries -= int64(len(p.tail))
	x.parts.Delete(id)
	return p.runs
}

// addRun puts a run in its place and drops the entries that it replaces.
func (p *partIndex) addRun(r run) {
	at, _ := slices.BinarySearchFunc(p.runs, r.base, func(a run, base store.Offset) int { return cmp.Compare(a.base, base) })
	p.runs = slices.Insert(p.runs, at, r)
}

// dropRun takes a run out; false: it was trimmed or deleted before.
func (x *index) dropRun(r *run) bool {
	p := x.parts.Get(r.part)
	if p == nil {
		return false
	}
	at, _ := slices.BinarySearchFunc(p.runs, r.base, func(a run, base store.Offset) int { return cmp.Compare(a.base, base) })
	if at == len(p.runs) || p.runs[at].base != r.base || p.runs[at].file != r.file {
		return false
	}
	p.runs = slices.Delete(p.runs, at, at+1)
	return true
}

// findTail returns the place of the first entry that ends after from.
func (p *partIndex) findTail(from store.Offset) int {
	return sort.Search(len(p.tail), func(i int) bool { return p.tail[i].next() > from })
}

// findRun returns the place of the first run that ends after from.
func (p *partIndex) findRun(from store.Offset) int {
	return sort.Search(len(p.runs), func(i int) bool { return p.runs[i].next > from })
}

// stat sums up what a partition holds from start on.
func (p *partIndex) stat() (bytes, batches, firstAppend int64) {
	for i := range p.runs {
		bytes += p.runs[i].bytes
		batches += p.runs[i].batches
	}
	bytes += p.tailBytes
	batches += int64(len(p.tail))
	switch {
	case len(p.runs) > 0:
		firstAppend = p.runs[0].firstAppend
	case len(p.tail) > 0:
		firstAppend = p.tail[0].appendTime
	}
	return bytes, batches, firstAppend
}

// files lists the ids of files of a kind that runs are in.
func (x *index) files(kind fileKind) map[uint64]bool {
	ids := map[uint64]bool{}
	for _, p := range x.parts.All() {
		for i := range p.runs {
			if p.runs[i].file.kind == kind {
				ids[p.runs[i].file.id] = true
			}
		}
	}
	return ids
}

// renumber moves the entries of one journal file to another that holds the same bytes at the same places.
func (x *index) renumber(from, to uint32) {
	for _, p := range x.parts.All() {
		for i := range p.tail {
			if p.tail[i].file == from {
				p.tail[i].file = to
			}
		}
	}
}

package segment

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"sync/atomic"
)

// BlockCache keeps decoded index blocks of many files. It is the caller's, with the caller's bound, and
// must be safe for concurrent use. Entries given to it never change.
type BlockCache interface {
	Get(k BlockKey) ([]Entry, bool)
	Put(k BlockKey, entries []Entry)
}

// BlockKey names an index block in this process: File is different for every file that was opened.
type BlockKey struct {
	File uint64
	At   int64
}

// fileIDs numbers opened files for BlockKey.
var fileIDs atomic.Uint64

// blockSource reads the index blocks of one file.
type blockSource struct {
	file  io.ReaderAt
	path  string
	id    uint64
	cache BlockCache // nil: the last block only
	last  atomic.Pointer[lastBlock]
}

type lastBlock struct {
	at      int64
	entries []Entry
}

// block returns the entries of l, which the caller must not change.
func (s *blockSource) block(l *topLine) ([]Entry, error) {
	key := BlockKey{s.id, l.at}
	if s.cache != nil {
		if entries, ok := s.cache.Get(key); ok {
			return entries, nil
		}
	} else if last := s.last.Load(); last != nil && last.at == l.at {
		return last.entries, nil
	}
	b := make([]byte, l.size)
	if _, err := s.file.ReadAt(b, l.at); err != nil {
		return nil, fmt.Errorf("read index of %s: %w", s.path, err)
	}
	entries, reason := decodeBlock(b)
	if reason == "" && (len(entries) != int(l.entries) || entries[0].Base != l.first) {
		reason = "block and tail disagree"
	}
	if reason != "" {
		return nil, &CorruptError{s.path, l.at, reason}
	}
	if s.cache != nil {
		s.cache.Put(key, entries)
	} else {
		s.last.Store(&lastBlock{l.at, entries})
	}
	return entries, nil
}

// Index looks up the batches of one partition in a segment or a sidecar. It is safe for concurrent use
// and good until the file it came from is closed.
type Index struct {
	source *blockSource
	info   Info
	top    []topLine
}

// Info is what the file holds of the partition.
func (x *Index) Info() Info { return x.info }

// Find returns a cursor at the batch that contains offset, or the next one after it.
func (x *Index) Find(offset int64) *Cursor {
	// The last block that begins at or before offset may hold it; the next begins after it.
	i, found := slices.BinarySearchFunc(x.top, offset, func(l topLine, o int64) int { return cmp.Compare(l.first, o) })
	if !found {
		i = max(i-1, 0)
	}
	return &Cursor{x: x, block: i, from: offset}
}

// SeekAppendTime returns the first batch appended at ms (Unix milliseconds) or later; false: none.
func (x *Index) SeekAppendTime(ms int64) (Entry, bool, error) {
	return x.seek(
		func(l *topLine) bool { return l.appendTime >= ms },
		func(e *Entry) bool { return e.AppendTime >= ms })
}

// SeekTimestamp returns the first batch whose largest timestamp is ms or later; false: none. Timestamps
// come from producers and need not rise.
func (x *Index) SeekTimestamp(ms int64) (Entry, bool, error) {
	return x.seek(
		func(l *topLine) bool { return l.maxTimestamp >= ms },
		func(e *Entry) bool { return e.MaxTimestamp >= ms })
}

// seek finds the first block whose running maximum reaches the time: it has the first entry that does.
func (x *Index) seek(reaches func(*topLine) bool, is func(*Entry) bool) (Entry, bool, error) {
	i, _ := slices.BinarySearchFunc(x.top, true, func(l topLine, _ bool) int {
		if reaches(&l) {
			return 1
		}
		return -1
	})
	if i == len(x.top) {
		return Entry{}, false, nil
	}
	entries, err := x.source.block(&x.top[i])
	if err != nil {
		return Entry{}, false, err
	}
	for j := range entries {
		if is(&entries[j]) {
			return entries[j], true, nil
		}
	}
	return Entry{}, false, &CorruptError{x.source.path, x.top[i].at, "no entry of the block has the time the tail says"}
}

// Cursor goes through the entries of one partition in order of offset. It belongs to one goroutine and
// reads one block at a time.
type Cursor struct {
	x       *Index
	block   int   // the next to read
	from    int64 // offsets before are passed over
	entries []Entry
	err     error
}

// Next returns the next entry; false at the end or after an error.
func (c *Cursor) Next() (Entry, bool) {
	for len(c.entries) == 0 {
		if c.err != nil || c.block >= len(c.x.top) {
			return Entry{}, false
		}
		var entries []Entry
		if entries, c.err = c.x.source.block(&c.x.top[c.block]); c.err != nil {
			return Entry{}, false
		}
		c.block++
		i, _ := slices.BinarySearchFunc(entries, c.from, func(e Entry, from int64) int {
			return cmp.Or(cmp.Compare(e.Next(), from), -1) // one that ends at from is before it
		})
		c.entries = entries[i:]
	}
	e := c.entries[0]
	c.entries = c.entries[1:]
	return e, true
}

// Err is what ended the cursor early, or nil.
func (c *Cursor) Err() error { return c.err }

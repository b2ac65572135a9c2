package embedded

import (
	"sync"
	"sync/atomic"

	"millrace/internal/core/journal"
)

// tailCache keeps the newest groups as they were written, for readers near the end. A group is
// sealed right into a chunk of the cache, written from there, and read from there: no copy.
//
// Chunks go in order of age. A reader that holds a chunk keeps its memory from being used
// again, so memory is bounded by the cache's size and what readers hold.
type tailCache struct {
	limit int64

	mu     sync.RWMutex
	chunks []*chunk // numbered from first upwards
	first  uint64
	bytes  int64

	free [][]byte // of chunkSize, to be used again; at most keepChunks
}

const (
	// chunkSize: 4 MiB holds many small groups and some large ones; larger groups have a chunk of
	// their own.
	chunkSize = 4 << 20
	// keepChunks: one goes while one comes, and a reader may hold another.
	keepChunks = 2
)

type chunk struct {
	buf  []byte       // all of it: readers slice it without a lock
	used int          // tailCache.mu guards it
	refs atomic.Int32 // the cache's own and the readers'; 0 is final
	c    *tailCache
}

func newTailCache(limit int64) *tailCache {
	return &tailCache{limit: max(limit, 2*chunkSize), first: 1}
}

// reserve returns room for n bytes, at the end of the newest chunk or in a new one, and the
// chunk's number. Only the sequencer calls it, and use before the next call.
func (c *tailCache) reserve(n int) (buf []byte, number uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.chunks) > 0 {
		last := c.chunks[len(c.chunks)-1]
		if len(last.buf)-last.used >= n {
			return last.buf[last.used:last.used], c.first + uint64(len(c.chunks)) - 1
		}
	}
	k := &chunk{c: c}
	k.refs.Store(1)
	size := max(chunkSize, journal.Pad(n))
	for c.bytes+int64(size) > c.limit && len(c.chunks) > 1 {
		c.evictOldest()
	}
	if last := len(c.free) - 1; size == chunkSize && last >= 0 {
		k.buf, c.free = c.free[last], c.free[:last]
	} else {
		k.buf = journal.Aligned(size)[:size]
	}
	c.chunks = append(c.chunks, k)
	c.bytes += int64(size)
	return k.buf[:0], c.first + uint64(len(c.chunks)) - 1
}

// commit takes n bytes of what was reserved, and returns where in the chunk they begin.
func (c *tailCache) commit(n int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	last := c.chunks[len(c.chunks)-1]
	at := last.used
	last.used += n
	return at
}

func (c *tailCache) evictOldest() {
	k := c.chunks[0]
	c.bytes -= int64(cap(k.buf))
	c.chunks[0] = nil
	c.chunks = c.chunks[1:]
	c.first++
	if k.refs.Add(-1) == 0 {
		c.keep(k)
	}
}

// keep takes the memory of a chunk that nobody uses. The caller holds mu.
func (c *tailCache) keep(k *chunk) {
	if cap(k.buf) == chunkSize && len(c.free) < keepChunks {
		c.free = append(c.free, k.buf)
	}
}

// shrink gives up all chunks but the newest: for a store that has nothing to do.
func (c *tailCache) shrink() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.chunks) > 1 {
		c.evictOldest()
	}
	c.free = nil
}

// hold returns a chunk that stays as it is until it is released; nil when it is gone.
func (c *tailCache) hold(number uint64) *chunk {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if number < c.first || number >= c.first+uint64(len(c.chunks)) {
		return nil
	}
	k := c.chunks[number-c.first]
	k.refs.Add(1) // the cache's own reference is there while the lock is held
	return k
}

func (k *chunk) release() {
	if k.refs.Add(-1) == 0 {
		k.c.mu.Lock()
		defer k.c.mu.Unlock()
		k.c.keep(k)
	}
}

package embedded

import (
	"sync/atomic"
	"time"

	"millrace/internal/core/store"
)

// Metrics counts what the store does. Read it with Store.Counters.
type Metrics struct {
	groups, groupBytes, groupRequests, syncNanos atomic.Int64
	batches, keys                                atomic.Int64
	reads, readBytes, cacheHits, cacheMisses     atomic.Int64
	moved, adopted                               atomic.Int64
	compactions, compactedFrom, compactedTo      atomic.Int64

	syncTime  [len(syncBounds) + 1]atomic.Int64
	groupSize [len(sizeBounds) + 1]atomic.Int64
}

// syncBounds are the upper bounds of the histogram of sync times, from a fast disk to a bad day.
var syncBounds = [...]time.Duration{
	50 * time.Microsecond, 100 * time.Microsecond, 250 * time.Microsecond, 500 * time.Microsecond, time.Millisecond,
	2500 * time.Microsecond, 5 * time.Millisecond, 10 * time.Millisecond, 50 * time.Millisecond, 250 * time.Millisecond,
}

// sizeBounds are the upper bounds of the histogram of group sizes, in bytes: one page to a full group.
var sizeBounds = [...]int64{4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20, 4 << 20, 16 << 20}

// Histogram is the counts of values up to each bound, not cumulated; the last count has no bound.
type Histogram struct {
	Bounds []float64
	Counts []int64
	Sum    float64
}

// Counters is a moment of Metrics. All counts are since Open.
type Counters struct {
	Groups, Requests, Batches, KeyChanges int64
	SyncSeconds, GroupBytes               Histogram

	Reads, ReadBytes       int64
	CacheHits, CacheMisses int64 // batches read from the tail cache, and from files
	MovedFiles             int64 // journal files rewritten into segments
	AdoptedFiles           int64 // journal files that became storage as they are

	Compactions   int64 // groups of runs that compaction has written again
	CompactedFrom int64 // bytes that they had
	CompactedTo   int64 // bytes that were left

	UnmovedBytes   int64
	UnmovedBatches int64
	Partitions     int64
}

func (m *Metrics) group(bytes, requests int, sync time.Duration) {
	m.groups.Add(1)
	m.groupBytes.Add(int64(bytes))
	m.groupRequests.Add(int64(requests))
	m.syncNanos.Add(int64(sync))
	i := 0
	for i < len(syncBounds) && sync > syncBounds[i] {
		i++
	}
	m.syncTime[i].Add(1)
	i = 0
	for i < len(sizeBounds) && int64(bytes) > sizeBounds[i] {
		i++
	}
	m.groupSize[i].Add(1)
}

func (m *Metrics) applied(g *store.Group) {
	m.batches.Add(int64(len(g.Appends)))
	m.keys.Add(int64(len(g.Keys)))
}

// Counters returns the store's counts.
func (s *Store) Counters() Counters {
	m := &s.metrics
	c := Counters{
		Groups: m.groups.Load(), Requests: m.groupRequests.Load(), Batches: m.batches.Load(), KeyChanges: m.keys.Load(),
		Reads: m.reads.Load(), ReadBytes: m.readBytes.Load(), CacheHits: m.cacheHits.Load(), CacheMisses: m.cacheMisses.Load(),
		MovedFiles: m.moved.Load(), AdoptedFiles: m.adopted.Load(),
		Compactions: m.compactions.Load(), CompactedFrom: m.compactedFrom.Load(), CompactedTo: m.compactedTo.Load(),
	}
	c.SyncSeconds.Sum = time.Duration(m.syncNanos.Load()).Seconds()
	for i := range m.syncTime {
		c.SyncSeconds.Counts = append(c.SyncSeconds.Counts, m.syncTime[i].Load())
	}
	for _, b := range syncBounds {
		c.SyncSeconds.Bounds = append(c.SyncSeconds.Bounds, b.Seconds())
	}
	c.GroupBytes.Sum = float64(m.groupBytes.Load())
	for i := range m.groupSize {
		c.GroupBytes.Counts = append(c.GroupBytes.Counts, m.groupSize[i].Load())
	}
	for _, b := range sizeBounds {
		c.GroupBytes.Bounds = append(c.GroupBytes.Bounds, float64(b))
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	c.UnmovedBatches, c.Partitions = s.idx.entries, int64(s.idx.parts.Len())
	for _, f := range s.files {
		c.UnmovedBytes += f.used.Load()
	}
	return c
}

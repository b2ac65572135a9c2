package embedded

import (
	"bytes"
	"slices"
	"sort"
	"sync/atomic"

	"github.com/cespare/xxhash/v2"

	"millrace/internal/core/store"
)

const (
	// buckets of last writers: 65,536 of 8 bytes, so that 64 concurrent transactions of some keys
	// meet by chance in less than 0.2 % of cases.
	buckets = 1 << 16

	// recentKeys bounds the keys remembered for checks of ranges. A transaction that scanned and is
	// older than what is remembered runs again.
	recentKeys = 64 << 10

	// lostGroups is for how many groups a bucket that made a transaction lose sends others straight to
	// the serial pass.
	lostGroups = 64
)

// conflicts knows which group wrote a key last. Only the sequencer changes it; last and lost are also read by
// transactions. A bucket is set before the group is applied: who reads a key and then finds its bucket
// unchanged has read the value of the moment that it compares with.
type conflicts struct {
	last [buckets]atomic.Uint64
	lost lostMarks

	recent []writtenKeys // in order of groups
	count  int           // keys in recent
	since  uint64        // groups up to this one are not in recent any more
}

type writtenKeys struct {
	seq  uint64
	keys [][]byte // sorted
}

func bucketOf(key []byte) uint64 { return xxhash.Sum64(key) % buckets }

// KeyChangedSince implements store.Conflicts; it marks the bucket of a key that has changed.
func (c *conflicts) KeyChangedSince(key []byte, seq uint64) bool {
	b := bucketOf(key)
	return c.bucketChangedSince(b, seq)
}

func (c *conflicts) bucketChangedSince(b, seq uint64) bool {
	last := c.last[b].Load()
	if last <= seq {
		return false
	}
	c.lost.mark(b, last)
	return true
}

// RangeChangedSince implements store.Conflicts.
func (c *conflicts) RangeChangedSince(r store.Range, seq uint64) bool {
	if seq < c.since {
		return true
	}
	for i := len(c.recent) - 1; i >= 0 && c.recent[i].seq > seq; i-- {
		keys := c.recent[i].keys
		at := sort.Search(len(keys), func(k int) bool { return bytes.Compare(keys[k], r.From) >= 0 })
		if at < len(keys) && bytes.Compare(keys[at], r.To) < 0 {
			return true
		}
	}
	return false
}

// wrote remembers keys that a request of group seq changes, before the next request is decided.
func (c *conflicts) wrote(seq uint64, changes []store.KeyChange) {
	if len(changes) == 0 {
		return
	}
	keys := make([][]byte, len(changes))
	for i := range changes {
		keys[i] = changes[i].Key
		c.last[bucketOf(keys[i])].Store(seq)
	}
	slices.SortFunc(keys, bytes.Compare)
	c.recent = append(c.recent, writtenKeys{seq, keys})
	c.count += len(keys)
	for c.count > recentKeys && len(c.recent) > 1 {
		c.since = c.recent[0].seq
		c.count -= len(c.recent[0].keys)
		c.recent[0].keys = nil
		c.recent = c.recent[1:]
	}
}

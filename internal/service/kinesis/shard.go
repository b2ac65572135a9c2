package kinesis

import (
	"cmp"
	"fmt"
	"math/bits"
	"slices"
	"strconv"
	"strings"

	"millrace/internal/core/store"
)

// hashKey is a 128-bit number: the MD5 of a partition key, or an ExplicitHashKey.
type hashKey struct{ hi, lo uint64 }

var maxHashKey = hashKey{1<<64 - 1, 1<<64 - 1}

func (h hashKey) cmp(o hashKey) int { return cmp.Or(cmp.Compare(h.hi, o.hi), cmp.Compare(h.lo, o.lo)) }

func (h hashKey) String() string { return decimal128(h.hi, h.lo) }

// parseHashKey reads a decimal number; false when it is 2^128 or more.
func parseHashKey(s string) (hashKey, bool) {
	over, hi, lo, ok := parseDecimal(s)
	return hashKey{hi, lo}, ok && over == 0
}

// noShard stands for a parent that does not exist.
const noShard = -1

// shard is one shard: what the catalogue keeps of it and where it is in the store. It does not change
// once it is part of a stream that others see. What puts need stands first.
type shard struct {
	id         string            // "shardId-000000000000"
	partition  store.PartitionID // 0: forgotten
	created    int64             // second since 1970 that its sequence numbers carry
	meter      *meter
	index      int32
	parent     int32 // noShard: none
	adjacent   int32 // the other parent of a merged shard; noShard: none
	closed     bool
	closing    bool    // takes no more records, but its children are not there yet; not kept
	createdMS  int64   // when it was opened, store time
	start, end hashKey // both included
	closedMS   int64   // when it was closed, store time
	lastAppend int64   // of a closed shard: ms since 1970 of its newest record, 0 without one

	_ [16]byte // two lines of memory
}

// shardID is the id of a shard. A negative index, which only a client's sequence number has, keeps its
// sign before the zeros, as in AWS's texts.
func shardID(index int32) string {
	if index < 0 {
		return fmt.Sprintf("shardId-%012d", index)
	}
	s := strconv.Itoa(int(index))
	return "shardId-" + "000000000000"[:max(12-len(s), 0)] + s
}

// shardIDs are the ids of the first n shards, beside each other in memory: answers to puts name hundreds of them.
func shardIDs(n int) []string {
	var all strings.Builder
	for i := range n {
		all.WriteString(shardID(int32(i)))
	}
	ids := make([]string, n)
	for i := range ids {
		ids[i] = all.String()[i*shardIDSize:][:shardIDSize]
	}
	return ids
}

// shardIDSize is the length of an id: "shardId-" and 12 digits, of which an index has 10 at most.
const shardIDSize = 20

// parseShardID reads a shard's index as AWS does: from the part after the first hyphen, or from all of
// it, decimal and at most 2^31-1.
//
// Source: kinesalite, actions/getShardIterator.js and its test (read 2026-11).
func parseShardID(id string) (int32, bool) {
	digits := id
	if parts := strings.Split(id, "-"); len(parts) > 1 && parts[1] != "" {
		digits = parts[1]
	}
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(digits, 10, 32)
	return int32(n), err == nil
}

// first is the number a shard starts with, below those of its records.
func (s *shard) first() sequenceNumber {
	return sequenceNumber{created: s.created, shard: s.index}
}

// last is the number a closed shard ends with, above those of its records.
func (s *shard) last() sequenceNumber {
	return sequenceNumber{created: s.created, shard: s.index, offset: endOffset, appended: max(s.lastAppend/1000, s.created)}
}

// number is that of a record at an offset, appended at ms.
func (s *shard) number(offset store.Offset, ms int64) sequenceNumber {
	return sequenceNumber{created: s.created, shard: s.index, offset: int64(offset), appended: ms / 1000}
}

// openAt tells whether a shard took records at ms.
func (s *shard) openAt(ms int64) bool { return s.createdMS <= ms && (!s.closed || s.closedMS > ms) }

// expired tells whether all that a closed shard held is older than the retention.
func (s *shard) expired(now, retentionMS int64) bool {
	return s.closed && s.closedMS+retentionMS <= now
}

// evenRange is the i-th of n equal parts of all hash keys, as AWS cuts them: of floor(2^128/n) keys
// each, the last takes what is left over.
//
// Source: kinesalite, test/createStream.js (ranges of three shards recorded from AWS; read 2026-11).
func evenRange(i, n int) (start, end hashKey) {
	size := divide128(n)
	start = size.times(uint64(i))
	if i == n-1 {
		return start, maxHashKey
	}
	end = size.times(uint64(i + 1))
	if end.lo == 0 {
		end.hi--
	}
	end.lo--
	return start, end
}

// divide128 is floor(2^128 / n); for n = 1, whose answer does not fit, it is 0 and not used.
func divide128(n int) hashKey {
	if n == 1 {
		return hashKey{}
	}
	hi, r := bits.Div64(1, 0, uint64(n))
	lo, _ := bits.Div64(r, 0, uint64(n))
	return hashKey{hi, lo}
}

// plusOne is the hash key after h; 0 after the last.
func (h hashKey) plusOne() hashKey {
	lo, over := bits.Add64(h.lo, 1, 0)
	return hashKey{h.hi + over, lo}
}

func (h hashKey) times(n uint64) hashKey {
	over, lo := bits.Mul64(h.lo, n)
	return hashKey{h.hi*n + over, lo}
}

// routes finds the open shard of a hash key.
type routes struct {
	starts []hashKey // of open, ascending
	open   []*shard
	parts  []store.PartitionID // of open
	whole  bool                // all hash keys have a shard
	single bool                // one open shard holds all hash keys: no partition key needs to be hashed
}

func newRoutes(shards []shard) routes {
	var r routes
	for i := range shards {
		if !shards[i].closed && !shards[i].closing {
			r.open = append(r.open, &shards[i])
		}
	}
	slices.SortFunc(r.open, func(a, b *shard) int { return a.start.cmp(b.start) })
	for _, s := range r.open {
		r.starts, r.parts = append(r.starts, s.start), append(r.parts, s.partition)
	}
	r.whole = wholeRange(r.open)
	r.single = len(r.open) == 1 && r.whole
	return r
}

// wholeRange tells whether shards, in their order, leave out no hash key.
func wholeRange(open []*shard) bool {
	next := hashKey{}
	for i, s := range open {
		if s.start != next || i > 0 && next == (hashKey{}) {
			return false
		}
		next = s.end.plusOne()
	}
	return len(open) > 0 && next == hashKey{}
}

// find returns the place in open of the shard that takes h, -1 when none does: a split or merge has
// closed the parent and not yet opened the children.
//
// Where ranges are even the place is known without a search, which over thousands of shards would wait for memory
// a dozen times.
func (r *routes) find(h hashKey) int32 {
	guess, _ := bits.Mul64(h.hi, uint64(len(r.starts)))
	if i := int(guess); i < len(r.starts) && r.starts[i].cmp(h) <= 0 && (i+1 == len(r.starts) || h.cmp(r.starts[i+1]) < 0) {
		return r.take(i, h)
	}
	lo, hi := 0, len(r.starts)
	for lo < hi {
		m := int(uint(lo+hi) >> 1)
		if r.starts[m].cmp(h) <= 0 {
			lo = m + 1
		} else {
			hi = m
		}
	}
	return r.take(lo-1, h)
}

// take is i if the shard there holds h, -1 if not. Before the first shard i is -1.
func (r *routes) take(i int, h hashKey) int32 {
	if i < 0 || !r.whole && r.open[i].end.cmp(h) < 0 {
		return -1
	}
	return int32(i)
}

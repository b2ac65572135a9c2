package expr

import (
	"hash/maphash"
	"slices"
	"strings"
	"sync"
)

const (
	// cacheShards lets that many goroutines look up at once; more do not help, since a lookup takes 100 ns.
	cacheShards = 16

	// defaultPrograms is how many expressions a cache keeps: an application has some dozens, and 4,096 of the usual
	// 60 bytes take about 4 MiB.
	defaultPrograms = 4096

	// maxCached bounds text and names of one that is kept, so that a client that sends expressions of 4 KiB and
	// thousands of names cannot fill the memory: at most 16 MiB of text, and trees of some times that.
	maxCached = 4096
)

// Cache keeps parsed expressions by text and names. It is safe for use by many goroutines. The zero Cache keeps nothing.
type Cache struct {
	seed   maphash.Seed
	limit  int // programs in one shard
	shards [cacheShards]cacheShard
}

// cacheShard is a part of the cache.
type cacheShard struct {
	mu      sync.RWMutex
	entries map[uint64]cacheEntry // guarded by mu
}

type cacheEntry struct {
	text  string
	names Names
	p     *program
}

// NewCache makes a cache of up to programs expressions, about; 0 means 4,096. When it is full, any one makes room.
func NewCache(programs int) *Cache {
	if programs <= 0 {
		programs = defaultPrograms
	}
	return &Cache{seed: maphash.MakeSeed(), limit: max(1, programs/cacheShards)}
}

// program is the expression of that text and names, parsed now or before.
func (c *Cache) program(k Kind, text string, names Names) (*program, error) {
	if c.limit == 0 || len(text) > maxCached || !names.within(maxCached-len(text)) {
		p, _, err := parse(k, text, names)
		return p, err
	}
	sum := c.hash(k, text, names)
	shard := &c.shards[sum%cacheShards]
	shard.mu.RLock()
	e, ok := shard.entries[sum]
	shard.mu.RUnlock()
	if ok && e.p.kind == k && e.text == text && slices.Equal(e.names, names) {
		return e.p, nil
	}
	text, names = strings.Clone(text), names.clone() // the program keeps parts of them
	p, complete, err := parse(k, text, names)
	if err != nil {
		return nil, err
	}
	if complete {
		shard.put(sum, cacheEntry{text, names, p}, c.limit)
	}
	return p, nil
}

func (s *cacheShard) put(sum uint64, e cacheEntry, limit int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.entries == nil {
		s.entries = make(map[uint64]cacheEntry)
	}
	if _, ok := s.entries[sum]; !ok && len(s.entries) >= limit {
		for sum := range s.entries {
			delete(s.entries, sum)
			break
		}
	}
	s.entries[sum] = e
}

func (c *Cache) hash(k Kind, text string, names Names) uint64 {
	var h maphash.Hash
	h.SetSeed(c.seed)
	_ = h.WriteByte(byte(k))
	_, _ = h.WriteString(text)
	for _, n := range names {
		_ = h.WriteByte(0)
		_, _ = h.WriteString(n.Alias)
		_ = h.WriteByte(0)
		_, _ = h.WriteString(n.Name)
	}
	return h.Sum64()
}

// Len is how many expressions are kept.
func (c *Cache) Len() int {
	n := 0
	for i := range c.shards {
		c.shards[i].mu.RLock()
		n += len(c.shards[i].entries)
		c.shards[i].mu.RUnlock()
	}
	return n
}

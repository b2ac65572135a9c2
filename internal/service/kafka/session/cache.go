package session

import (
	"container/heap"
	"container/list"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/clock"
)

// Epochs of a fetch request that are no epoch of a session.
const (
	EpochFull  int32 = 0  // a full fetch, which asks for a session
	EpochFinal int32 = -1 // a full fetch without one; ends the session it names
)

const (
	// defaultSlots is Kafka's max.incremental.fetch.session.cache.slots.
	defaultSlots = 1000
	// evictAfter is how long a session must be unused to be given up for any other, and how old it must be
	// to be given up for a larger one: Kafka's MIN_INCREMENTAL_FETCH_SESSION_EVICTION_MS.
	evictAfter = 2 * time.Minute
)

// Options of a cache. The zero value works, apart from Watcher.
type Options struct {
	Watcher Watcher
	Clock   clock.Clock // default: the real one
	Slots   int         // sessions kept at once; default 1,000, negative: none
	// MaxPartitions bounds the partitions of all sessions and waiting fetches, each some 250 bytes; default 2,000,000.
	// Beyond it no session is opened, and one that grows ends.
	MaxPartitions int
	Random        func() int32 // for session ids, from 0 up; default: math/rand
}

func (o Options) withDefaults() Options {
	if o.Clock == nil {
		o.Clock = clock.Real()
	}
	if o.Slots == 0 {
		o.Slots = defaultSlots
	}
	if o.MaxPartitions <= 0 {
		o.MaxPartitions = 2_000_000
	}
	if o.Random == nil {
		o.Random = rand.Int32
	}
	return o
}

// Cache holds the sessions of all clients, at most Slots of them. Safe for concurrent use.
type Cache struct {
	opts  Options
	parts atomic.Int64 // partitions of all sessions, also of those that belong to one fetch alone

	mu        sync.Mutex // guards all below
	sessions  map[int32]*Session
	used      list.List // of *Session, least lately used first
	evictable evictables
}

// NewCache returns an empty cache.
func NewCache(opts Options) *Cache {
	return &Cache{opts: opts.withDefaults(), sessions: map[int32]*Session{}}
}

// Wanted is one partition of a fetch request.
type Wanted struct {
	Key
	Params
}

// Request is what a fetch says of its session and its partitions. Nothing of it is kept, but Key.Name.
type Request struct {
	SessionID int32
	Epoch     int32
	UsesIDs   bool // topics are named by id: Fetch v13 and later
	Committed bool // only committed records are wanted
	Wanted    []Wanted
	Forgotten []Key
}

// Begin takes a fetch in and fills p for it. With another code than kafkaapi.None p is not to be used: the fetch
// is answered with the code, session id 0 and no partitions.
//
// Codes: FetchSessionIDNotFound, InvalidFetchSessionEpoch, FetchSessionTopicIDError.
func (c *Cache) Begin(p *Poll, req *Request) kafkaapi.Code {
	if req.Epoch == EpochFull || req.Epoch == EpochFinal {
		if req.SessionID != 0 {
			c.end(req.SessionID)
		}
		s := newSession(c.opts.Watcher, &c.parts, req)
		*p = Poll{s: s, cache: c, full: true, create: req.Epoch == EpochFull, committed: req.Committed}
		return kafkaapi.None
	}
	c.mu.Lock()
	s := c.sessions[req.SessionID]
	c.mu.Unlock()
	if s == nil {
		return kafkaapi.FetchSessionIDNotFound
	}
	return c.resume(p, s, req)
}

// resume is the next fetch of a session.
func (c *Cache) resume(p *Poll, s *Session, req *Request) kafkaapi.Code {
	s.poll.Lock()
	defer s.poll.Unlock()
	switch {
	case s.ended:
		return kafkaapi.FetchSessionIDNotFound
	case s.epoch != req.Epoch:
		return kafkaapi.InvalidFetchSessionEpoch
	case s.usesIDs != req.UsesIDs:
		return kafkaapi.FetchSessionTopicIDError
	}
	s.epoch = nextEpoch(s.epoch)
	before := s.parts.len()
	s.update(req)
	if wake := s.takeWake(); wake != nil {
		defer wake() // the fetch before still waits, on another connection: its epoch has passed
	}
	if s.parts.len() == 0 || s.parts.len() > before && c.Crowded() {
		// All partitions were forgotten, or there is no room for more: the session ends, and the answer says so by id 0.
		c.drop(s)
		*p = Poll{s: s, cache: c, full: true, epoch: s.epoch, committed: req.Committed}
		return kafkaapi.None
	}
	c.mu.Lock()
	if c.sessions[s.id] == s {
		c.touch(s, s.parts.len(), c.opts.Clock.Now())
	}
	c.mu.Unlock()
	*p = Poll{s: s, cache: c, epoch: s.epoch, committed: req.Committed}
	return kafkaapi.None
}

// nextEpoch goes on with 1 after the largest number: 0 asks for a new session.
func nextEpoch(epoch int32) int32 {
	if epoch == math.MaxInt32 {
		return 1
	}
	return epoch + 1
}

// Crowded tells whether there are more partitions than allowed: then no fetch is to wait.
func (c *Cache) Crowded() bool { return c.parts.Load() > int64(c.opts.MaxPartitions) }

// Len is the number of sessions, and the number of their partitions when each was last used.
func (c *Cache) Len() (sessions, partitions int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.sessions {
		partitions += s.size
	}
	return len(c.sessions), partitions
}

// add gives a session an id and a place, if there is one for it. The caller holds s.poll.
func (c *Cache) add(s *Session) bool {
	if c.Crowded() {
		return false
	}
	now := c.opts.Clock.Now()
	c.mu.Lock()
	var evicted *Session
	if len(c.sessions) >= c.opts.Slots {
		if evicted = c.evict(s.parts.len(), now); evicted == nil {
			c.mu.Unlock()
			return false
		}
	}
	s.slot = &slot{heapAt: -1}
	for s.id == 0 || c.sessions[s.id] != nil {
		s.id = c.opts.Random()
	}
	s.created, s.epoch = now, nextEpoch(EpochFull)
	c.sessions[s.id] = s
	c.touch(s, s.parts.len(), now)
	c.mu.Unlock()
	if evicted != nil {
		evicted.giveUp()
	}
	return true
}

// evict gives up a session that has not been used for long, or an old one that is smaller than size. The
// caller holds mu.
func (c *Cache) evict(size int, now time.Time) *Session {
	front := c.used.Front()
	if front == nil {
		return nil
	}
	s := front.Value.(*Session)
	if now.Sub(s.used) <= evictAfter {
		if len(c.evictable) == 0 || c.evictable[0].size >= size {
			return nil
		}
		s = c.evictable[0]
	}
	c.remove(s)
	return s
}

// touch notes that a session of size partitions is used. The caller holds mu.
func (c *Cache) touch(s *Session, size int, now time.Time) {
	s.used, s.size = now, size
	if s.place == nil {
		s.place = c.used.PushBack(s)
	} else {
		c.used.MoveToBack(s.place)
	}
	switch {
	case s.heapAt >= 0:
		heap.Fix(&c.evictable, s.heapAt)
	case now.Sub(s.created) > evictAfter:
		heap.Push(&c.evictable, s)
	}
}

// remove takes a session out of all lists. The caller holds mu.
func (c *Cache) remove(s *Session) {
	delete(c.sessions, s.id)
	c.used.Remove(s.place)
	if s.heapAt >= 0 {
		heap.Remove(&c.evictable, s.heapAt)
	}
}

// end ends a session that a client names; one that is not there is fine.
func (c *Cache) end(id int32) {
	c.mu.Lock()
	s := c.sessions[id]
	if s != nil {
		c.remove(s)
	}
	c.mu.Unlock()
	if s != nil {
		s.lockAndEnd()
	}
}

// drop takes a session out of the cache, if it is still there. The caller holds s.poll.
func (c *Cache) drop(s *Session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sessions[s.id] == s {
		c.remove(s)
	}
}

// evictables is a heap of sessions old enough to be given up for larger ones, the smallest first.
type evictables []*Session

func (h *evictables) Len() int { return len(*h) }

// Less implements heap.Interface.
func (h *evictables) Less(i, j int) bool {
	a, b := (*h)[i], (*h)[j]
	if a.size != b.size {
		return a.size < b.size
	}
	return a.id < b.id
}

// Swap implements heap.Interface.
func (h *evictables) Swap(i, j int) {
	all := *h
	all[i], all[j] = all[j], all[i]
	all[i].heapAt, all[j].heapAt = i, j
}

// Push implements heap.Interface.
func (h *evictables) Push(x any) {
	s := x.(*Session)
	s.heapAt = len(*h)
	*h = append(*h, s)
}

// Pop implements heap.Interface.
func (h *evictables) Pop() any {
	last := len(*h) - 1
	s := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	s.heapAt = -1
	return s
}

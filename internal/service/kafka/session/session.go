package session

import (
	"container/list"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"millrace/internal/core/store"
)

// Watcher tells of commits: store.Store.
type Watcher interface {
	Watch(ids []store.PartitionID, fn func(store.Event)) (cancel func())
}

// Key names a partition as the client does: by the topic's id, or by its name when the id is zero.
type Key struct {
	ID    [16]byte
	Name  string
	Index int32
}

// Params is what a client asks of a partition.
type Params struct {
	Offset      int64 // the first wanted
	LeaderEpoch int32 // that the client believes in; -1: none
	MaxBytes    int32
}

// Empty stands for the place of a partition that exists without records, and has no place in the store: a closed shard
// that was forgotten. No commit changes it.
const Empty store.PartitionID = math.MaxUint64

// unknown is an offset that no client has been told.
const unknown = -1

// Partition is one partition of a session. Key is constant, Params and what was told belong to whoever holds
// Poll.Lock.
type Partition struct {
	Key
	Params

	id store.PartitionID // where it is in the store; 0: not known, or nowhere
	at int               // in the session's list; -1: it was forgotten

	highWatermark int64 // last told
	logStart      int64 // last told

	// Guarded by Session.mu.
	dirty   bool
	front   bool // while First moves it
	pending int  // bytes that have come but are not stable yet
}

// ID is where the partition was last found in the store; 0: nowhere.
func (p *Partition) ID() store.PartitionID { return p.id }

// Session is what one client subscribes to. Guarded by poll, unless it says otherwise.
type Session struct {
	watcher Watcher

	poll    sync.Mutex // held while a fetch looks at or changes the session
	epoch   int32      // that the next fetch must have
	usesIDs bool
	parts   keyed
	all     *atomic.Int64 // the cache's count of partitions
	counted int           // what of it are ours
	bound   int           // partitions whose id is known
	ended   bool
	evicted atomic.Bool // to be ended by whoever holds poll, or else at once

	watching bool
	watched  idSet // also ids that nobody wants any more
	cancels  []func()
	fresh    []store.PartitionID // bound, and not watched yet

	*slot // nil: of one fetch alone

	mu        sync.Mutex // guards what commits change, down from here; held for moments
	places    placed
	dirty     []*Partition // a queue, each once; entries whose flag is not set were removed
	committed bool         // the fetch that waits wants committed records
	bytes     int          // that have come since Take
	urgent    bool         // something has come since Take that is to be told at once
	need      int          // bytes after which to wake
	wake      func()       // not nil: a fetch waits
	waiter    *Poll        // whose wake it is
}

// slot is what the cache knows of a session that it holds. Guarded by Cache.mu; id is constant once it is set.
type slot struct {
	id      int32
	created time.Time
	used    time.Time
	size    int
	place   *list.Element
	heapAt  int // -1: nowhere
}

func newSession(w Watcher, all *atomic.Int64, req *Request) *Session {
	s := &Session{
		watcher: w,
		all:     all,
		usesIDs: req.UsesIDs,
		parts:   keyed{list: make([]*Partition, 0, len(req.Wanted))},
		dirty:   make([]*Partition, 0, len(req.Wanted)),
	}
	s.update(req)
	return s
}

// update makes what a fetch says part of the session. The caller holds poll, or is the only one.
func (s *Session) update(req *Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range req.Wanted {
		w := &req.Wanted[i]
		p := s.parts.get(&w.Key)
		if p == nil {
			p = &Partition{Key: w.Key, highWatermark: unknown, logStart: unknown}
			s.parts.add(p)
		}
		p.Params = w.Params
		s.mark(p)
	}
	for i := range req.Forgotten {
		if p := s.parts.get(&req.Forgotten[i]); p != nil {
			s.parts.remove(p)
			s.unbind(p)
			p.dirty = false
		}
	}
	s.count(s.parts.len())
}

// count makes n the partitions that the cache counts for the session. The caller holds poll, or is the only one.
func (s *Session) count(n int) {
	s.all.Add(int64(n - s.counted))
	s.counted = n
}

// mark makes a partition one to look at. The caller holds mu.
func (s *Session) mark(p *Partition) {
	if !p.dirty {
		p.dirty = true
		s.dirty = append(s.dirty, p)
	}
}

// unbind forgets where a partition is. The caller holds mu and poll.
func (s *Session) unbind(p *Partition) {
	if p.id == 0 {
		return
	}
	s.places.remove(p)
	p.id, p.pending = 0, 0
	s.bound--
}

// event is what the store calls for a commit.
func (s *Session) event(e store.Event) {
	s.mu.Lock()
	wake := s.note(e)
	s.mu.Unlock()
	if wake != nil {
		wake()
	}
}

// note adds what a commit changed, and returns whom to wake. The caller holds mu.
func (s *Session) note(e store.Event) func() {
	p := s.places.get(e.Partition)
	if p == nil {
		return nil
	}
	s.mark(p)
	p.pending += e.Bytes
	if !s.committed || e.Change&store.ChangedStable != 0 {
		s.bytes += p.pending
		p.pending = 0
	}
	if e.Change&(store.ChangedDeleted|store.ChangedEpoch) != 0 {
		s.urgent = true
	}
	if s.wake == nil || !s.enough() {
		return nil
	}
	wake := s.wake
	s.wake = nil
	return wake
}

// enough tells whether a fetch that waits is to look again. The caller holds mu.
func (s *Session) enough() bool { return s.urgent || s.bytes >= s.need }

func (s *Session) takeWake() func() {
	s.mu.Lock()
	defer s.mu.Unlock()
	wake := s.wake
	s.wake = nil
	return wake
}

// register makes the store tell of partitions that are bound and not watched yet. The caller holds poll.
func (s *Session) register() {
	if len(s.fresh) > 0 {
		s.cancels = append(s.cancels, s.watcher.Watch(s.fresh, s.event))
		s.watched.add(s.fresh)
		s.fresh = nil
	}
	if s.stale() {
		s.renew()
	}
}

// stale tells whether so much is watched in vain, or in so many small pieces, that it pays to begin anew: at
// a cost of what is bound, after as many changes.
func (s *Session) stale() bool {
	const most = 64
	return s.watched.len() > 2*s.bound+most || len(s.cancels) > s.bound/2+most
}

// renew watches exactly what is bound, all at once: first the new registration, then the end of the old, so
// that no commit is missed. A commit told twice only wakes early.
func (s *Session) renew() {
	ids := make([]store.PartitionID, 0, s.bound)
	for _, p := range s.parts.list {
		if p.id != 0 && p.id != Empty {
			ids = append(ids, p.id)
		}
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	cancel := s.watcher.Watch(ids, s.event)
	s.cancel()
	s.cancels = append(s.cancels, cancel)
	s.watched = idSet{}
	s.watched.add(ids)
}

func (s *Session) cancel() {
	for _, c := range s.cancels {
		c()
	}
	s.cancels = s.cancels[:0]
}

// giveUp ends a session that was evicted, without waiting for a fetch that looks: that one ends it then.
func (s *Session) giveUp() {
	s.evicted.Store(true)
	s.endEvicted()
}

func (s *Session) endEvicted() {
	if s.poll.TryLock() {
		s.end()
		s.poll.Unlock()
	}
}

func (s *Session) lockAndEnd() {
	s.poll.Lock()
	defer s.poll.Unlock()
	s.end()
}

// end stops the registration. A fetch that still waits is woken: it answers with what it has. The caller
// holds poll.
func (s *Session) end() {
	if s.ended {
		return
	}
	s.ended = true
	s.count(0)
	s.cancel()
	s.cancels, s.watched, s.watching = nil, idSet{}, false
	if wake := s.takeWake(); wake != nil {
		wake()
	}
}

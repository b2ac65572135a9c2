package session

import (
	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/store"
)

// Poll is one fetch on its way. All methods but Disarm are called with Lock held, and none after Finish.
type Poll struct {
	s         *Session
	cache     *Cache
	full      bool // the answer names all partitions
	create    bool // the answer opens a session
	epoch     int32
	committed bool
}

// Lock waits until no other fetch of the session looks, and reports whether this one is still the newest. If
// not, it is answered with kafkaapi.InvalidFetchSessionEpoch. The caller calls Unlock either way.
func (p *Poll) Lock() bool {
	p.s.poll.Lock()
	return p.s.epoch == p.epoch
}

// Unlock lets other fetches of the session go on.
func (p *Poll) Unlock() {
	s := p.s
	s.poll.Unlock() // from here on the fetch may be somebody else's
	if s.evicted.Load() {
		s.endEvicted()
	}
}

// Take appends the partitions to look at to dst, in the order in which their turn comes, and counts what comes
// from now on for the next Wait. Each is given back by one of Again, First, Done.
func (p *Poll) Take(dst []*Partition) []*Partition {
	s := p.s
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bytes, s.urgent, s.committed = 0, false, p.committed
	for i, d := range s.dirty {
		if d.dirty {
			d.dirty = false
			dst = append(dst, d)
		}
		s.dirty[i] = nil
	}
	s.dirty = s.dirty[:0]
	return dst
}

// Bind says where a partition that was taken is in the store; 0: nowhere.
func (p *Poll) Bind(part *Partition, id store.PartitionID) {
	s := p.s
	if part.id == id {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unbind(part)
	if id == 0 {
		return
	}
	part.id = id
	s.bound++
	if s.watching && id != Empty {
		s.places.add(part)
		if !s.watched.has(id) {
			s.fresh = append(s.fresh, id)
		}
	}
}

// Bound tells whether any partition of the session is somewhere: else there is nothing to wait for.
func (p *Poll) Bound() bool { return p.s.bound > 0 }

// Ended tells whether the session was given up while the fetch was on its way: it is answered with what there is.
func (p *Poll) Ended() bool { return p.s.ended }

// Register makes the store tell of what was bound, if the session is told of commits at all. It comes between
// Bind and the first look at what was bound.
func (p *Poll) Register() {
	if p.s.watching {
		p.s.register()
	}
}

// Watch begins to learn of commits, and reports whether it has begun only now: then all has to be taken and
// looked at once more before a Wait, since commits in between were not told.
func (p *Poll) Watch() bool {
	s := p.s
	if s.watching || s.ended {
		return false
	}
	s.watching = true
	s.mu.Lock()
	s.fresh = make([]store.PartitionID, 0, s.bound)
	for _, part := range s.parts.list {
		if part.id != 0 && part.id != Empty {
			s.places.add(part)
			s.fresh = append(s.fresh, part.id)
		}
		s.mark(part)
	}
	s.mu.Unlock()
	s.register()
	return true
}

// Done gives back a partition of which there is nothing more to tell until a commit changes it. While the
// session is not told of commits it stays one to look at.
func (p *Poll) Done(part *Partition) {
	if !p.s.watching {
		p.Again(part)
	}
}

// Again gives back a partition that is to be looked at again, after all others.
func (p *Poll) Again(part *Partition) {
	s := p.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.parts.has(part) {
		s.mark(part)
	}
}

// First gives back partitions that are to be looked at again before all others, in their order.
func (p *Poll) First(parts []*Partition) {
	s := p.s
	s.mu.Lock()
	defer s.mu.Unlock()
	later := s.dirty
	s.dirty = make([]*Partition, 0, len(parts)+len(later))
	for _, part := range parts {
		if s.parts.has(part) {
			part.dirty, part.front = true, true
			s.dirty = append(s.dirty, part)
		}
	}
	first := len(s.dirty)
	for _, part := range later {
		if part.dirty && !part.front {
			s.dirty = append(s.dirty, part)
		}
	}
	for _, part := range s.dirty[:first] {
		part.front = false
	}
}

// Wait has wake called once, when need more bytes have come since Take, or something that is to be told at
// once. It returns false, and wake is not called, when that is so already. wake is called by whoever commits:
// it must not block, and must call neither the store nor the session.
func (p *Poll) Wait(need int, wake func()) bool {
	s := p.s
	s.mu.Lock()
	defer s.mu.Unlock()
	s.need = max(need, 1)
	if s.enough() || s.ended {
		return false
	}
	s.wake, s.waiter = wake, p
	return true
}

// Disarm ends a Wait and reports whether it was there: else wake has been called, or is about to be. It needs
// no Lock.
func (p *Poll) Disarm() bool {
	s := p.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.wake == nil || s.waiter != p {
		return false
	}
	s.wake, s.waiter = nil, nil
	return true
}

// Told is what an answer says of a partition.
type Told struct {
	Code          kafkaapi.Code
	HighWatermark int64 // -1: not known
	LogStart      int64 // -1: not known
	Records       bool
}

// Differs tells whether an answer has to name a partition: in a full fetch always, else when there are records or an error,
// or an offset is not what was told before. Until it is told such a partition is given back by Again.
func (p *Poll) Differs(part *Partition, t Told) bool {
	return p.full || t.Records || t.Code != kafkaapi.None ||
		t.HighWatermark != part.highWatermark || t.LogStart != part.logStart
}

// Tell is Differs, and notes that the answer says so.
func (p *Poll) Tell(part *Partition, t Told) bool {
	tell := p.Differs(part, t)
	part.highWatermark, part.logStart = t.HighWatermark, t.LogStart
	if t.Code != kafkaapi.None {
		part.highWatermark = unknown // so that it is told again when the error has gone
	}
	return tell
}

// Finish ends the poll and returns the session id of its answer, 0 when there is no session.
func (p *Poll) Finish() int32 {
	s := p.s
	switch {
	case p.create && s.parts.len() > 0 && p.cache.add(s):
		return s.id
	case p.full:
		s.end()
		return 0
	}
	return s.id
}

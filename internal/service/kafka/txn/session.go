package txn

import (
	"context"
	"sync"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/store"
)

// session is what is remembered of a transactional id: its record as it was last known to be stored, and what
// appends have begun since.
//
// Order of locks: busy, gate, Coordinator.mu, mu.
type session struct {
	id string

	// busy holds one token of whoever changes the record, so that changes of one id do not lose to each other.
	busy chan struct{}
	gone bool // guarded by busy: the record was forgotten, and the session with it

	// gate is held for reading while an append is queued, and for writing while a transaction ends or its epoch
	// changes: an append that was let in is in the store's order before the end, or it was not let in.
	gate sync.RWMutex

	mu       sync.Mutex // guards all below
	rec      record
	appended bool  // an append was let in since the last end, or the store had open partitions at the start
	begun    int64 // when appended became true, ms of store time
	stale    bool  // a change failed with an unknown outcome: rec may be old
}

func newSession(id string) *session {
	return &session{
		id: id, busy: make(chan struct{}, 1),
		rec: record{producer: store.NoProducer, previous: store.NoProducer, epoch: noEpoch},
	}
}

// acquire waits for the token.
func (s *session) acquire(ctx context.Context) error {
	select {
	case s.busy <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *session) release() { <-s.busy }

// snapshot copies the record; its slices are never changed in place.
func (s *session) snapshot() record {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rec
}

// isOpen tells whether a transaction is open or being ended, and since when.
func (s *session) isOpen() (open bool, since int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.openLocked()
}

func (s *session) openLocked() (open bool, since int64) {
	switch {
	case s.rec.state == Ongoing && s.appended:
		return true, min(s.rec.start, s.begun)
	case s.rec.state == Ongoing:
		return true, s.rec.start
	case s.rec.preparing():
		return true, s.rec.updated
	}
	return s.appended, s.begun
}

// find returns the session of an id, nil when there is none.
func (c *Coordinator) find(id string) *session {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.byID[id]
}

// create returns the session of an id and makes it when there is none.
func (c *Coordinator) create(id string) *session {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.byID[id]
	if s == nil {
		s = newSession(id)
		c.byID[id] = s
	}
	return s
}

// enter takes the token of an id; the caller releases it. get finds the session. While a decided transaction is being
// written out nobody waits: busy says what the answer is then.
func (c *Coordinator) enter(ctx context.Context, id string, get func(id string) *session, busy func(r *record) kafkaapi.Code) (*session, kafkaapi.Code) {
	for {
		s := get(id)
		if s == nil {
			return nil, kafkaapi.InvalidProducerIDMapping
		}
		if r := s.snapshot(); r.preparing() {
			return nil, busy(&r)
		}
		if err := s.acquire(ctx); err != nil {
			return nil, codeOf(err)
		}
		if !s.gone {
			return s, kafkaapi.None
		}
		s.release()
	}
}

// did is what a change has done.
type did uint8

const (
	nothing did = 0
	wrote   did = 1 << iota // the record has changed
	over                    // no append of before belongs to an open transaction
)

// change runs fn on the stored record, in one commit; the caller has the token, and the gate for a change of epoch or the
// end of a transaction. A record that does not exist has no producer.
//
// Errors: refusal, those of the store.
func (c *Coordinator) change(ctx context.Context, s *session, fn func(tx store.Tx, r *record) (did, error)) error {
	var after record
	var done did
	_, err := c.opts.Store.Update(ctx, func(tx store.Tx) error {
		r, err := load(tx, s.id)
		if err != nil {
			return err
		}
		if r == nil {
			r = &newSession(s.id).rec
		}
		if done, err = fn(tx, r); err != nil {
			return err
		}
		after = *r
		if done&wrote == 0 {
			return nil
		}
		return tx.Set(idKey(s.id), r.encode())
	})
	switch {
	case err == nil:
		c.remember(s, &after, done&over != 0)
	case !isRefusal(err):
		c.distrust(s)
	}
	return err
}

// distrust keeps appends out until the record has been read again, which the next check does.
func (c *Coordinator) distrust(s *session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stale = true
	c.open[s] = struct{}{}
}

// remember makes a stored record the one that appends are checked with.
func (c *Coordinator) remember(s *session, r *record, over bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rec.producer != r.producer && c.byProducer[s.rec.producer] == s {
		delete(c.byProducer, s.rec.producer)
	}
	s.rec, s.stale = *r, false
	if over {
		s.appended = false
	}
	if r.producer == store.NoProducer {
		s.gone = true
		delete(c.byID, s.id)
		delete(c.open, s)
		return
	}
	c.byProducer[r.producer] = s
	if open, _ := s.openLocked(); open {
		c.open[s] = struct{}{}
	} else {
		delete(c.open, s)
	}
}

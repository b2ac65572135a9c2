package kinesis

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"millrace/internal/api/kinesisapi"
	"millrace/internal/core/catalog"
	"millrace/internal/core/store"
)

// validFor is how long a copy of a stream is used without asking whether it is current. Other nodes may
// change a stream meanwhile; what must not go wrong does not: a closed or deleted partition refuses
// records, and no partition's id is used again. One second bounds how late a node sees new retention.
const validFor = int64(time.Second)

// maxCached bounds the copies in memory, 300 bytes a shard; past it any one goes.
const maxCached = 10_000

// cache keeps copies of streams for calls that carry records, so that they need no transaction.
type cache struct {
	mu      sync.RWMutex // guards what follows
	streams map[place]*stream
	meters  map[store.PartitionID]*meter // of the shards in streams; a newer copy takes them over
}

func (c *cache) get(p place) *stream {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.streams[p]
}

// put makes a copy the one to use, with the meters its shards had before. A newer one stays.
func (c *cache) put(st *stream) *stream {
	c.mu.Lock()
	defer c.mu.Unlock()
	if old := c.streams[st.place]; old != nil && old.topic.Num == st.topic.Num && old.topic.Revision > st.topic.Revision {
		return old
	}
	if c.streams == nil {
		c.streams, c.meters = map[place]*stream{}, map[store.PartitionID]*meter{}
	}
	for i := range st.shards {
		id := st.shards[i].partition
		if c.meters[id] == nil {
			c.meters[id] = &meter{}
		}
		st.shards[i].meter = c.meters[id]
	}
	for p := range c.streams {
		if len(c.streams) < maxCached {
			break
		}
		c.dropLocked(p)
	}
	c.streams[st.place] = st
	return st
}

// all gives the copies that are there, in no order.
func (c *cache) all() []*stream {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return slices.Collect(maps.Values(c.streams))
}

// drop forgets the copy of a stream.
func (c *cache) drop(p place) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dropLocked(p)
}

// expire has the next use of a stream's copy ask whether it is current.
func (c *cache) expire(p place) {
	if st := c.get(p); st != nil {
		st.checked.Store(0)
	}
}

// dropLocked forgets a copy together with its meters; the caller holds mu.
func (c *cache) dropLocked(p place) {
	st := c.streams[p]
	if st == nil {
		return
	}
	for i := range st.shards {
		delete(c.meters, st.shards[i].partition)
	}
	delete(c.streams, p)
}

// stream returns a copy of a stream that was current at most validFor ago.
//
// Errors: errNotFound, those of the store.
func (s *Service) stream(ctx context.Context, p place, now int64) (*stream, error) {
	st := s.cache.get(p)
	if st == nil {
		return s.reload(ctx, p, now)
	}
	checked := st.checked.Load()
	if st.writable() && now-checked < validFor {
		return st, nil
	}
	if !st.checked.CompareAndSwap(checked, now) && st.writable() {
		return st, nil // another call is asking
	}
	return s.revalidate(ctx, st, now)
}

// revalidate reads the topic's revision, one key, and the whole stream only if it has changed.
func (s *Service) revalidate(ctx context.Context, st *stream, now int64) (*stream, error) {
	current := false
	err := s.store.View(ctx, func(tx store.ReadTx) error {
		t, err := s.cat.Get(tx, st.topic.Num)
		if errors.Is(err, catalog.ErrNotFound) {
			return nil
		}
		current = err == nil && t.Revision == st.topic.Revision
		return err
	})
	if err != nil {
		return nil, err
	}
	if current {
		return st, nil
	}
	return s.reload(ctx, st.place, now)
}

// newer is the copy in memory if it is newer than st, else st if that is current, else a new one: of many
// calls that wait for a change of a large stream few read it.
func (s *Service) newer(ctx context.Context, st *stream, now int64) (*stream, error) {
	c := s.cache.get(st.place)
	if c != nil && c.topic.Num == st.topic.Num && c.topic.Revision > st.topic.Revision {
		return c, nil
	}
	return s.revalidate(ctx, st, now)
}

// reload reads a stream and makes the copy the one to use.
func (s *Service) reload(ctx context.Context, p place, now int64) (*stream, error) {
	st, err := s.fetch(ctx, p)
	if err != nil {
		s.cache.drop(p)
		if errors.Is(err, kinesisapi.ResourceNotFoundException("")) {
			s.traffic.drop(p)
		}
		return nil, err
	}
	return s.keep(st, now), nil
}

// keep makes a copy that was read at now the one to use.
func (s *Service) keep(st *stream, now int64) *stream {
	st.traffic = s.traffic.of(st.place, st.topic.Num)
	st.checked.Store(now)
	return s.cache.put(st)
}

// manyShards is from how many on a stream's copy is kept also for those who only look at it: reading 10,000 takes
// milliseconds, and who lists them asks for page after page.
const manyShards = 1000

// current is a stream as it is now: the copy in memory if its topic has not changed since.
//
// Errors: errNotFound, those of the store.
func (s *Service) current(ctx context.Context, p place) (*stream, error) {
	now := s.nowNS()
	if st := s.cache.get(p); st != nil {
		return s.revalidate(ctx, st, now)
	}
	st, err := s.fetch(ctx, p)
	if err == nil && len(st.shards) >= manyShards {
		st = s.keep(st, now)
	}
	return st, err
}

// fetch reads a stream as it is now, past the cache.
//
// Errors: errNotFound, those of the store.
func (s *Service) fetch(ctx context.Context, p place) (*stream, error) {
	var st *stream
	err := s.store.View(ctx, func(tx store.ReadTx) error {
		var err error
		st, err = s.readStream(tx, p)
		return err
	})
	return st, err
}

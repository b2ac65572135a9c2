package group

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"millrace/internal/api/kafkaapi"
)

// Coordinator keeps all consumer groups of a store. All methods may be called by many goroutines at once.
//
// Callbacks are called once, from the goroutine of some call, of the timer or of the writer, possibly
// before the method returns, and never under a lock: they may call the Coordinator (but not Close), and
// must not block.
type Coordinator struct {
	opts   Options
	limits limits
	id     uint64 // of this coordinator, in what it writes; never 0
	timers timers
	writer writer
	done   sync.WaitGroup // the timer's and the writer's goroutine

	revision uint64 // of the last record; the writer's alone

	mu     sync.RWMutex // guards groups and the change of closed; taken after an entry's lock, never before
	groups map[string]*entry
	closed atomic.Bool
	ended  sync.Once
}

// entry is a group and its lock.
type entry struct {
	id string

	mu    sync.Mutex // guards g, gone and armed
	g     *group
	gone  bool      // no longer in the map: look again
	armed time.Time // when the timer comes at the latest; zero: it does not

	at    time.Time // the timers' own
	place int

	queued job    // the writer's queue
	from   origin // the writer's goroutine alone, once New has returned
}

// New loads all groups and starts the coordinator. Members that were in them have a session timeout to be
// heard from. The store must outlive it.
func New(o Options) (*Coordinator, error) {
	o = o.withDefaults()
	c := &Coordinator{opts: o, id: newWriterID(), groups: map[string]*entry{}}
	c.limits = limits{
		initialDelay: o.InitialRebalanceDelay, maxMembers: o.MaxMembers,
		groupBytes: o.MaxGroupBytes, totalBytes: o.MaxBytes, used: new(atomic.Int64),
	}
	c.timers = timers{clock: o.Clock, wake: make(chan struct{}, 1)}
	c.writer.wake = make(chan struct{}, 1)
	err := loadAll(context.Background(), o.Store, func(sg *storedGroup) error {
		g, err := restore(&c.limits, sg.id, sg.head, sg.members, c.now())
		if err != nil {
			return fmt.Errorf("group %q: %w", sg.id, err)
		}
		e := &entry{id: sg.id, g: g, from: origin{sg.head.writer, sg.head.revision}}
		c.groups[sg.id] = e
		c.arm(e)
		return nil
	})
	if err != nil {
		return nil, err
	}
	c.done.Go(func() { c.timers.run(c.tick) })
	c.done.Go(c.writeLoop)
	return c, nil
}

func newWriterID() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails since Go 1.24
	return max(binary.BigEndian.Uint64(b[:]), 1)
}

// Close refuses new work with COORDINATOR_NOT_AVAILABLE, finishes what is being written, and answers
// whoever still waits with the same.
func (c *Coordinator) Close() error {
	c.ended.Do(func() {
		c.mu.Lock()
		c.closed.Store(true)
		c.mu.Unlock()
		c.timers.stop()
		for _, e := range c.all() { // calls that came before have queued what they wanted written
			e.await()
		}
		c.writer.close()
		c.done.Wait()
		for _, e := range c.all() {
			var fx effects
			e.mu.Lock()
			e.g.failAll(kafkaapi.CoordinatorNotAvailable, &fx)
			e.mu.Unlock()
			fx.run()
		}
	})
	return nil
}

// await returns when who holds the entry's lock has given it back.
func (e *entry) await() {
	e.mu.Lock()
	defer e.mu.Unlock()
}

func (c *Coordinator) now() moment { return moment{c.opts.Clock.Now(), c.opts.Store.Now()} }

func (c *Coordinator) all() []*entry {
	c.mu.RLock()
	defer c.mu.RUnlock()
	list := make([]*entry, 0, len(c.groups))
	for _, e := range c.groups {
		list = append(list, e)
	}
	return list
}

// lock finds a group and locks it; nil when there is none. The caller unlocks e.mu.
func (c *Coordinator) lock(id string) *entry {
	for {
		c.mu.RLock()
		e := c.groups[id]
		c.mu.RUnlock()
		if e == nil {
			return nil
		}
		e.mu.Lock()
		if !e.gone {
			return e
		}
		e.mu.Unlock()
	}
}

// lockOrCreate finds a group or makes an empty one, and locks it; nil when there are too many.
func (c *Coordinator) lockOrCreate(id string) *entry {
	for {
		if e := c.lock(id); e != nil {
			return e
		}
		c.mu.Lock()
		if c.groups[id] == nil {
			if len(c.groups) >= c.opts.MaxGroups || c.closed.Load() {
				c.mu.Unlock()
				return nil
			}
			c.groups[id] = &entry{id: id, g: newGroup(&c.limits, id, c.now())}
		}
		c.mu.Unlock()
	}
}

// run makes a transition of a group that is known, and has its effects done.
func (c *Coordinator) run(e *entry, fn func(g *group, m moment, fx *effects)) {
	m := c.now()
	var fx effects
	e.mu.Lock()
	if !e.gone {
		fn(e.g, m, &fx)
		c.settle(e, &fx)
	}
	e.mu.Unlock()
	fx.run()
}

// settle queues what a transition wants written and sets the timer. The entry is locked.
func (c *Coordinator) settle(e *entry, fx *effects) {
	if fx.write != nil {
		c.writer.enqueue(e, fx.write, fx.after, nil)
		fx.write, fx.after = nil, nil
	}
	if e.g.idle() {
		c.forget(e)
		return
	}
	c.arm(e)
}

// arm has the timer come when the group has something due. The entry is locked.
func (c *Coordinator) arm(e *entry) {
	if w := e.g.wake; !w.IsZero() && (e.armed.IsZero() || w.Before(e.armed)) {
		e.armed = w
		c.timers.schedule(e, w)
	}
}

// forget takes a group out. The entry is locked.
func (c *Coordinator) forget(e *entry) {
	e.gone = true
	e.g.charge(-e.g.bytes)
	c.timers.forget(e)
	c.mu.Lock()
	if c.groups[e.id] == e {
		delete(c.groups, e.id)
	}
	c.mu.Unlock()
}

func (c *Coordinator) tick(e *entry) {
	c.run(e, func(g *group, m moment, fx *effects) {
		e.armed = time.Time{}
		g.tick(m, fx)
	})
}

// AddSimple makes groups known that have offsets and perhaps no members, as the start finds them among
// the offsets: they are listed and can be deleted. Those that are known stay as they are.
func (c *Coordinator) AddSimple(ids ...string) {
	for _, id := range ids {
		if e := c.lockOrCreate(id); e != nil {
			e.g.simple = true
			e.mu.Unlock()
		}
	}
}

// valid tells whether an id can be that of a group with members.
func valid(id string) bool { return id != "" && len(id) <= MaxGroupID }

// nothing is the cancel of a call that has been answered.
func nothing() {}

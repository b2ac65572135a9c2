package group

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/store"
)

// TestRandomLivesOfAGroup has clients join, sync, die, come back and leave, and the coordinator stop, crash
// and lose its disk, in an order that a seed gives. What must hold is in world.
func TestRandomLivesOfAGroup(t *testing.T) {
	for seed := range uint64(40) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, seed)
			for w.step = range 500 {
				w.act()
				w.deliver()
			}
			w.comeToRest()
			w.stop()
		})
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// sim is a client of the simulation: what it knows, and the request it waits for.
type sim struct {
	n          int
	instance   string
	id         string
	generation int32
	phase      string // "", "join", "sync", "stable", "later" (joins in the next step), "dead"
	join       *joinCall
	sync       *syncCall
	assignment string
}

// world is the group "g", its clients and what has been seen of it.
//
//   - a generation has one leader, and one assignment for each member, which arrives whole
//   - a generation that a Sync was answered with is never followed by an older one
//   - a heartbeat or commit is only accepted in the current generation
//   - in the end all that live are in one generation, and nobody else is
type world struct {
	*rig
	rng       *rand.Rand
	seed      uint64
	step      int
	clients   []*sim
	life      int // of the coordinator; counts restarts
	leaders   map[string]string
	given     map[string]string // generation and member → assignment
	synced    int32             // largest generation that a Sync was answered with
	syncs     int
	restarts  int
	instances int
}

func newWorld(t *testing.T, seed uint64) *world {
	t.Helper()
	w := &world{rng: rand.New(rand.NewPCG(seed, 1)), seed: seed, leaders: map[string]string{}, given: map[string]string{}}
	delay := []time.Duration{0, 3 * time.Second}[seed%2]
	w.rig = start(t, newStore(), func(o *Options) { o.InitialRebalanceDelay = delay })
	return w
}

func (w *world) bad(format string, args ...any) {
	w.Helper()
	w.Fatalf("seed %d, step %d: %s", w.seed, w.step, fmt.Sprintf(format, args...))
}

func (w *world) alive() []*sim {
	return slices.DeleteFunc(slices.Clone(w.clients), func(c *sim) bool { return c.phase == "dead" })
}

// act does one thing.
func (w *world) act() {
	alive := w.alive()
	pick := func() *sim { return alive[w.rng.IntN(len(alive))] }
	switch n := w.rng.IntN(100); {
	case len(alive) < 2 || n < 10 && len(alive) < 8:
		c := &sim{n: len(w.clients)}
		if w.rng.IntN(3) == 0 {
			w.instances++
			c.instance = fmt.Sprint("i", w.instances)
		}
		w.clients = append(w.clients, c)
	case n < 15: // dies without a word; its connection is closed, or not
		c := pick()
		if w.rng.IntN(2) == 0 {
			c.hangUp()
		}
		c.phase = "dead"
		if c.instance != "" && w.rng.IntN(2) == 0 { // and starts again
			w.clients = append(w.clients, &sim{n: len(w.clients), instance: c.instance})
		}
	case n < 19:
		if c := pick(); c.phase == "stable" {
			c.phase = "dead"
			w.leave("g", LeaveMember{c.id, c.instance, "done"})
		}
	case n < 22: // loses its connection, and asks again
		if c := pick(); c.phase == "join" || c.phase == "sync" {
			c.hangUp()
			c.phase = ""
		}
	case n < 25: // wants a rebalance, as when it subscribes to something else
		if c := pick(); c.phase == "stable" {
			c.phase = ""
		}
	case n < 27:
		w.newLife()
	case n < 30:
		w.store.(*heldStore).fail(store.ErrFull)
	case n < 36:
		w.store.(*heldStore).fail(nil)
	case n < 66:
		w.beatOne(pick())
	default:
		time.Sleep(time.Duration(w.rng.Int64N(int64(4 * time.Second))))
		for _, c := range alive {
			w.beatOne(c)
		}
	}
}

func (c *sim) hangUp() {
	switch c.phase {
	case "join":
		c.join.cancel()
	case "sync":
		c.sync.cancel()
	}
}

// newLife stops the coordinator or crashes it, and starts another on the same store.
func (w *world) newLife() {
	synctest.Wait()
	if w.rng.IntN(2) == 0 {
		w.store.(*heldStore).fail(store.ErrStopped) // what it still tries to write is lost
	}
	w.stop()
	w.store.(*heldStore).fail(nil)
	w.restart()
	w.life++
	w.restarts++
	if got := w.Describe("g").Generation; got < w.synced {
		w.bad("generation after restart %d: got %d, and %d was answered", w.restarts, got, w.synced)
	}
}

func (w *world) beatOne(c *sim) {
	if c.phase != "stable" {
		return
	}
	current := w.Describe("g").Generation
	commit := w.CheckCommit(CommitRequest{"g", c.id, c.instance, c.generation, false})
	code := w.Heartbeat(HeartbeatRequest{"g", c.id, c.instance, c.generation})
	if (code == kafkaapi.None || commit == kafkaapi.None) && c.generation != current {
		w.bad("%q of generation %d was accepted (%v, %v) in %d", c.id, c.generation, code, commit, current)
	}
	switch code {
	case kafkaapi.None:
	case kafkaapi.FencedInstanceID:
		c.phase = "dead"
	case kafkaapi.UnknownMemberID:
		c.phase, c.id = "", ""
	default:
		c.phase = ""
	}
}

// deliver gives clients their answers until nobody has one, and has those without a request send one.
func (w *world) deliver() {
	for _, c := range w.clients {
		if c.phase == "later" {
			c.phase = ""
		}
	}
	for moved := true; moved; {
		moved = false
		synctest.Wait()
		for _, c := range w.clients {
			j, joined := c.join.got()
			s, synced := c.sync.got()
			switch {
			case c.phase == "":
				req := consumer("g", c.id)
				req.InstanceID, req.Protocols[0].Metadata = c.instance, []byte("topics")
				c.phase, c.join = "join", w.join(req)
			case c.phase == "join" && joined:
				w.joined(c, j)
			case c.phase == "sync" && synced:
				w.syncedOne(c, s)
			default:
				continue
			}
			moved = true
		}
	}
}

func (w *world) joined(c *sim, j JoinResponse) {
	c.phase = ""
	switch j.Code {
	case kafkaapi.None:
	case kafkaapi.MemberIDRequired:
		c.id = j.MemberID
		return
	case kafkaapi.UnknownMemberID:
		c.id = ""
		return
	case kafkaapi.FencedInstanceID:
		c.phase = "dead"
		return
	case kafkaapi.RebalanceInProgress, kafkaapi.CoordinatorNotAvailable:
		c.phase = "later"
		return
	default:
		w.bad("join of %q: %v", c.id, j.Code)
	}
	if j.Generation < w.synced {
		w.bad("join of %q: generation %d after %d", c.id, j.Generation, w.synced)
	}
	c.id, c.generation, c.phase = j.MemberID, j.Generation, "sync"
	q := SyncRequest{Group: "g", MemberID: c.id, InstanceID: c.instance, Generation: j.Generation, ProtocolType: j.ProtocolType, Protocol: j.Protocol}
	if len(j.Members) > 0 && !j.SkipAssignment {
		key := fmt.Sprint(w.life, "/", j.Generation)
		if other, ok := w.leaders[key]; ok && other != c.id {
			w.bad("generation %d has the leaders %q and %q", j.Generation, other, c.id)
		}
		w.leaders[key] = c.id
		q.Assignments = assign(j)
		for i, a := range q.Assignments {
			of := j.Members[i].InstanceID
			if of == "" {
				of = a.MemberID
			}
			w.given[fmt.Sprint(j.Generation, "/", of)] = string(a.Bytes)
		}
	}
	c.sync = &syncCall{rig: w.rig, what: fmt.Sprintf("Sync of %q in %d", c.id, j.Generation)}
	c.sync.cancel = w.Sync(q, c.sync.done)
}

func (w *world) syncedOne(c *sim, s SyncResponse) {
	c.phase = ""
	switch s.Code {
	case kafkaapi.None:
	case kafkaapi.UnknownMemberID:
		c.id = ""
		return
	case kafkaapi.FencedInstanceID:
		c.phase = "dead"
		return
	case kafkaapi.RebalanceInProgress, kafkaapi.IllegalGeneration, kafkaapi.CoordinatorNotAvailable:
		c.phase = "later"
		return
	default:
		w.bad("sync of %q: %v", c.id, s.Code)
	}
	of := c.instance
	if of == "" {
		of = c.id
	}
	if want := w.given[fmt.Sprint(c.generation, "/", of)]; string(s.Assignment) != want || want == "" {
		w.bad("assignment of %q in %d: got %q, want %q", of, c.generation, s.Assignment, want)
	}
	c.phase, c.assignment = "stable", string(s.Assignment)
	w.synced = max(w.synced, c.generation)
	w.syncs++
}

// comeToRest lets clients do nothing but live. After a few sessions and rebalances all are in one generation.
func (w *world) comeToRest() {
	w.store.(*heldStore).fail(nil)
	for range int((newMemberTimeout + 3*rebalance) / (3 * time.Second)) {
		w.deliver()
		time.Sleep(3 * time.Second)
		for _, c := range w.alive() {
			w.beatOne(c)
		}
	}
	w.deliver()
	d := w.Describe("g")
	want, got := map[string]bool{}, map[string]bool{}
	for _, c := range w.alive() {
		want[c.id] = true
		if c.phase != "stable" || c.generation != d.Generation {
			w.bad("%q at rest: %q in generation %d, the group is %v in %d", c.id, c.phase, c.generation, d.State, d.Generation)
		}
	}
	for _, m := range d.Members {
		got[m.ID] = true
	}
	if d.State != Stable || !maps.Equal(got, want) {
		w.bad("at rest: %v with %v, want Stable with %v", d.State, got, want)
	}
	if w.syncs < 50 || w.restarts == 0 {
		w.bad("only %d syncs and %d restarts: the test has lost its point", w.syncs, w.restarts)
	}
}

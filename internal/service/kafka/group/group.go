package group

import (
	"slices"
	"sync/atomic"
	"time"

	"millrace/internal/api/kafkaapi"
)

// moment is when a transition happens, by both clocks.
type moment struct {
	at time.Time // of timeouts
	ms int64     // store time, ms since 1970: what is kept
}

// effects is what a transition wants done once the group's lock is released.
type effects struct {
	answers []func() // each is called once
	after   []func() // the same, when write is durable or has failed; at once when there is none
	write   *record  // what to make durable; then the group is told by stored
}

// run answers. The group's lock is not held.
func (fx *effects) run() {
	for _, fn := range fx.answers {
		fn()
	}
	for _, fn := range fx.after {
		fn()
	}
}

// waiter is a request that waits for the group.
type waiter[T any] struct {
	done   func(T)
	member *member
}

// answer takes a waiter out of its place, if there is one, and has it answered.
func answer[T any](fx *effects, place **waiter[T], resp T) bool {
	w := *place
	if w == nil {
		return false
	}
	*place = nil
	fx.answers = append(fx.answers, func() { w.done(resp) })
	return true
}

type (
	joinWaiter = waiter[JoinResponse]
	syncWaiter = waiter[SyncResponse]
)

// member is one member of a group.
type member struct {
	id, instance         string // instance "" for a dynamic member
	clientID, clientHost string
	session, rebalance   time.Duration
	protocols            []Protocol
	assignment           []byte
	bytes                int64 // of protocols and assignment, as memory is counted

	join *joinWaiter // waits for the next generation, or (stored != 0) for its new id to be durable
	sync *syncWaiter // waits for this generation's assignments

	expires  time.Time // when it is removed unless heard from; zero: not before it is answered
	isNew    bool      // waits for its first generation: it expires although it waits
	unsynced bool      // has not asked for this generation's assignment
	skip     bool      // its client knows SkipAssignment

	stored    uint64 // the write that its join waits for; 0: none
	oldLeader string // who led before that write
}

// limits are those options that transitions need.
type limits struct {
	initialDelay time.Duration
	maxMembers   int
	groupBytes   int64
	totalBytes   int64
	used         *atomic.Int64 // bytes of all groups
}

// group is one consumer group: a pure state machine. Whoever calls it holds its lock.
type group struct {
	*limits
	id string

	state, previous State
	changed         int64 // when state was entered, store time in ms
	generation      int32 // 0 before the first
	protocolType    string
	protocol        string // chosen; "" without a generation that has members
	leader          string // member id; "" without members

	members   map[string]*member
	order     []*member          // by time of joining: answers and elections do not depend on chance
	static    map[string]*member // by instance id
	supported map[string]int     // protocol name → members that support it
	pending   map[string]time.Time
	joined    int // members that wait for the next generation
	unsynced  int
	bytes     int64

	joinAt   time.Time // when the gathering ends; zero: not gathering
	syncAt   time.Time // when members that have not synced are removed; zero: none are left
	initial  *gathering
	proposal *proposal // the leader's assignments, while they are being written

	writes   uint64    // records given out to be written
	rejoined []*member // static members whose new id is being written
	kept     bool      // the store has a record, or will have
	simple   bool      // known for its offsets
	wake     time.Time // no later than the next thing that is due; zero: nothing is
}

// gathering is the first rebalance of an empty group, which waits for more members.
type gathering struct {
	delay, left time.Duration
	more        bool // a member was added since the delay began
}

// proposal is a leader's assignments on their way to the store.
type proposal struct {
	write       uint64
	assignments map[string][]byte
}

func newGroup(l *limits, id string, m moment) *group {
	return &group{
		limits: l, id: id, state: Empty, previous: Empty, changed: m.ms,
		members: map[string]*member{}, static: map[string]*member{},
		supported: map[string]int{}, pending: map[string]time.Time{},
	}
}

func (g *group) to(s State, m moment) {
	g.previous, g.state, g.changed = g.state, s, m.ms
}

// due has the group looked at by t.
func (g *group) due(t time.Time) {
	if g.wake.IsZero() || t.Before(g.wake) {
		g.wake = t
	}
}

// live puts a member's removal off by d.
func (g *group) live(mb *member, m moment, d time.Duration) {
	mb.expires = m.at.Add(d)
	g.due(mb.expires)
}

// add puts a new member into the group.
func (g *group) add(mb *member, protocolType string) {
	if len(g.members) == 0 {
		g.protocolType = protocolType
	}
	if g.leader == "" {
		g.leader = mb.id
	}
	g.members[mb.id] = mb
	g.order = append(g.order, mb)
	if mb.instance != "" {
		g.static[mb.instance] = mb
	}
	g.support(mb.protocols, 1)
	g.charge(mb.bytes)
	delete(g.pending, mb.id)
}

// drop takes a member or a pending one out of the group. Its waiters must have been answered.
func (g *group) drop(id string) {
	delete(g.pending, id)
	mb := g.members[id]
	if mb == nil {
		return
	}
	delete(g.members, id)
	g.order = slices.DeleteFunc(g.order, func(o *member) bool { return o == mb })
	if mb.instance != "" {
		delete(g.static, mb.instance)
	}
	g.support(mb.protocols, -1)
	g.charge(-mb.bytes)
	g.setUnsynced(mb, false)
	if g.leader == id {
		g.leader = ""
		if len(g.order) > 0 {
			g.leader = g.order[0].id
		}
	}
}

// evict answers what a member waits for with UNKNOWN_MEMBER_ID, and drops it.
func (g *group) evict(mb *member, fx *effects) {
	g.answerJoin(fx, mb, failedJoin("", kafkaapi.UnknownMemberID))
	answer(fx, &mb.sync, SyncResponse{Code: kafkaapi.UnknownMemberID})
	g.drop(mb.id)
}

// answerJoin answers a member's waiting Join, if it has one.
func (g *group) answerJoin(fx *effects, mb *member, resp JoinResponse) {
	waits := mb.waitsForGeneration()
	if answer(fx, &mb.join, resp) {
		mb.stored = 0
		if waits {
			g.joined--
		}
	}
}

// waitsForGeneration tells a Join that waits for the next generation from one whose id is being written.
func (mb *member) waitsForGeneration() bool { return mb.join != nil && mb.stored == 0 }

// waitJoin makes w the member's waiting Join; an earlier one is answered.
func (g *group) waitJoin(fx *effects, mb *member, w *joinWaiter) {
	g.answerJoin(fx, mb, failedJoin(mb.id, kafkaapi.RebalanceInProgress))
	mb.join, w.member = w, mb
	g.joined++
}

func (g *group) setUnsynced(mb *member, v bool) {
	switch {
	case v && !mb.unsynced:
		g.unsynced++
	case !v && mb.unsynced:
		g.unsynced--
	}
	mb.unsynced = v
}

func (g *group) support(protocols []Protocol, by int) {
	for _, p := range protocols {
		if g.supported[p.Name] += by; g.supported[p.Name] == 0 {
			delete(g.supported, p.Name)
		}
	}
}

// charge counts memory, in the group and in all.
func (g *group) charge(n int64) {
	g.bytes += n
	g.used.Add(n)
}

// room tells whether n more bytes fit.
func (g *group) room(n int64) bool {
	return n <= 0 || g.bytes+n <= g.groupBytes && g.used.Load()+n <= g.totalBytes
}

// failAll answers everybody who waits.
func (g *group) failAll(code kafkaapi.Code, fx *effects) {
	for _, mb := range g.order {
		g.answerJoin(fx, mb, failedJoin(mb.id, code))
		answer(fx, &mb.sync, SyncResponse{Code: code})
	}
}

// validate tells whether a member id, with its instance id if it has one, is one of the group's.
func (g *group) validate(memberID, instance string) (*member, kafkaapi.Code) {
	if instance != "" {
		switch s := g.static[instance]; {
		case s == nil:
			return nil, kafkaapi.UnknownMemberID
		case s.id != memberID:
			return nil, kafkaapi.FencedInstanceID
		}
	}
	if mb := g.members[memberID]; mb != nil {
		return mb, kafkaapi.None
	}
	return nil, kafkaapi.UnknownMemberID
}

// supports tells whether a member with these protocols can be in the group.
func (g *group) supports(protocolType string, protocols []Protocol) bool {
	if g.state == Empty {
		return protocolType != "" && len(protocols) > 0
	}
	return protocolType == g.protocolType && slices.ContainsFunc(protocols, func(p Protocol) bool {
		return g.supported[p.Name] == len(g.members)
	})
}

// choose is the protocol of the most votes among those that all members support; of equal ones
// that of the member who joined first. "" when there is none.
func (g *group) choose() string {
	votes, best := map[string]int{}, ""
	for _, mb := range g.order {
		i := slices.IndexFunc(mb.protocols, func(p Protocol) bool { return g.supported[p.Name] == len(g.members) })
		if i >= 0 {
			votes[mb.protocols[i].Name]++
		}
	}
	for _, mb := range g.order {
		for _, p := range mb.protocols {
			if votes[p.Name] > votes[best] {
				best = p.Name
			}
		}
	}
	return best
}

// rebalanceTimeout is the longest of all members.
func (g *group) rebalanceTimeout() time.Duration {
	var d time.Duration
	for _, mb := range g.order {
		d = max(d, mb.rebalance)
	}
	return d
}

// allJoined: nobody is known that does not wait for the next generation.
func (g *group) allJoined() bool { return g.joined == len(g.members) && len(g.pending) == 0 }

// metadata is what a member says for the chosen protocol.
func (mb *member) metadata(protocol string) []byte {
	for _, p := range mb.protocols {
		if p.Name == protocol {
			return p.Metadata
		}
	}
	return nil
}

// idle tells whether nothing would be lost with the group.
func (g *group) idle() bool {
	return g.state == Empty && !g.kept && !g.simple && len(g.pending) == 0
}

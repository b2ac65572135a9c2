package group

import (
	"bytes"
	"slices"

	"millrace/internal/api/kafkaapi"
)

// failedJoin is the answer of a Join that did not lead into a generation.
func failedJoin(memberID string, code kafkaapi.Code) JoinResponse {
	return JoinResponse{Code: code, Generation: -1, MemberID: memberID}
}

// doJoin takes a Join whose group, session timeout and protocols have been checked. newID is the id
// for a member that has none.
func (g *group) doJoin(req *JoinRequest, newID string, w *joinWaiter, m moment, fx *effects) {
	fail := func(memberID string, code kafkaapi.Code) {
		fx.answers = append(fx.answers, func() { w.done(failedJoin(memberID, code)) })
	}
	switch {
	case g.state == Dead:
		fail(req.MemberID, kafkaapi.CoordinatorNotAvailable)
	case !g.accepts(req.MemberID):
		g.refuseRejoin(req.MemberID, m, fx)
		fail("", kafkaapi.GroupMaxSizeReached)
	case !g.supports(req.ProtocolType, req.Protocols):
		fail(req.MemberID, kafkaapi.InconsistentGroupProtocol)
	case !g.room(g.growth(req)):
		fail(req.MemberID, kafkaapi.GroupMaxSizeReached)
	case req.MemberID != "":
		g.joinKnown(req, w, m, fx, fail)
	case req.InstanceID != "" && g.static[req.InstanceID] != nil:
		g.replaceStatic(req, newID, w, m, fx)
	case req.InstanceID == "" && req.RequireMemberID:
		if len(g.pending) >= g.maxMembers {
			fail("", kafkaapi.GroupMaxSizeReached)
			return
		}
		g.pending[newID] = m.at.Add(req.SessionTimeout)
		g.due(g.pending[newID])
		fail(newID, kafkaapi.MemberIDRequired)
	default:
		g.addAndRebalance(req, newID, w, m, fx)
	}
}

// accepts tells whether a member may join, by the bound on members. While members gather, those who
// wait are counted: a group that is over the bound so loses the last to come.
func (g *group) accepts(memberID string) bool {
	mb := g.members[memberID]
	switch g.state {
	case Empty, Dead:
		return true
	case PreparingRebalance:
		return mb != nil && mb.waitsForGeneration() || g.joined < g.maxMembers
	default:
		return mb != nil || len(g.members) < g.maxMembers
	}
}

// refuseRejoin drops a member that came too late to a group that is full.
func (g *group) refuseRejoin(memberID string, m moment, fx *effects) {
	if mb := g.members[memberID]; mb != nil {
		g.evict(mb, fx)
	}
	delete(g.pending, memberID)
	g.maybeComplete(m, fx)
}

// growth is about how many bytes a Join adds to what the group holds: an id begins with a name.
func (g *group) growth(req *JoinRequest) int64 {
	n := sizeOf(req.Protocols)
	mb := g.members[req.MemberID]
	if mb == nil && req.InstanceID != "" {
		mb = g.static[req.InstanceID]
	}
	if mb == nil {
		return n + memberOverhead + int64(2*len(req.ClientID)+2*len(req.InstanceID)+len(req.ClientHost))
	}
	return n - sizeOf(mb.protocols)
}

// memberOverhead is what a member costs beside what it says: its struct and its places in maps and slices.
const memberOverhead = 512

func sizeOf(protocols []Protocol) int64 {
	var n int64
	for _, p := range protocols {
		n += int64(len(p.Name)+len(p.Metadata)) + 64
	}
	return n
}

// joinKnown is the Join of a client that brings a member id.
func (g *group) joinKnown(req *JoinRequest, w *joinWaiter, m moment, fx *effects, fail func(string, kafkaapi.Code)) {
	if _, ok := g.pending[req.MemberID]; ok && req.InstanceID == "" {
		g.addAndRebalance(req, req.MemberID, w, m, fx)
		return
	}
	mb, code := g.validate(req.MemberID, req.InstanceID)
	if code != kafkaapi.None {
		fail(req.MemberID, code)
		return
	}
	same := mb.matches(req.Protocols)
	switch g.state {
	case PreparingRebalance:
		g.updateAndRebalance(mb, req, w, m, fx)
	case CompletingRebalance:
		// A member that says what it said before may have missed the answer: it gets it again.
		if !same {
			g.updateAndRebalance(mb, req, w, m, fx)
			return
		}
		resp := g.generationFor(mb)
		fx.answers = append(fx.answers, func() { w.done(resp) })
	case Stable:
		// A leader asks for a rebalance when something changed that members' subscriptions do not
		// show, like the number of partitions.
		if g.leader == mb.id || !same || mb.stored != 0 {
			g.updateAndRebalance(mb, req, w, m, fx)
			return
		}
		resp := g.generationFor(mb)
		fx.answers = append(fx.answers, func() { w.done(resp) })
	default: // Empty has no members, so none was found
		fail(req.MemberID, kafkaapi.UnknownMemberID)
	}
}

// generationFor tells a member the current generation, and the leader its members.
func (g *group) generationFor(mb *member) JoinResponse {
	resp := JoinResponse{
		Generation: g.generation, ProtocolType: g.protocolType, Protocol: g.protocol,
		Leader: g.leader, MemberID: mb.id,
	}
	if mb.id == g.leader && g.state == CompletingRebalance {
		resp.Members = g.joinMembers()
	}
	return resp
}

func (g *group) joinMembers() []JoinMember {
	members := make([]JoinMember, len(g.order))
	for i, mb := range g.order {
		members[i] = JoinMember{mb.id, mb.instance, mb.metadata(g.protocol)}
	}
	return members
}

func (g *group) addAndRebalance(req *JoinRequest, id string, w *joinWaiter, m moment, fx *effects) {
	mb := &member{
		id: id, instance: req.InstanceID, clientID: req.ClientID, clientHost: req.ClientHost,
		session: req.SessionTimeout, rebalance: req.RebalanceTimeout,
		isNew: true, skip: req.CanSkip,
	}
	mb.setProtocols(req.Protocols)
	if g.initial != nil {
		g.initial.more = true
	}
	g.add(mb, req.ProtocolType)
	g.waitJoin(fx, mb, w)
	g.live(mb, m, newMemberTimeout)
	g.rebalanceOrComplete(m, fx)
}

func (g *group) updateAndRebalance(mb *member, req *JoinRequest, w *joinWaiter, m moment, fx *effects) {
	g.update(mb, req, w, fx)
	g.rebalanceOrComplete(m, fx)
}

// update gives a member what its new Join says, and has the Join wait.
func (g *group) update(mb *member, req *JoinRequest, w *joinWaiter, fx *effects) {
	before := mb.bytes
	g.support(mb.protocols, -1)
	mb.setProtocols(req.Protocols)
	g.support(mb.protocols, 1)
	g.charge(mb.bytes - before)
	mb.session, mb.rebalance, mb.skip = req.SessionTimeout, req.RebalanceTimeout, req.CanSkip
	g.waitJoin(fx, mb, w)
}

// setProtocols copies what a member supports; of equal names the first counts.
func (mb *member) setProtocols(protocols []Protocol) {
	mb.protocols = make([]Protocol, 0, len(protocols))
	for _, p := range protocols {
		if !slices.ContainsFunc(mb.protocols, func(o Protocol) bool { return o.Name == p.Name }) {
			mb.protocols = append(mb.protocols, Protocol{p.Name, bytes.Clone(p.Metadata)})
		}
	}
	mb.count()
}

func (mb *member) setAssignment(b []byte) {
	mb.assignment = b
	mb.count()
}

func (mb *member) count() {
	names := len(mb.id) + len(mb.instance) + len(mb.clientID) + len(mb.clientHost)
	mb.bytes = sizeOf(mb.protocols) + int64(len(mb.assignment)+names) + memberOverhead
}

// matches tells whether a member says what it said before, in the same order.
func (mb *member) matches(protocols []Protocol) bool {
	return slices.EqualFunc(mb.protocols, protocols, func(a, b Protocol) bool {
		return a.Name == b.Name && bytes.Equal(a.Metadata, b.Metadata)
	})
}

// replaceStatic gives a static member, that has restarted without its member id, a new one. Whoever
// used the old one is fenced. In a Stable group whose protocol stays the same there is no rebalance:
// the member keeps its assignment, and its Join is answered when the new id is durable.
func (g *group) replaceStatic(req *JoinRequest, newID string, w *joinWaiter, m moment, fx *effects) {
	mb := g.static[req.InstanceID]
	oldID, oldLeader := mb.id, g.leader
	g.answerJoin(fx, mb, failedJoin(oldID, kafkaapi.FencedInstanceID))
	answer(fx, &mb.sync, SyncResponse{Code: kafkaapi.FencedInstanceID})
	delete(g.members, oldID)
	mb.id, mb.clientID, mb.clientHost, mb.isNew = newID, req.ClientID, req.ClientHost, false
	g.members[newID] = mb
	if g.leader == oldID {
		g.leader = newID
	}
	g.update(mb, req, w, fx)
	g.live(mb, m, mb.session)

	if g.state == Stable && g.choose() == g.protocol {
		g.joined-- // it waits for the store, not for a generation
		g.persist(fx, nil)
		mb.stored, mb.oldLeader = g.writes, oldLeader
		g.rejoined = append(g.rejoined, mb)
		return
	}
	// While the leader assigns, it may know the member by its old id, and would assign to nobody.
	g.rebalanceOrComplete(m, fx)
}

// finishRejoin answers static members whose new ids were written up to that write.
func (g *group) finishRejoin(write uint64, code kafkaapi.Code, m moment, fx *effects) {
	g.rejoined = slices.DeleteFunc(g.rejoined, func(mb *member) bool {
		if mb.stored > write {
			return false
		}
		if mb.stored == 0 {
			return true // answered or abandoned since
		}
		g.live(mb, m, mb.session)
		if code != kafkaapi.None {
			g.answerJoin(fx, mb, failedJoin("", code))
			return true
		}
		g.answerJoin(fx, mb, g.rejoinAnswer(mb))
		return true
	})
}

// rejoinAnswer leaves a static member in its generation. A leader that knows how is told that there is
// nothing to assign (KIP-814); any other is told its old id as the leader's, so it takes itself for a
// follower and asks for its assignment.
func (g *group) rejoinAnswer(mb *member) JoinResponse {
	resp := g.generationFor(mb)
	switch {
	case !mb.skip:
		resp.Leader = mb.oldLeader
	case mb.id == g.leader:
		resp.SkipAssignment, resp.Members = true, g.joinMembers()
	}
	return resp
}

// abandonJoin forgets a waiting Join whose connection is gone. The member stays for its session timeout,
// in which its client may come back and join again.
func (g *group) abandonJoin(w *joinWaiter, m moment) {
	mb := w.member
	if mb == nil || mb.join != w {
		return
	}
	if mb.waitsForGeneration() {
		g.joined--
	}
	mb.join, mb.stored, mb.isNew = nil, 0, false
	g.live(mb, m, mb.session)
}

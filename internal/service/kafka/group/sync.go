package group

import (
	"bytes"
	"time"

	"millrace/internal/api/kafkaapi"
)

// doSync takes a Sync of a group that is there.
func (g *group) doSync(req *SyncRequest, w *syncWaiter, m moment, fx *effects) {
	fail := func(code kafkaapi.Code) {
		fx.answers = append(fx.answers, func() { w.done(SyncResponse{Code: code}) })
	}
	if g.state == Empty {
		fail(kafkaapi.UnknownMemberID)
		return
	}
	mb, code := g.checkSync(req)
	if code != kafkaapi.None {
		fail(code)
		return
	}
	switch g.state {
	case CompletingRebalance:
		answer(fx, &mb.sync, SyncResponse{Code: kafkaapi.RebalanceInProgress})
		mb.sync, w.member = w, mb
		g.synced(mb)
		if mb.id == g.leader && g.proposal == nil {
			g.propose(req.Assignments, m, fx)
		}
	case Stable:
		g.synced(mb)
		g.live(mb, m, mb.session)
		resp := g.assignmentFor(mb)
		fx.answers = append(fx.answers, func() { w.done(resp) })
	default:
		fail(kafkaapi.RebalanceInProgress)
	}
}

// checkSync finds the member of a Sync. A protocol is compared if both sides name one.
func (g *group) checkSync(req *SyncRequest) (*member, kafkaapi.Code) {
	if g.state == Dead {
		return nil, kafkaapi.CoordinatorNotAvailable
	}
	mb, code := g.validate(req.MemberID, req.InstanceID)
	switch {
	case code != kafkaapi.None:
		return nil, code
	case req.Generation != g.generation:
		return nil, kafkaapi.IllegalGeneration
	case differ(req.ProtocolType, g.protocolType), differ(req.Protocol, g.protocol):
		return nil, kafkaapi.InconsistentGroupProtocol
	}
	return mb, kafkaapi.None
}

func differ(a, b string) bool { return a != "" && b != "" && a != b }

func (g *group) synced(mb *member) {
	g.setUnsynced(mb, false)
	if g.unsynced == 0 {
		g.syncAt = time.Time{}
	}
}

// propose has the leader's assignments written; stored goes on. Members that it does not name get an
// empty one, and names that are not members are ignored.
func (g *group) propose(assignments []Assignment, m moment, fx *effects) {
	p := &proposal{assignments: make(map[string][]byte, len(assignments))}
	var grown int64
	for _, a := range assignments {
		if mb := g.members[a.MemberID]; mb != nil {
			p.assignments[a.MemberID] = bytes.Clone(a.Bytes)
			grown += int64(len(a.Bytes) - len(mb.assignment))
		}
	}
	if !g.room(grown) {
		// What Kafka answers when the record would be too large.
		g.reset(kafkaapi.UnknownServerError, m, fx)
		g.prepare(m, fx)
		return
	}
	g.proposal = p
	g.persist(fx, p.assignments)
	p.write = g.writes
}

// persist has the group written as it is, with other assignments if given.
func (g *group) persist(fx *effects, assignments map[string][]byte) {
	g.writes++
	g.kept = true
	fx.write = g.record(assignments)
}

// stored is told that all writes up to a number are durable, or have failed with a code. What has
// changed since they were given out is left as it is.
func (g *group) stored(write uint64, code kafkaapi.Code, m moment, fx *effects) {
	g.finishRejoin(write, code, m, fx)
	p := g.proposal
	if p == nil || p.write > write {
		return
	}
	g.proposal = nil
	if code != kafkaapi.None {
		g.reset(code, m, fx)
		g.prepare(m, fx)
		return
	}
	g.to(Stable, m)
	for _, mb := range g.order {
		before := mb.bytes
		mb.setAssignment(p.assignments[mb.id])
		g.charge(mb.bytes - before)
		g.answerSync(mb, g.assignmentFor(mb), m, fx)
	}
}

func (g *group) assignmentFor(mb *member) SyncResponse {
	return SyncResponse{ProtocolType: g.protocolType, Protocol: g.protocol, Assignment: mb.assignment}
}

// answerSync answers a member's waiting Sync, if it has one, and begins its session again.
func (g *group) answerSync(mb *member, resp SyncResponse, m moment, fx *effects) {
	if answer(fx, &mb.sync, resp) {
		g.live(mb, m, mb.session)
	}
}

// reset gives up a generation that has no assignments yet.
func (g *group) reset(code kafkaapi.Code, m moment, fx *effects) {
	g.proposal = nil
	for _, mb := range g.order {
		before := mb.bytes
		mb.setAssignment(nil)
		g.charge(mb.bytes - before)
		g.answerSync(mb, SyncResponse{Code: code}, m, fx)
	}
}

// abandonSync forgets a waiting Sync whose connection is gone.
func (g *group) abandonSync(w *syncWaiter, m moment) {
	mb := w.member
	if mb == nil || mb.sync != w {
		return
	}
	mb.sync = nil
	g.live(mb, m, mb.session)
}

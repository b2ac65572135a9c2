package group

import "millrace/internal/api/kafkaapi"

// heartbeat puts off a member's removal and tells it whether it has to join again.
func (g *group) heartbeat(req *HeartbeatRequest, m moment) kafkaapi.Code {
	if g.state == Dead {
		return kafkaapi.CoordinatorNotAvailable
	}
	mb, code := g.validate(req.MemberID, req.InstanceID)
	switch {
	case code != kafkaapi.None:
		return code
	case req.Generation != g.generation:
		return kafkaapi.IllegalGeneration
	}
	if !mb.isNew {
		g.live(mb, m, mb.session)
	}
	if g.state == PreparingRebalance {
		return kafkaapi.RebalanceInProgress
	}
	return kafkaapi.None
}

// leave removes members, each for itself, and begins one rebalance for all that were there.
func (g *group) leave(req *LeaveRequest, m moment, fx *effects) LeaveResponse {
	if g.state == Dead {
		return LeaveResponse{Code: kafkaapi.CoordinatorNotAvailable}
	}
	resp := LeaveResponse{Members: make([]LeftMember, len(req.Members))}
	left := false
	for i, l := range req.Members {
		code := g.leaveOne(l, fx)
		resp.Members[i] = LeftMember{l.MemberID, l.InstanceID, code}
		left = left || code == kafkaapi.None
	}
	switch {
	case !left:
	case g.state == PreparingRebalance:
		g.maybeComplete(m, fx)
	case g.state == Stable, g.state == CompletingRebalance:
		g.prepare(m, fx)
	}
	return resp
}

func (g *group) leaveOne(l LeaveMember, fx *effects) kafkaapi.Code {
	if l.MemberID == "" {
		mb := g.static[l.InstanceID]
		if l.InstanceID == "" || mb == nil {
			return kafkaapi.UnknownMemberID
		}
		g.evict(mb, fx)
		return kafkaapi.None
	}
	if _, ok := g.pending[l.MemberID]; ok {
		delete(g.pending, l.MemberID)
		return kafkaapi.None
	}
	mb, code := g.validate(l.MemberID, l.InstanceID)
	if code == kafkaapi.None {
		g.evict(mb, fx)
	}
	return code
}

// checkCommit tells whether offsets may be committed. The commit of a member also says that it lives.
func (g *group) checkCommit(req *CommitRequest, m moment) kafkaapi.Code {
	if g.state == Dead {
		return kafkaapi.CoordinatorNotAvailable
	}
	if req.Generation < 0 && g.state == Empty {
		g.simple = g.simple || !g.kept
		return kafkaapi.None // a consumer that assigns by itself, or an administrator
	}
	if req.Generation < 0 && req.MemberID == "" && req.InstanceID == "" {
		if req.Transactional {
			return kafkaapi.None // producers before KIP-447 know no member
		}
		return kafkaapi.UnknownMemberID
	}
	mb, code := g.validate(req.MemberID, req.InstanceID)
	switch {
	case code != kafkaapi.None:
		return code
	case req.Generation != g.generation:
		return kafkaapi.IllegalGeneration
	case req.Transactional:
		return kafkaapi.None
	case g.state == CompletingRebalance:
		return kafkaapi.RebalanceInProgress
	}
	if !mb.isNew {
		g.live(mb, m, mb.session)
	}
	return kafkaapi.None
}

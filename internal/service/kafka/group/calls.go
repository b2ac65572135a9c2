package group

import (
	"math"
	"time"

	"millrace/internal/api/kafkaapi"
)

const (
	// maxProtocols bounds what one member supports: clients name a few assignors, and every
	// protocol is compared with every other.
	maxProtocols = 256

	// maxText is the longest string of the protocol, whose older versions have 15 bits for a length.
	maxText = math.MaxInt16

	// maxIDPrefix is how much of a client id or instance id begins a member id, which has to fit
	// into a string of the protocol too.
	maxIDPrefix = 1 << 10
)

// Join asks for a place in the next generation; done is called when it begins, or with an error. cancel
// says that the connection is gone: done may then never be called, unless it was already decided.
//
// Codes: InvalidGroupID, InvalidSessionTimeout, InvalidRequest (a bound of calls.go), UnknownMemberID,
// MemberIDRequired (with the id), FencedInstanceID, InconsistentGroupProtocol, GroupMaxSizeReached
// (members, groups or bytes), RebalanceInProgress, CoordinatorNotAvailable, NotCoordinator, UnknownServerError.
func (c *Coordinator) Join(req JoinRequest, done func(JoinResponse)) (cancel func()) {
	if code := c.checkJoin(&req); code != kafkaapi.None {
		done(failedJoin(req.MemberID, code))
		return nothing
	}
	var e *entry
	if req.MemberID == "" {
		e = c.lockOrCreate(req.Group)
	} else {
		e = c.lock(req.Group)
	}
	switch {
	case e == nil && c.closed.Load():
		done(failedJoin(req.MemberID, kafkaapi.CoordinatorNotAvailable))
		return nothing
	case e == nil && req.MemberID == "":
		done(failedJoin("", kafkaapi.GroupMaxSizeReached))
		return nothing
	case e == nil:
		done(failedJoin(req.MemberID, kafkaapi.UnknownMemberID))
		return nothing
	}
	var fx effects
	w := &joinWaiter{done: done}
	if c.closed.Load() {
		fx.answers = append(fx.answers, func() { done(failedJoin(req.MemberID, kafkaapi.CoordinatorNotAvailable)) })
	} else {
		e.g.doJoin(&req, c.newMemberID(&req), w, c.now(), &fx)
		c.settle(e, &fx)
	}
	waits := w.member != nil
	e.mu.Unlock()
	fx.run()
	if !waits {
		return nothing
	}
	return func() { c.run(e, func(g *group, m moment, _ *effects) { g.abandonJoin(w, m) }) }
}

// checkJoin checks what does not depend on the group, and sets what version 0 leaves out.
func (c *Coordinator) checkJoin(req *JoinRequest) kafkaapi.Code {
	switch {
	case c.closed.Load():
		return kafkaapi.CoordinatorNotAvailable
	case !valid(req.Group):
		return kafkaapi.InvalidGroupID
	case req.SessionTimeout < c.opts.MinSessionTimeout, req.SessionTimeout > c.opts.MaxSessionTimeout:
		return kafkaapi.InvalidSessionTimeout
	case len(req.Protocols) > maxProtocols,
		max(len(req.MemberID), len(req.InstanceID), len(req.ClientID), len(req.ClientHost), len(req.ProtocolType)) > maxText:
		return kafkaapi.InvalidRequest
	}
	for _, p := range req.Protocols {
		if len(p.Name) > maxText {
			return kafkaapi.InvalidRequest
		}
	}
	if req.RebalanceTimeout < 0 {
		req.RebalanceTimeout = req.SessionTimeout
	}
	req.RebalanceTimeout = min(req.RebalanceTimeout, math.MaxInt32*time.Millisecond)
	return kafkaapi.None
}

// newMemberID makes an id as Kafka does: the instance or client id, and a part that is unique.
func (c *Coordinator) newMemberID(req *JoinRequest) string {
	if req.MemberID != "" {
		return ""
	}
	prefix := req.InstanceID
	if prefix == "" {
		prefix = req.ClientID
	}
	return prefix[:min(len(prefix), maxIDPrefix)] + "-" + c.opts.NewID()
}

// Sync asks for the member's assignment in its generation; done is called when the leader's are durable,
// or with an error. cancel is as for Join.
//
// Codes: InvalidGroupID, UnknownMemberID, FencedInstanceID, IllegalGeneration, InconsistentGroupProtocol,
// RebalanceInProgress, CoordinatorNotAvailable, NotCoordinator, UnknownServerError (assignments over
// Options.MaxGroupBytes).
func (c *Coordinator) Sync(req SyncRequest, done func(SyncResponse)) (cancel func()) {
	if !valid(req.Group) {
		done(SyncResponse{Code: kafkaapi.InvalidGroupID})
		return nothing
	}
	e, code := c.lockMember(req.Group)
	if code != kafkaapi.None {
		done(SyncResponse{Code: code})
		return nothing
	}
	var fx effects
	w := &syncWaiter{done: done}
	e.g.doSync(&req, w, c.now(), &fx)
	c.settle(e, &fx)
	waits := w.member != nil
	e.mu.Unlock()
	fx.run()
	if !waits {
		return nothing
	}
	return func() { c.run(e, func(g *group, m moment, _ *effects) { g.abandonSync(w, m) }) }
}

// lockMember finds and locks the group of a request that names a member of it.
func (c *Coordinator) lockMember(id string) (*entry, kafkaapi.Code) {
	if c.closed.Load() {
		return nil, kafkaapi.CoordinatorNotAvailable
	}
	e := c.lock(id)
	switch {
	case e == nil:
		return nil, kafkaapi.UnknownMemberID
	case c.closed.Load(): // while the lock was waited for
		e.mu.Unlock()
		return nil, kafkaapi.CoordinatorNotAvailable
	}
	return e, kafkaapi.None
}

// Heartbeat says that a member lives.
//
// Codes: None, RebalanceInProgress (the member has to join again), InvalidGroupID, UnknownMemberID,
// FencedInstanceID, IllegalGeneration, CoordinatorNotAvailable.
func (c *Coordinator) Heartbeat(req HeartbeatRequest) kafkaapi.Code {
	if !valid(req.Group) {
		return kafkaapi.InvalidGroupID
	}
	e, code := c.lockMember(req.Group)
	if code != kafkaapi.None {
		return code
	}
	defer e.mu.Unlock()
	code = e.g.heartbeat(&req, moment{at: c.opts.Clock.Now()})
	c.arm(e)
	return code
}

// Leave removes members; done is called when a group that is empty by it is so durably.
//
// Codes: InvalidGroupID, CoordinatorNotAvailable; of a member UnknownMemberID, FencedInstanceID.
func (c *Coordinator) Leave(req LeaveRequest, done func(LeaveResponse)) {
	if !valid(req.Group) {
		done(LeaveResponse{Code: kafkaapi.InvalidGroupID})
		return
	}
	e, code := c.lockMember(req.Group)
	switch code {
	case kafkaapi.None:
	case kafkaapi.UnknownMemberID: // no group: none of them is a member
		done(unknownMembers(&req))
		return
	default:
		done(LeaveResponse{Code: code})
		return
	}
	var fx effects
	resp := e.g.leave(&req, c.now(), &fx)
	fx.after = append(fx.after, func() { done(resp) })
	c.settle(e, &fx)
	e.mu.Unlock()
	fx.run()
	for _, l := range req.Members {
		c.opts.Logger.Debug("member leaves consumer group", "group", req.Group, "member", l.MemberID, "instance", l.InstanceID, "reason", l.Reason)
	}
}

func unknownMembers(req *LeaveRequest) LeaveResponse {
	resp := LeaveResponse{Members: make([]LeftMember, len(req.Members))}
	for i, l := range req.Members {
		resp.Members[i] = LeftMember{l.MemberID, l.InstanceID, kafkaapi.UnknownMemberID}
	}
	return resp
}

// CheckCommit tells whether offsets may be committed, and counts as a heartbeat of the member. A commit
// without a member makes a group that is not there, as Kafka does. Fence is the second half.
//
// Codes: None, UnknownMemberID, FencedInstanceID, IllegalGeneration, RebalanceInProgress,
// CoordinatorNotAvailable, InvalidGroupID (longer than MaxGroupID; "" is allowed), GroupMaxSizeReached.
func (c *Coordinator) CheckCommit(req CommitRequest) kafkaapi.Code {
	if len(req.Group) > MaxGroupID {
		return kafkaapi.InvalidGroupID
	}
	e, code := c.lockMember(req.Group)
	if code == kafkaapi.UnknownMemberID { // no group
		if req.Generation >= 0 {
			return kafkaapi.IllegalGeneration
		}
		if e = c.lockOrCreate(req.Group); e == nil {
			if c.closed.Load() {
				return kafkaapi.CoordinatorNotAvailable
			}
			return kafkaapi.GroupMaxSizeReached
		}
	} else if code != kafkaapi.None {
		return code
	}
	defer e.mu.Unlock()
	code = e.g.checkCommit(&req, moment{at: c.opts.Clock.Now()})
	c.arm(e)
	return code
}

package group

import (
	"testing"
	"time"

	"millrace/internal/api/kafkaapi"
)

// static is a Join of a static member of group g.
func static(member, instance string) JoinRequest {
	req := consumer("g", member)
	req.InstanceID = instance
	req.Protocols[0].Metadata = []byte("topics of " + instance)
	return req
}

// staticPair forms a Stable group of the instances i1, who leads, and i2, and returns their member ids.
func (r *rig) staticPair() (id1, id2 string, generation int32) {
	r.Helper()
	j1 := r.join(static("", "i1")).answer()
	c2 := r.join(static("", "i2"))
	j1 = r.join(static(j1.MemberID, "i1")).answer()
	j2 := c2.answer()
	must(r, "generation", j1.Generation, j2.Generation)
	must(r, "leader", j1.Leader, j1.MemberID)
	must(r, "leader's members", len(j1.Members), 2)
	s2 := r.sync("g", j2.MemberID, j2.Generation)
	r.sync("g", j1.MemberID, j1.Generation, Assignment{j1.MemberID, []byte("one")}, Assignment{j2.MemberID, []byte("two")}).answer()
	must(r, "assignment", string(s2.answer().Assignment), "two")
	return j1.MemberID, j2.MemberID, j1.Generation
}

func TestStaticMemberRejoinKeepsItsAssignmentAndFencesTheOldOne(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		id1, id2, gen := r.staticPair()
		again := r.join(static("", "i2")).answer()
		must(r, "code", again.Code, kafkaapi.None)
		must(r, "generation", again.Generation, gen)
		must(r, "leader", again.Leader, id1)
		if again.MemberID == id2 {
			t.Fatalf("the new member has the old id %q", id2)
		}
		must(r, "state", r.Describe("g").State, Stable)
		must(r, "assignment", string(r.sync("g", again.MemberID, gen).answer().Assignment), "two")
		must(r, "the other's heartbeat", r.beat("g", id1, gen), kafkaapi.None)

		old := HeartbeatRequest{"g", id2, "i2", gen}
		must(r, "old heartbeat", r.Heartbeat(old), kafkaapi.FencedInstanceID)
		must(r, "old commit", r.CheckCommit(CommitRequest{"g", id2, "i2", gen, false}), kafkaapi.FencedInstanceID)
		must(r, "old transactional commit", r.CheckCommit(CommitRequest{"g", id2, "i2", gen, true}), kafkaapi.FencedInstanceID)
		must(r, "old join", r.join(static(id2, "i2")).answer().Code, kafkaapi.FencedInstanceID)
		must(r, "old leave", r.leave("g", LeaveMember{id2, "i2", ""}).answer().Members[0].Code, kafkaapi.FencedInstanceID)
		c := &syncCall{rig: r, what: "old sync"}
		r.Sync(SyncRequest{Group: "g", MemberID: id2, InstanceID: "i2", Generation: gen}, c.done)
		must(r, "old sync", c.answer().Code, kafkaapi.FencedInstanceID)
		must(r, "old id without its instance", r.beat("g", id2, gen), kafkaapi.UnknownMemberID)
	})
}

func TestStaticLeaderSkipsAssignmentWhenItsClientKnowsHow(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		_, _, gen := r.staticPair()
		again := r.join(static("", "i1")).answer()
		must(r, "leader", again.Leader, again.MemberID)
		must(r, "skip", again.SkipAssignment, true)
		must(r, "members", len(again.Members), 2)
		must(r, "assignment", string(r.sync("g", again.MemberID, gen).answer().Assignment), "one")

		older := static("", "i1")
		older.CanSkip = false
		third := r.join(older).answer()
		must(r, "skip", third.SkipAssignment, false)
		must(r, "members", len(third.Members), 0)
		must(r, "leader, whom an older client must not take itself for", third.Leader, again.MemberID)
		must(r, "state", r.Describe("g").State, Stable)
	})
}

func TestStaticMemberWithAnotherProtocolBeginsARebalance(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		both := func(id, instance string, names ...string) JoinRequest {
			req := static(id, instance)
			req.Protocols = nil
			for _, n := range names {
				req.Protocols = append(req.Protocols, Protocol{Name: n})
			}
			return req
		}
		j := r.join(both("", "i", "a", "b")).answer()
		r.sync("g", j.MemberID, j.Generation).answer()
		next := r.join(both("", "i", "b")).answer()
		must(r, "generation", next.Generation, j.Generation+1)
		must(r, "protocol", next.Protocol, "b")
	})
}

func TestStaticMemberThatWaitsIsFencedByItsSuccessor(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		id1, id2, gen := r.staticPair()
		changed := static(id1, "i1")
		changed.Protocols[0].Metadata = []byte("other")
		first := r.join(changed)
		first.waits()
		second := r.join(static("", "i1"))
		must(r, "first", first.answer().Code, kafkaapi.FencedInstanceID)
		second.waits()
		r.join(static(id2, "i2"))
		must(r, "generation", second.answer().Generation, gen+1)

		// Now in CompletingRebalance: the leader may assign to the old id, so all join again.
		sync2 := r.sync("g", id2, gen+1)
		sync2.waits()
		third := r.join(static("", "i1"))
		must(r, "waiting sync", sync2.answer().Code, kafkaapi.RebalanceInProgress)
		r.join(static(id2, "i2"))
		must(r, "generation", third.answer().Generation, gen+2)
	})
}

func TestStaticMemberStaysOverARebalanceUntilItsSessionEnds(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		id1, _, gen := r.staticPair()
		long := static("", "i2")
		long.SessionTimeout = 10 * time.Minute // longer than the rebalance timeout
		r.join(long).answer()
		c := r.join(static(id1, "i1")) // the leader asks for a rebalance; i2 is away
		c.waits()
		time.Sleep(rebalance)
		resp := c.answer()
		must(r, "generation", resp.Generation, gen+1)
		must(r, "members", len(resp.Members), 2)
		must(r, "i2's place", resp.Members[1].InstanceID, "i2")
	})
}

func TestStaticLeaderThatIsAwayIsReplacedAndStaysAMember(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		_, id2, gen := r.staticPair()
		long := static("", "i1")
		long.SessionTimeout = 10 * time.Minute // longer than the rebalance timeout
		away := r.join(long).answer()
		changed := static(id2, "i2")
		changed.Protocols[0].Metadata = []byte("other")
		c := r.join(changed)
		time.Sleep(rebalance)
		resp := c.answer()
		must(r, "generation", resp.Generation, gen+1)
		must(r, "leader", resp.Leader, id2)
		must(r, "members", len(resp.Members), 2)
		must(r, "heartbeat of who was away", r.beat("g", away.MemberID, gen), kafkaapi.IllegalGeneration)
	})
}

func TestRebalanceThatNobodyJoinsGoesOnUntilSomebodyDoes(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		id1, id2, _ := r.staticPair()
		long := static(id1, "i1")
		long.SessionTimeout = 10 * time.Minute
		c := r.join(long)
		r.join(static(id2, "i2"))
		gen := c.answer().Generation
		r.leave("g", LeaveMember{"", "i2", ""}).answer()
		must(r, "state", r.Describe("g").State, PreparingRebalance)
		time.Sleep(3 * rebalance)
		must(r, "state", r.Describe("g").State, PreparingRebalance)
		must(r, "generation", r.join(static(id1, "i1")).answer().Generation, gen+1)
	})
}

func TestStaticMembersLeaveByInstanceAlone(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		_, id2, _ := r.staticPair()
		got := r.leave("g", LeaveMember{"", "i1", "removed"}, LeaveMember{"", "i3", ""}, LeaveMember{id2, "i1", ""}, LeaveMember{}).answer()
		want := []kafkaapi.Code{kafkaapi.None, kafkaapi.UnknownMemberID, kafkaapi.UnknownMemberID, kafkaapi.UnknownMemberID}
		for i, m := range got.Members {
			must(r, "leave of "+m.MemberID+"/"+m.InstanceID, m.Code, want[i])
		}
		must(r, "state", r.Describe("g").State, PreparingRebalance)
		must(r, "members", len(r.Describe("g").Members), 1)
	})
}

func TestStaticRejoinIsAnsweredWhenItsIDIsDurable(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		_, _, gen := r.staticPair()
		release := r.store.(*heldStore).hold()
		c := r.join(static("", "i2"))
		c.waits()
		release()
		resp := c.answer()
		must(r, "generation", resp.Generation, gen)
		r.restart()
		must(r, "heartbeat after a restart", r.beat("g", resp.MemberID, gen), kafkaapi.None)
	})
}

func TestStaticRejoinThatCannotBeWrittenFailsAndCanBeRepeated(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		_, _, gen := r.staticPair()
		r.store.(*heldStore).fail(errFull)
		must(r, "code", r.join(static("", "i2")).answer().Code, kafkaapi.CoordinatorNotAvailable)
		r.store.(*heldStore).fail(nil)
		resp := r.join(static("", "i2")).answer()
		must(r, "generation", resp.Generation, gen)
		must(r, "assignment", string(r.sync("g", resp.MemberID, gen).answer().Assignment), "two")
	})
}

func TestRebalanceWhileAStaticIDIsWrittenTakesTheJoinAlong(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		id1, _, gen := r.staticPair()
		release := r.store.(*heldStore).hold()
		c := r.join(static("", "i2"))
		c.waits()
		lead := r.join(static(id1, "i1"))
		must(r, "generation", c.answer().Generation, gen+1)
		must(r, "members", len(lead.answer().Members), 2)
		release()
		must(r, "i2's generation stays", c.answer().Generation, gen+1)
	})
}

package group

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"millrace/internal/api/kafkaapi"
)

func TestSilentMemberIsRemovedWhenItsSessionEnds(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		ids, gen := r.stable("g", 2)
		for range 5 {
			time.Sleep(session - time.Millisecond)
			must(r, "heartbeat", r.beat("g", ids[0], gen), kafkaapi.None)
			must(r, "commit", r.CheckCommit(CommitRequest{"g", ids[1], "", gen, false}), kafkaapi.None) // says as much
		}
		time.Sleep(session - time.Millisecond)
		must(r, "heartbeat", r.beat("g", ids[0], gen), kafkaapi.None)
		time.Sleep(time.Millisecond)
		synctest.Wait()
		must(r, "state", r.Describe("g").State, PreparingRebalance)
		must(r, "heartbeat of who stays", r.beat("g", ids[0], gen), kafkaapi.RebalanceInProgress)
		must(r, "heartbeat of who was removed", r.beat("g", ids[1], gen), kafkaapi.UnknownMemberID)
	})
}

func TestLastSilentMemberLeavesTheGroupEmpty(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		_, gen := r.stable("g", 3)
		time.Sleep(session)
		synctest.Wait()
		d := r.Describe("g")
		must(r, "state", d.State, Empty)
		must(r, "generation", d.Generation, gen+1)
		must(r, "members", len(d.Members), 0)
	})
}

func TestMembersThatDoNotRejoinAreRemovedAtTheRebalanceTimeout(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		ids, gen := r.stable("g", 3)
		c := r.join(consumer("g", ids[0]))
		for range int(rebalance / time.Second) { // they live, and do not join
			c.waits()
			for _, id := range ids[1:] {
				must(r, "heartbeat", r.beat("g", id, gen), kafkaapi.RebalanceInProgress)
			}
			time.Sleep(time.Second)
		}
		resp := c.answer()
		must(r, "generation", resp.Generation, gen+1)
		must(r, "members", len(resp.Members), 1)
		must(r, "heartbeat", r.beat("g", ids[1], gen), kafkaapi.UnknownMemberID)
	})
}

func TestLeaderThatDoesNotRejoinIsReplaced(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		ids, gen := r.stable("g", 2)
		changed := consumer("g", ids[1])
		changed.Protocols[0].Metadata = []byte("other")
		c := r.join(changed)
		time.Sleep(session)
		resp := c.answer()
		must(r, "generation", resp.Generation, gen+1)
		must(r, "leader", resp.Leader, ids[1])
		must(r, "members", len(resp.Members), 1)
	})
}

func TestMembersThatDoNotSyncAreRemovedAtTheRebalanceTimeout(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		ids, _ := r.stable("g", 3)
		gen := r.joinAll("g", ids...)[ids[0]].answer().Generation
		follower := r.sync("g", ids[1], gen)
		for range int(rebalance / time.Second) { // the leader lives, and does not assign
			follower.waits()
			must(r, "leader's heartbeat", r.beat("g", ids[0], gen), kafkaapi.None)
			must(r, "third's heartbeat", r.beat("g", ids[2], gen), kafkaapi.None)
			time.Sleep(time.Second)
		}
		must(r, "follower", follower.answer().Code, kafkaapi.RebalanceInProgress)
		must(r, "leader", r.beat("g", ids[0], gen), kafkaapi.UnknownMemberID)
		resp := r.join(consumer("g", ids[1])).answer()
		must(r, "generation", resp.Generation, gen+1)
		must(r, "leader", resp.Leader, ids[1])
	})
}

func TestMemberThatDoesNotSyncInAStableGroupIsRemovedToo(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		ids, _ := r.stable("g", 2)
		gen := r.joinAll("g", ids...)[ids[0]].answer().Generation
		r.sync("g", ids[0], gen, Assignment{ids[0], []byte("x")}).answer()
		must(r, "state", r.Describe("g").State, Stable)
		for range int(rebalance / time.Second) {
			must(r, "heartbeat", r.beat("g", ids[0], gen), kafkaapi.None)
			must(r, "heartbeat", r.beat("g", ids[1], gen), kafkaapi.None)
			time.Sleep(time.Second)
		}
		synctest.Wait()
		must(r, "heartbeat", r.beat("g", ids[0], gen), kafkaapi.RebalanceInProgress)
		must(r, "heartbeat of who never synced", r.beat("g", ids[1], gen), kafkaapi.UnknownMemberID)
	})
}

func TestWaitingMembersNeedNoHeartbeats(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		ids, gen := r.stable("g", 2)
		c := r.join(consumer("g", ids[0]))
		for range 5 { // longer than a session
			time.Sleep(session - 1)
			must(r, "heartbeat", r.beat("g", ids[1], gen), kafkaapi.RebalanceInProgress)
		}
		c.waits()
		r.join(consumer("g", ids[1]))
		must(r, "generation", c.answer().Generation, gen+1)
		time.Sleep(session - 1)
		must(r, "session begins with the answer", r.beat("g", ids[0], gen+1), kafkaapi.None)
	})
}

func TestNewMemberThatWaitsTooLongIsToldToJoinAgain(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		ids, _ := r.stable("g", 1)
		slow := consumer("g", ids[0])
		slow.RebalanceTimeout = time.Hour
		gen := r.join(slow).answer().Generation
		r.sync("g", ids[0], gen, Assignment{ids[0], nil}).answer()
		c := r.join(consumer("g", r.newID("g")))
		for range int(newMemberTimeout / time.Second) {
			c.waits()
			must(r, "heartbeat", r.beat("g", ids[0], gen), kafkaapi.RebalanceInProgress)
			time.Sleep(time.Second)
		}
		resp := c.answer()
		must(r, "code", resp.Code, kafkaapi.UnknownMemberID)
		must(r, "id", resp.MemberID, "")
	})
}

func TestPendingMemberHoldsARebalanceUntilItsIDExpires(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		ids, gen := r.stable("g", 1)
		pending := r.newID("g")
		c := r.join(consumer("g", ids[0]))
		time.Sleep(session - 1)
		c.waits()
		time.Sleep(time.Nanosecond)
		resp := c.answer()
		must(r, "generation", resp.Generation, gen+1)
		must(r, "members", len(resp.Members), 1)
		must(r, "join with the expired id", r.join(consumer("g", pending)).answer().Code, kafkaapi.UnknownMemberID)
	})
}

func TestPendingMemberLeaves(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		ids, gen := r.stable("g", 1)
		pending := r.newID("g")
		c := r.join(consumer("g", ids[0]))
		c.waits()
		must(r, "leave", r.leave("g", LeaveMember{MemberID: pending}).answer().Members[0].Code, kafkaapi.None)
		must(r, "generation", c.answer().Generation, gen+1)
	})
}

func TestJoinOfAClosedConnectionNoLongerWaits(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		ids, gen := r.stable("g", 2)
		gone := r.join(consumer("g", ids[0]))
		gone.waits()
		gone.cancel()
		c := r.join(consumer("g", ids[1]))
		time.Sleep(session - 1)
		c.waits()
		time.Sleep(time.Nanosecond)
		resp := c.answer()
		must(r, "generation", resp.Generation, gen+1)
		must(r, "members", len(resp.Members), 1)
		gone.waits() // never called
		gone.cancel()
	})
}

func TestMemberComesBackAfterItsConnectionClosedInAJoin(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		ids, gen := r.stable("g", 2)
		r.join(consumer("g", ids[0])).cancel()
		c := r.join(consumer("g", ids[1]))
		c.waits()
		back := r.join(consumer("g", ids[0]))
		must(r, "generation", back.answer().Generation, gen+1)
		must(r, "members", len(back.answer().Members), 2)

		s := r.sync("g", ids[1], gen+1)
		s.waits()
		s.cancel()
		time.Sleep(session - 1)
		must(r, "leader", r.beat("g", ids[0], gen+1), kafkaapi.None)
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		must(r, "member whose sync was cut", r.beat("g", ids[1], gen+1), kafkaapi.UnknownMemberID)
		s.waits()
	})
}

func TestSyncOfAMemberThatIsRemovedIsAnswered(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		ids, _ := r.stable("g", 2)
		gen := r.joinAll("g", ids...)[ids[0]].answer().Generation
		s := r.sync("g", ids[1], gen)
		s.waits()
		r.leave("g", LeaveMember{MemberID: ids[1]}).answer()
		must(r, "code", s.answer().Code, kafkaapi.UnknownMemberID)
	})
}

func TestOneTimerServesManyGroups(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		const n = 200
		begin := time.Now()
		for i := range n {
			req := consumer(fmt.Sprint("g", i), "")
			req.RequireMemberID, req.RebalanceTimeout = false, time.Hour
			req.SessionTimeout = session + time.Duration(i*37%n)*time.Second
			r.join(req).answer()
		}
		for i := range n { // each is removed at its own time
			time.Sleep(time.Until(begin.Add(session + time.Duration(i)*time.Second)))
			synctest.Wait()
			if got := len(r.List([]string{"empty"}, nil)); got != i+1 {
				t.Fatalf("empty groups after %v: got %d, want %d", time.Since(begin), got, i+1)
			}
		}
	})
}

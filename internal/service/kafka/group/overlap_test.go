package group

import (
	"fmt"
	"sync"
	"testing"

	"millrace/internal/api/kafkaapi"
)

func TestNewestOfTwoQueuedRecordsIsWritten(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		_, _, gen := r.staticPair()
		release := r.store.(*heldStore).hold()
		first := r.join(static("", "i1"))
		first.waits() // its record is being written
		second, third := r.join(static("", "i2")), r.join(static("", "i2"))
		must(r, "second, which the third fences", second.answer().Code, kafkaapi.FencedInstanceID)
		third.waits()
		release()
		id := third.answer().MemberID
		r.restart()
		must(r, "heartbeat of the newest id", r.beat("g", id, gen), kafkaapi.None)
		must(r, "heartbeat of the id before", r.beat("g", second.answer().MemberID, gen), kafkaapi.UnknownMemberID)
		must(r, "heartbeat of the other", r.beat("g", first.answer().MemberID, gen), kafkaapi.None)
	})
}

func TestRecordBehindOneThatAnotherCoordinatorOvertookIsDropped(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		s := r.store.(*heldStore)
		id1, id2, gen := r.staticPair()
		other := start(t, s.Store, nil)
		defer other.stop()
		release := s.hold()
		first := r.join(static("", "i1"))
		first.waits()
		second := r.join(static("", "i2")) // queued behind the first
		left := r.leave("g", LeaveMember{"", "i1", ""}, LeaveMember{"", "i2", ""})
		left.waits() // the group is empty, and that is queued too
		must(r, "second", second.answer().Code, kafkaapi.UnknownMemberID)
		other.leave("g", LeaveMember{id2, "i2", ""}).answer()
		c := other.join(static(id1, "i1"))
		must(r, "generation of the other", c.answer().Generation, gen+1)
		must(r, "sync of the other", other.sync("g", id1, gen+1, Assignment{id1, []byte("x")}).answer().Code, kafkaapi.None)
		release()
		left.answer()
		d := r.Describe("g")
		must(r, "state", d.State, Stable)
		must(r, "members", len(d.Members), 1)
		must(r, "member", d.Members[0].ID, id1)
		r.restart()
		must(r, "state after a restart", r.Describe("g").State, Stable)
		must(r, "generation after a restart", r.Describe("g").Generation, gen+1)
	})
}

func TestLeaveOfTheLastIsAnsweredWhenTheGroupIsEmptyDurably(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		ids, _ := r.stable("g", 1)
		release := r.store.(*heldStore).hold()
		c := r.leave("g", LeaveMember{MemberID: ids[0]})
		c.waits()
		must(r, "state", r.Describe("g").State, Empty)
		release()
		must(r, "code", c.answer().Members[0].Code, kafkaapi.None)
	})
}

// A group that nobody got into is forgotten; a member that comes in the same moment is not forgotten
// with it.
func TestGroupIsNotForgottenUnderAMemberThatComes(t *testing.T) {
	r := start(t, newStore(), nil)
	defer r.stop()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 2000 {
				req := consumer(fmt.Sprint("g", i), "")
				req.Protocols = nil
				if code := joinWait(r.Coordinator, req).Code; code != kafkaapi.InconsistentGroupProtocol {
					t.Errorf("join without protocols: %v", code)
				}
			}
		})
		wg.Go(func() {
			for i := range 2000 {
				group := fmt.Sprint("g", i)
				id := joinWait(r.Coordinator, consumer(group, "")).MemberID
				left := make(chan LeaveResponse, 1)
				r.Leave(LeaveRequest{group, []LeaveMember{{MemberID: id}}}, func(l LeaveResponse) { left <- l })
				if l := <-left; l.Code != kafkaapi.None || l.Members[0].Code != kafkaapi.None {
					t.Errorf("the id %q of group %s is not known: %+v", id, group, l)
				}
			}
		})
	}
	wg.Wait()
	if got := r.List(nil, nil); len(got) != 0 {
		t.Errorf("groups that nobody is in: got %d, want none", len(got))
	}
}

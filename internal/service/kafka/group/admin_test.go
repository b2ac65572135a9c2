package group

import (
	"encoding/binary"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/store"
)

func TestCommitIsAllowedByStateAndMember(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		check := func(what string, req CommitRequest, want kafkaapi.Code) {
			t.Helper()
			req.Group = "g"
			if got := r.CheckCommit(req); got != want {
				t.Errorf("%s, state %v: commit of %+v got %v, want %v", what, r.Describe("g").State, req, got, want)
			}
		}
		simple := CommitRequest{Generation: -1}
		check("no group", CommitRequest{Generation: 3, MemberID: "m"}, kafkaapi.IllegalGeneration)
		check("no group, simple", simple, kafkaapi.None)
		must(r, "state of a simple group", r.Describe("g").State, Empty)
		check("empty, simple, with an id", CommitRequest{Generation: -1, MemberID: "m"}, kafkaapi.None)
		check("empty, member", CommitRequest{Generation: 1, MemberID: "m"}, kafkaapi.UnknownMemberID)

		ids, gen := r.stable("g", 2)
		member := CommitRequest{MemberID: ids[1], Generation: gen}
		txn := member
		txn.Transactional = true
		oldTxn := CommitRequest{Generation: -1, Transactional: true}
		all := func(what string, ofMember, ofTxn kafkaapi.Code) {
			t.Helper()
			check(what, member, ofMember)
			check(what, txn, ofTxn)
			check(what+", simple", simple, kafkaapi.UnknownMemberID)
			check(what+", older transactional producer", oldTxn, kafkaapi.None)
			check(what+", older generation", CommitRequest{MemberID: ids[1], Generation: member.Generation - 1}, kafkaapi.IllegalGeneration)
			check(what+", older generation, transactional", CommitRequest{MemberID: ids[1], Generation: member.Generation - 1, Transactional: true}, kafkaapi.IllegalGeneration)
			check(what+", unknown member", CommitRequest{MemberID: "m", Generation: member.Generation}, kafkaapi.UnknownMemberID)
			check(what+", no generation", CommitRequest{MemberID: ids[1], Generation: -1}, kafkaapi.IllegalGeneration)
			check(what+", unknown instance", CommitRequest{MemberID: ids[1], InstanceID: "i", Generation: gen}, kafkaapi.UnknownMemberID)
		}
		all("stable", kafkaapi.None, kafkaapi.None)
		r.join(consumer("g", ids[0])).waits()
		must(r, "state", r.Describe("g").State, PreparingRebalance)
		all("preparing", kafkaapi.None, kafkaapi.None)
		r.join(consumer("g", ids[1])).answer()
		must(r, "state", r.Describe("g").State, CompletingRebalance)
		member.Generation++
		txn.Generation++
		all("completing", kafkaapi.RebalanceInProgress, kafkaapi.None)
	})
}

func TestDescribeShowsTheGroup(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		none := r.Describe("none")
		must(r, "state", none.State, Dead)
		must(r, "code", none.Code, kafkaapi.GroupIDNotFound)
		ids, _ := r.stable("g", 1)
		d := r.Describe("g")
		m := d.Members[0]
		must(r, "protocol", d.ProtocolType+"/"+d.Protocol, "consumer/range")
		must(r, "member", m.ID+m.InstanceID+m.ClientID+m.ClientHost, ids[0]+"c/127.0.0.1")
		must(r, "metadata", string(m.Metadata), "topics of "+ids[0])
		must(r, "assignment", string(m.Assignment), "for "+ids[0])
		r.join(consumer("g", ids[0])).answer()
		d = r.Describe("g")
		must(r, "state", d.State.String(), "CompletingRebalance")
		must(r, "protocol while it rebalances", d.Protocol, "")
		must(r, "metadata while it rebalances", d.Members[0].Metadata == nil, true)
	})
}

func TestListFiltersByStateAndType(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		r.stable("b", 1)
		r.AddSimple("a", "b")
		r.newID("c")
		for _, c := range []struct {
			states, types []string
			want          []string
		}{
			{nil, nil, []string{"a", "b", "c"}},
			{[]string{"stable"}, nil, []string{"b"}},
			{[]string{"Empty", "STABLE"}, []string{"Classic"}, []string{"a", "b", "c"}},
			{nil, []string{"consumer"}, nil},
			{[]string{"dead"}, nil, nil},
		} {
			var got []string
			for _, l := range r.List(c.states, c.types) {
				got = append(got, l.Group)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("List(%q, %q): got %q, want %q", c.states, c.types, got, c.want)
			}
		}
		must(r, "type", r.List([]string{"stable"}, nil)[0], Listing{"b", "consumer", Stable})
	})
}

func TestDeleteRemovesOnlyEmptyGroups(t *testing.T) {
	deleted := map[string]int{}
	hook := func(o *Options) {
		o.OnDelete = func(_ store.Tx, group string) (bool, error) { // needs three transactions
			deleted[group]++
			return deleted[group] < 3, nil
		}
	}
	inBubble(t, hook, func(r *rig) {
		ids, gen := r.stable("used", 1)
		old, _ := r.stable("old", 1)
		r.leave("old", LeaveMember{MemberID: old[0]}).answer()
		r.AddSimple("simple")
		got := r.deleteGroups("used", "old", "simple", "none", "old").answer()
		want := []kafkaapi.Code{kafkaapi.NonEmptyGroup, kafkaapi.None, kafkaapi.None, kafkaapi.GroupIDNotFound, kafkaapi.GroupIDNotFound}
		if !slices.Equal(got, want) {
			t.Fatalf("Delete: got %v, want %v", got, want)
		}
		must(r, "calls of the hook", deleted["old"], 3)
		must(r, "calls of the hook for a group in use", deleted["used"], 0)
		must(r, "group in use", r.beat("used", ids[0], gen), kafkaapi.None)
		r.restart()
		must(r, "groups", len(r.List(nil, nil)), 1)
		must(r, "generation of a new group of that name", r.join(consumer("old", r.newID("old"))).answer().Generation, 1)
	})
}

func TestGroupThatIsBeingDeletedTakesNobody(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		ids, _ := r.stable("g", 1)
		r.leave("g", LeaveMember{MemberID: ids[0]}).answer()
		release := r.store.(*heldStore).hold()
		d := r.deleteGroups("g")
		d.waits()
		must(r, "code of describe", r.Describe("g").Code, kafkaapi.GroupIDNotFound)
		must(r, "listed groups", len(r.List(nil, nil)), 0)
		must(r, "join", r.join(consumer("g", "")).answer().Code, kafkaapi.CoordinatorNotAvailable)
		must(r, "sync", r.sync("g", ids[0], 1).answer().Code, kafkaapi.CoordinatorNotAvailable)
		must(r, "heartbeat", r.beat("g", ids[0], 1), kafkaapi.CoordinatorNotAvailable)
		must(r, "leave", r.leave("g", LeaveMember{MemberID: ids[0]}).answer().Code, kafkaapi.CoordinatorNotAvailable)
		must(r, "commit", r.CheckCommit(CommitRequest{Group: "g", Generation: -1}), kafkaapi.CoordinatorNotAvailable)
		r.store.(*heldStore).fail(errFull)
		release()
		must(r, "delete", d.answer()[0], kafkaapi.CoordinatorNotAvailable)
		must(r, "state after it failed", r.Describe("g").State, Empty)
		r.store.(*heldStore).fail(nil)
		must(r, "delete again", r.deleteGroups("g").answer()[0], kafkaapi.None)
		r.newID("g")
	})
}

func TestForgetAsksInsideOfTheTransaction(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		r.AddSimple("g")
		forget := func(empty bool) kafkaapi.Code {
			c := &call[kafkaapi.Code]{rig: r, what: "Forget"}
			r.Forget("g", func(store.Tx, string) (bool, error) { return empty, nil }, c.done)
			return c.answer()
		}
		must(r, "with offsets", forget(false), kafkaapi.NonEmptyGroup)
		must(r, "state", r.Describe("g").State, Empty)
		must(r, "without", forget(true), kafkaapi.None)
		must(r, "state", r.Describe("g").State, Dead)
	})
}

// topicsOf is a consumer's subscription of version 0 to topics.
func topicsOf(topics ...string) []byte {
	b := binary.BigEndian.AppendUint32([]byte{0, 0}, uint32(len(topics)))
	for _, t := range topics {
		b = appendString(b, t)
	}
	return binary.BigEndian.AppendUint32(b, 0xffffffff) // no user data
}

func TestOffsetsExpireAndAreDeletedByWhatMembersConsume(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		form := func(group, protocolType string, metadata []byte) string {
			req := consumer(group, "")
			req.RequireMemberID, req.ProtocolType, req.Protocols[0].Metadata = false, protocolType, metadata
			id := r.join(req).answer().MemberID
			r.sync(group, id, 1, Assignment{id, nil}).answer()
			return id
		}
		form("reads", ConsumerProtocol, topicsOf("t", "u"))
		form("unreadable", ConsumerProtocol, []byte{0, 0, 0})
		form("connect", "connect", nil)
		was := form("was", "connect", nil)
		r.AddSimple("simple")
		time.Sleep(time.Second)
		emptySince := r.store.Now()
		r.leave("was", LeaveMember{MemberID: was}).answer()

		got := map[string]Expirable{}
		for x := range r.Expirable() {
			got[x.Group] = x
		}
		must(r, "expirable groups", len(got), 3)
		must(r, "subscribed", len(got["reads"].Subscribed), 2)
		must(r, "stable is not empty", got["reads"].Empty, false)
		must(r, "left group's time", got["was"].Since, emptySince)
		must(r, "simple group's time", got["simple"].Since, 0)
		must(r, "simple group is empty", got["simple"].Empty, true)

		still := func(want bool, groups ...string) {
			t.Helper()
			for _, g := range groups {
				var ok bool
				if err := r.store.View(t.Context(), func(tx store.ReadTx) (err error) {
					ok, err = StillExpirable(tx, got[g])
					return err
				}); err != nil || ok != want {
					t.Errorf("StillExpirable of %q: got %v, %v, want %v", g, ok, err, want)
				}
			}
		}
		still(true, "reads", "was", "simple")
		form("simple", ConsumerProtocol, nil)
		again := r.newID("was")
		for x := range r.Expirable() {
			must(r, "group that somebody is about to join", x.Group == "was", false)
		}
		req := consumer("was", again)
		gen := r.join(req).answer().Generation
		r.sync("was", again, gen, Assignment{again, nil}).answer()
		still(false, "was", "simple")
		time.Sleep(time.Second)
		r.leave("was", LeaveMember{MemberID: again}).answer()
		r.leave("simple", LeaveMember{MemberID: r.Describe("simple").Members[0].ID}).answer()
		still(false, "was") // empty, but since another time
		still(true, "reads", "simple")

		for _, c := range []struct {
			group, topic string
			subscribed   bool
			code         kafkaapi.Code
		}{
			{"reads", "t", true, kafkaapi.None},
			{"reads", "v", false, kafkaapi.None},
			{"unreadable", "v", true, kafkaapi.None},
			{"connect", "v", true, kafkaapi.NonEmptyGroup},
			{"was", "t", false, kafkaapi.None},
			{"simple", "t", false, kafkaapi.None},
			{"none", "t", false, kafkaapi.GroupIDNotFound},
		} {
			subscribed, code := r.CheckOffsetDelete(c.group)
			if code != c.code || code == kafkaapi.None && subscribed(c.topic) != c.subscribed {
				t.Errorf("CheckOffsetDelete(%q) of %q: got %v, %v, want %v, %v", c.group, c.topic, subscribed(c.topic), code, c.subscribed, c.code)
			}
		}
	})
}

func TestSyncChecksItsRequest(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		ids, gen := r.stable("g", 2)
		sync := func(q SyncRequest) kafkaapi.Code {
			c := &syncCall{rig: r, what: "Sync"}
			r.Sync(q, c.done)
			return c.answer().Code
		}
		good := SyncRequest{Group: "g", MemberID: ids[1], Generation: gen, ProtocolType: ConsumerProtocol, Protocol: "range"}
		for _, c := range []struct {
			name   string
			change func(*SyncRequest)
			want   kafkaapi.Code
		}{
			{"good", func(*SyncRequest) {}, kafkaapi.None},
			{"without protocol", func(q *SyncRequest) { q.ProtocolType, q.Protocol = "", "" }, kafkaapi.None},
			{"no group id", func(q *SyncRequest) { q.Group = "" }, kafkaapi.InvalidGroupID},
			{"no such group", func(q *SyncRequest) { q.Group = "h" }, kafkaapi.UnknownMemberID},
			{"no such member", func(q *SyncRequest) { q.MemberID = "m" }, kafkaapi.UnknownMemberID},
			{"no such instance", func(q *SyncRequest) { q.InstanceID = "i" }, kafkaapi.UnknownMemberID},
			{"older generation", func(q *SyncRequest) { q.Generation-- }, kafkaapi.IllegalGeneration},
			{"newer generation", func(q *SyncRequest) { q.Generation++ }, kafkaapi.IllegalGeneration},
			{"another type", func(q *SyncRequest) { q.ProtocolType = "connect" }, kafkaapi.InconsistentGroupProtocol},
			{"another protocol", func(q *SyncRequest) { q.Protocol = "sticky" }, kafkaapi.InconsistentGroupProtocol},
		} {
			q := good
			c.change(&q)
			if got := sync(q); got != c.want {
				t.Errorf("%s: got %v, want %v", c.name, got, c.want)
			}
		}
		r.join(consumer("g", ids[0])).waits()
		must(r, "while members gather", sync(good), kafkaapi.RebalanceInProgress)
		must(r, "leave of nobody", r.leave("none", LeaveMember{MemberID: "m"}).answer().Members[0].Code, kafkaapi.UnknownMemberID)
		must(r, "leave without group", r.leave("").answer().Code, kafkaapi.InvalidGroupID)
		must(r, "heartbeat without group", r.beat("", "m", 1), kafkaapi.InvalidGroupID)
		must(r, "heartbeat of no group", r.beat("none", "m", 1), kafkaapi.UnknownMemberID)
		must(r, "heartbeat of another generation", r.beat("g", ids[0], gen-1), kafkaapi.IllegalGeneration)
	})
}

func TestMemberWithoutAnAssignmentGetsAnEmptyOne(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		ids, _ := r.stable("g", 2)
		gen := r.joinAll("g", ids...)[ids[0]].answer().Generation
		s := r.sync("g", ids[1], gen)
		r.sync("g", ids[0], gen, Assignment{ids[0], []byte("all")}, Assignment{"nobody", []byte("x")}).answer()
		synctest.Wait()
		resp := s.answer()
		must(r, "code", resp.Code, kafkaapi.None)
		must(r, "bytes", len(resp.Assignment), 0)
	})
}

package group

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"millrace/internal/api/kafkaapi"
)

func TestJoinChecksItsRequest(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		for _, c := range []struct {
			name   string
			change func(*JoinRequest)
			want   kafkaapi.Code
		}{
			{"no group id", func(q *JoinRequest) { q.Group = "" }, kafkaapi.InvalidGroupID},
			{"long group id", func(q *JoinRequest) { q.Group = strings.Repeat("g", MaxGroupID+1) }, kafkaapi.InvalidGroupID},
			{"short session", func(q *JoinRequest) { q.SessionTimeout = 6*time.Second - 1 }, kafkaapi.InvalidSessionTimeout},
			{"long session", func(q *JoinRequest) { q.SessionTimeout = 30*time.Minute + 1 }, kafkaapi.InvalidSessionTimeout},
			{"member of a group that is not there", func(q *JoinRequest) { q.MemberID = "m" }, kafkaapi.UnknownMemberID},
			{"no protocol type", func(q *JoinRequest) { q.ProtocolType = "" }, kafkaapi.InconsistentGroupProtocol},
			{"no protocols", func(q *JoinRequest) { q.Protocols = nil }, kafkaapi.InconsistentGroupProtocol},
			{"too many protocols", func(q *JoinRequest) { q.Protocols = make([]Protocol, maxProtocols+1) }, kafkaapi.InvalidRequest},
			{"no member id", func(*JoinRequest) {}, kafkaapi.MemberIDRequired},
		} {
			req := consumer("g", "")
			c.change(&req)
			if got := r.join(req).answer(); got.Code != c.want || got.Generation != -1 {
				t.Errorf("%s: got %+v, want %v", c.name, got, c.want)
			}
		}
	})
}

func TestMemberBeforeVersion4JoinsWithoutAnID(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		req := consumer("g", "")
		req.RequireMemberID, req.RebalanceTimeout = false, -1
		resp := r.join(req).answer()
		must(r, "code", resp.Code, kafkaapi.None)
		must(r, "generation", resp.Generation, 1)
		must(r, "member", resp.MemberID, "c-1")
		must(r, "leader", resp.Leader, "c-1")
	})
}

func TestConcurrentJoinsLoseNoMember(t *testing.T) {
	const n = 40
	r := start(t, newStore(), nil)
	defer r.stop()
	clients := make([]client, n)
	var wg sync.WaitGroup
	for i := range clients {
		clients[i].group = "g"
		wg.Go(func() { // settles, and again while others still come
			for {
				if err := clients[i].settle(r.Coordinator, func() bool { return false }); err != nil {
					t.Error(err)
					return
				}
				d := r.Describe("g")
				if d.State == Stable && len(d.Members) == n && d.Generation == clients[i].generation {
					return
				}
			}
		})
	}
	wg.Wait()
	d := r.Describe("g")
	if d.State != Stable || len(d.Members) != n {
		t.Fatalf("got %v with %d members, want Stable with %d", d.State, len(d.Members), n)
	}
	for i := range clients {
		if got := r.beat("g", clients[i].id, d.Generation); got != kafkaapi.None {
			t.Errorf("heartbeat of %q in %d: got %v", clients[i].id, d.Generation, got)
		}
	}
}

func TestLeaderGetsAllMembersAndOthersNone(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		ids, _ := r.stable("g", 3)
		calls := []*joinCall{r.join(consumer("g", ids[0])), r.join(consumer("g", ids[1])), r.join(consumer("g", ids[2]))}
		for i, c := range calls {
			resp := c.answer()
			want := 0
			if resp.Leader == ids[i] {
				want = 3
				for _, m := range resp.Members {
					must(r, "metadata", string(m.Metadata), "topics of "+m.ID)
				}
			}
			must(r, "members told to "+ids[i], len(resp.Members), want)
		}
	})
}

func TestProtocolIsTheOneMostMembersPreferAmongThoseAllSupport(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		with := func(id string, names ...string) JoinRequest {
			req := consumer("g", id)
			req.Protocols = nil
			for _, n := range names {
				req.Protocols = append(req.Protocols, Protocol{n, []byte(n)})
			}
			return req
		}
		a, b, c := r.newID("g"), r.newID("g"), r.newID("g")
		first := r.join(with(a, "x", "y", "z"))
		must(r, "alone", first.answer().Protocol, "x")
		calls := []*joinCall{r.join(with(b, "w", "z", "y")), r.join(with(c, "z", "y")), r.join(with(a, "x", "y", "z"))}
		for _, c := range calls {
			must(r, c.what, c.answer().Protocol, "z")
		}
		if got := r.join(with("", "w", "x")).answer().Code; got != kafkaapi.InconsistentGroupProtocol {
			t.Errorf("nothing in common: got %v", got)
		}
		other := with("", "z")
		other.ProtocolType = "connect"
		if got := r.join(other).answer().Code; got != kafkaapi.InconsistentGroupProtocol {
			t.Errorf("another protocol type: got %v", got)
		}
	})
}

func TestRejoinOfUnchangedMemberGetsTheGenerationAgain(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		ids, gen := r.stable("g", 2)
		leader, follower := ids[0], ids[1]
		resp := r.join(consumer("g", follower)).answer()
		must(r, "follower's generation", resp.Generation, gen)
		must(r, "state", r.Describe("g").State, Stable)

		changed := consumer("g", follower)
		changed.Protocols[0].Metadata = []byte("other topics")
		c := r.join(changed)
		c.waits()
		must(r, "state", r.Describe("g").State, PreparingRebalance)
		must(r, "leader's heartbeat", r.beat("g", leader, gen), kafkaapi.RebalanceInProgress)
		r.join(consumer("g", leader))
		must(r, "next generation", c.answer().Generation, gen+1)
	})
}

func TestRejoinOfTheLeaderBeginsARebalance(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		ids, gen := r.stable("g", 1)
		must(r, "generation", r.join(consumer("g", ids[0])).answer().Generation, gen+1)
	})
}

func TestSecondJoinOfAWaitingMemberAnswersTheFirst(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		ids, _ := r.stable("g", 2)
		third := r.newID("g")
		first := r.join(consumer("g", third))
		first.waits()
		second := r.join(consumer("g", third))
		must(r, "first", first.answer().Code, kafkaapi.RebalanceInProgress)
		second.waits()
		for _, id := range ids {
			r.join(consumer("g", id))
		}
		must(r, "second", second.answer().Code, kafkaapi.None)
	})
}

func TestGroupTakesNoMoreMembersThanItMay(t *testing.T) {
	inBubble(t, func(o *Options) { o.MaxMembers = 2 }, func(r *rig) {
		ids, gen := r.stable("g", 2)
		must(r, "third", r.join(consumer("g", "")).answer().Code, kafkaapi.GroupMaxSizeReached)
		must(r, "others", r.beat("g", ids[0], gen), kafkaapi.None)
	})
}

func TestIDsGivenOutAreBounded(t *testing.T) {
	inBubble(t, func(o *Options) { o.MaxMembers = 3 }, func(r *rig) {
		for range 3 {
			r.newID("g")
		}
		must(r, "fourth", r.join(consumer("g", "")).answer().Code, kafkaapi.GroupMaxSizeReached)
		time.Sleep(session)
		synctest.Wait()
		must(r, "state once they expired", r.Describe("g").State, Dead)
		r.newID("g")
	})
}

func TestGroupsAndBytesAreBounded(t *testing.T) {
	inBubble(t, func(o *Options) { o.MaxGroups, o.MaxGroupBytes, o.MaxBytes = 2, 4000, 6000 }, func(r *rig) {
		big := func(group, id string, n int) JoinRequest {
			req := consumer(group, id)
			req.Protocols[0].Metadata = make([]byte, n)
			return req
		}
		a, b := r.newID("a"), r.newID("b")
		must(r, "third group", r.join(consumer("c", "")).answer().Code, kafkaapi.GroupMaxSizeReached)
		must(r, "over the group's bytes", r.join(big("a", a, 4000)).answer().Code, kafkaapi.GroupMaxSizeReached)
		must(r, "within", r.join(big("a", a, 3000)).answer().Code, kafkaapi.None)
		must(r, "over all bytes", r.join(big("b", b, 3000)).answer().Code, kafkaapi.GroupMaxSizeReached)
		named := big("a", "", 0)
		named.ClientID, named.RequireMemberID = strings.Repeat("c", 2000), false
		must(r, "over the bytes by its name", r.join(named).answer().Code, kafkaapi.GroupMaxSizeReached)
		must(r, "too large an assignment", r.sync("a", a, 1, Assignment{a, make([]byte, 2000)}).answer().Code, kafkaapi.UnknownServerError)
		must(r, "leaving", r.leave("a", LeaveMember{MemberID: a}).answer().Members[0].Code, kafkaapi.None)
		must(r, "with room", r.join(big("b", b, 3000)).answer().Code, kafkaapi.None)
		r.leave("b", LeaveMember{MemberID: b}).answer()
		must(r, "bytes of empty groups", r.limits.used.Load(), 0)
	})
}

func TestFirstRebalanceWaitsWhileMembersCome(t *testing.T) {
	inBubble(t, func(o *Options) { o.InitialRebalanceDelay = 3 * time.Second }, func(r *rig) {
		begin := time.Now()
		var calls []*joinCall
		for i := range 4 {
			req := consumer("g", "")
			req.RequireMemberID, req.RebalanceTimeout = false, 8*time.Second
			c := r.join(req)
			c.waits()
			calls = append(calls, c)
			if i < 3 {
				time.Sleep(2 * time.Second)
			}
		}
		// Delays of 3 s end at 3, 6 and, cut to what is left of 8 s, at 8.
		for _, c := range calls {
			c.waits()
		}
		time.Sleep(8*time.Second - time.Since(begin))
		for i, c := range calls {
			resp := c.answer()
			must(r, fmt.Sprint("generation of ", i), resp.Generation, 1)
		}
		must(r, "members", len(r.Describe("g").Members), 4)
	})
}

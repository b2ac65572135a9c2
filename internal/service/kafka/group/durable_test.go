package group

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/store"
)

var errFull = store.ErrFull

func TestSyncIsAnsweredWhenTheGenerationIsDurable(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		a := r.newID("g")
		gen := r.join(consumer("g", a)).answer().Generation
		release := r.store.(*heldStore).hold()
		c := r.sync("g", a, gen, Assignment{a, []byte("x")})
		c.waits()
		must(r, "state", r.Describe("g").State, CompletingRebalance)
		release()
		must(r, "assignment", string(c.answer().Assignment), "x")
		must(r, "state", r.Describe("g").State, Stable)
	})
}

func TestGroupSurvivesARestart(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		ids, gen := r.stable("g", 3)
		before := r.Describe("g")
		r.restart()
		after := r.Describe("g")
		if fmt.Sprint(before) != fmt.Sprint(after) {
			t.Fatalf("after a restart:\n got %+v\nwant %+v", after, before)
		}
		for _, id := range ids {
			must(r, "heartbeat of "+id, r.beat("g", id, gen), kafkaapi.None)
			must(r, "assignment of "+id, string(r.sync("g", id, gen).answer().Assignment), "for "+id)
		}
		must(r, "unchanged follower's join", r.join(consumer("g", ids[1])).answer().Generation, gen)
		must(r, "next generation", r.settleAll("g", ids...), gen+1)
	})
}

func TestMembersThatDoNotComeBackAfterARestartExpire(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		ids, gen := r.stable("g", 2)
		r.restart()
		time.Sleep(session - 1)
		must(r, "heartbeat", r.beat("g", ids[0], gen), kafkaapi.None)
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		must(r, "state", r.Describe("g").State, PreparingRebalance)
		must(r, "heartbeat", r.beat("g", ids[1], gen), kafkaapi.UnknownMemberID)
		must(r, "next generation", r.join(consumer("g", ids[0])).answer().Generation, gen+1)
	})
}

func TestGenerationOfAnEmptyGroupSurvivesARestart(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		ids, gen := r.stable("g", 1)
		r.leave("g", LeaveMember{MemberID: ids[0]}).answer()
		r.restart()
		d := r.Describe("g")
		must(r, "state", d.State, Empty)
		must(r, "generation", d.Generation, gen+1)
		must(r, "protocol type", d.ProtocolType, ConsumerProtocol)
		must(r, "next generation", r.join(consumer("g", r.newID("g"))).answer().Generation, gen+2)
	})
}

func TestFailedWriteFailsTheSyncAndBeginsARebalance(t *testing.T) {
	for _, c := range []struct {
		err  error
		want kafkaapi.Code
	}{
		{store.ErrFull, kafkaapi.CoordinatorNotAvailable},
		{store.ErrUnknownOutcome, kafkaapi.CoordinatorNotAvailable},
		{store.ErrTooLarge, kafkaapi.UnknownServerError},
	} {
		inBubble(t, nil, func(r *rig) {
			ids, _ := r.stable("g", 2)
			calls := r.joinAll("g", ids...)
			gen := calls[ids[0]].answer().Generation
			r.store.(*heldStore).fail(c.err)
			follower := r.sync("g", ids[1], gen)
			must(r, "leader's sync", r.sync("g", ids[0], gen, Assignment{ids[0], []byte("x")}).answer().Code, c.want)
			must(r, "follower's sync", follower.answer().Code, c.want)
			must(r, "state", r.Describe("g").State, PreparingRebalance)
			r.store.(*heldStore).fail(nil)
			must(r, "next generation", r.settleAll("g", ids...), gen+1)
		})
	}
}

func TestRebalanceWhileAGenerationIsWrittenIsNotUndone(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		ids, _ := r.stable("g", 2)
		gen := r.joinAll("g", ids...)[ids[0]].answer().Generation
		release := r.store.(*heldStore).hold()
		sync := r.sync("g", ids[0], gen, Assignment{ids[0], []byte("x")})
		sync.waits()
		late := r.newID("g")
		c := r.join(consumer("g", late))
		must(r, "sync", sync.answer().Code, kafkaapi.RebalanceInProgress)
		release()
		c.waits()
		must(r, "state", r.Describe("g").State, PreparingRebalance)
		must(r, "generation", r.settleAll("g", append(ids, late)...), gen+1)
	})
}

func TestWriteOfAnOlderGenerationDoesNotAnswerANewerOne(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		ids, _ := r.stable("g", 1)
		id, s := ids[0], r.store.(*heldStore)
		gen := r.join(consumer("g", id)).answer().Generation
		first := s.hold()
		old := r.sync("g", id, gen, Assignment{id, []byte("old")})
		old.waits()
		changed := consumer("g", id)
		changed.Protocols[0].Metadata = []byte("other")
		must(r, "next generation", r.join(changed).answer().Generation, gen+1)
		second := s.hold()
		sync := r.sync("g", id, gen+1, Assignment{id, []byte("new")})
		must(r, "old sync", old.answer().Code, kafkaapi.RebalanceInProgress)
		first()
		sync.waits()
		second()
		must(r, "assignment", string(sync.answer().Assignment), "new")
	})
}

func TestGroupsThatWaitAreWrittenInOneCommit(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		s := r.store.(*heldStore)
		release := s.hold()
		before := s.n
		const n = 50
		var syncs []*syncCall
		for i := range n {
			group := fmt.Sprint("g", i)
			id := r.newID(group)
			gen := r.join(consumer(group, id)).answer().Generation
			syncs = append(syncs, r.sync(group, id, gen, Assignment{id, nil}))
		}
		release()
		for _, c := range syncs {
			must(r, c.what, c.answer().Code, kafkaapi.None)
		}
		must(r, "commits", s.n-before, 2) // the first one's own, and one for all others
	})
}

func TestLargeGroupIsStoredWhole(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		const n, size = 12, 700 << 10 // 8.4 MiB of assignments: nine values
		var ids []string
		for range n {
			ids = append(ids, r.newID("g"))
		}
		calls := r.joinAll("g", ids...)
		lead := calls[ids[0]].answer()
		var as []Assignment
		for i, id := range ids {
			as = append(as, Assignment{id, bytes.Repeat([]byte{byte(i)}, size+i)})
		}
		r.sync("g", lead.Leader, lead.Generation, as...).answer()
		r.restart()
		for i, id := range ids {
			got := r.sync("g", id, lead.Generation).answer().Assignment
			if !bytes.Equal(got, as[i].Bytes) {
				t.Fatalf("assignment of %q: got %d bytes, want %d", id, len(got), size+i)
			}
		}
		must(r, "keys", r.countKeys(), 10)
		small := r.settleAll("g", ids...)
		must(r, "keys of a small generation", r.countKeys(), 2)
		must(r, "generation", small, lead.Generation+1)
		var leaves []LeaveMember
		for _, id := range ids {
			leaves = append(leaves, LeaveMember{MemberID: id})
		}
		r.leave("g", leaves...).answer()
		must(r, "keys of an empty group", r.countKeys(), 1)
		must(r, "delete", r.deleteGroups("g").answer()[0], kafkaapi.None)
		must(r, "keys of a deleted group", r.countKeys(), 0)
	})
}

func (r *rig) countKeys() int {
	r.Helper()
	n := 0
	err := r.store.View(context.Background(), func(tx store.ReadTx) error {
		kvs, err := tx.Scan([]byte{byte(store.FamilyKafkaGroup)}, nil, store.MaxScanKeys, false)
		n = len(kvs)
		for _, kv := range kvs {
			if len(kv.Value) > store.MaxValueSize {
				r.Errorf("value of %d bytes", len(kv.Value))
			}
		}
		return err
	})
	if err != nil {
		r.Fatalf("View: %v", err)
	}
	return n
}

func TestManyGroupsAreLoadedInPages(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		const n = 2*loadPage + 7
		for i := range n {
			id := fmt.Sprintf("g%04d", i)
			req := consumer(id, "")
			req.RequireMemberID = false
			m := r.join(req).answer().MemberID
			r.Sync(SyncRequest{Group: id, MemberID: m, Generation: 1}, func(SyncResponse) {})
		}
		synctest.Wait()
		r.restart()
		must(r, "groups", len(r.List([]string{"stable"}, nil)), n)
	})
}

func TestTwoCoordinatorsOnOneStoreAreHarmless(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		ids, gen := r.stable("g", 1)
		other := start(t, r.store, nil)
		defer other.stop()
		must(r, "generation of the other", other.settleAll("g", ids[0]), gen+1)

		// The first has not seen it. What it decides is not written, and it starts again from what is.
		j := r.join(consumer("g", ids[0])).answer()
		must(r, "code", j.Code, kafkaapi.None)
		must(r, "sync", r.sync("g", ids[0], j.Generation, Assignment{ids[0], []byte("stale")}).answer().Code, kafkaapi.NotCoordinator)
		must(r, "generation", r.Describe("g").Generation, gen+1)
		must(r, "assignment", string(r.sync("g", ids[0], gen+1).answer().Assignment), "for "+ids[0])
		must(r, "next generation", r.settleAll("g", ids[0]), gen+2)
	})
}

func TestFenceFailsCommitsOfOlderGenerations(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		fence := func(generation int32) (code kafkaapi.Code) {
			t.Helper()
			if err := r.store.View(t.Context(), func(tx store.ReadTx) (err error) {
				code, err = Fence(tx, CommitRequest{Group: "g", Generation: generation})
				return err
			}); err != nil {
				t.Fatal(err)
			}
			return code
		}
		must(r, "no group", fence(1), kafkaapi.None)
		ids, gen := r.stable("g", 1)
		must(r, "current", fence(gen), kafkaapi.None)
		must(r, "older", fence(gen-1), kafkaapi.IllegalGeneration)
		must(r, "without a member", fence(-1), kafkaapi.None)
		next := r.settleAll("g", ids...)
		must(r, "that was current", fence(gen), kafkaapi.IllegalGeneration)
		must(r, "current", fence(next), kafkaapi.None)
	})
}

func TestCommitThatWasAllowedLosesToANewerGeneration(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		ids, gen := r.stable("g", 1)
		tries := 0
		stale := errors.New("stale")
		_, err := r.store.(*heldStore).Store.Update(t.Context(), func(tx store.Tx) error {
			if tries++; tries == 1 {
				defer func() { // the next generation becomes durable after the check, before the commit
					done := make(chan struct{})
					go func() { defer close(done); r.settleInBackground(ids[0]) }()
					<-done
				}()
			}
			code, err := Fence(tx, CommitRequest{Group: "g", Generation: gen})
			if err == nil && code != kafkaapi.None {
				err = stale
			}
			if err != nil {
				return err
			}
			return tx.Set([]byte{byte(store.FamilyKafkaOffset)}, []byte{1})
		})
		if !errors.Is(err, stale) || tries != 2 {
			t.Fatalf("got %v after %d tries, want %v after 2", err, tries, stale)
		}
	})
}

func (r *rig) settleInBackground(id string) {
	j := joinWait(r.Coordinator, consumer("g", id))
	syncWait(r.Coordinator, SyncRequest{Group: "g", MemberID: id, Generation: j.Generation})
}

func TestCloseAnswersWhoWaits(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		ids, _ := r.stable("g", 2)
		join := r.join(consumer("g", ids[0]))
		solo := r.newID("h")
		gen := r.join(consumer("h", solo)).answer().Generation
		sync := r.sync("h", solo, gen, Assignment{solo, []byte("x")})
		join.waits()
		r.stop()
		must(r, "waiting join", join.answer().Code, kafkaapi.CoordinatorNotAvailable)
		must(r, "sync under way", sync.answer().Code, kafkaapi.None)
		must(r, "join after", r.join(consumer("g", ids[0])).answer().Code, kafkaapi.CoordinatorNotAvailable)
		must(r, "new group after", r.join(consumer("n", "")).answer().Code, kafkaapi.CoordinatorNotAvailable)
		must(r, "heartbeat after", r.beat("g", ids[0], 1), kafkaapi.CoordinatorNotAvailable)
		must(r, "commit after", r.CheckCommit(CommitRequest{Group: "n", Generation: -1}), kafkaapi.CoordinatorNotAvailable)
		must(r, "delete after", r.deleteGroups("g").answer()[0], kafkaapi.CoordinatorNotAvailable)
	})
}

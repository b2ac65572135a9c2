package group

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/store"
	"millrace/internal/core/store/storetest"
)

// heldStore is a store whose commits a test holds back or fails.
type heldStore struct {
	store.Store
	mu   sync.Mutex
	gate chan struct{} // commits wait until it is closed; nil: they do not
	err  error         // what commits fail with
	n    int           // commits asked for
}

func newStore() *heldStore { return &heldStore{Store: storetest.NewModel()} }

func (s *heldStore) Update(ctx context.Context, fn func(store.Tx) error) (store.Commit, error) {
	s.mu.Lock()
	gate := s.gate
	s.mu.Unlock()
	if gate != nil {
		<-gate
	}
	s.mu.Lock()
	err := s.err
	s.n++
	s.mu.Unlock()
	if err != nil {
		return store.Commit{}, err
	}
	return s.Store.Update(ctx, fn)
}

// hold keeps commits that come from now on back until the returned function is called.
func (s *heldStore) hold() (release func()) {
	gate := make(chan struct{})
	s.mu.Lock()
	s.gate = gate
	s.mu.Unlock()
	return func() {
		s.mu.Lock()
		if s.gate == gate {
			s.gate = nil
		}
		s.mu.Unlock()
		close(gate)
	}
}

func (s *heldStore) fail(err error) {
	s.mu.Lock()
	s.err = err
	s.mu.Unlock()
}

// rig is a coordinator in a synctest bubble.
type rig struct {
	testing.TB
	*Coordinator
	store store.Store
	opts  Options
}

// inBubble runs fn with a coordinator in simulated time.
func inBubble(t *testing.T, change func(*Options), fn func(r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := start(t, newStore(), change)
		defer r.stop()
		fn(r)
	})
}

func start(tb testing.TB, s store.Store, change func(*Options)) *rig {
	tb.Helper()
	o := Options{Store: s, Logger: slog.New(slog.DiscardHandler)}
	n := 0
	var mu sync.Mutex
	o.NewID = func() string {
		mu.Lock()
		defer mu.Unlock()
		n++
		return fmt.Sprint(n)
	}
	if change != nil {
		change(&o)
	}
	c, err := New(o)
	if err != nil {
		tb.Fatalf("New: %v", err)
	}
	return &rig{tb, c, s, o}
}

func (r *rig) stop() {
	if err := r.Close(); err != nil {
		r.Errorf("Close: %v", err)
	}
}

// restart replaces the coordinator by a new one on the same store.
func (r *rig) restart() {
	r.Helper()
	r.stop()
	c, err := New(r.opts)
	if err != nil {
		r.Fatalf("New on what was stored: %v", err)
	}
	r.Coordinator = c
}

// call is a request that may be waiting.
type call[T any] struct {
	*rig
	what   string
	mu     sync.Mutex
	resp   T
	n      int
	cancel func()
}

func (c *call[T]) done(resp T) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.resp = resp
	if c.n++; c.n > 1 {
		c.Errorf("%s was answered %d times, last with %+v", c.what, c.n, resp)
	}
}

// answer is the response; the test fails if there is none yet.
func (c *call[T]) answer() T {
	c.Helper()
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n != 1 {
		c.Fatalf("%s was answered %d times, want once", c.what, c.n)
	}
	return c.resp
}

// got is the response if there is one.
func (c *call[T]) got() (resp T, ok bool) {
	if c == nil {
		return resp, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.resp, c.n > 0
}

// waits checks that there is no answer yet.
func (c *call[T]) waits() {
	c.Helper()
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n != 0 {
		c.Fatalf("%s was answered with %+v, want that it waits", c.what, c.resp)
	}
}

type (
	joinCall = call[JoinResponse]
	syncCall = call[SyncResponse]
)

const (
	session   = 10 * time.Second
	rebalance = 60 * time.Second
)

// consumer is a Join of version 9 by a consumer of one assignor.
func consumer(group, member string) JoinRequest {
	return JoinRequest{
		Group: group, MemberID: member, ClientID: "c", ClientHost: "/127.0.0.1", ProtocolType: ConsumerProtocol,
		Protocols:      []Protocol{{"range", []byte("topics of " + member)}},
		SessionTimeout: session, RebalanceTimeout: rebalance, RequireMemberID: true, CanSkip: true,
	}
}

func (r *rig) join(req JoinRequest) *joinCall {
	c := &joinCall{rig: r, what: fmt.Sprintf("Join of %q/%q", req.MemberID, req.InstanceID)}
	c.cancel = r.Join(req, c.done)
	return c
}

func (r *rig) sync(group, member string, generation int32, assignments ...Assignment) *syncCall {
	c := &syncCall{rig: r, what: fmt.Sprintf("Sync of %q in %d", member, generation)}
	c.cancel = r.Sync(SyncRequest{Group: group, MemberID: member, Generation: generation, Assignments: assignments}, c.done)
	return c
}

func (r *rig) leave(group string, members ...LeaveMember) *call[LeaveResponse] {
	c := &call[LeaveResponse]{rig: r, what: fmt.Sprintf("Leave of %+v", members)}
	r.Leave(LeaveRequest{group, members}, c.done)
	return c
}

func (r *rig) deleteGroups(ids ...string) *call[[]kafkaapi.Code] {
	c := &call[[]kafkaapi.Code]{rig: r, what: fmt.Sprintf("Delete of %q", ids)}
	r.Delete(ids, c.done)
	return c
}

func (r *rig) beat(group, member string, generation int32) kafkaapi.Code {
	return r.Heartbeat(HeartbeatRequest{Group: group, MemberID: member, Generation: generation})
}

// newID asks for a member id as clients since version 4 do.
func (r *rig) newID(group string) string {
	r.Helper()
	resp := r.join(consumer(group, "")).answer()
	if resp.Code != kafkaapi.MemberIDRequired || resp.MemberID == "" {
		r.Fatalf("first Join: %+v, want MEMBER_ID_REQUIRED with an id", resp)
	}
	return resp.MemberID
}

// must fails the test unless got is want.
func must[T comparable](r *rig, what string, got, want T) {
	r.Helper()
	if got != want {
		r.Fatalf("%s: got %v, want %v", what, got, want)
	}
}

// stable forms a group of n dynamic members and returns their ids, the leader first, and the generation.
func (r *rig) stable(group string, n int) ([]string, int32) {
	r.Helper()
	var ids []string
	for range n {
		ids = append(ids, r.newID(group))
	}
	return ids, r.settleAll(group, ids...)
}

// settleAll has all join, sync and be assigned their own ids; it returns the generation.
func (r *rig) settleAll(group string, ids ...string) int32 {
	r.Helper()
	calls := r.joinAll(group, ids...)
	leader, generation := "", r.Describe(group).Generation
	var as []Assignment
	for _, id := range ids {
		resp := calls[id].answer()
		must(r, calls[id].what, resp.Code, kafkaapi.None)
		must(r, calls[id].what, resp.Generation, generation)
		leader = resp.Leader
		as = append(as, Assignment{id, []byte("for " + id)})
	}
	syncs := map[string]*syncCall{}
	for _, id := range ids {
		if id != leader {
			syncs[id] = r.sync(group, id, generation)
			syncs[id].waits()
		}
	}
	syncs[leader] = r.sync(group, leader, generation, as...)
	for _, id := range ids {
		resp := syncs[id].answer()
		must(r, syncs[id].what, resp.Code, kafkaapi.None)
		must(r, "assignment of "+id, string(resp.Assignment), "for "+id)
	}
	must(r, "members", len(r.Describe(group).Members), len(ids))
	return generation
}

// joinAll has all join the same generation: those that were answered with an earlier one join again.
func (r *rig) joinAll(group string, ids ...string) map[string]*joinCall {
	r.Helper()
	calls := map[string]*joinCall{}
	for range 3 {
		for _, id := range ids {
			synctest.Wait()
			d, c := r.Describe(group), calls[id]
			if c != nil {
				resp, ok := c.got()
				if !ok || resp.Generation == d.Generation && d.State != PreparingRebalance {
					continue
				}
			}
			calls[id] = r.join(consumer(group, id))
		}
	}
	return calls
}

package lease

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"millrace/internal/core/clock"
	"millrace/internal/core/store"
	"millrace/internal/core/store/storetest"
)

const ttl = 10 * time.Second

// world is a store whose time the test moves.
type world struct {
	store.Store
	ms atomic.Int64
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{}
	w.ms.Store(1_700_000_000_000)
	w.Store = storetest.NewModel(storetest.WithModelClock(w.ms.Load))
	t.Cleanup(func() { _ = w.Close() })
	return w
}

func (w *world) pass(d time.Duration) { w.ms.Add(d.Milliseconds()) }

func (w *world) manager(owner string) *Manager { return New(w, clock.Real(), owner) }

func acquire(t *testing.T, m *Manager, name string) Lease {
	t.Helper()
	l, err := m.Acquire(t.Context(), name, ttl)
	if err != nil {
		t.Fatalf("%s acquires %s: %v", m.owner, name, err)
	}
	return l
}

func wantHeld(t *testing.T, m *Manager, by string, remaining time.Duration) {
	t.Helper()
	_, err := m.Acquire(t.Context(), "x", ttl)
	var held *HeldError
	if !errors.As(err, &held) || held.Owner != by || held.Remaining > remaining || held.Remaining < remaining-time.Second {
		t.Fatalf("%s acquires x: %v, want held by %s for about %v", m.owner, err, by, remaining)
	}
}

func TestALeaseHasOneOwnerUntilItExpires(t *testing.T) {
	w := newWorld(t)
	a, b := w.manager("a"), w.manager("b")
	la := acquire(t, a, "x")
	wantHeld(t, b, "a", ttl)
	acquire(t, b, "y") // another name is free
	w.pass(ttl - time.Second)
	wantHeld(t, b, "a", time.Second)
	la, err := a.Renew(t.Context(), la, ttl)
	if err != nil {
		t.Fatal(err)
	}
	wantHeld(t, b, "a", ttl)
	w.pass(ttl)
	lb := acquire(t, b, "x")
	if lb.Epoch <= la.Epoch {
		t.Fatalf("stolen with epoch %d after %d", lb.Epoch, la.Epoch)
	}
	if _, err := a.Renew(t.Context(), la, ttl); !errors.Is(err, ErrLost) {
		t.Fatalf("Renew of a stolen lease: %v, want ErrLost", err)
	}
	if err := a.Release(t.Context(), la); err != nil {
		t.Fatalf("Release of a stolen lease: %v", err)
	}
	wantHeld(t, a, "b", ttl)
}

func TestAnExpiredLeaseIsRenewedWhileNobodyTookIt(t *testing.T) {
	w := newWorld(t)
	a := w.manager("a")
	l := acquire(t, a, "x")
	w.pass(2 * ttl)
	again, err := a.Renew(t.Context(), l, ttl)
	if err != nil || again.Epoch != l.Epoch || again.Expires <= l.Expires {
		t.Fatalf("Renew: %+v, %v, was %+v", again, err, l)
	}
}

func TestAReleasedLeaseIsFreeAtOnceAndEpochsGoOn(t *testing.T) {
	w := newWorld(t)
	a, b := w.manager("a"), w.manager("b")
	la := acquire(t, a, "x")
	if err := a.Release(t.Context(), la); err != nil {
		t.Fatal(err)
	}
	if lb := acquire(t, b, "x"); lb.Epoch <= la.Epoch {
		t.Fatalf("epoch %d after a release of %d", lb.Epoch, la.Epoch)
	}
}

func TestTheOwnerFencesItsEarlierLife(t *testing.T) {
	w := newWorld(t)
	first := acquire(t, w.manager("a"), "x")
	second := acquire(t, w.manager("a"), "x")
	if second.Epoch <= first.Epoch {
		t.Fatalf("epoch %d after %d", second.Epoch, first.Epoch)
	}
	if _, err := w.manager("a").Renew(t.Context(), first, ttl); !errors.Is(err, ErrLost) {
		t.Fatalf("Renew by the earlier life: %v, want ErrLost", err)
	}
}

// TestCheckFencesAWriteThatAStealOvertakes lets the lease be stolen while the owner's transaction runs.
func TestCheckFencesAWriteThatAStealOvertakes(t *testing.T) {
	w := newWorld(t)
	l := acquire(t, w.manager("a"), "x")
	key := []byte{byte(store.FamilySetting), 'k'}
	stolen := false
	_, err := w.Update(t.Context(), func(tx store.Tx) error {
		if err := l.Check(tx); err != nil {
			return err
		}
		if !stolen {
			stolen = true
			w.pass(2 * ttl)
			acquire(t, w.manager("b"), "x")
		}
		return tx.Set(key, []byte("written by a"))
	})
	if !errors.Is(err, ErrLost) {
		t.Fatalf("Update: %v, want ErrLost", err)
	}
	if err := w.View(t.Context(), func(tx store.ReadTx) error {
		if v, ok, err := tx.Get(key); ok || err != nil {
			t.Fatalf("the fenced write is there: %q, %v", v, err)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

func TestOneOfManyRacingOwnersWins(t *testing.T) {
	w := newWorld(t)
	var won atomic.Int32
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			_, err := w.manager(fmt.Sprint(i)).Acquire(t.Context(), "x", ttl)
			if _, held := errors.AsType[*HeldError](err); err == nil {
				won.Add(1)
			} else if !held {
				t.Errorf("owner %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Fatalf("%d owners won, want 1", won.Load())
	}
}

func TestListFindsLeasesByPrefix(t *testing.T) {
	w := newWorld(t)
	a := w.manager("a")
	for _, name := range []string{"b/1", "b/2", "b/3", "b", "c/1", "a/1", "b\xff"} {
		acquire(t, a, name)
	}
	list := func(prefix, after string, limit int) string {
		var names []string
		if err := w.View(t.Context(), func(tx store.ReadTx) error {
			names = nil
			leases, err := List(tx, prefix, after, limit)
			for _, l := range leases {
				names = append(names, l.Name)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return strings.Join(names, " ")
	}
	for _, tt := range []struct {
		prefix, after string
		limit         int
		want          string
	}{
		{"b/", "", 10, "b/1 b/2 b/3"},
		{"b/", "", 2, "b/1 b/2"},
		{"b/", "b/2", 10, "b/3"},
		{"b/", "b/3", 10, ""},
		{"", "", 10, "a/1 b b/1 b/2 b/3 b\xff c/1"},
		{"b\xff", "", 10, "b\xff"},
	} {
		if got := list(tt.prefix, tt.after, tt.limit); got != tt.want {
			t.Errorf("List(%q, %q, %d) = %q, want %q", tt.prefix, tt.after, tt.limit, got, tt.want)
		}
	}
}

func TestRequestsOutOfBoundsAreRefused(t *testing.T) {
	w := newWorld(t)
	a := w.manager("a")
	l := acquire(t, a, "x")
	long := strings.Repeat("n", MaxName+1)
	_, e1 := a.Acquire(t.Context(), "", ttl)
	_, e2 := a.Acquire(t.Context(), long, ttl)
	_, e3 := a.Acquire(t.Context(), "x", MinTTL-1)
	_, e4 := w.manager("").Acquire(t.Context(), "x", ttl)
	_, e5 := a.Renew(t.Context(), l, 0)
	for i, err := range []error{e1, e2, e3, e4, e5} {
		if !errors.Is(err, ErrInvalid) {
			t.Errorf("request %d: %v, want ErrInvalid", i+1, err)
		}
	}
}

// TestHoldPassesALeaseOn runs owners one after the other in simulated time: each works longer than the
// time to live, and never two at once.
func TestHoldPassesALeaseOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := storetest.NewModel()
		defer s.Close()
		var busy, runs atomic.Int32
		var wg sync.WaitGroup
		for i := range 4 {
			wg.Go(func() {
				m := New(s, clock.Real(), fmt.Sprint(i))
				err := m.Hold(t.Context(), "x", ttl, func(ctx context.Context, l Lease) error {
					if busy.Add(1) != 1 {
						t.Errorf("owner %s works beside another", l.Owner)
					}
					defer busy.Add(-1)
					runs.Add(1)
					return clock.Sleep(ctx, clock.Real(), 3*ttl)
				})
				if err != nil {
					t.Errorf("owner %d: %v", i, err)
				}
			})
		}
		wg.Wait()
		if runs.Load() != 4 {
			t.Fatalf("%d runs, want 4", runs.Load())
		}
	})
}

// stuck fails or hangs every Update from the moment the test says so.
type stuck struct {
	store.Store
	fail, hang atomic.Bool
}

func (s *stuck) Update(ctx context.Context, fn func(store.Tx) error) (store.Commit, error) {
	if s.hang.Load() {
		<-ctx.Done()
		return store.Commit{}, ctx.Err()
	}
	if s.fail.Load() {
		return store.Commit{}, store.ErrOverloaded
	}
	return s.Store.Update(ctx, fn)
}

func TestHoldEndsWhenRenewalsFailOrHang(t *testing.T) {
	for _, hang := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s := &stuck{Store: storetest.NewModel()}
			defer s.Close()
			err := New(s, clock.Real(), "a").Hold(t.Context(), "x", ttl, func(ctx context.Context, _ Lease) error {
				begin := time.Now()
				if err := clock.Sleep(ctx, clock.Real(), 5*ttl); err != nil {
					return fmt.Errorf("lost while renewals went well: %w", err)
				}
				s.fail.Store(!hang)
				s.hang.Store(hang)
				broken := time.Since(begin)
				<-ctx.Done()
				if lasted := time.Since(begin) - broken; lasted > ttl {
					t.Errorf("hang %v: the owner went on for %v, the lease lasts %v", hang, lasted, ttl)
				}
				s.fail.Store(false)
				s.hang.Store(false)
				return context.Cause(ctx)
			})
			if !errors.Is(err, ErrLost) {
				t.Fatalf("hang %v: Hold: %v, want ErrLost", hang, err)
			}
		})
	}
}

func TestHoldEndsWhenTheLeaseIsTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := storetest.NewModel()
		defer s.Close()
		err := New(s, clock.Real(), "a").Hold(t.Context(), "x", ttl, func(ctx context.Context, _ Lease) error {
			if _, err := New(s, clock.Real(), "a").Acquire(ctx, "x", ttl); err != nil {
				return err
			}
			<-ctx.Done()
			return context.Cause(ctx)
		})
		if !errors.Is(err, ErrLost) {
			t.Fatalf("Hold: %v, want ErrLost", err)
		}
	})
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte("\x01\x00\x00\x00\x00\x00\x00\x00\x05\x00\x00\x00\x00\x00\x00\x00\x07owner"))
	f.Fuzz(func(t *testing.T, v []byte) {
		l, err := decode("n", v)
		if err == nil && (l.Owner == "" || len(l.Owner) != len(v)-valueHead) {
			t.Fatalf("decoded %+v from % x", l, v)
		}
	})
}

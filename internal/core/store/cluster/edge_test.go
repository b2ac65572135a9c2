package cluster

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"millrace/internal/core/clock"
	"millrace/internal/core/store"
)

// in names a table of a store's schema.
func in(o Options, table string) string { return quoted(o.Schema) + "." + quoted(table) }

func openFails(t *testing.T, o Options) error {
	t.Helper()
	s, err := Open(t.Context(), o)
	if err == nil {
		s.Close()
		t.Fatal("Open succeeded")
	}
	return err
}

func TestSecondNodeIsRefusedAndToldWhoHoldsTheDatabase(t *testing.T) {
	o := options(t)
	o.LockWait = time.Millisecond
	dropAfter(t, o)
	s := mustOpen(t, o)
	var locked *store.LockedError
	if err := openFails(t, o); !errors.As(err, &locked) || !strings.HasPrefix(locked.Holder, "millrace ") {
		t.Errorf("second Open: got %v, want a LockedError that names the holder", err)
	}
	if err := s.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	o.LockWait = time.Second
	if err := mustOpen(t, o).Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
}

func TestNewerLevelIsRefused(t *testing.T) {
	o := options(t)
	dropAfter(t, o)
	mustOpen(t, o).Close()
	exec(t, "UPDATE "+in(o, "store_meta")+" SET value = 2 WHERE name = 'level'")
	var level *store.LevelError
	if err := openFails(t, o); !errors.As(err, &level) || level.Found != 2 {
		t.Fatalf("Open: got %v, want a LevelError of level 2", err)
	}
}

func TestUnknownFamilyIsRefused(t *testing.T) {
	o := options(t)
	dropAfter(t, o)
	s := mustOpen(t, o)
	_, err := s.Update(t.Context(), func(tx store.Tx) error {
		return errors.Join(tx.Set([]byte{byte(store.FamilyTopic)}, nil), tx.Set([]byte{byte(store.FamilyQuota), 1}, nil), tx.Set([]byte{0xee, 1}, nil))
	})
	if err != nil {
		t.Fatalf("Update: %v", err)
	}
	s.Close()
	var family *store.FamilyError
	if err := openFails(t, o); !errors.As(err, &family) || family.Found != 0xee {
		t.Fatalf("Open: got %v, want a FamilyError of family 0xee", err)
	}
	exec(t, "UPDATE "+in(o, "store_keys")+" SET value = NULL WHERE key >= '\\xee'")
	mustOpen(t, o).Close()
}

func TestDatabaseThatForgetsCommitsIsRefused(t *testing.T) {
	good := map[string]string{"fsync": "on", "synchronous_commit": "on", "server_version_num": "150018"}
	if err := checkSettings(good); err != nil {
		t.Errorf("settings %v: got %v", good, err)
	}
	for name, value := range map[string]string{"fsync": "off", "synchronous_commit": "off", "server_version_num": "140011"} {
		bad := maps.Clone(good)
		bad[name] = value
		if err := checkSettings(bad); err == nil {
			t.Errorf("%s = %s was accepted", name, value)
		}
	}
	o := options(t)
	u, err := url.Parse(o.DSN)
	if err != nil {
		t.Fatalf("MILLRACE_TEST_POSTGRES must be a URL: %v", err)
	}
	q := u.Query()
	q.Set("options", "-c synchronous_commit=off")
	u.RawQuery = q.Encode()
	o.DSN = u.String()
	if err := openFails(t, o); !strings.Contains(err.Error(), "synchronous_commit") {
		t.Errorf("Open: got %v, want one about synchronous_commit", err)
	}
}

func TestFencedNodeCommitsNothing(t *testing.T) {
	o := options(t)
	dropAfter(t, o)
	s := mustOpen(t, o)
	defer s.Close()
	withPartition(t, s)
	exec(t, "UPDATE "+in(o, "store_commit")+" SET epoch = epoch + 1")
	var locked *store.LockedError
	for range 2 {
		if _, err := appendOne(s, "x"); !errors.As(err, &locked) {
			t.Fatalf("Append of a fenced node: got %v, want a LockedError", err)
		}
	}
}

func count(t *testing.T, s *Store, sql string, args ...any) (n int) {
	t.Helper()
	if err := s.pool.QueryRow(t.Context(), sql, args...).Scan(&n); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return n
}

func TestPurgeRemovesWhatNobodyCanSee(t *testing.T) {
	o := options(t)
	dropAfter(t, o)
	s := mustOpen(t, o)
	withPartition(t, s)
	for range 5 {
		if _, err := appendOne(s, "x"); err != nil {
			t.Fatal(err)
		}
	}
	update := func(fn func(tx store.Tx) error) {
		t.Helper()
		if _, err := s.Update(t.Context(), fn); err != nil {
			t.Fatalf("Update: %v", err)
		}
	}
	k := []byte{byte(store.FamilyTopic), 'k'}
	update(func(tx store.Tx) error { return errors.Join(tx.Set(k, nil), tx.TrimPartition(1, 3)) })
	update(func(tx store.Tx) error { return tx.Delete(k) })
	snap, err := s.snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	update(func(tx store.Tx) error {
		return errors.Join(tx.Set(append(k, 'k'), nil), tx.CreatePartition(2, 0, store.Retention{}))
	})
	update(func(tx store.Tx) error { return tx.Delete(append(k, 'k')) })
	check := func(what string, batches, keys int) {
		t.Helper()
		if err := s.purge(t.Context()); err != nil {
			t.Fatalf("purge: %v", err)
		}
		if got := count(t, s, "SELECT count(*) FROM store_batches"); got != batches {
			t.Errorf("batches %s: got %d, want %d", what, got, batches)
		}
		if got := count(t, s, "SELECT count(*) FROM store_keys"); got != keys {
			t.Errorf("keys %s: got %d, want %d", what, got, keys)
		}
	}
	check("while a snapshot is open", 2, 1)
	snap.close()
	s.forget(snap)
	check("after it", 2, 0)
	update(func(tx store.Tx) error { return tx.DeletePartition(1) })
	s.Close() // before it purges: the next one finds the rows
	s = mustOpen(t, o)
	defer s.Close()
	if err := s.findDirty(t.Context()); err != nil {
		t.Fatal(err)
	}
	check("after reopening", 0, 0)
}

func TestDeleteIsFoundAsConflictAfterAPurge(t *testing.T) {
	s := openEmpty(t).(*Store)
	defer s.Close()
	k, other := []byte{byte(store.FamilyTopic), 'k'}, []byte{byte(store.FamilyTopic), 'o'}
	set := func(tx store.Tx) error { return tx.Set(k, []byte("1")) }
	if _, err := s.Update(t.Context(), set); err != nil {
		t.Fatal(err)
	}
	runs := 0
	_, err := s.Update(t.Context(), func(tx store.Tx) error {
		runs++
		_, ok, err := tx.Get(k)
		if runs == 1 {
			_, err2 := s.Update(t.Context(), func(tx store.Tx) error { return tx.Delete(k) })
			err = errors.Join(err, err2, s.purge(t.Context()))
		}
		if ok {
			err = errors.Join(err, tx.Set(other, nil))
		}
		return err
	})
	if err != nil || runs != 2 {
		t.Fatalf("got %d runs, %v; want 2", runs, err)
	}
}

func TestLostRowsAreNamed(t *testing.T) {
	o := options(t)
	dropAfter(t, o)
	s := mustOpen(t, o)
	withPartition(t, s)
	for range 3 {
		if _, err := appendOne(s, "x"); err != nil {
			t.Fatal(err)
		}
	}
	exec(t, "DELETE FROM "+in(o, "store_batches")+" WHERE base = 1")
	var corrupt *store.CorruptError
	if _, err := s.Read(t.Context(), store.ReadRequest{Partition: 1, From: 1, MaxBytes: 1}); !errors.As(err, &corrupt) || corrupt.Offset != 1 {
		t.Errorf("Read of a lost row: got %v, want a CorruptError at 1", err)
	}
	s.Close()
	exec(t, "UPDATE "+in(o, "store_partitions")+" SET state = '\\x01ff'")
	if err := openFails(t, o); !errors.As(err, &corrupt) || !strings.Contains(corrupt.File, "row 1 of store_partitions") {
		t.Errorf("Open with a bad row: got %v, want a CorruptError that names it", err)
	}
}

func TestQueueRefusesBytesOverItsBound(t *testing.T) {
	var q queue
	q.init(100)
	for i, want := range []error{nil, store.ErrOverloaded, nil, nil} {
		bytes := []int{200, 1, 50, 50}[i]
		if i == 2 {
			q.takeNow()
		}
		if err := q.put(&item{bytes: bytes}); !errors.Is(err, want) {
			t.Errorf("item %d of %d bytes: got %v, want %v", i, bytes, err, want)
		}
	}
	q.close(store.ErrStopped)
	if err := q.put(&item{}); !errors.Is(err, store.ErrStopped) {
		t.Errorf("put after close: got %v", err)
	}
}

func TestQueueGivesATurnAloneAndFillsAGroup(t *testing.T) {
	var q queue
	q.init(1 << 30)
	withdrawnItem := &item{}
	withdrawnItem.state.Store(withdrawn)
	for _, it := range []*item{{bytes: 1}, withdrawnItem, {bytes: store.GroupSealSize}, {turn: &turn{}}, {bytes: 1}, {bytes: 1}} {
		if err := q.put(it); err != nil {
			t.Fatal(err)
		}
	}
	for i, want := range []int{1, 1, 1, 2} {
		if got, _ := q.takeNow(); len(got) != want {
			t.Errorf("group %d: got %d items, want %d", i, len(got), want)
		}
	}
}

func TestAppendThatWaitsIsWithdrawnWhenItsContextEnds(t *testing.T) {
	s := openEmpty(t).(*Store)
	defer s.Close()
	withPartition(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	a := s.alone(t.Context(), func() (*item, error) { // the committer stands still
		done := make(chan error)
		go func() {
			_, err := s.Append(ctx, []store.AppendRequest{{Partition: 1, Records: []store.Record{{}}}})
			done <- err
		}()
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Append: got %v, want %v", err, context.Canceled)
		}
		return nil, nil
	})
	if a.err != nil {
		t.Fatal(a.err)
	}
	if res, err := appendOne(s, "x"); err != nil || res.Base != 0 {
		t.Fatalf("next Append: got %+v, %v; want offset 0", res, err)
	}
}

func TestTurnThatIsHeldTooLongIsOverAndStillCommits(t *testing.T) {
	s := openEmpty(t).(*Store)
	defer s.Close()
	withPartition(t, s)
	a := s.alone(t.Context(), func() (*item, error) {
		if _, err := appendOne(s, "beside"); err != nil { // waits until the turn is over
			t.Errorf("Append: %v", err)
		}
		return &item{appends: []store.AppendRequest{{Partition: 1, Records: []store.Record{{Value: []byte("late")}}}}}, nil
	})
	if a.err != nil || len(a.results) != 1 || a.results[0].Base != 1 {
		t.Fatalf("got %+v, want offset 1", a)
	}
}

func TestDatabaseWithoutRoomRefusesWritesUntilThereIsRoom(t *testing.T) {
	o := options(t)
	dropAfter(t, o)
	s := mustOpen(t, o)
	defer s.Close()
	withPartition(t, s)
	if _, err := appendOne(s, "first"); err != nil {
		t.Fatal(err)
	}
	full := quoted(o.Schema) + ".full()"
	exec(t, "CREATE FUNCTION "+full+" RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no room' USING ERRCODE = 'disk_full'; END $$")
	exec(t, "CREATE TRIGGER full_disk BEFORE INSERT ON "+in(o, "store_batches")+" EXECUTE FUNCTION "+full)
	for range 2 {
		if _, err := appendOne(s, "refused"); !errors.Is(err, store.ErrFull) {
			t.Fatalf("Append without room: got %v, want %v", err, store.ErrFull)
		}
		if got := values(t, s, 1); len(got) != 1 {
			t.Fatalf("records without room: got %q", got)
		}
	}
	exec(t, "DROP TRIGGER full_disk ON "+in(o, "store_batches"))
	if res, err := appendOne(s, "second"); err != nil || res.Base != 1 {
		t.Fatalf("Append with room again: got %+v, %v; want offset 1", res, err)
	}
}

func TestLockIsTakenAgainWhenItsConnectionWasLost(t *testing.T) {
	o := options(t)
	o.LockWait = time.Millisecond
	var now atomic.Int64
	now.Store(1_700_000_000_000)
	o.Clock = millis{clock.Real(), now.Load}
	dropAfter(t, o)
	s := mustOpen(t, o)
	defer s.Close()
	var locked *store.LockedError
	for range 2 {
		before := s.Now()
		exec(t, fmt.Sprintf("SELECT pg_terminate_backend(%d, 5000)", s.lock.PgConn().PID()))
		// The first one finds out, the next one connects.
		for deadline := time.Now().Add(20 * time.Second); s.Now() <= before && time.Now().Before(deadline); {
			now.Add(time.Hour.Milliseconds())
		}
		if got := s.Now(); got <= before {
			t.Fatalf("Now stands still at %d after the lock's connection was lost", got)
		}
		if err := openFails(t, o); !errors.As(err, &locked) {
			t.Fatalf("second Open: got %v, want a LockedError", err)
		}
	}
}

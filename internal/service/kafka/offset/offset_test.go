package offset

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"millrace/internal/core/store"
	"millrace/internal/core/store/storetest"
)

// env is a store and calls of it that have to succeed.
type env struct {
	*testing.T
	s store.Store
}

func newEnv(t *testing.T) *env {
	t.Helper()
	return &env{t, storetest.NewModel()}
}

func (e *env) update(fn func(tx store.Tx) error) {
	e.Helper()
	if _, err := e.s.Update(e.Context(), fn); err != nil {
		e.Fatalf("Update: %v", err)
	}
}

func (e *env) view(fn func(tx store.ReadTx) error) {
	e.Helper()
	if err := e.s.View(e.Context(), fn); err != nil {
		e.Fatalf("View: %v", err)
	}
}

func at(topic uint64, index int32, offset int64) Entry {
	return Entry{Partition: Partition{topic, index}, Offset: offset, LeaderEpoch: 2, Metadata: fmt.Sprint("m", offset), Time: offset}
}

func (e *env) commit(group string, entries ...Entry) {
	e.Helper()
	e.update(func(tx store.Tx) error { return Commit(tx, group, entries) })
}

func (e *env) pending(producer store.ProducerID, group string, entries ...Entry) {
	e.Helper()
	e.update(func(tx store.Tx) error { return AddPending(tx, producer, group, entries) })
}

// all shows a group's offsets as topic/partition=offset, with a star for unstable ones.
func (e *env) all(group string) string {
	e.Helper()
	var shown []string
	e.view(func(tx store.ReadTx) error {
		found, err := FetchAll(tx, group, nil, store.MaxScanKeys, true)
		shown = shown[:0]
		for _, f := range found {
			star := ""
			if f.Unstable {
				star = "*"
			}
			shown = append(shown, fmt.Sprintf("%d/%d=%d%s", f.Topic, f.Index, f.Offset, star))
		}
		return err
	})
	return strings.Join(shown, " ")
}

func (e *env) want(group, want string) {
	e.Helper()
	if got := e.all(group); got != want {
		e.Fatalf("offsets of %q: got %q, want %q", group, got, want)
	}
}

// keys counts all keys of the family.
func (e *env) keys() int {
	e.Helper()
	n := 0
	e.view(func(tx store.ReadTx) error {
		kvs, err := tx.Scan([]byte{byte(store.FamilyKafkaOffset)}, nil, store.MaxScanKeys, false)
		n = len(kvs)
		return err
	})
	return n
}

func TestFetchReturnsWhatWasCommittedLast(t *testing.T) {
	e := newEnv(t)
	e.commit("g", at(1, 0, 5), at(1, 1, 6))
	e.commit("g", at(1, 0, 7))
	e.commit("h", at(1, 0, 9))
	var found []Fetched
	e.view(func(tx store.ReadTx) (err error) {
		found, err = Fetch(tx, "g", []Partition{{1, 1}, {2, 0}, {1, 0}}, false)
		return err
	})
	want := []Fetched{
		{Entry: at(1, 1, 6), Found: true},
		{Entry: Entry{Partition: Partition{2, 0}, Offset: -1, LeaderEpoch: -1}},
		{Entry: at(1, 0, 7), Found: true},
	}
	if !slices.Equal(found, want) {
		t.Fatalf("got %+v, want %+v", found, want)
	}
}

func TestCommitsNeverConflict(t *testing.T) {
	e := newEnv(t)
	runs := 0
	e.update(func(tx store.Tx) error {
		if runs++; runs == 1 {
			e.commit("g", at(1, 0, 1))
		}
		return errors.Join(Commit(tx, "g", []Entry{at(1, 0, 2)}), AddPending(tx, 7, "g", []Entry{at(1, 0, 3)}))
	})
	if runs != 1 {
		t.Fatalf("the commit ran %d times, want once", runs)
	}
	e.want("g", "1/0=2*")
}

func TestPagesOfAGroupFollowEachOther(t *testing.T) {
	e := newEnv(t)
	for i := range int32(7) {
		e.commit("g", at(uint64(1+i/3), i, int64(i)))
	}
	var got []Partition
	var since *Partition
	for {
		var page []Fetched
		e.view(func(tx store.ReadTx) (err error) { page, err = FetchAll(tx, "g", since, 2, false); return err })
		for _, f := range page {
			got = append(got, f.Partition)
		}
		if len(page) < 2 {
			break
		}
		since = &got[len(got)-1]
	}
	want := []Partition{{1, 0}, {1, 1}, {1, 2}, {2, 3}, {2, 4}, {2, 5}, {3, 6}}
	if !slices.Equal(got, want) {
		t.Fatalf("got %v, want %v", got, want)
	}
}

func TestPendingOffsetsAreSeenOnlyAfterTheMove(t *testing.T) {
	for _, limit := range []int{1, 2, 3, 100} {
		e := newEnv(t)
		e.commit("g", at(1, 0, 1), at(1, 1, 1))
		e.pending(7, "g", at(1, 0, 5), at(2, 0, 6))
		e.pending(7, "hh", at(1, 0, 8))
		e.pending(8, "g", at(3, 3, 3))
		e.want("g", "1/0=1* 1/1=1")
		e.want("hh", "")
		e.finish(limit, func(tx store.Tx) (bool, error) { return MovePending(tx, 7, limit) })
		e.want("g", "1/0=5 1/1=1 2/0=6")
		e.want("hh", "1/0=8")
		if got := e.keys(); got != 4+2 { // and the pending one of producer 8 with its holder
			t.Fatalf("limit %d: %d keys are left, want 6", limit, got)
		}
	}
}

func TestDroppedOffsetsLeaveNothing(t *testing.T) {
	for _, limit := range []int{1, 2, 100} {
		e := newEnv(t)
		e.pending(7, "g", at(1, 0, 5), at(2, 0, 6))
		e.pending(7, "h", at(1, 0, 8))
		e.finish(limit, func(tx store.Tx) (bool, error) { return DropPending(tx, 7, limit) })
		if got := e.keys(); got != 0 {
			t.Fatalf("limit %d: %d keys are left, want none", limit, got)
		}
	}
}

// finish calls slice until there is no more.
func (e *env) finish(limit int, slice func(tx store.Tx) (bool, error)) {
	e.Helper()
	for i, more := 0, true; more; i++ {
		e.update(func(tx store.Tx) (err error) { more, err = slice(tx); return err })
		if i > 10 {
			e.Fatalf("slices of %d do not end", limit)
		}
	}
}

func TestCommitOutsideAfterThePendingOneStays(t *testing.T) {
	e := newEnv(t)
	e.pending(7, "g", at(1, 0, 5), at(1, 1, 5))
	e.commit("g", at(1, 0, 6), at(1, 1, 4)) // the time of each is its offset
	e.update(func(tx store.Tx) error { _, err := MovePending(tx, 7, 100); return err })
	e.want("g", "1/0=6 1/1=5")
}

func TestUnstableIsToldForPartitionsWithoutAnOffset(t *testing.T) {
	e := newEnv(t)
	e.pending(7, "g", at(1, 0, 5))
	e.view(func(tx store.ReadTx) error {
		found, err := Fetch(tx, "g", []Partition{{1, 0}, {1, 1}}, true)
		if err != nil || !found[0].Unstable || found[0].Found || found[0].Offset != -1 || found[1].Unstable {
			t.Errorf("got %+v, %v", found, err)
		}
		if found, err = Fetch(tx, "g", []Partition{{1, 0}}, false); err != nil || found[0].Unstable {
			t.Errorf("not asked for stable ones: got %+v, %v", found, err)
		}
		return nil
	})
}

func TestDeletedGroupLeavesNothing(t *testing.T) {
	for _, limit := range []int{1, 2, 100} {
		e := newEnv(t)
		e.commit("g", at(1, 0, 1), at(1, 1, 1), at(2, 0, 1))
		e.pending(7, "g", at(1, 0, 5), at(2, 0, 6))
		e.pending(8, "g", at(1, 0, 5))
		e.commit("other", at(1, 0, 1))
		e.finish(limit, func(tx store.Tx) (bool, error) { return DeleteGroup(tx, "g", limit) })
		e.want("other", "1/0=1")
		if got := e.keys(); got != 1 {
			t.Fatalf("limit %d: %d keys are left, want 1", limit, got)
		}
	}
}

func TestDeleteForgetsPartitionsOfAGroup(t *testing.T) {
	e := newEnv(t)
	e.commit("g", at(1, 0, 1), at(1, 1, 1))
	e.update(func(tx store.Tx) error { return Delete(tx, "g", []Partition{{1, 0}, {9, 9}}) })
	e.want("g", "1/1=1")
}

func TestForgottenTopicsAreGoneFromAllGroups(t *testing.T) {
	e := newEnv(t)
	for i := range 2*forgetPage + 3 {
		e.commit(fmt.Sprint("g", i), at(1, 0, 1), at(2, 0, 1), at(2, 1, 1), at(3, 0, 1), at(5, 9, 1))
	}
	e.pending(7, "g1", at(2, 5, 5), at(5, 0, 5))
	e.pending(8, "g1", at(2, 5, 5), at(3, 0, 9))
	if err := ForgetTopics(t.Context(), e.s, []uint64{2, 4, 5}); err != nil {
		t.Fatal(err)
	}
	for i := range 2*forgetPage + 3 {
		want := "1/0=1 3/0=1"
		if i == 1 {
			want += "*"
		}
		e.want(fmt.Sprint("g", i), want)
	}
	if got, want := e.keys(), 2*(2*forgetPage+3)+2; got != want {
		t.Fatalf("%d keys are left, want %d", got, want)
	}
}

func TestExpiryKeepsNewAndSubscribedAndUnstable(t *testing.T) {
	for _, limit := range []int{1, 3, 100} {
		e := newEnv(t)
		e.commit("g", at(1, 0, 5), at(1, 1, 15), at(2, 0, 5), at(3, 0, 5), at(3, 1, 6))
		e.pending(7, "g", at(3, 1, 9))
		var next []byte
		for i, more := 0, true; more; i++ {
			e.update(func(tx store.Tx) (err error) {
				next, err = Expire(tx, "g", 10, func(topic uint64) bool { return topic == 2 }, next, limit)
				return err
			})
			if more = next != nil; i > 10 {
				t.Fatalf("pages of %d do not end", limit)
			}
		}
		e.want("g", "1/1=15 2/0=5 3/1=6*")
	}
}

func TestGroupsAreListedOnceInPages(t *testing.T) {
	e := newEnv(t)
	names := []string{"a", "b", "\xff", "aa", "ab", "group"}
	for _, g := range names {
		e.commit(g, at(1, 0, 1), at(1, 1, 1), at(2, 0, 1))
	}
	var got []string
	for since := ""; ; since = got[len(got)-1] {
		var page []string
		e.view(func(tx store.ReadTx) (err error) { page, err = Groups(tx, since, 2); return err })
		if got = append(got, page...); len(page) < 2 {
			break
		}
	}
	if !slices.Equal(got, names) {
		t.Fatalf("got %q, want %q", got, names)
	}
}

func TestGroupNameThatIsTooLongIsRefused(t *testing.T) {
	e := newEnv(t)
	long := strings.Repeat("g", MaxGroup+1)
	if _, err := e.s.Update(t.Context(), func(tx store.Tx) error { return Commit(tx, long, nil) }); !errors.Is(err, ErrGroup) {
		t.Fatalf("got %v, want %v", err, ErrGroup)
	}
	e.commit(long[1:], at(1, 0, 1))
	e.pending(7, long[1:], at(1, 0, 1))
	e.want(long[1:], "1/0=1*")
}

func TestDamagedValueIsNamed(t *testing.T) {
	e := newEnv(t)
	e.update(func(tx store.Tx) error { return tx.Set(committedKey("g", Partition{1, 0}), []byte{9}) })
	err := e.s.View(t.Context(), func(tx store.ReadTx) error {
		_, err := Fetch(tx, "g", []Partition{{1, 0}}, false)
		return err
	})
	if damage := (*store.CorruptError)(nil); !errors.As(err, &damage) {
		t.Fatalf("got %v, want a CorruptError", err)
	}
}

func FuzzDecode(f *testing.F) {
	one := at(1, 2, 3)
	f.Add(one.encode())
	f.Add(committedKey("g", Partition{1, 2}))
	f.Add(pendingKey(7, "g", Partition{1, 2}))
	f.Add(holderKey("g", 7))
	f.Fuzz(func(t *testing.T, b []byte) {
		var entry Entry
		if entry.decode(b) == nil && !slices.Equal(entry.encode(), b) {
			t.Errorf("value %x is not what it decodes to", b)
		}
		if g, p, err := parseKey(b); err == nil && !slices.Equal(committedKey(g, p)[1:], b[1:]) {
			t.Errorf("key %x is not what it decodes to", b)
		}
		if g, p, err := parsePending(b); err == nil && !slices.Equal(pendingKey(store.ProducerID(be(b)), g, p)[1:], b[1:]) {
			t.Errorf("pending key %x is not what it decodes to", b)
		}
		if g, id, err := parseHolder(b); err == nil && !slices.Equal(holderKey(g, id)[1:], b[1:]) {
			t.Errorf("holder key %x is not what it decodes to", b)
		}
	})
}

func be(k []byte) (n uint64) {
	for _, c := range k[2:10] {
		n = n<<8 | uint64(c)
	}
	return n
}

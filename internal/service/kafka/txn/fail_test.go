package txn

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/store"
	"millrace/internal/core/store/storetest"
)

// doubtful is a store whose next commits fail: they are made, or not, and nobody is told which.
type doubtful struct {
	store.Store
	err   atomic.Pointer[error]
	write atomic.Bool
}

func (d *doubtful) Update(ctx context.Context, fn func(store.Tx) error) (store.Commit, error) {
	err := d.err.Load()
	if err == nil {
		return d.Store.Update(ctx, fn)
	}
	if d.write.Load() {
		if _, err := d.Store.Update(ctx, fn); err != nil {
			return store.Commit{}, err
		}
	}
	return store.Commit{}, *err
}

func (d *doubtful) fail(err error, write bool) {
	d.write.Store(write)
	d.err.Store(&err)
}

func TestEndWithAnUnknownOutcomeIsSettledByItsRepeat(t *testing.T) {
	both(t, func(t *testing.T, v2 bool) {
		for _, write := range []bool{false, true} {
			d := &doubtful{Store: storetest.NewModel()}
			e := newEnv(t, func(o *Options) { o.Store = d })
			c := e.client("a", v2)
			c.append(e.ids[0], "x")
			d.fail(store.ErrUnknownOutcome, write)
			c.wantEnd(true, kafkaapi.CoordinatorNotAvailable)
			c.wantAppend(e.ids[0], later(v2)) // nobody knows whether there is a transaction
			d.err.Store(nil)
			c.end(true)
			e.want(e.ids[0], "x")
			c.append(e.ids[0], "y")
			c.end(true)
			e.want(e.ids[0], "x", "y")
		}
	})
}

func TestRecordInDoubtIsReadAgain(t *testing.T) {
	both(t, func(t *testing.T, v2 bool) {
		for _, write := range []bool{false, true} {
			d := &doubtful{Store: storetest.NewModel()}
			e := newEnv(t, func(o *Options) { o.Store = d })
			c := e.client("a", v2)
			c.append(e.ids[0], "x")
			d.fail(store.ErrUnknownOutcome, write)
			c.wantEnd(false, kafkaapi.CoordinatorNotAvailable)
			d.err.Store(nil)
			e.check(t.Context())
			if got, want := e.Open(), map[bool]int{false: 1, true: 0}[write]; got != want {
				t.Fatalf("written %v: %d transactions are open, want %d", write, got, want)
			}
			if write && v2 {
				c.wantAppend(e.ids[0], kafkaapi.InvalidProducerEpoch)
			}
			c.end(false)
			c.append(e.ids[0], "y")
			c.end(true)
			e.want(e.ids[0], "y")
		}
	})
}

func TestFirstInitWithAnUnknownOutcomeMayBeRepeated(t *testing.T) {
	for _, write := range []bool{false, true} {
		d := &doubtful{Store: storetest.NewModel()}
		e := newEnv(t, func(o *Options) { o.Store = d })
		d.fail(store.ErrUnknownOutcome, write)
		e.wantInit(InitRequest{ID: "a"}, nobody, kafkaapi.CoordinatorNotAvailable)
		d.err.Store(nil)
		e.check(t.Context())
		if got, want := len(e.all()), map[bool]int{false: 0, true: 1}[write]; got != want {
			t.Fatalf("written %v: %d ids are remembered, want %d", write, got, want)
		}
		c := e.client("a", true)
		c.append(e.ids[0], "x")
		c.end(true)
		e.want(e.ids[0], "x")
	}
}

func TestFailuresOfTheStoreMayBeTriedAgain(t *testing.T) {
	for err, want := range map[error]kafkaapi.Code{
		store.ErrContention: kafkaapi.CoordinatorLoadInProgress, store.ErrOverloaded: kafkaapi.CoordinatorLoadInProgress,
		store.ErrFull: kafkaapi.CoordinatorNotAvailable, store.ErrStopped: kafkaapi.CoordinatorNotAvailable,
		context.Canceled: kafkaapi.CoordinatorNotAvailable, errors.New("other"): kafkaapi.CoordinatorNotAvailable,
	} {
		if got := codeOf(err); got != want || !got.Retriable() {
			t.Errorf("%v: got %s, want %s, and retriable", err, got, want)
		}
	}
}

func TestTransactionOfATopicThatIsDeletedEnds(t *testing.T) {
	both(t, func(t *testing.T, v2 bool) {
		e := newEnv(t, nil)
		c := e.client("a", v2)
		for _, id := range e.ids {
			c.append(id, "x")
		}
		e.update(func(tx store.Tx) error { return tx.DeletePartition(e.ids[0]) })
		c.end(true)
		e.want(e.ids[1], "x")
	})
}

func TestDamagedRecordStopsTheStart(t *testing.T) {
	e := newEnv(t, nil)
	e.update(func(tx store.Tx) error { return tx.Set(idKey("a"), []byte{9}) })
	_, err := New(t.Context(), e.o)
	if damage := (*store.CorruptError)(nil); !errors.As(err, &damage) {
		t.Fatalf("got %v, want a CorruptError", err)
	}
}

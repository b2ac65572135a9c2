package storetest

import (
	"context"
	"testing"
	"time"

	"millrace/internal/core/store"
)

// testTime is how long one test may take before its context ends: far more than any needs, so that
// a driver that hangs fails with a stack and not with the time limit of go test.
const testTime = 60 * time.Second

// Option changes what Run does.
type Option func(*config)

type config struct {
	open   func(t *testing.T) store.Store
	clock  func(t *testing.T, now func() int64) store.Store
	reopen []namedReopen
	seeds  int
}

type namedReopen struct {
	name string
	fn   func(t *testing.T, s store.Store) store.Store
}

// WithReopen lets the suite stop a store and open what it has kept. fn ends s, by Close or by
// taking everything from under it as a crash does, and returns a new store on the same data and clock. name
// says which it is. The option may be given more than once.
func WithReopen(name string, fn func(t *testing.T, s store.Store) store.Store) Option {
	return func(c *config) { c.reopen = append(c.reopen, namedReopen{name, fn}) }
}

// WithClock lets the suite open a store whose clock, in ms since 1970, is now.
func WithClock(open func(t *testing.T, now func() int64) store.Store) Option {
	return func(c *config) { c.clock = open }
}

// WithSeeds sets how many random histories are run; 300 without it.
func WithSeeds(n int) Option { return func(c *config) { c.seeds = n } }

// Run runs every test of the contract. open returns an empty store each time; the suite closes it.
func Run(t *testing.T, open func(t *testing.T) store.Store, opts ...Option) {
	t.Helper()
	c := &config{open: open, seeds: 300}
	for _, o := range opts {
		o(c)
	}
	for _, g := range []struct {
		name  string
		tests []test
	}{
		{"Keys", keyTests},
		{"Serializable", serializableTests},
		{"Limits", limitTests},
		{"Partitions", partitionTests},
		{"Append", appendTests},
		{"Async", asyncTests},
		{"Idempotence", idempotenceTests},
		{"Transactions", transactionTests},
		{"Read", readTests},
		{"Sealed", sealedTests},
		{"Watch", watchTests},
		{"Life", lifeTests},
		{"Retention", retentionTests},
	} {
		t.Run(g.name, func(t *testing.T) {
			for _, x := range g.tests {
				t.Run(x.name, func(t *testing.T) { x.fn(newEnv(t, c.open(t))) })
			}
		})
	}
	t.Run("Clock", func(t *testing.T) { runClock(t, c) })
	t.Run("Reopen", func(t *testing.T) { runReopen(t, c) })
	t.Run("History", func(t *testing.T) { runHistories(t, c) })
	t.Run("Linear", func(t *testing.T) { runLinear(t, c) })
	t.Run("Compare", func(t *testing.T) { runCompare(t, c) })
}

// test is one promise; its name is the sentence.
type test struct {
	name string
	fn   func(e *env)
}

// env is what a test works with: a store, and helpers that fail the test.
type env struct {
	*testing.T
	s   store.Store
	ctx context.Context
}

func newEnv(t *testing.T, s store.Store) *env {
	ctx, cancel := context.WithTimeout(t.Context(), testTime)
	e := &env{T: t, s: s, ctx: ctx}
	t.Cleanup(func() {
		cancel()
		if err := e.s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return e
}

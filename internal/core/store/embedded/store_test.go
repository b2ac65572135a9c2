package embedded

import (
	"log/slog"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"millrace/internal/core/clock"
	"millrace/internal/core/fault"
	"millrace/internal/core/store"
	"millrace/internal/core/store/storetest"
)

// small makes files so small that a few thousand records pass through all of the store's life.
func small(fs vfs.FS) Options {
	return Options{
		Dir: "store", FS: fs, JournalFileBytes: 256 << 10, FirstFileBytes: 64 << 10, MoveAfterBytes: 512 << 10,
		MaxUnmovedBytes: 2 << 20, TailCacheBytes: 2 << 20, MemtableBytes: 256 << 10, BlockCacheBytes: 1 << 20, BallastBytes: -1,
		Logger: slog.New(slog.DiscardHandler), RootKey: storetest.RootKey,
	}
}

func mustOpen(tb testing.TB, o Options) *Store {
	tb.Helper()
	if o.Fatal == nil {
		o.Fatal = func(err error) { tb.Logf("the store stopped: %v", err) }
	}
	s, err := Open(o)
	if err != nil {
		tb.Fatalf("open: %v", err)
	}
	return s
}

// testClock is a clock that is set from outside; its timers are real.
type testClock struct {
	clock.Clock
	now func() int64
}

func (c testClock) Now() time.Time { return time.UnixMilli(c.now()) }

func TestStoreKeepsTheContract(t *testing.T) {
	fsOf := map[store.Store]*fault.TornFS{}
	optsOf := map[store.Store]Options{}
	open := func(t *testing.T, o Options) store.Store {
		fs := fault.NewTorn()
		o.FS = fs
		s := mustOpen(t, o)
		fsOf[s], optsOf[s] = fs, o
		return s
	}
	again := func(t *testing.T, fs *fault.TornFS, o Options) store.Store {
		o.FS = fs
		s := mustOpen(t, o)
		fsOf[s], optsOf[s] = fs, o
		return s
	}
	storetest.Run(t,
		func(t *testing.T) store.Store { return open(t, small(nil)) },
		storetest.WithClock(func(t *testing.T, now func() int64) store.Store {
			o := small(nil)
			o.Clock = testClock{clock.Real(), now}
			return open(t, o)
		}),
		storetest.WithReopen("stop", func(t *testing.T, s store.Store) store.Store {
			if err := s.Close(); err != nil {
				t.Fatalf("close: %v", err)
			}
			return again(t, fsOf[s], optsOf[s])
		}),
		storetest.WithReopen("crash", func(t *testing.T, s store.Store) store.Store {
			seed := rand.Uint64()
			t.Logf("crash with seed %d", seed)
			fsOf[s].FailSync(func(string) bool { return true }) // nothing is acknowledged from here on
			left := fsOf[s].Crash(rand.New(rand.NewPCG(seed, 0)))
			if err := s.Close(); err == nil {
				t.Log("the store was stopped before it noticed the crash")
			}
			fsOf[s].FailSync(nil)
			return again(t, left, optsOf[s])
		}),
	)
}

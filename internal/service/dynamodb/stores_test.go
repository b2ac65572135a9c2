package dynamodb

import (
	"context"
	"flag"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"millrace/internal/core/clock"
	"millrace/internal/core/store"
	"millrace/internal/core/store/cluster"
	"millrace/internal/core/store/cluster/pgtest"
	"millrace/internal/core/store/embedded"
	"millrace/internal/core/store/storetest"
)

// The behaviour tests run on the store that is quick for each; with -store all of them run on one: model, embedded or cluster.
// Those in simulated time stay on the model, since no other store can be asked whether it is idle.
var (
	storeFlag = flag.String("store", "", "model, embedded or cluster, for every test that opens a store by newStore")
	server    *pgtest.Server // nil without -store cluster
)

func TestMain(m *testing.M) {
	flag.Parse()
	if *storeFlag == "cluster" {
		os.Exit(pgtest.Main(m, &server))
	}
	os.Exit(m.Run())
}

// testStore is an empty store and how to open it again.
type testStore struct {
	store.Store
	reopen func() // ends the store as Close does, and opens what it has left
}

// newStore opens a store of a kind, or of the one that -store names. It is closed when the test is over.
func newStore(tb testing.TB, kind string) *testStore {
	tb.Helper()
	return newStoreAt(tb, kind, clock.Real())
}

// newStoreAt is newStore with a clock.
func newStoreAt(tb testing.TB, kind string, c clock.Clock) *testStore {
	tb.Helper()
	if *storeFlag != "" {
		kind = *storeFlag
	}
	var open func() (store.Store, error)
	switch kind {
	case "model":
		return &testStore{storetest.NewModel(storetest.WithModelClock(func() int64 { return c.Now().UnixMilli() })), func() {}}
	case "embedded":
		o := embedded.Options{RootKey: storetest.RootKey, Dir: "store", FS: vfs.NewMem(), Clock: c, BallastBytes: -1, JournalFileBytes: 8 << 20, FirstFileBytes: 256 << 10}
		open = func() (store.Store, error) { return embedded.Open(o) }
	case "cluster":
		o := cluster.Options{RootKey: storetest.RootKey, DSN: server.DSN(), Schema: fmt.Sprintf("ddb-%d-%d", os.Getpid(), time.Now().UnixNano()), Clock: c}
		open = func() (store.Store, error) {
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			defer cancel()
			return cluster.Open(ctx, o)
		}
	default:
		tb.Fatalf("no store is called %q", kind)
	}
	s := &testStore{}
	var err error
	if s.Store, err = open(); err != nil {
		tb.Fatalf("open a store: %v", err)
	}
	s.reopen = func() {
		if err := s.Close(); err != nil {
			tb.Fatalf("close the store: %v", err)
		}
		if s.Store, err = open(); err != nil {
			tb.Fatalf("open the store again: %v", err)
		}
	}
	tb.Cleanup(func() { _ = s.Close() })
	return s
}

package cluster

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"millrace/internal/core/clock"
	"millrace/internal/core/store"
	"millrace/internal/core/store/cluster/pgtest"
	"millrace/internal/core/store/storetest"
)

var server *pgtest.Server

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m, &server)) }

var schemas atomic.Int64

// options are those of an empty store of its own.
func options(tb testing.TB) Options {
	tb.Helper()
	return Options{
		DSN:      server.DSN(),
		Schema:   fmt.Sprintf("Test-%d-%d", os.Getpid(), schemas.Add(1)),
		Logger:   slog.New(slog.NewTextHandler(tb.Output(), &slog.HandlerOptions{Level: slog.LevelError})),
		MaxConns: 12,
		RootKey:  storetest.RootKey,
	}
}

// dropAfter removes the schema when the test is over.
func dropAfter(tb testing.TB, o Options) {
	tb.Helper()
	tb.Cleanup(func() {
		exec(tb, "DROP SCHEMA IF EXISTS "+quoted(o.Schema)+" CASCADE")
	})
}

// exec runs one statement beside the store.
func exec(tb testing.TB, sql string) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, server.DSN())
	if err != nil {
		tb.Fatalf("connect: %v", err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, sql); err != nil {
		tb.Fatalf("%s: %v", sql, err)
	}
}

func mustOpen(t *testing.T, o Options) *Store {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	s, err := Open(ctx, o)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	return s
}

func openEmpty(t *testing.T) store.Store {
	t.Helper()
	o := options(t)
	dropAfter(t, o)
	return mustOpen(t, o)
}

func TestClusterKeepsTheContract(t *testing.T) {
	storetest.Run(t, openEmpty,
		storetest.WithSeeds(100), // each takes some 40 ms here
		storetest.WithClock(func(t *testing.T, now func() int64) store.Store {
			o := options(t)
			o.Clock = millis{clock.Real(), now}
			dropAfter(t, o)
			return mustOpen(t, o)
		}),
		storetest.WithReopen("AfterClose", func(t *testing.T, s store.Store) store.Store {
			if err := s.Close(); err != nil {
				t.Fatalf("Close: %v", err)
			}
			return mustOpen(t, s.(*Store).opts)
		}),
		storetest.WithReopen("AfterCrash", func(t *testing.T, s store.Store) store.Store {
			s.(*Store).crash()
			return mustOpen(t, s.(*Store).opts)
		}))
}

func BenchmarkCluster(b *testing.B) {
	storetest.Bench(b, func(b *testing.B) store.Store {
		o := options(b)
		dropAfter(b, o)
		s, err := Open(b.Context(), o)
		if err != nil {
			b.Fatal(err)
		}
		return s
	})
}

// millis is a clock that shows what a test says; it waits as the real one does.
type millis struct {
	clock.Clock
	now func() int64
}

func (m millis) Now() time.Time { return time.UnixMilli(m.now()) }

// crash leaves the database as the death of the process does: connections are cut, nothing is said.
func (s *Store) crash() {
	s.closeOnce.Do(func() {
		s.end()
		s.stop(store.ErrStopped)
		s.timeMu.Lock()
		_ = s.lock.PgConn().Conn().Close()
		s.timeMu.Unlock()
		s.bg.Wait()
		if s.conn != nil {
			_ = s.conn.PgConn().Conn().Close()
		}
		s.pool.Close()
	})
}

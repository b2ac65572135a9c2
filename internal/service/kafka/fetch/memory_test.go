//go:build !race

package fetch

import (
	"runtime"
	"testing"
	"time"

	"millrace/internal/core/store/storetest"
	"millrace/internal/service/kafka/session"
)

// The race detector has memory of its own, so this is not for it.

// waiters starts n fetches, each with a session over one partition, that wait.
func (r *rig) waiters(n int, d time.Duration, done func(*Request)) {
	r.Helper()
	for range n {
		q := ask(0, wait(d))
		q.Epoch = session.EpochFull
		r.f.Fetch(q, done)
	}
	r.untilWaiting(n)
}

// memory is what the process has on heap and stacks.
func memory() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}

func TestWaitingFetchTakesLittleMemory(t *testing.T) {
	r := newRig(t, storetest.NewModel(), 1)
	const n, most = 1000, 1536
	before := memory()
	r.waiters(n, time.Hour, (*Request).Free)
	if each := (memory() - before) / n; each > most {
		t.Fatalf("memory of a fetch that waits: got %d bytes, want at most %d", each, most)
	} else {
		t.Logf("%d bytes", each)
	}
}

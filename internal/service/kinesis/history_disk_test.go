package kinesis

import (
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"millrace/internal/core/clock"
	"millrace/internal/core/fault"
	"millrace/internal/core/store"
	"millrace/internal/core/store/embedded"
	"millrace/internal/core/store/storetest"
)

// The same on a disk that loses and tears what was not synced.
func TestRandomHistoriesOnACrashingDiskAgreeWithTheLedger(t *testing.T) {
	first := chooseSeed(t)
	for i := range uint64(max(1, historyCount()/20)) {
		emptyPools()
		synctest.Test(t, func(t *testing.T) {
			h := newHistory(t, first+i)
			d := &disk{t: t, r: h.r, clock: h.clock(), fs: fault.NewTorn()}
			h.st, h.reopen, h.trims = d.open(), d.reopen, true
			defer d.close()
			h.play(first+i, 150)
		})
		emptyPools()
	}
}

// emptyPools makes the store's pools forget what they hold: channels of one bubble must not be used in another, nor
// outside of one. What is in a sync.Pool survives one collection.
func emptyPools() {
	runtime.GC()
	runtime.GC()
}

// disk is an embedded store on a disk that crashes.
type disk struct {
	t     *testing.T
	r     *rand.Rand
	clock clock.Clock
	fs    *fault.TornFS
	st    *embedded.Store
}

func (d *disk) open() store.Store {
	var err error
	d.st, err = embedded.Open(embedded.Options{Dir: "data", FS: d.fs, BallastBytes: -1, Clock: d.clock, RootKey: storetest.RootKey, Fatal: func(error) {}})
	if err != nil {
		d.t.Fatalf("open: %v", err)
	}
	return d.st
}

func (d *disk) reopen(crash bool) store.Store {
	if crash {
		d.fs = d.fs.Crash(d.r) // what the old store does on the old disk from here on counts for nothing
	}
	d.close()
	return d.open()
}

func (d *disk) close() {
	if err := d.st.Close(); err != nil {
		d.t.Errorf("close: %v", err)
	}
}

// wallClock is the store's clock, which is set at times. The service counts by differences, which do not change when a
// clock is set.
type wallClock struct {
	clock.Clock
	skew *atomic.Int64 // ms
}

func (c wallClock) Now() time.Time {
	return c.Clock.Now().Add(time.Duration(c.skew.Load()) * time.Millisecond)
}

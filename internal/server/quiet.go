package server

import (
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// quietAfter is how long nothing was asked before memory is given back: longer than the pauses of a
// client that polls once a second, shorter than anyone looks at a graph.
const quietAfter = 5 * time.Second

// quiet gives memory back to the system when a busy time is over.
type quiet struct {
	count  atomic.Int64
	shrink func()
	stop   chan struct{}
	done   sync.WaitGroup
}

func newQuiet(shrink func()) *quiet {
	q := &quiet{shrink: shrink, stop: make(chan struct{})}
	q.done.Add(1)
	go q.run()
	return q
}

func (q *quiet) touch() { q.count.Add(1) }

func (q *quiet) run() {
	defer q.done.Done()
	tick := time.NewTicker(quietAfter)
	defer tick.Stop()
	var last, freed int64
	for {
		select {
		case <-q.stop:
			return
		case <-tick.C:
		}
		now := q.count.Load()
		if now == last && now != freed {
			q.shrink()
			runtime.GC() // a pool lets go of its memory after two collections; the next line is the second
			debug.FreeOSMemory()
			freed = now
		}
		last = now
	}
}

func (q *quiet) close() {
	close(q.stop)
	q.done.Wait()
}

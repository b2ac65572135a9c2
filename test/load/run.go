package load

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Result is what one window of load did.
type Result struct {
	Calls   int
	Elapsed time.Duration
	CPU     time.Duration // of the server
	latency []uint32      // of each call, µs, sorted
}

// Rate is calls per second.
func (r Result) Rate() float64 { return float64(r.Calls) / r.Elapsed.Seconds() }

// CPUPerCall is the server's CPU time for one call.
func (r Result) CPUPerCall() time.Duration { return r.CPU / time.Duration(max(r.Calls, 1)) }

// Latency returns the p-th part of the latencies, p from 0 to 1.
func (r Result) Latency(p float64) time.Duration {
	if len(r.latency) == 0 {
		return 0
	}
	i := min(int(p*float64(len(r.latency))), len(r.latency)-1)
	return time.Duration(r.latency[i]) * time.Microsecond
}

// Run sends requests for the given time, one goroutine for each connection, and measures the process pid.
// requests[i] are those of conns[i], sent round and round. The first failure ends the run.
func Run(pid int, conns []Conn, requests [][]*Request, window time.Duration) (Result, error) {
	var stop atomic.Bool
	latencies := make([][]uint32, len(conns))
	errs := make([]error, len(conns))
	before, err := Usage(pid)
	if err != nil {
		return Result{}, err
	}
	start := time.Now()
	timer := time.AfterFunc(window, func() { stop.Store(true) })
	defer timer.Stop()
	var wg sync.WaitGroup
	for i, c := range conns {
		wg.Go(func() {
			latencies[i], errs[i] = worker(c, requests[i], &stop)
			if errs[i] != nil {
				stop.Store(true)
			}
		})
	}
	wg.Wait()
	elapsed := time.Since(start)
	after, err := Usage(pid)
	if err := errors.Join(errors.Join(errs...), err); err != nil {
		return Result{}, err
	}
	all := slices.Concat(latencies...)
	slices.Sort(all)
	return Result{Calls: len(all), Elapsed: elapsed, CPU: after - before, latency: all}, nil
}

func worker(c Conn, requests []*Request, stop *atomic.Bool) ([]uint32, error) {
	latency := make([]uint32, 0, 1<<14)
	for i := 0; !stop.Load(); i++ {
		start := time.Now()
		if _, err := c.Do(requests[i%len(requests)]); err != nil {
			return nil, fmt.Errorf("call %d: %w", i, err)
		}
		latency = append(latency, uint32(time.Since(start).Microseconds()))
	}
	return latency, nil
}

// DialAll opens n connections; on an error none stays open.
func DialAll(n int, addr string, dial func(string) (Conn, error)) ([]Conn, error) {
	var conns []Conn
	for range n {
		c, err := dial(addr)
		if err != nil {
			CloseAll(conns)
			return nil, err
		}
		conns = append(conns, c)
	}
	return conns, nil
}

// CloseAll closes connections that are of no more use.
func CloseAll(conns []Conn) {
	for _, c := range conns {
		_ = c.Close() // nothing is in flight
	}
}

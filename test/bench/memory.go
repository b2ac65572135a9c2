package main

import (
	"context"
	"fmt"
	"time"

	"millrace/test/load"
)

const (
	// memoryStep is how long one kind of load runs before memory is read and the next begins.
	memoryStep = 15 * time.Second

	// settle is the patience with memory that goes back after a load.
	settle = 60 * time.Second

	// loadLimit bounds resident memory under full load, in MiB: the defaults of tail cache (16), queued requests
	// (64), Pebble's memtables and cache (64 + 32), and as much as is alive of it again for the garbage collector.
	loadLimit = 256

	// growthLimit bounds the median of the second half of the run by that of the first: noise, not growth.
	growthLimit = 1.3
)

// memoryAfter waits until memory is back under 60 MiB and reports where it came to rest.
func (b *bench) memoryAfter(ctx context.Context, s *server, what string) error {
	const limit = 60 * mib
	deadline := time.Now().Add(settle)
	for {
		rss, err := load.Resident(s.child.PID())
		if err != nil {
			return err
		}
		if rss <= limit || time.Now().After(deadline) || ctx.Err() != nil {
			b.life("memory "+what, "MiB", []float64{float64(rss) / mib}, limit/mib)
			return ctx.Err()
		}
		time.Sleep(time.Second)
	}
}

// runMemory keeps a server at full load, small and large puts with readers between, and prints resident
// memory as it goes. Retention cannot end within the run, so the stream is replaced at each step to bound the disk.
func (b *bench) runMemory(ctx context.Context) error {
	s, err := b.startMillrace(ctx, "millrace")
	if err != nil {
		return err
	}
	defer stop(s)
	var firstHalf, secondHalf []float64
	end := time.Now().Add(b.settings.memory)
	start := time.Now()
	for step := 0; time.Now().Before(end) && ctx.Err() == nil; step++ {
		one := []func(*server) (*load.Request, error){(*server).putRecord, (*server).putRecords}[step%2]
		calls, err := b.memoryStep(ctx, s, one)
		if err != nil {
			return err
		}
		rss, err := load.Resident(s.child.PID())
		if err != nil {
			return err
		}
		fmt.Printf("%4.0f s  %7d calls  resident %6.1f MiB\n", time.Since(start).Seconds(), calls, float64(rss)/mib)
		if time.Since(start) < b.settings.memory/2 {
			firstHalf = append(firstHalf, float64(rss)/mib)
		} else {
			secondHalf = append(secondHalf, float64(rss)/mib)
		}
	}
	if len(firstHalf) == 0 || len(secondHalf) == 0 {
		return fmt.Errorf("%v is too short to compare halves of steps of %v", b.settings.memory, memoryStep)
	}
	b.life("memory under load, first half", "MiB", firstHalf, 0)
	b.life("memory under load, second half", "MiB", secondHalf, loadLimit)
	b.report.atMost("memory under load, second half against the first", median(secondHalf)/median(firstHalf), growthLimit, "x")
	return b.memoryAfter(ctx, s, "after the load")
}

// memoryStep is one stretch of load on a fresh stream, read once from the beginning while it is written.
func (b *bench) memoryStep(ctx context.Context, s *server, request func(*server) (*load.Request, error)) (int, error) {
	c := &contender{server: s, label: s.name, dial: load.DialHTTP1}
	defer func() { load.CloseAll(c.conns) }()
	if err := c.prepare(ctx, putScenario{name: "memory", connections: loadConns, request: request}); err != nil {
		return 0, err
	}
	read := make(chan error, 1)
	go func() {
		conn, err := load.DialHTTP1(s.addr)
		if err != nil {
			read <- err
			return
		}
		defer conn.Close()
		_, err = s.readShard(conn, 0)
		read <- err
	}()
	r, err := load.Run(s.child.PID(), c.conns, c.requests, memoryStep)
	if err != nil {
		return 0, err
	}
	if err := <-read; err != nil {
		return 0, err
	}
	return r.Calls, s.deleteStream(ctx)
}

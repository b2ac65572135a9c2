package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"millrace/test/load"
)

const (
	// spreadPerCall is how many records of 1 KiB a call of the scenario has: as many as it may, as writers to
	// thousands of shards send them. Over 4,000 shards nearly every record has a shard for itself.
	spreadPerCall = 500
	spreadConns   = 8

	// spreadBar is what a record over 4,000 shards may cost, against one over 4.
	spreadBar = 1.5

	// spreadWarmBytes are put before it is measured: the store begins to move its journal into segments when there are
	// 512 MiB, has up to a gigabyte when it is done with these, and uses files again from then on, as in the long run. They are
	// put for spreadWarmTime at most.
	spreadWarmBytes = 1200 << 20
	spreadWarmTime  = 20 * time.Second

	listedShards  = 10_000 // as many open ones as a stream may have
	listingCalls  = 40
	reshardShards = 1000
)

// spreads are the shard counts of PutRecords; the second is what the others are held against.
var spreads = []int{1, 4, 100, 4000}

// spread is a server with a stream of so many shards, and the load that goes to it.
type spread struct {
	server   *server
	shards   int
	conns    []load.Conn
	requests [][]*load.Request
	calls    int
	seconds  float64       // of load
	before   time.Duration // CPU of the server before the load
	cost     float64       // CPU of a record, µs
}

// runShards measures what many shards cost: puts over them, describing and listing them, doubling them.
func (b *bench) runShards(ctx context.Context) error {
	for _, part := range []struct {
		name string
		run  func(context.Context) error
	}{{"shards-put", b.spreadPuts}, {"shards-list", b.listShards}, {"shards-double", b.doubleShards}} {
		if !b.wants(part.name) {
			continue
		}
		if err := part.run(ctx); err != nil {
			return err
		}
	}
	return nil
}

// settleTime is how long servers rest after the load: what they then still move into segments is part of the cost.
const settleTime = 3 * time.Second

// spreadPuts puts the same load on streams of more and more shards in turn. Each has a server, whose CPU counts over the
// whole run, so that what is moved into segments after a window is paid by the load that made it.
func (b *bench) spreadPuts(ctx context.Context) error {
	var all []*spread
	defer func() {
		for _, p := range all {
			load.CloseAll(p.conns)
			stop(p.server)
		}
	}()
	for _, n := range spreads {
		s, err := b.startMillrace(ctx, fmt.Sprint("spread-", n))
		if err != nil {
			return err
		}
		p := &spread{server: s, shards: n}
		all = append(all, p)
		if err := p.prepare(ctx); err != nil {
			return err
		}
	}
	for range b.settings.rounds {
		for _, p := range all {
			r, err := load.Run(p.server.child.PID(), p.conns, p.requests, b.settings.window)
			if err != nil {
				return fmt.Errorf("puts over %d shards: %w\n%s", p.shards, err, p.server.child.Tail())
			}
			p.calls, p.seconds = p.calls+r.Calls, p.seconds+r.Elapsed.Seconds()
		}
	}
	time.Sleep(settleTime)
	for _, p := range all {
		after, err := load.Usage(p.server.child.PID())
		if err != nil {
			return err
		}
		p.cost = float64(after-p.before) / 1000 / float64(p.calls*spreadPerCall)
	}
	for _, p := range all {
		b.spreadRow(p, all[1])
	}
	return nil
}

func (b *bench) spreadRow(p, base *spread) {
	row := []string{
		fmt.Sprintf("PutRecords %d over %d shards", spreadPerCall, p.shards), fmt.Sprintf("%.0f", float64(p.calls*spreadPerCall)/p.seconds),
		fmt.Sprintf("%.2f", p.cost), fmt.Sprintf("%.2f", p.cost/base.cost),
	}
	b.report.spreads = append(b.report.spreads, row)
	fmt.Println(row)
	if p.shards == slices.Max(spreads) {
		b.report.atMost(fmt.Sprintf("PutRecords: CPU of a record over %d shards against %d", p.shards, base.shards), p.cost/base.cost, spreadBar, "x")
	}
}

// prepare creates the stream, builds the requests and warms up.
func (p *spread) prepare(ctx context.Context) error {
	if err := p.server.createShards(ctx, p.shards); err != nil {
		return err
	}
	var err error
	if p.conns, err = load.DialAll(spreadConns, p.server.addr, load.DialHTTP1); err != nil {
		return err
	}
	for range p.conns {
		var list []*load.Request
		for range variants {
			req, err := p.server.putMany(streamName, spreadPerCall, recordData)
			if err != nil {
				return err
			}
			list = append(list, req)
		}
		p.requests = append(p.requests, list)
	}
	for begun, put := time.Now(), 0; put < spreadWarmBytes && time.Since(begun) < spreadWarmTime; {
		r, err := load.Run(p.server.child.PID(), p.conns, p.requests, warmUp)
		if err != nil {
			return err
		}
		put += r.Calls * spreadPerCall * recordSize
	}
	p.before, err = load.Usage(p.server.child.PID())
	return err
}

// putMany builds a PutRecords of n records with random keys; data gives that of each, in base64.
func (s *server) putMany(stream string, n int, data func() string) (*load.Request, error) {
	var body bytes.Buffer
	fmt.Fprintf(&body, `{"StreamName":%q,"Records":[`, stream)
	for i := range n {
		if i > 0 {
			body.WriteByte(',')
		}
		fmt.Fprintf(&body, `{"Data":%q,"PartitionKey":"key-%d"}`, data(), random.Uint64())
	}
	body.WriteString("]}")
	return s.signer().Kinesis("PutRecords", body.Bytes())
}

// listShards measures the calls that tell all shards of a stream of 10,000.
func (b *bench) listShards(ctx context.Context) error {
	s, err := b.startMillrace(ctx, "listed")
	if err != nil {
		return err
	}
	defer stop(s)
	if err := s.createShards(ctx, listedShards); err != nil {
		return err
	}
	c, err := load.DialHTTP1(s.addr)
	if err != nil {
		return err
	}
	defer c.Close()
	var describe, list, summary, whole []float64
	for range listingCalls {
		for _, call := range []struct {
			took *[]float64
			do   func() error
		}{
			{&describe, func() error { return s.call(c, "DescribeStream", map[string]any{"StreamName": streamName}, nil) }},
			{&list, func() error { return s.call(c, "ListShards", map[string]any{"StreamName": streamName}, nil) }},
			{&summary, func() error {
				return s.call(c, "DescribeStreamSummary", map[string]any{"StreamName": streamName}, nil)
			}},
		} {
			begun := time.Now()
			if err := call.do(); err != nil {
				return err
			}
			*call.took = append(*call.took, float64(time.Since(begun))/float64(time.Millisecond))
		}
	}
	for range 3 {
		begun := time.Now()
		if err := s.listAll(c); err != nil {
			return err
		}
		whole = append(whole, float64(time.Since(begun))/float64(time.Millisecond))
	}
	of := fmt.Sprintf(" of %d shards", listedShards)
	b.life("DescribeStream, 100"+of, "ms", describe, 0)
	b.life("ListShards, 1,000"+of, "ms", list, 0)
	b.life("DescribeStreamSummary"+of, "ms", summary, 0)
	b.life("ListShards, all pages"+of, "ms", whole, 0)
	return nil
}

// listAll follows the tokens of ListShards to the last shard.
func (s *server) listAll(c load.Conn) error {
	in, found := map[string]any{"StreamName": streamName}, 0
	for {
		var out struct {
			Shards    []struct{}
			NextToken string
		}
		if err := s.call(c, "ListShards", in, &out); err != nil {
			return err
		}
		found += len(out.Shards)
		if out.NextToken == "" {
			break
		}
		in = map[string]any{"NextToken": out.NextToken}
	}
	if found != listedShards {
		return fmt.Errorf("ListShards told %d shards, want %d", found, listedShards)
	}
	return nil
}

// doubleShards measures UpdateShardCount from 1,000 to 2,000 and back, from the call to ACTIVE, with a writer that puts
// one record after the other: the longest of its calls is what clients see of the change.
func (b *bench) doubleShards(ctx context.Context) error {
	s, err := b.startMillrace(ctx, "doubled")
	if err != nil {
		return err
	}
	defer stop(s)
	if err := s.createShards(ctx, reshardShards); err != nil {
		return err
	}
	for _, target := range []int{2 * reshardShards, reshardShards} {
		took, longest, err := s.reshardTo(ctx, target)
		if err != nil {
			return err
		}
		b.life(fmt.Sprintf("UpdateShardCount to %d shards, until ACTIVE", target), "ms", []float64{took}, 0)
		b.life(fmt.Sprintf("longest PutRecord while %d shards are made", target), "ms", []float64{longest}, 0)
	}
	return nil
}

func (s *server) reshardTo(ctx context.Context, target int) (took, longest float64, err error) {
	c, err := load.DialHTTP1(s.addr)
	if err != nil {
		return 0, 0, err
	}
	defer c.Close()
	done, slowest := make(chan struct{}), make(chan float64, 1)
	writer := make(chan error, 1)
	go func() {
		most, err := s.putUntil(done)
		slowest <- most
		writer <- err
	}()
	begun := time.Now()
	err = s.call(c, "UpdateShardCount", map[string]any{"StreamName": streamName, "TargetShardCount": target, "ScalingType": "UNIFORM_SCALING"}, nil)
	if err == nil {
		err = s.awaitActive(ctx, c, streamName)
	}
	took = float64(time.Since(begun)) / float64(time.Millisecond)
	close(done)
	longest = <-slowest
	return took, longest, errors.Join(err, <-writer)
}

// putUntil puts one record after the other and gives the longest time one took, in ms.
func (s *server) putUntil(done <-chan struct{}) (float64, error) {
	c, err := load.DialHTTP1(s.addr)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	longest := 0.0
	for {
		select {
		case <-done:
			return longest, nil
		default:
		}
		req, err := s.putRecord()
		if err != nil {
			return 0, err
		}
		begun := time.Now()
		if _, err := c.Do(req); err != nil {
			return 0, err
		}
		longest = max(longest, float64(time.Since(begun))/float64(time.Millisecond))
	}
}

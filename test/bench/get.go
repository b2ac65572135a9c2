package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"millrace/test/load"
)

const (
	catchUpRecords = 200_000
	catchUpPasses  = 5
	loadConns      = 16
)

// pass is one reading of everything.
type pass struct {
	elapsed time.Duration
	cpu     time.Duration
}

// runGet fills both servers with the same load and reads all of it, several times in turn.
func (b *bench) runGet(ctx context.Context, ours, peer *server) error {
	servers := []*server{peer, ours}
	for _, s := range servers {
		if err := s.fill(ctx); err != nil {
			return fmt.Errorf("get-records: fill %s: %w", s.name, err)
		}
	}
	perRecord := map[*server][]float64{}
	rates := map[*server][]float64{}
	for range catchUpPasses {
		for _, s := range servers {
			p, err := s.readAll()
			if err != nil {
				return fmt.Errorf("get-records: %s: %w\n%s", s.name, err, s.child.Tail())
			}
			perRecord[s] = append(perRecord[s], float64(p.cpu.Nanoseconds())/1000/catchUpRecords)
			rates[s] = append(rates[s], catchUpRecords/p.elapsed.Seconds())
		}
	}
	var ratios []float64
	for i := range perRecord[ours] {
		ratios = append(ratios, perRecord[ours][i]/perRecord[peer][i])
	}
	quotient := median(ratios)
	for _, s := range servers {
		against := "1"
		if s == ours {
			against = fmt.Sprintf("1/%.1f", 1/quotient)
		}
		row := []string{"GetRecords 200,000 x 1 KiB", s.name, fmt.Sprintf("%.0f", median(rates[s])), fmt.Sprintf("%.2f", median(perRecord[s])), against}
		b.report.gets = append(b.report.gets, row)
		fmt.Println(row)
	}
	b.report.atMost("GetRecords: CPU per record against kinesalite", quotient, 1.0/20, "x")
	if err := b.memoryAfter(ctx, ours, "after the catch-up"); err != nil {
		return err
	}
	return errors.Join(ours.deleteStream(ctx), peer.deleteStream(ctx))
}

// fill puts 200,000 records with PutRecords.
func (s *server) fill(ctx context.Context) error {
	if err := s.createStream(ctx); err != nil {
		return err
	}
	conns, err := load.DialAll(loadConns, s.addr, load.DialHTTP1)
	if err != nil {
		return err
	}
	defer load.CloseAll(conns)
	errs := make([]error, len(conns))
	var wg sync.WaitGroup
	for i, c := range conns {
		req, err := s.putRecords()
		if err != nil {
			return err
		}
		wg.Go(func() {
			for range catchUpRecords / recordsPerCall / loadConns {
				if _, errs[i] = c.Do(req); errs[i] != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// readAll reads every shard from its beginning, one connection each, and checks the count.
func (s *server) readAll() (pass, error) {
	conns, err := load.DialAll(shardCount, s.addr, load.DialHTTP1)
	if err != nil {
		return pass{}, err
	}
	defer load.CloseAll(conns)
	before, err := load.Usage(s.child.PID())
	if err != nil {
		return pass{}, err
	}
	start := time.Now()
	counts, errs := make([]int, shardCount), make([]error, shardCount)
	var wg sync.WaitGroup
	for i, c := range conns {
		wg.Go(func() { counts[i], errs[i] = s.readShard(c, i) })
	}
	wg.Wait()
	p := pass{elapsed: time.Since(start)}
	after, err := load.Usage(s.child.PID())
	p.cpu = after - before
	total := 0
	for _, n := range counts {
		total += n
	}
	if err := errors.Join(errors.Join(errs...), err); err != nil {
		return p, err
	}
	if total != catchUpRecords {
		return p, fmt.Errorf("read %d records, want %d", total, catchUpRecords)
	}
	return p, nil
}

// readShard follows the shard from TRIM_HORIZON to the first empty page and counts records.
func (s *server) readShard(c load.Conn, shard int) (int, error) {
	var it struct{ ShardIterator string }
	in := map[string]any{
		"StreamName": streamName, "ShardId": fmt.Sprintf("shardId-%012d", shard), "ShardIteratorType": "TRIM_HORIZON",
	}
	if err := s.call(c, "GetShardIterator", in, &it); err != nil {
		return 0, err
	}
	count := 0
	for iterator := it.ShardIterator; ; {
		req, err := s.signer().Kinesis("GetRecords", fmt.Appendf(nil, `{"ShardIterator":%q}`, iterator))
		if err != nil {
			return 0, err
		}
		body, err := c.Do(req)
		if err != nil {
			return 0, err
		}
		// Data is base64 and the keys are ours, so neither can hold the names of members.
		n := bytes.Count(body, []byte(`"SequenceNumber"`))
		if n == 0 {
			return count, nil
		}
		count += n
		if iterator, err = nextIterator(body); err != nil {
			return 0, err
		}
	}
}

func nextIterator(body []byte) (string, error) {
	_, rest, found := bytes.Cut(body, []byte(`"NextShardIterator":"`))
	value, _, ended := bytes.Cut(rest, []byte(`"`))
	if !found || !ended {
		return "", fmt.Errorf("no NextShardIterator in %d bytes: %.200s", len(body), body)
	}
	return string(value), nil
}

package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"sync"
	"time"

	"millrace/test/load"
	"millrace/test/process"
)

const (
	quotaShards  = 2
	quotaCallers = 16
	quotaWarm    = 2 * time.Second  // not counted: the first second's quota is there at once
	quotaCounted = 10 * time.Second // counted
	quotaBar     = 2                // % off

	shardRecords = 1000    // a second
	shardBytes   = 1 << 20 // a second, partition keys counted
)

// quotaLoad is load at twice the quota of each shard.
type quotaLoad struct {
	what    string
	perCall int
	size    int // bytes of a record, partition key counted; 0: mixed
	bytes   bool
}

// mixedSizes are those of records in turn, partition key counted.
var mixedSizes = []int{100, 20 << 10, 3000, 1 << 10, 60 << 10, 40}

// runQuota offers a server with AWS's quotas twice what its shards take and counts what they accept.
func (b *bench) runQuota(ctx context.Context) error {
	s, err := process.Start(ctx, process.Options{Data: filepath.Join(b.dir, "quota")})
	if err != nil {
		return err
	}
	server := &server{name: "quota", addr: s.Ready.AWS, child: s.Child}
	defer stop(server)
	for i, q := range []quotaLoad{
		{what: "records of 100 bytes", perCall: 25, size: 100},
		{what: "records of 40 bytes to 60 KiB", perCall: 12, bytes: true},
	} {
		stream := fmt.Sprint("quota-", i)
		if err := server.createNamed(ctx, stream, quotaShards); err != nil {
			return err
		}
		accepted, err := server.offer(ctx, stream, q)
		if err != nil {
			return err
		}
		worst, want := 0.0, shardRecords*quotaCounted.Seconds()
		if q.bytes {
			want = shardBytes * quotaCounted.Seconds()
		}
		if len(accepted) != quotaShards {
			return fmt.Errorf("%d shards took records, want %d", len(accepted), quotaShards)
		}
		for _, n := range accepted {
			worst = max(worst, math.Abs(n/want-1)*100)
		}
		b.life("twice the quota, "+q.what+": worst shard off by", "%", []float64{worst}, quotaBar)
	}
	return nil
}

// offer gives what each shard took while it was counted: records, or bytes.
func (s *server) offer(ctx context.Context, stream string, q quotaLoad) (map[string]float64, error) {
	conns, err := load.DialAll(quotaCallers, s.addr, load.DialHTTP1)
	if err != nil {
		return nil, err
	}
	defer load.CloseAll(conns)
	var mu sync.Mutex // guards accepted
	accepted := map[string]float64{}
	errs := make([]error, len(conns))
	start := time.Now()
	var work sync.WaitGroup
	for i, c := range conns {
		sizes := q.sizes(i)
		i0 := 0
		req, err := s.putMany(stream, q.perCall, func() string { i0++; return dataOf(sizes[i0-1]) })
		if err != nil {
			return nil, err
		}
		work.Go(func() {
			first := start.Add(q.every() * time.Duration(i) / quotaCallers)
			errs[i] = paced(ctx, first, q.every(), start.Add(quotaWarm+quotaCounted), func() error {
				answer, err := c.Do(req)
				if err != nil || time.Since(start) < quotaWarm {
					return err
				}
				mu.Lock()
				defer mu.Unlock()
				return q.count(accepted, answer, sizes)
			})
		})
	}
	work.Wait()
	return accepted, errors.Join(errs...)
}

// sizes are those of the records of one caller's calls.
func (q quotaLoad) sizes(caller int) []int {
	sizes := make([]int, q.perCall)
	for i := range sizes {
		if sizes[i] = q.size; q.size == 0 {
			sizes[i] = mixedSizes[(caller+i)%len(mixedSizes)]
		}
	}
	return sizes
}

// every is how often each caller calls.
func (q quotaLoad) every() time.Duration {
	perSecond := 2.0 * quotaShards * shardRecords / float64(q.perCall)
	if q.bytes {
		total := 0
		for _, n := range q.sizes(0) {
			total += n
		}
		perSecond = 2.0 * quotaShards * shardBytes / float64(total)
	}
	return time.Duration(quotaCallers / perSecond * float64(time.Second))
}

// count adds what an answer says was accepted.
func (q quotaLoad) count(accepted map[string]float64, answer []byte, sizes []int) error {
	var out struct {
		Records []struct {
			ShardID   string `json:"ShardId"`
			ErrorCode string
		}
	}
	if err := json.Unmarshal(answer, &out); err != nil {
		return err
	}
	for i, r := range out.Records {
		switch {
		case r.ErrorCode != "":
		case q.bytes:
			accepted[r.ShardID] += float64(sizes[i])
		default:
			accepted[r.ShardID]++
		}
	}
	return nil
}

// paced calls do at first and then again every so often until the end; a call that is late does not shift those after it.
func paced(ctx context.Context, first time.Time, every time.Duration, end time.Time, do func() error) error {
	for at := first; at.Before(end); at = at.Add(every) {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Until(at)):
		}
		if err := do(); err != nil {
			return err
		}
	}
	return nil
}

// keyBytes is about what the keys of putMany have: "key-" and 20 digits, rarely fewer.
const keyBytes = 24

// dataOf is data that makes a record of so many bytes, in base64.
func dataOf(size int) string {
	return base64.StdEncoding.EncodeToString(make([]byte, max(size-keyBytes, 0)))
}

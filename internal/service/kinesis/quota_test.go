package kinesis

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"millrace/internal/api"
	"millrace/internal/api/kinesisapi"
	"millrace/internal/core/store/storetest"
)

// taken counts what was accepted of one shard in the window that is counted.
type taken struct{ records, bytes int }

// offer has callers put records into stream "s" at twice the quota of each of its shards, for twelve seconds of which
// the last ten count. It gives what each shard took then.
type offer struct {
	shards  int
	callers int
	sizes   []int // of records in turn, partition key counted
	perCall int   // records of a PutRecords; 1: PutRecord
	bytes   bool  // the quota that is offered twice is that of bytes, else of records
}

// pause is how long each caller waits between its calls so that all together offer twice the quota.
func (o *offer) pause() time.Duration {
	total := 0
	for _, n := range o.sizes {
		total += n
	}
	mean := float64(total) / float64(len(o.sizes))
	perSecond := 2 * shardWriteRecords * float64(o.shards)
	if o.bytes {
		perSecond = 2 * shardWriteBytes / mean * float64(o.shards)
	}
	return time.Duration(float64(o.callers*o.perCall) / perSecond * float64(time.Second))
}

func (o *offer) run(c *caller) map[string]*taken {
	start := time.Now()
	var mu sync.Mutex // guards found
	found := map[string]*taken{}
	count := func(shard string, size int) {
		mu.Lock()
		defer mu.Unlock()
		if d := time.Since(start); d < 2*time.Second || d >= 12*time.Second {
			return
		}
		if found[shard] == nil {
			found[shard] = &taken{}
		}
		found[shard].records++
		found[shard].bytes += size
	}
	var work sync.WaitGroup
	for w := range o.callers {
		work.Go(func() {
			rng := rand.New(rand.NewPCG(7, uint64(w)))
			time.Sleep(time.Duration(rng.Int64N(int64(o.pause())))) // callers do not call in step
			for i := 0; time.Since(start) < 12*time.Second; i++ {
				o.call(c, rng, w+i*o.perCall, count)
				time.Sleep(o.pause())
			}
		})
	}
	work.Wait()
	return found
}

// call makes one call and counts what was accepted.
func (o *offer) call(c *caller, rng *rand.Rand, from int, count func(shard string, size int)) {
	in := &kinesisapi.PutRecordsInput{StreamName: new("s")}
	sizes := make([]int, o.perCall)
	for i := range sizes {
		sizes[i] = o.sizes[(from+i)%len(o.sizes)]
		key := fmt.Sprintf("%08x", rng.Uint32())
		in.Records = append(in.Records, kinesisapi.PutRecordsRequestEntry{PartitionKey: &key, Data: make([]byte, sizes[i]-len(key))})
	}
	call := &api.Call{Account: c.account, Region: c.region}
	ctx := api.WithCall(c.t.Context(), call)
	defer call.Sent()
	if o.perCall == 1 {
		r := &in.Records[0]
		out, err := c.svc.PutRecord(ctx, &kinesisapi.PutRecordInput{StreamName: in.StreamName, PartitionKey: r.PartitionKey, Data: r.Data})
		if err == nil {
			count(out.ShardId, sizes[0])
		} else if e := api.AsError(err); e.Code != codeThroughput {
			c.t.Errorf("PutRecord: %v", err)
		}
		return
	}
	out, err := c.svc.PutRecords(ctx, in)
	if err != nil {
		c.t.Errorf("PutRecords: %v", err)
		return
	}
	for i := range out.Records {
		if e := &out.Records[i]; e.ErrorCode == nil {
			count(*e.ShardId, sizes[i])
		}
	}
}

// Load offered at twice the quota, counted after the first two seconds, is accepted within two in a hundred of the quota.
func TestShardsTakeTheirQuotaToWithinTwoInAHundred(t *testing.T) {
	mixed := []int{100, 20 << 10, 3000, 1 << 10, 60 << 10, 9}
	for what, o := range map[string]offer{
		"small records one by one":          {shards: 1, callers: 50, sizes: []int{9, 100, 40}, perCall: 1},
		"small records in batches":          {shards: 1, callers: 20, sizes: []int{9, 100, 40}, perCall: 25},
		"batches of 500":                    {shards: 1, callers: 6, sizes: []int{50}, perCall: 500},
		"small records over four shards":    {shards: 4, callers: 40, sizes: []int{9, 100, 40}, perCall: 10},
		"large records one by one":          {shards: 1, callers: 50, sizes: mixed, perCall: 1, bytes: true},
		"large records in batches":          {shards: 1, callers: 20, sizes: mixed, perCall: 6, bytes: true},
		"large records over three shards":   {shards: 3, callers: 30, sizes: mixed, perCall: 6, bytes: true},
		"records of a quarter of the quota": {shards: 1, callers: 8, sizes: []int{256 << 10}, perCall: 1, bytes: true},
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := startOn(t, storetest.NewModel(), func(opts *Options) { opts.Quotas = 1 })
				defer c.svc.Close()
				c.create("s", int32(o.shards))
				found := o.run(c)
				if len(found) != o.shards {
					t.Errorf("%d shards took records, want %d", len(found), o.shards)
				}
				for shard, n := range found {
					got, want := float64(n.records), 10*float64(shardWriteRecords)
					if o.bytes {
						got, want = float64(n.bytes), 10*float64(shardWriteBytes)
					}
					if got < .98*want || got > 1.02*want {
						t.Errorf("%s took %v in 10 s, want %v within 2 %%", shard, got, want)
					}
					t.Logf("%s took %.2f %% of its quota", shard, 100*got/want)
				}
			})
		})
	}
}

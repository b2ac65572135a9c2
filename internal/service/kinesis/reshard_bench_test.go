package kinesis

import (
	"fmt"
	"testing"
	"time"

	"millrace/internal/api"
	"millrace/internal/api/kinesisapi"
	"millrace/internal/core/store/embedded"
)

// benchScale doubles the shards of a stream on disk while one writer puts records over all of them; it
// reports how long the change took and the longest put meanwhile.
func benchScale(b *testing.B, shards int32) {
	st, err := embedded.Open(embedded.Options{Dir: b.TempDir(), BallastBytes: -1, Fatal: func(err error) { b.Error(err) }})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = st.Close() })
	c := startOn(b, st, nil)
	var longest, total time.Duration
	n := 0
	for b.Loop() {
		b.StopTimer()
		name := fmt.Sprint("s", n)
		c.create(name, shards)
		n++
		stop, slowest := make(chan struct{}), make(chan time.Duration)
		go func() { slowest <- benchWriter(b, c, name, stop) }()
		b.StartTimer()
		began := time.Now()
		c.scaleQuietly(b, name, 2*shards)
		total += time.Since(began)
		b.StopTimer()
		close(stop)
		longest = max(longest, <-slowest)
		b.StartTimer()
	}
	b.ReportMetric(float64(total.Microseconds())/float64(n)/1000, "ms/change")
	b.ReportMetric(float64(longest.Microseconds())/1000, "ms/longest-put")
}

// benchWriter puts until stop is closed and returns how long the longest put took.
func benchWriter(b *testing.B, c *caller, name string, stop <-chan struct{}) (longest time.Duration) {
	in := &kinesisapi.PutRecordsInput{StreamName: &name}
	for i := range 20 {
		in.Records = append(in.Records, kinesisapi.PutRecordsRequestEntry{Data: make([]byte, 100), PartitionKey: new(fmt.Sprint(i))})
	}
	for {
		select {
		case <-stop:
			return longest
		default:
		}
		began := time.Now()
		call := &api.Call{Account: c.account, Region: c.region}
		out, err := c.svc.PutRecords(api.WithCall(b.Context(), call), in)
		if err != nil || *out.FailedRecordCount > 0 {
			b.Errorf("PutRecords: %+v, %v", out, err)
			return longest
		}
		call.Sent()
		longest = max(longest, time.Since(began))
	}
}

// scaleQuietly asks for shards and returns when they are there.
func (c *caller) scaleQuietly(b *testing.B, name string, count int32) {
	ctx := api.WithCall(b.Context(), &api.Call{Account: c.account, Region: c.region})
	_, err := c.svc.UpdateShardCount(ctx, &kinesisapi.UpdateShardCountInput{
		StreamName: &name, TargetShardCount: count, ScalingType: kinesisapi.ScalingTypeUniformScaling,
	})
	if err != nil {
		b.Fatal(err)
	}
	c.await(name, kinesisapi.StreamStatusActive)
}

func BenchmarkDouble1Shard(b *testing.B)     { benchScale(b, 1) }
func BenchmarkDouble1000Shards(b *testing.B) { benchScale(b, 1000) }
func BenchmarkDouble5000Shards(b *testing.B) { benchScale(b, 5000) }

package kinesis

import (
	"context"
	"testing"
	"time"

	"millrace/internal/api"
	"millrace/internal/api/kinesisapi"
	"millrace/internal/core/store"
	"millrace/internal/core/store/storetest"
)

// caller is one account in one region.
type caller struct {
	t               testing.TB
	account, region string
	svc             *Service
	last            *api.Call
}

// ctx is that of one call. The memory of the answer before is given back, as by a front that serves
// one call after the other: what a test keeps of an answer it copies.
func (c *caller) ctx() context.Context {
	if c.last != nil {
		c.last.Sent()
	} else {
		c.t.Cleanup(func() { c.last.Sent() })
	}
	c.last = &api.Call{Account: c.account, Region: c.region, AccessKeyID: "AKIA"}
	return api.WithCall(c.t.Context(), c.last)
}

// start opens a service on a new model store.
func start(tb testing.TB) *caller {
	tb.Helper()
	return startOn(tb, storetest.NewModel(), nil)
}

// startOn opens a service on a store, without quotas and with the shortest states; change may set options.
func startOn(tb testing.TB, st store.Store, change func(*Options)) *caller {
	tb.Helper()
	o := Options{Store: st, Quotas: QuotasOff, StateDelay: -1, RootKey: storetest.RootKey}
	if change != nil {
		change(&o)
	}
	svc, err := New(o)
	if err != nil {
		tb.Fatalf("New: %v", err)
	}
	tb.Cleanup(func() { _ = svc.Close() })
	return &caller{t: tb, account: "000000000000", region: "us-east-1", svc: svc}
}

// create makes an active stream.
func (c *caller) create(name string, shards int32) {
	c.t.Helper()
	if _, err := c.svc.CreateStream(c.ctx(), &kinesisapi.CreateStreamInput{StreamName: name, ShardCount: &shards}); err != nil {
		c.t.Fatalf("CreateStream %s: %v", name, err)
	}
	c.await(name, kinesisapi.StreamStatusActive)
}

// await returns when a stream is in a state; "" means gone.
func (c *caller) await(name string, want kinesisapi.StreamStatus) {
	c.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		var got kinesisapi.StreamStatus
		out, err := c.svc.DescribeStreamSummary(c.ctx(), &kinesisapi.DescribeStreamSummaryInput{StreamName: &name})
		if err == nil {
			got = out.StreamDescriptionSummary.StreamStatus
		}
		if got == want {
			return
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("stream %s is %q (%v), want %q", name, got, err, want)
		}
		time.Sleep(time.Millisecond)
	}
}

func (c *caller) put(stream, key, data string) *kinesisapi.PutRecordOutput {
	c.t.Helper()
	out, err := c.svc.PutRecord(c.ctx(), &kinesisapi.PutRecordInput{StreamName: &stream, PartitionKey: &key, Data: []byte(data)})
	if err != nil {
		c.t.Fatalf("PutRecord %s %q: %v", stream, key, err)
	}
	return out
}

func (c *caller) iterator(in *kinesisapi.GetShardIteratorInput) string {
	c.t.Helper()
	out, err := c.svc.GetShardIterator(c.ctx(), in)
	if err != nil {
		c.t.Fatalf("GetShardIterator %s %s: %v", in.ShardId, in.ShardIteratorType, err)
	}
	return *out.ShardIterator
}

func (c *caller) oldest(stream, shard string) string {
	c.t.Helper()
	return c.iterator(&kinesisapi.GetShardIteratorInput{StreamName: &stream, ShardId: shard, ShardIteratorType: kinesisapi.ShardIteratorTypeTrimHorizon})
}

func (c *caller) get(iterator string, limit int32) *kinesisapi.GetRecordsOutput {
	c.t.Helper()
	in := &kinesisapi.GetRecordsInput{ShardIterator: iterator}
	if limit > 0 {
		in.Limit = &limit
	}
	out, err := c.svc.GetRecords(c.ctx(), in)
	if err != nil {
		c.t.Fatalf("GetRecords: %v", err)
	}
	return out
}

func wantError(tb testing.TB, err error, code, message string) {
	tb.Helper()
	e := api.AsError(err)
	if e == nil || e.Code != code || e.Message != message {
		tb.Errorf("got error %v\nwant %s: %s", err, code, message)
	}
}

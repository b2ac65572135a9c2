package kinesis

import (
	"context"
	"fmt"
	"testing"

	"millrace/internal/api"
	"millrace/internal/api/kinesisapi"
	"millrace/internal/core/store"
	"millrace/internal/core/store/storetest"
)

// idleStore answers appends at once and reads with what it was given, so that what is measured is
// this package alone.
type idleStore struct {
	store.Store
	next    store.Offset
	results []store.AppendResult
	read    store.ReadResult
}

func (s *idleStore) Append(_ context.Context, reqs []store.AppendRequest) ([]store.AppendResult, error) {
	s.results = s.results[:0]
	for i := range reqs {
		s.results = append(s.results, store.AppendResult{Base: s.next, AppendTime: 1_760_000_000_000})
		s.next += store.Offset(len(reqs[i].Records))
	}
	return s.results, nil
}

func (s *idleStore) Now() int64 { return 1_760_000_000_000 }

func (s *idleStore) Read(ctx context.Context, r store.ReadRequest) (store.ReadResult, error) {
	if s.read.Batches == nil {
		return s.Store.Read(ctx, r)
	}
	return s.read, nil
}

func benchPuts(b *testing.B, shards int32, records int) {
	idle := &idleStore{Store: storetest.NewModel()}
	c := startOn(b, idle, nil)
	c.create("s", shards)
	in := &kinesisapi.PutRecordsInput{StreamName: new("s")}
	for i := range records {
		in.Records = append(in.Records, kinesisapi.PutRecordsRequestEntry{Data: make([]byte, 1024), PartitionKey: new(fmt.Sprintf("partition-%06d", i))})
	}
	call := &api.Call{Account: c.account, Region: c.region}
	ctx := api.WithCall(b.Context(), call)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.svc.PutRecords(ctx, in); err != nil {
			b.Fatal(err)
		}
		call.Sent()
	}
}

func BenchmarkPutRecords100Over4Shards(b *testing.B) { benchPuts(b, 4, 100) }
func BenchmarkPutRecords100Over1Shard(b *testing.B)  { benchPuts(b, 1, 100) }
func BenchmarkPutRecords500Over400Shards(b *testing.B) {
	benchPuts(b, 400, 500)
}

func BenchmarkPutRecords500Over4000Shards(b *testing.B) {
	benchPuts(b, 4000, 500)
}

func BenchmarkPutRecord(b *testing.B) {
	idle := &idleStore{Store: storetest.NewModel()}
	c := startOn(b, idle, nil)
	c.create("s", 4)
	in := &kinesisapi.PutRecordInput{StreamName: new("s"), Data: make([]byte, 1024), PartitionKey: new("partition-000001")}
	ctx := api.WithCall(b.Context(), &api.Call{Account: c.account, Region: c.region})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.svc.PutRecord(ctx, in); err != nil {
			b.Fatal(err)
		}
	}
}

// One page of 10,000 records of 1 KiB, as a reader that catches up gets.
func BenchmarkGetRecords(b *testing.B) {
	idle := &idleStore{Store: storetest.NewModel()}
	c := startOn(b, idle, nil)
	c.create("s", 1)
	st, err := c.svc.fetch(c.ctx(), place{c.account, c.region, "s"})
	if err != nil {
		b.Fatal(err)
	}
	for range 10 {
		req := []store.AppendRequest{{Partition: st.shards[0].partition}}
		for i := range 1000 {
			req[0].Records = append(req[0].Records, store.Record{Key: fmt.Appendf(nil, "partition-%06d", i), Value: make([]byte, 1000)})
		}
		if _, err := idle.Store.Append(b.Context(), req); err != nil {
			b.Fatal(err)
		}
	}
	if idle.read, err = idle.Store.Read(b.Context(), store.ReadRequest{Partition: st.shards[0].partition, MaxBytes: 16 << 20}); err != nil {
		b.Fatal(err)
	}
	it := c.svc.sealIterator(st.place, &st.shards[0], 0, idle.Now())
	in := &kinesisapi.GetRecordsInput{ShardIterator: it}
	records := 0
	b.ReportAllocs()
	for b.Loop() {
		call := &api.Call{Account: c.account, Region: c.region}
		out, err := c.svc.GetRecords(api.WithCall(b.Context(), call), in)
		if err != nil {
			b.Fatal(err)
		}
		records += len(out.Records)
		call.Sent()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(records), "ns/record")
}

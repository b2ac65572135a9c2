package kafka

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/batch"
	"millrace/internal/core/store"
	"millrace/internal/core/store/embedded"
)

// BenchmarkNewPartitions makes partitions and puts one acknowledged record into each: as one topic, and as topics of
// one partition. It then deletes them. A commit for each topic would cost a sync of the disk for each.
func BenchmarkNewPartitions(b *testing.B) {
	for _, c := range []struct{ topics, partitions int }{{1, 1000}, {1000, 1}, {1, 10_000}, {10_000, 1}} {
		b.Run(fmt.Sprintf("topics=%d/partitions=%d", c.topics, c.partitions), func(b *testing.B) {
			s, err := embedded.Open(embedded.Options{Dir: b.TempDir(), BallastBytes: -1})
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = s.Close() }()
			broker, err := New(Options{Store: s})
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = broker.Close() }()
			var w batch.Builder
			w.Start(nil, 0)
			w.Add(&batch.Record{Value: []byte("value")})
			finished := w.Finish(batch.Fields{ProducerID: batch.NoProducer, ProducerEpoch: batch.NoProducer, BaseSequence: batch.NoProducer})
			call := &Call{Context: b.Context(), Version: 7}
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			for b.Loop() {
				made, gone := &kafkaapi.CreateTopicsRequest{}, &kafkaapi.DeleteTopicsRequest{}
				for i := range c.topics {
					made.Topics = append(made.Topics, topicOf(fmt.Sprintf("topic-%d", i), int32(c.partitions)))
					gone.TopicNames = append(gone.TopicNames, made.Topics[i].Name)
				}
				for _, r := range broker.createTopicsOp(call, made).Topics {
					if r.ErrorCode != kafkaapi.None {
						b.Fatal(r.ErrorCode)
					}
				}
				var reqs []store.AppendRequest
				for _, name := range gone.TopicNames {
					t, _ := broker.topic(b.Context(), name)
					for _, p := range t.partitions {
						reqs = append(reqs, store.AppendRequest{Partition: p.id, Batch: finished})
					}
				}
				res, err := s.Append(b.Context(), reqs)
				if err != nil || res[0].Err != nil {
					b.Fatal(err, res[0].Err)
				}
				b.StopTimer()
				runtime.GC()
				runtime.ReadMemStats(&after)
				b.ReportMetric(float64(int64(after.HeapAlloc-before.HeapAlloc))/(1<<20), "MiB-held")
				old, began := &Call{Context: b.Context(), Version: 5}, time.Now()
				for _, r := range broker.deleteTopicsOp(old, gone).Responses {
					if r.ErrorCode != kafkaapi.None {
						b.Fatal(r.ErrorCode)
					}
				}
				b.ReportMetric(float64(time.Since(began).Milliseconds()), "ms-to-delete")
				b.StartTimer()
			}
		})
	}
}

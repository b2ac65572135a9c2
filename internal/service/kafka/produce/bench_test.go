package produce

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/store"
	"millrace/internal/core/store/storetest"
	"millrace/internal/service/kafka/logtest"
)

// instant is a store that takes appends and answers at once: what is measured is this package.
type instant struct {
	store.Store
	results []store.AppendResult
}

func (s *instant) AppendAsync(_ context.Context, req []store.AppendRequest, done func([]store.AppendResult, error)) {
	done(s.results[:len(req)], nil)
}

// produceOnce sends one batch to each of n partitions.
func produceOnce(p *Producer, ru *Rules, ids []store.PartitionID, b []byte, done func(*Request)) {
	q := NewRequest()
	q.Version, q.Acks = 11, -1
	for i, id := range ids {
		part := q.Add()
		part.Topic, part.Index, part.Partition, part.Rules, part.Records = "orders", int32(i), id, ru, b
	}
	p.Produce(context.Background(), q, done)
}

// BenchmarkCheckAndQueue is the cost of this package: budget 0 allocations, and 0.1 µs beside the sum of the batch.
func BenchmarkCheckAndQueue(b *testing.B) {
	for _, size := range []int{1 << 10, 1<<20 - 100} {
		b.Run(fmt.Sprintf("batch=%d", size), func(b *testing.B) {
			s := &instant{storetest.NewModel(), make([]store.AppendResult, 1)}
			p := New(Options{Store: s})
			records := logtest.Values(logtest.Fields{}, s.Now(), strings.Repeat("x", size))
			ru, ids := rules(), []store.PartitionID{1}
			b.SetBytes(int64(len(records)))
			b.ReportAllocs()
			for b.Loop() {
				produceOnce(p, ru, ids, records, (*Request).Free)
			}
		})
	}
}

// BenchmarkProduce appends durably with up to 64 requests on their way.
func BenchmarkProduce(b *testing.B) {
	for _, size := range []int{1 << 10, 1<<20 - 100} {
		b.Run(fmt.Sprintf("batch=%d", size), func(b *testing.B) {
			s := logtest.OnDisk(b)
			ids := logtest.Partitions(b, s, 1)
			p := New(Options{Store: s})
			records := logtest.Values(logtest.Fields{}, s.Now(), strings.Repeat("x", size))
			ru := rules()
			room := make(chan struct{}, 64)
			b.SetBytes(int64(len(records)))
			b.ReportAllocs()
			for b.Loop() {
				room <- struct{}{}
				produceOnce(p, ru, ids, records, func(q *Request) {
					if q.Parts[0].Code != kafkaapi.None {
						b.Errorf("refused: %+v", q.Parts[0])
					}
					q.Free()
					<-room
				})
			}
			for range cap(room) {
				room <- struct{}{}
			}
		})
	}
}

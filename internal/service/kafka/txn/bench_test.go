package txn

import (
	"context"
	"fmt"
	"log/slog"
	"testing"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/batch"
	"millrace/internal/core/store"
	"millrace/internal/core/store/embedded"
)

// BenchmarkTransaction is one producer that begins, appends 100 records of 100 bytes as one batch, and commits, on a real
// folder; with offsets it also commits one of a group, as a Streams task does. Budget: 500 transactions a second.
func BenchmarkTransaction(b *testing.B) {
	for _, v2 := range []bool{false, true} {
		for _, offsets := range []bool{false, true} {
			b.Run(fmt.Sprintf("version=%d/offsets=%v", map[bool]int{false: 1, true: 2}[v2], offsets), func(b *testing.B) {
				benchTransaction(b, v2, offsets)
			})
		}
	}
}

func benchTransaction(b *testing.B, v2, offsets bool) {
	s, err := embedded.Open(embedded.Options{Dir: b.TempDir(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	e := &env{TB: b, o: Options{Store: s}}
	e.partitions(1)
	e.start()
	defer func() { _ = e.Close() }()
	c := e.client("bench", v2)
	value := make([]byte, 100)
	b.ReportAllocs()
	for b.Loop() {
		if !v2 {
			c.add(e.ids[0])
		}
		ticket, code := e.Admit(Admission{Ident: c.Ident, V2: v2})
		if code != kafkaapi.None {
			b.Fatal(code)
		}
		res, err := s.Append(context.Background(), []store.AppendRequest{c.hundred(e.ids[0], value)})
		ticket.Release()
		if err != nil || res[0].Err != nil {
			b.Fatal(res, err)
		}
		c.next[e.ids[0]] += 100
		if offsets {
			c.offsets(at(0, 1))
		}
		c.end(true)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "txn/s")
}

func (c *client) hundred(id store.PartitionID, value []byte) store.AppendRequest {
	var b batch.Builder
	b.Start(nil, 1)
	for range 100 {
		b.Add(&batch.Record{Value: value, Timestamp: 1})
	}
	return store.AppendRequest{Partition: id, Batch: b.Finish(batch.Fields{
		Attributes: batch.AttrTransactional, FirstTimestamp: 1, MaxTimestamp: 1,
		ProducerID: int64(c.Producer), ProducerEpoch: c.Epoch, BaseSequence: c.next[id],
	})}
}

// BenchmarkAdmit is what every transactional produce request pays before its append.
func BenchmarkAdmit(b *testing.B) {
	s, err := embedded.Open(embedded.Options{Dir: b.TempDir(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	e := &env{TB: b, o: Options{Store: s}}
	e.start()
	defer func() { _ = e.Close() }()
	c := e.client("bench", true)
	b.ReportAllocs()
	for b.Loop() {
		ticket, code := e.Admit(Admission{Ident: c.Ident, V2: true})
		if code != kafkaapi.None {
			b.Fatal(code)
		}
		ticket.Release()
	}
}

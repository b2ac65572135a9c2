package kafka

import (
	"bytes"
	"context"
	"strconv"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/internal/service/kafka/logtest"
)

// BenchmarkClosedLoops is 32 clients that each send a record of 1 KiB and wait for it, durable, with client and
// broker in one process.
func BenchmarkClosedLoops(b *testing.B) {
	br, err := New(Options{Store: logtest.OnDisk(b)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = br.Close() })
	addr := listen(b, br)
	const loops = 32
	var clients []*kgo.Client
	for i := range loops {
		clients = append(clients, client(b, addr, kgo.DefaultProduceTopic("loops"+strconv.Itoa(i%4)), kgo.AllowAutoTopicCreation(), kgo.ProducerLinger(0)))
		if err := clients[i].ProduceSync(deadline(b), kgo.StringRecord("warm")).FirstErr(); err != nil {
			b.Fatal(err)
		}
	}
	value := bytes.Repeat([]byte("x"), 1024)
	b.SetBytes(1024)
	b.ReportAllocs()
	b.ResetTimer()
	var all sync.WaitGroup
	for i, c := range clients {
		n := b.N / loops
		if i < b.N%loops {
			n++
		}
		all.Go(func() {
			for range n {
				if err := c.ProduceSync(context.Background(), &kgo.Record{Value: value}).FirstErr(); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
}

//go:build system

package kafka

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// producers are idempotent producers that live through all kills.
type producers struct {
	clients []*kgo.Client
	counts  []int          // of records sent, by producer and then by partition: its own and the shared one
	sent    map[string]int // by names of values; filled at the end
	acked   atomic.Int64
	failed  atomic.Pointer[string]
	end     context.CancelFunc
	wg      sync.WaitGroup
}

func (k *killing) startProducers(t *testing.T) *producers {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	p := &producers{counts: make([]int, 2*idempotentProducers), sent: map[string]int{}, end: cancel}
	for i := range idempotentProducers {
		c := connect(t, k.bootstrap, append(hasty(k.bootstrap), kgo.StopProducerOnDataLossDetected(), kgo.MaxBufferedRecords(2000))...)
		p.clients = append(p.clients, c)
		p.wg.Go(func() { p.run(ctx, c, i) })
	}
	return p
}

// run sends records to the producer's own partition and to the shared one, some ten thousand a second.
func (p *producers) run(ctx context.Context, c *kgo.Client, i int) {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for ctx.Err() == nil {
		for n := range 8 {
			slot, partition := 2*i, int32(i)
			if n%2 == 1 {
				slot, partition = slot+1, idempotentProducers
			}
			value := fmt.Sprintf("producer-%d/%d", slot, p.counts[slot])
			p.counts[slot]++
			// Not under ctx: what was taken has to be delivered.
			c.Produce(context.Background(), &kgo.Record{Topic: idempotentTopic, Partition: partition, Value: []byte(value)}, p.done)
		}
		<-tick.C
	}
}

// done is called for each record once.
func (p *producers) done(r *kgo.Record, err error) {
	if err != nil {
		text := fmt.Sprintf("%s: %v", r.Value, err)
		p.failed.CompareAndSwap(nil, &text)
		return
	}
	p.acked.Add(1)
}

// stop waits until everything is delivered.
func (p *producers) stop(t *testing.T) {
	t.Helper()
	p.end()
	p.wg.Wait()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	for _, c := range p.clients {
		if err := c.Flush(ctx); err != nil {
			t.Errorf("flush: %v", err)
		}
	}
	if text := p.failed.Load(); text != nil {
		t.Errorf("an idempotent producer gave up: %s", *text)
	}
	t.Logf("idempotent producers: %d records acknowledged", p.acked.Load())
}

// check compares what is there with what was acknowledged.
func (p *producers) check(t *testing.T, seen []Seen) {
	t.Helper()
	read := map[string][]string{}
	for _, s := range seen {
		if s.Topic == idempotentTopic {
			name, _, _ := strings.Cut(s.Value, "/")
			read[name] = append(read[name], s.Value)
		}
	}
	for slot, count := range p.counts {
		p.sent["producer-"+strconv.Itoa(slot)] = count
	}
	for name, count := range p.sent {
		for _, problem := range CheckSequence(name, read[name], count) {
			t.Error(problem)
		}
	}
}

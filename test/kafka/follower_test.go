//go:build system

package kafka

import (
	"context"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// follower reads committed records as they come, through kills.
type follower struct {
	client *kgo.Client
	done   chan struct{}
	want   int // sentinels

	mu   sync.Mutex
	seen []Seen // guarded by mu
	ends int    // sentinels seen; guarded by mu
}

func (k *killing) follow(t *testing.T) *follower {
	t.Helper()
	partitions := k.partitions()
	f := &follower{done: make(chan struct{})}
	for _, n := range partitions {
		f.want += int(n)
	}
	f.client = connect(t, k.bootstrap, append(hasty(k.bootstrap),
		kgo.ConsumeTopics(slices.Collect(maps.Keys(partitions))...), kgo.FetchIsolationLevel(kgo.ReadCommitted()))...)
	go f.run(t.Context())
	return f
}

func (f *follower) run(ctx context.Context) {
	defer close(f.done)
	for ctx.Err() == nil {
		fetches := f.client.PollFetches(ctx)
		f.mu.Lock()
		fetches.EachRecord(func(r *kgo.Record) {
			if string(r.Value) == sentinel {
				f.ends++
			} else {
				f.seen = append(f.seen, Seen{r.Topic, r.Partition, r.Offset, string(r.Value)})
			}
		})
		ended := f.ends >= f.want
		f.mu.Unlock()
		if ended || fetches.IsClientClosed() {
			return
		}
	}
}

// await waits for the sentinels of all partitions.
func (f *follower) await(t *testing.T) {
	t.Helper()
	select {
	case <-f.done:
	case <-time.After(60 * time.Second):
		f.mu.Lock()
		defer f.mu.Unlock()
		t.Fatalf("got the end of %d partitions, want %d, after %d records", f.ends, f.want, len(f.seen))
	}
}

// all is what was read, each partition in the order in which it came.
func (f *follower) all() []Seen {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.seen)
}

// compare holds what was read while the server was killed against what is there at the end.
func (f *follower) compare(t *testing.T, want []Seen) {
	t.Helper()
	f.await(t)
	got := byPlace(f.all())
	for place, value := range byPlace(want) {
		if got[place] != value {
			t.Errorf("read during the kills: at %s got %q, want %q", place, got[place], value)
			return
		}
	}
	if len(f.all()) != len(want) {
		t.Errorf("read during the kills: got %d records, want %d", len(f.all()), len(want))
	}
}

func byPlace(seen []Seen) map[string]string {
	all := make(map[string]string, len(seen))
	for _, s := range seen {
		all[s.place()] = s.Value
	}
	return all
}

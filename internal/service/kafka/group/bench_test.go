package group

import (
	"fmt"
	"log/slog"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/store"
	"millrace/internal/core/store/embedded"
)

// settled is a Stable group of n members.
func settled(tb testing.TB, c *Coordinator, group string, n int) []client {
	tb.Helper()
	clients := make([]client, n)
	for i := range clients {
		clients[i].group, clients[i].instance = group, fmt.Sprint("i", i)
	}
	rejoin(tb, c, clients, nil)
	return clients
}

// rejoin has all clients join until they are in one generation, after begin of them asks for it.
func rejoin(tb testing.TB, c *Coordinator, clients []client, begin func()) {
	tb.Helper()
	if begin != nil {
		begin()
	}
	var wg sync.WaitGroup
	for i := range clients {
		cl := &clients[i]
		wg.Go(func() {
			for {
				if err := cl.settle(c, func() bool { return false }); err != nil {
					tb.Error(err)
					return
				}
				if d := c.Describe(cl.group); d.State == Stable && len(d.Members) == len(clients) && d.Generation == cl.generation {
					return
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkHeartbeat(b *testing.B) {
	for _, groups := range []int{1, 50} {
		b.Run(fmt.Sprintf("groups=%d", groups), func(b *testing.B) {
			r := start(b, newStore(), nil)
			defer r.stop()
			var all []client
			for i := range groups {
				all = append(all, settled(b, r.Coordinator, fmt.Sprint("g", i), 4)...)
			}
			var n sync.Mutex
			next := 0
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				n.Lock()
				i := next
				next += 7
				n.Unlock()
				for pb.Next() {
					cl := &all[i%len(all)]
					i++
					if code := r.Heartbeat(HeartbeatRequest{cl.group, cl.id, cl.instance, cl.generation}); code != kafkaapi.None {
						b.Errorf("heartbeat: %v", code)
						return
					}
				}
			})
		})
	}
}

// BenchmarkRebalance has 50 groups of 4 rebalance at once, again and again: one operation is one
// rebalance of one group, from its leader's Join to the last Sync. On disk with syncs, and in memory.
func BenchmarkRebalance(b *testing.B) {
	for _, disk := range []bool{true, false} {
		b.Run(fmt.Sprintf("groups=50/disk=%v", disk), func(b *testing.B) {
			o := embedded.Options{Dir: b.TempDir(), Logger: slog.New(slog.DiscardHandler)}
			if !disk {
				o.Dir, o.FS, o.BallastBytes = "m", vfs.NewMem(), -1
			}
			s, err := embedded.Open(o)
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			benchRebalance(b, s)
		})
	}
}

func benchRebalance(b *testing.B, s store.Store) {
	const groups, members = 50, 4
	r := start(b, s, nil)
	defer r.stop()
	all := make([][]client, groups)
	for i := range all {
		all[i] = settled(b, r.Coordinator, fmt.Sprint("g", i), members)
	}
	var wg sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	for i := range all {
		wg.Go(func() {
			for n := i; n < b.N; n += groups {
				rebalanceOnce(b, r.Coordinator, all[i])
			}
		})
	}
	wg.Wait()
}

// rebalanceOnce has the leader join and all others follow, without goroutines of their own.
func rebalanceOnce(b *testing.B, c *Coordinator, clients []client) {
	lead := 0
	for i := range clients {
		if clients[i].leads {
			lead = i
		}
	}
	joins := make(chan JoinResponse, len(clients))
	join := func(cl *client) {
		req := consumer(cl.group, cl.id)
		req.InstanceID, req.Protocols[0].Metadata = cl.instance, []byte("topics")
		c.Join(req, func(j JoinResponse) { joins <- j })
	}
	join(&clients[lead])
	for i := range clients {
		if i != lead {
			join(&clients[i])
		}
	}
	syncs := make(chan SyncResponse, len(clients))
	for range clients {
		j := <-joins
		if j.Code != kafkaapi.None {
			b.Errorf("join: %+v", j)
			return
		}
		q := SyncRequest{Group: clients[0].group, MemberID: j.MemberID, Generation: j.Generation}
		if j.Leader == j.MemberID {
			q.Assignments = assign(j)
		}
		c.Sync(q, func(s SyncResponse) { syncs <- s })
	}
	for range clients {
		if s := <-syncs; s.Code != kafkaapi.None || len(s.Assignment) == 0 {
			b.Errorf("sync: %+v", s)
			return
		}
	}
}

// BenchmarkLoad reads 10,000 groups of 4 members, as a start does.
func BenchmarkLoad(b *testing.B) {
	s := newStore()
	r := start(b, s, nil)
	const groups = 10_000
	for i := range groups {
		settled(b, r.Coordinator, fmt.Sprint("g", i), 4)
	}
	r.stop()
	b.ReportAllocs()
	for b.Loop() {
		r := start(b, s, nil)
		if got := len(r.List(nil, nil)); got != groups {
			b.Fatalf("got %d groups, want %d", got, groups)
		}
		r.stop()
	}
}

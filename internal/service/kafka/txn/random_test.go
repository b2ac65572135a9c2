package txn

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/fault"
	"millrace/internal/core/store"
	"millrace/internal/core/store/embedded"
)

var (
	seeds     = flag.Int("txn.seeds", 8, "how many random histories of transactions to run")
	firstSeed = flag.Uint64("txn.first", 0, "the seed of the first")
)

// TestReadersSeeAllOfATransactionOrNone runs producers that commit, abort, die and time out on a store whose disk
// crashes, and compares what readers of committed records and offsets see, at any moment and after each restart, with
// what the producers were told.
func TestReadersSeeAllOfATransactionOrNone(t *testing.T) {
	var sum counts
	for i := range uint64(*seeds) {
		h := newHistory(*firstSeed + i)
		if err := h.run(); err != nil {
			t.Fatalf("seed %d: %v", h.seed, err)
		}
		sum.add(&h.counts)
	}
	t.Logf("%+v", sum)
	if *seeds >= 8 && (sum.committed == 0 || sum.aborted == 0 || sum.fenced == 0 || sum.crashes == 0 || sum.looks == 0) {
		t.Errorf("the histories lack something: %+v", sum)
	}
}

type counts struct{ committed, aborted, unknown, fenced, crashes, restarts, looks int }

func (c *counts) add(o *counts) {
	c.committed, c.aborted, c.unknown = c.committed+o.committed, c.aborted+o.aborted, c.unknown+o.unknown
	c.fenced, c.crashes, c.restarts, c.looks = c.fenced+o.fenced, c.crashes+o.crashes, c.restarts+o.restarts, c.looks+o.looks
}

const (
	historyParts   = 3
	historyWorkers = 3
	historyPhases  = 4
	historySteps   = 25
)

// history is one run.
type history struct {
	seed uint64
	rng  *rand.Rand
	fs   *fault.TornFS
	s    *embedded.Store
	c    *Coordinator
	o    Options
	ids  []store.PartitionID

	mu  sync.Mutex // guards all below
	all []*transaction
	counts
}

type outcome uint8

const (
	inDoubt outcome = iota
	committed
	abortedOutcome
)

// transaction is what a worker did and was told.
type transaction struct {
	worker, n int
	values    []string
	offsets   bool
	index     int // of the partition that its offset is for
	outcome   outcome
	seen      bool // by the last look
}

func newHistory(seed uint64) *history {
	h := &history{seed: seed, rng: rand.New(rand.NewPCG(seed, 7)), fs: fault.NewTorn()}
	h.o = Options{Logger: slog.New(slog.DiscardHandler), CheckInterval: 2 * time.Millisecond, SweepInterval: 3 * time.Millisecond}
	if seed%4 == 3 {
		h.o.SliceParts = 1 // then a transaction becomes visible partition by partition, and nobody may look meanwhile
	}
	return h
}

func (h *history) newRNG() *rand.Rand { return rand.New(rand.NewPCG(h.rng.Uint64(), h.rng.Uint64())) }

func (h *history) open() error {
	s, err := embedded.Open(embedded.Options{
		Dir: "store", FS: h.fs, JournalFileBytes: 128 << 10, FirstFileBytes: 32 << 10, MoveAfterBytes: 128 << 10, MaxUnmovedBytes: 512 << 10,
		TailCacheBytes: 2 << 20, MemtableBytes: 256 << 10, BlockCacheBytes: 256 << 10, BallastBytes: -1, MaxOpenFiles: 32,
		Logger: h.o.Logger, Fatal: func(error) {},
	})
	if err != nil {
		return err
	}
	h.s, h.o.Store = s, s
	if h.ids == nil {
		e := &env{o: h.o}
		_, err = s.Update(context.Background(), func(tx store.Tx) error {
			for i := range store.PartitionID(historyParts) {
				e.ids = append(e.ids, i+1)
				if err := tx.CreatePartition(i+1, 0, store.Retention{}); err != nil {
					return err
				}
			}
			return nil
		})
		h.ids = e.ids[:historyParts]
	}
	if err != nil {
		return err
	}
	h.c, err = New(context.Background(), h.o)
	return err
}

func (h *history) run() error {
	if err := h.open(); err != nil {
		return err
	}
	for phase := range historyPhases {
		if err := h.work(phase); err != nil {
			return fmt.Errorf("phase %d: %w", phase, err)
		}
		if err := h.end(); err != nil {
			return fmt.Errorf("end of phase %d: %w", phase, err)
		}
		if err := h.open(); err != nil {
			return fmt.Errorf("open after phase %d: %w", phase, err)
		}
		if err := h.settle(); err != nil {
			return fmt.Errorf("after phase %d: %w", phase, err)
		}
	}
	_ = h.c.Close()
	return h.s.Close()
}

// work lets the workers go until they are done or the disk has crashed, beside somebody who looks at what is visible.
func (h *history) work(phase int) error {
	if phase%2 == 0 {
		h.fs.CrashAt(h.fs.Ops()+1+int64(h.rng.IntN(historyWorkers*historySteps*6)), h.newRNG())
	}
	var workers, looker sync.WaitGroup
	stop, looked := make(chan struct{}), make(chan error, 1)
	if h.o.SliceParts == 0 {
		looker.Go(func() { looked <- h.look(stop) })
	} else {
		looked <- nil
	}
	for i := range historyWorkers {
		w := &worker{h: h, id: i, v2: (i+phase)%2 == 0, rng: rand.New(rand.NewPCG(h.seed, uint64(phase*100+i)))}
		workers.Go(func() {
			for range historySteps {
				if h.fs.Crashed() != nil {
					return
				}
				w.step()
			}
		})
	}
	workers.Wait()
	close(stop)
	looker.Wait()
	return <-looked
}

// look compares what is visible again and again.
func (h *history) look(stop chan struct{}) error {
	for {
		select {
		case <-stop:
			return nil
		default:
		}
		if err := h.check(); err != nil {
			return err
		}
		h.mu.Lock()
		h.looks++
		h.mu.Unlock()
	}
}

// end stops the process or cuts its power.
func (h *history) end() error {
	_ = h.c.Close()
	left := h.fs.Crashed()
	if left == nil && h.rng.IntN(2) == 0 {
		left = h.fs.Crash(h.newRNG())
	}
	err := h.s.Close()
	if left == nil {
		h.restarts++
		return err
	}
	h.crashes++
	h.fs = left
	return nil
}

// settle begins every producer anew, which aborts what was open, and compares with what the workers were told.
func (h *history) settle() error {
	for i := range historyWorkers {
		if _, code := h.c.Init(context.Background(), InitRequest{ID: name(i), Timeout: timeout}); code == kafkaapi.ConcurrentTransactions {
			h.c.check(context.Background())
		} else if code != kafkaapi.None {
			return fmt.Errorf("Init: %s", code)
		}
	}
	h.c.check(context.Background())
	for _, id := range h.ids {
		head, err := h.s.Head(context.Background(), id)
		if err != nil || head.LastStable != head.Next {
			return fmt.Errorf("partition %d hangs: %+v, %w", id, head, err)
		}
	}
	if err := h.check(); err != nil {
		return err
	}
	return h.checkTold()
}

// check compares one moment: heads and offsets of one snapshot, and the records below those heads whose commit marker is
// there. A reader of committed records gets them as soon as no older transaction is open in the partition.
func (h *history) check() error {
	next := make([]store.Offset, len(h.ids))
	stable := make([]store.Offset, len(h.ids))
	groups := make([][2]int, historyWorkers)
	err := h.s.View(context.Background(), func(tx store.ReadTx) error {
		for i, id := range h.ids {
			head, err := tx.Head(id, store.FieldNext|store.FieldStable)
			if err != nil {
				return err
			}
			next[i], stable[i] = head.Next, head.LastStable
		}
		for i := range groups {
			offsets, err := groupOffsets(tx, name(i))
			if err != nil {
				return err
			}
			groups[i] = offsets
		}
		return nil
	})
	if err != nil {
		return err
	}
	seen := map[string]int{}
	for i, id := range h.ids {
		decided, err := readDecided(h.s, id, next[i])
		if err != nil {
			return err
		}
		for _, v := range decided {
			if seen[v]++; seen[v] > 1 {
				return fmt.Errorf("record %s is read twice", v)
			}
		}
		values, err := readCommittedUpTo(h.s, id, stable[i])
		if err != nil {
			return err
		}
		for _, v := range values {
			if !slices.Contains(decided, v) {
				return fmt.Errorf("record %s of partition %d is read and was not committed", v, id)
			}
		}
		if stable[i] == next[i] && len(values) != len(decided) {
			return fmt.Errorf("partition %d: %d records are read, %d were committed", id, len(values), len(decided))
		}
	}
	return h.compare(seen, groups)
}

func (h *history) compare(seen map[string]int, groups [][2]int) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	want := make([][2]int, historyWorkers)
	for i := range want {
		want[i] = [2]int{-1, -1}
	}
	known := 0
	for _, x := range h.all {
		visible := 0
		for _, v := range x.values {
			visible += seen[v]
		}
		known += visible
		switch {
		case visible != 0 && visible != len(x.values):
			return fmt.Errorf("transaction %+v: %d of %d records are seen", x, visible, len(x.values))
		case visible > 0 && x.outcome == abortedOutcome:
			return fmt.Errorf("transaction %+v was aborted and is seen", x)
		}
		x.seen = visible > 0
		if x.seen && x.offsets {
			want[x.worker][x.index] = max(want[x.worker][x.index], x.n)
		}
	}
	if known != len(seen) {
		return fmt.Errorf("%d records are seen, %d were written", len(seen), known)
	}
	for i := range want {
		if groups[i] != want[i] {
			return fmt.Errorf("offsets of worker %d: got %d, its last visible transactions have %d", i, groups[i], want[i])
		}
	}
	return nil
}

// checkTold compares the last look with what was acknowledged; a look beside the workers may be from before that.
func (h *history) checkTold() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, x := range h.all {
		if x.outcome == committed && !x.seen {
			return fmt.Errorf("transaction %+v was committed and is not seen", x)
		}
	}
	return nil
}

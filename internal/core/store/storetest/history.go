package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"

	"millrace/internal/core/store"
)

// The sizes of a random history: few keys, so that transactions meet; few steps, so that each of
// some hundred histories takes milliseconds.
const (
	historyWorkers = 4
	historyTxs     = 6
	historyKeys    = 5
)

// runHistories runs random transactions at once and checks that the store has ordered them: executed
// one after the other in the order of their ordered keys, each would have read what it did read.
func runHistories(t *testing.T, c *config) {
	t.Run("ConcurrentTransactionsAreSerializableInCommitOrder", func(t *testing.T) {
		e := newEnv(t, c.open(t))
		commits, reruns := 0, 0
		for seed := range c.seeds {
			h := newHistory(e, uint64(seed))
			h.run()
			h.check()
			if e.Failed() {
				e.Fatalf("seed %d", seed)
			}
			commits += len(h.done)
			reruns += h.reruns
		}
		t.Logf("%d histories, %d commits, %d runs lost", c.seeds, commits, reruns)
	})
}

// history is one set of concurrent transactions on keys of its own.
type history struct {
	e         *env
	seed      uint64
	partition store.PartitionID
	dataKey   uint64

	mu     sync.Mutex
	done   map[string]*historyTx // committed, by name
	views  []*historyTx
	acked  int // transactions that were answered
	reruns int
}

// historyTx is what one transaction saw and did, in its last run.
type historyTx struct {
	name  string
	steps []historyStep
	after int // transactions answered before it began
	seq   uint64
}

// historyStep is one call: a read with what it returned, or a write.
type historyStep struct {
	kind     byte // 'g'et, 's'can, 'h'ead, 'w'rite, 'd'elete, 'a'ppend
	key, to  string
	limit    int
	reverse  bool
	got, set string
}

func newHistory(e *env, seed uint64) *history {
	h := &history{e: e, seed: seed, partition: e.partition(), done: map[string]*historyTx{}}
	if seed%2 == 0 {
		h.dataKey = e.dataKey()
	}
	return h
}

func (h *history) key(name string) []byte { return key("h%06d/%s", h.seed, name) }

func (h *history) run() {
	var wg sync.WaitGroup
	for w := range historyWorkers {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(h.seed, uint64(w)))
			for i := range historyTxs {
				if err := h.step(rng, fmt.Sprintf("%d.%d", w, i)); err != nil {
					h.e.Errorf("seed %d, transaction %d.%d: %v", h.seed, w, i, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// step runs one transaction or view with random contents.
func (h *history) step(rng *rand.Rand, name string) error {
	h.mu.Lock()
	after := h.acked
	h.mu.Unlock()
	contents := rng.Uint64()
	var t *historyTx
	if rng.IntN(4) == 0 {
		err := h.e.s.View(h.e.ctx, func(tx store.ReadTx) error {
			t = &historyTx{name: name, after: after}
			return t.read(h, rand.New(rand.NewPCG(contents, 0)), tx)
		})
		h.mu.Lock()
		defer h.mu.Unlock()
		h.views = append(h.views, t)
		return err
	}
	runs := 0
	c, err := h.e.retryContention(func(tx store.Tx) error {
		runs++
		t = &historyTx{name: name, after: after}
		rng := rand.New(rand.NewPCG(contents, 0)) // the same calls in each run
		return errors.Join(t.read(h, rng, tx), t.write(h, rng, tx), tx.SetOrdered(h.key("log/"), []byte(name)))
	})
	h.mu.Lock()
	defer h.mu.Unlock()
	t.seq = c.Sequence
	h.done[name] = t
	h.acked++
	h.reruns += runs - 1
	return err
}

func randomKey(rng *rand.Rand) string { return fmt.Sprintf("k%d", rng.IntN(historyKeys)) }

func (t *historyTx) read(h *history, rng *rand.Rand, tx store.ReadTx) error {
	for range 1 + rng.IntN(3) {
		s := historyStep{kind: "ggssh"[rng.IntN(5)], key: randomKey(rng), to: "k9", limit: 10}
		switch s.kind {
		case 'g':
			v, ok, err := tx.Get(h.key(s.key))
			if err != nil {
				return err
			}
			s.got = shown(v, ok)
		case 's':
			if rng.IntN(2) == 0 {
				s.to = randomKey(rng)
			}
			s.limit, s.reverse = 1+rng.IntN(3), rng.IntN(2) == 0
			found, err := tx.Scan(h.key(s.key), h.key(s.to), s.limit, s.reverse)
			if err != nil {
				return err
			}
			for _, kv := range found {
				s.got += string(kv.Key[len(h.key("")):]) + "=" + string(kv.Value) + " "
			}
		case 'h':
			head, err := tx.Head(h.partition, store.FieldNext)
			if err != nil {
				return err
			}
			s.got = fmt.Sprint(head.Next)
		}
		t.steps = append(t.steps, s)
		runtime.Gosched() // so that others come between on a machine with few cores
	}
	return nil
}

func (t *historyTx) write(h *history, rng *rand.Rand, tx store.Tx) error {
	for i := range 1 + rng.IntN(3) {
		s := historyStep{kind: "wwda"[rng.IntN(4)], key: randomKey(rng), set: fmt.Sprintf("%s:%d", t.name, i)}
		var err error
		switch s.kind {
		case 'w':
			err = tx.Set(h.key(s.key), []byte(s.set))
		case 'd':
			err = tx.Delete(h.key(s.key))
		case 'a':
			req := loose(h.partition, s.set)
			if i%2 == 0 {
				req.Key = h.dataKey
			}
			_, err = tx.Append(req)
		}
		if err != nil {
			return err
		}
		t.steps = append(t.steps, s)
	}
	return nil
}

func shown(v []byte, ok bool) string {
	if !ok {
		return "-"
	}
	return string(v)
}

// world is what the transactions up to some point have made.
type world struct {
	keys    map[string]string
	records []string
}

// check replays the committed transactions in the order of their ordered keys.
func (h *history) check() {
	e := h.e
	order := e.scan(h.key("log/"), h.key("log0"))
	if len(order) != len(h.done) {
		e.Errorf("%d transactions have committed, %d ordered keys are there", len(h.done), len(order))
		return
	}
	w := world{keys: map[string]string{}}
	worlds := []world{w.clone()}
	var last *historyTx
	for i, kv := range order {
		t := h.done[string(kv.Value)]
		if t == nil {
			e.Errorf("ordered key %q names no committed transaction", kv.Value)
			return
		}
		if t.after > i {
			e.Errorf("transaction %s is number %d in order, but %d were answered before it began", t.name, i, t.after)
		}
		if last != nil && t.seq < last.seq {
			e.Errorf("transaction %s with sequence %d follows %s with %d", t.name, t.seq, last.name, last.seq)
		}
		if wrong := w.replay(t); wrong != "" {
			e.Errorf("transaction %s, number %d in order: %s", t.name, i, wrong)
		}
		last = t
		worlds = append(worlds, w.clone())
	}
	for _, v := range h.views {
		if !slices.ContainsFunc(worlds[v.after:], func(w world) bool { return w.replay(v) == "" }) {
			e.Errorf("view %s saw what no point in the order after number %d shows: %+v", v.name, v.after, v.steps)
		}
	}
	h.checkEnd(&w)
}

// checkEnd compares the store with the end of the replay.
func (h *history) checkEnd(w *world) {
	left := map[string]string{}
	for _, kv := range h.e.scan(h.key("k"), h.key("l")) {
		left[string(kv.Key[len(h.key("")):])] = string(kv.Value)
	}
	if fmt.Sprint(left) != fmt.Sprint(w.keys) {
		h.e.Errorf("keys at the end: got %v, want %v", left, w.keys)
	}
	if got := h.e.values(h.partition, store.ReadUncommitted); !slices.Equal(got, w.records) {
		h.e.Errorf("records at the end: got %q, want %q", got, w.records)
	}
}

func (w *world) clone() world {
	return world{keys: maps.Clone(w.keys), records: slices.Clone(w.records)}
}

// replay runs t's calls and says which one would have returned something else. Reads come before
// writes in t.
func (w *world) replay(t *historyTx) string {
	for _, s := range t.steps {
		want := s.got
		switch s.kind {
		case 'g':
			v, ok := w.keys[s.key]
			want = shown([]byte(v), ok)
		case 's':
			want = w.scan(&s)
		case 'h':
			want = fmt.Sprint(len(w.records))
		case 'w':
			w.keys[s.key] = s.set
		case 'd':
			delete(w.keys, s.key)
		case 'a':
			w.records = append(w.records, s.set)
		}
		if want != s.got {
			return fmt.Sprintf("%c %s to %s, limit %d, reverse %v: got %q, in this order %q", s.kind, s.key, s.to, s.limit, s.reverse, s.got, want)
		}
	}
	return ""
}

func (w *world) scan(s *historyStep) string {
	var found []string
	for k, v := range w.keys {
		if k >= s.key && k < s.to {
			found = append(found, k+"="+v+" ")
		}
	}
	slices.Sort(found)
	if s.reverse {
		slices.Reverse(found)
	}
	var b bytes.Buffer
	for _, f := range found[:min(s.limit, len(found))] {
		b.WriteString(f)
	}
	return b.String()
}

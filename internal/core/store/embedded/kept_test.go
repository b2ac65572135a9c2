package embedded

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/cespare/xxhash/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"millrace/internal/core/store"
)

// heat has a value kept: others write until it is old enough, then it is asked for.
func (r *rig) heat(k string) {
	r.Helper()
	for i := range keptAfter + 1 {
		r.set(fmt.Sprintf("other-%d", i), []byte("x"))
	}
	for range 3 {
		r.get(k)
	}
}

func (r *rig) isKept(k string) bool {
	_, _, known := r.kept.get(&r.locks, topicKey(k), xxhash.Sum64(topicKey(k)), r.visible.Load())
	return known
}

func TestKeptValuesAreThoseOfTheSnapshotThatReadsThem(t *testing.T) {
	r := openRig(t, small(vfs.NewMem()))
	r.set("k", []byte("old"))
	if r.get("k"); r.isKept("k") {
		t.Error("a value that was just written is kept")
	}
	r.heat("k")
	r.heat("none")
	if !r.isKept("k") || !r.isKept("none") {
		t.Fatalf("kept: %v, and of no value: %v, want both", r.isKept("k"), r.isKept("none"))
	}
	r.get("k")[0] = 'O' // a copy
	err := r.View(t.Context(), func(tx store.ReadTx) error {
		r.set("k", []byte("new"))
		r.set("none", []byte("some"))
		for k, want := range map[string]string{"k": "old", "none": ""} {
			if got, ok, err := tx.Get(topicKey(k)); err != nil || string(got) != want || ok != (want != "") {
				t.Errorf("%s in the view from before: %q, %v, %v, want %q", k, got, ok, err, want)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for k, want := range map[string]string{"k": "new", "none": "some"} {
		if got := string(r.get(k)); got != want {
			t.Errorf("%s after the write: %q, want %q", k, got, want)
		}
		r.update(func(tx store.Tx) error {
			if got, _, err := tx.Get(topicKey(k)); err != nil || string(got) != want {
				t.Errorf("%s in a transaction: %q, %v, want %q", k, got, err, want)
			}
			return nil
		})
	}
}

func TestLargeValuesAreNotKept(t *testing.T) {
	r := openRig(t, small(vfs.NewMem()))
	for name, size := range map[string]int{"at the bound": keptBytes - len(topicKey("at the bound")), "above": keptBytes - len(topicKey("above")) + 1} {
		r.set(name, make([]byte, size))
		r.heat(name)
		if want := name == "at the bound"; r.isKept(name) != want {
			t.Errorf("%s: %d bytes are kept: %v, want %v", name, size, r.isKept(name), want)
		}
	}
}

// Counters that are read far more often than written, by transactions and views at once, never go back and lose nothing.
func TestKeptValuesLoseNoUpdates(t *testing.T) {
	r := openRig(t, small(vfs.NewMem()))
	const counters, adds = 4, 60
	key := func(i int) []byte { return topicKey(fmt.Sprintf("counter-%d", i)) }
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(1, uint64(w)))
			last := [counters]int{}
			for i := range adds * 20 {
				c := rnd.IntN(counters)
				if i%20 == 0 {
					if _, err := r.Update(t.Context(), func(tx store.Tx) error {
						v, _, err := tx.Get(key(w))
						if err != nil {
							return err
						}
						return tx.Set(key(w), append(v, 'x'))
					}); err != nil {
						t.Error(err)
					}
				} else if _, err := r.Update(t.Context(), func(tx store.Tx) error {
					return tx.Set(topicKey(fmt.Sprintf("own-%d", w)), []byte{byte(i)})
				}); err != nil {
					t.Error(err)
				}
				if err := r.View(t.Context(), func(tx store.ReadTx) error {
					for range 3 {
						v, _, err := tx.Get(key(c))
						if err != nil {
							return err
						}
						if len(v) < last[c] {
							t.Errorf("counter %d went from %d back to %d", c, last[c], len(v))
						}
						last[c] = len(v)
					}
					return nil
				}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for c := range counters {
		if got := len(r.get(fmt.Sprintf("counter-%d", c))); got != adds {
			t.Errorf("counter %d is %d, want %d", c, got, adds)
		}
	}
}

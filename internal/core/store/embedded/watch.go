package embedded

import (
	"slices"
	"sync"

	"millrace/internal/core/store"
)

// watchers are the callbacks of Watch, by partition.
type watchers struct {
	mu sync.RWMutex
	by map[store.PartitionID][]*watcher
}

type watcher struct {
	mu   sync.Mutex // held while fn runs, so that none runs after cancel
	fn   func(store.Event)
	gone bool
}

func (w *watchers) add(ids []store.PartitionID, fn func(store.Event)) (cancel func()) {
	ids = slices.Clone(ids)
	one := &watcher{fn: fn}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.by == nil {
		w.by = map[store.PartitionID][]*watcher{}
	}
	for _, id := range ids {
		w.by[id] = append(w.by[id], one)
	}
	return func() { w.remove(ids, one) }
}

func (w *watchers) remove(ids []store.PartitionID, one *watcher) {
	one.mu.Lock()
	one.gone = true
	one.mu.Unlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, id := range ids {
		left := slices.DeleteFunc(slices.Clone(w.by[id]), func(o *watcher) bool { return o == one })
		if len(left) == 0 {
			delete(w.by, id)
		} else {
			w.by[id] = left
		}
	}
}

func (w *watchers) empty() bool {
	w.mu.RLock()
	defer w.mu.RUnlock()
	return len(w.by) == 0
}

func (w *watchers) tell(events []store.Event) {
	for _, e := range events {
		w.mu.RLock()
		list := w.by[e.Partition]
		w.mu.RUnlock()
		for _, one := range list {
			one.mu.Lock()
			if !one.gone {
				one.fn(e)
			}
			one.mu.Unlock()
		}
	}
}

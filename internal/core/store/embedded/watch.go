package embedded

import (
	"slices"
	"sync"

	"millrace/internal/core/store"
)

// watchers are the callbacks of Watch, by partition. Adding and removing one costs what it watches, however many
// others watch the same.
type watchers struct {
	mu sync.RWMutex // held for reading while callbacks run, so that none runs after its cancel has returned
	by map[store.PartitionID][]watchPlace
}

// watchPlace is a watcher in the list of one of its partitions: the nth of its ids.
type watchPlace struct {
	*watcher
	nth int
}

type watcher struct {
	fn   func(store.Event)
	ids  []store.PartitionID
	at   []int // beside ids: where it stands in the list of each
	gone bool
}

func (w *watchers) add(ids []store.PartitionID, fn func(store.Event)) (cancel func()) {
	one := &watcher{fn: fn, ids: slices.Clone(ids), at: make([]int, len(ids))}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.by == nil {
		w.by = map[store.PartitionID][]watchPlace{}
	}
	for nth, id := range one.ids {
		one.at[nth] = len(w.by[id])
		w.by[id] = append(w.by[id], watchPlace{one, nth})
	}
	return func() { w.remove(one) }
}

// remove takes a watcher out of its lists: the last of a list takes its place.
func (w *watchers) remove(one *watcher) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if one.gone {
		return
	}
	one.gone = true
	for nth, id := range one.ids {
		list := w.by[id]
		last := len(list) - 1
		moved := list[last]
		list[one.at[nth]] = moved
		moved.at[moved.nth] = one.at[nth]
		list[last] = watchPlace{}
		if list = list[:last]; last == 0 {
			delete(w.by, id)
		} else {
			w.by[id] = list
		}
	}
}

func (w *watchers) empty() bool {
	w.mu.RLock()
	defer w.mu.RUnlock()
	return len(w.by) == 0
}

func (w *watchers) tell(events []store.Event) {
	w.mu.RLock()
	defer w.mu.RUnlock()
	for _, e := range events {
		for _, p := range w.by[e.Partition] {
			p.fn(e)
		}
	}
}

// heard is how many watchers are told of some appends.
func (w *watchers) heard(appends []store.Append) (n int) {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if len(w.by) == 0 {
		return 0
	}
	for i := range appends {
		n += len(w.by[appends[i].Partition])
	}
	return n
}

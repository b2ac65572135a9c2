package embedded

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"millrace/internal/core/clock"
	"millrace/internal/core/fault"
	"millrace/internal/core/store"
)

func TestViewThatIsOpenTooLongIsRefused(t *testing.T) {
	now := clock.NewManual(time.UnixMilli(1_700_000_000_000))
	o := small(fault.NewTorn())
	o.Clock = now
	r := openRig(t, o)
	r.set("a", []byte("1"))
	view := func(d time.Duration) error {
		return r.View(t.Context(), func(tx store.ReadTx) error {
			now.Advance(d)
			_, _, err := tx.Get(topicKey("a"))
			return err
		})
	}
	if err := view(9 * time.Second); err != nil {
		t.Errorf("a view of 9 s: %v", err)
	}
	if err := view(11 * time.Second); !errors.Is(err, store.ErrSnapshotTooOld) {
		t.Errorf("a view of 11 s: got %v, want %v", err, store.ErrSnapshotTooOld)
	}
}

// heldSync is a disk whose journal syncs wait while it is held.
func heldSync(t *testing.T) (disk *ruleFS, hold, letGo func()) {
	t.Helper()
	disk = &ruleFS{FS: fault.NewTorn()}
	gate := make(chan struct{})
	var once sync.Once
	letGo = func() {
		once.Do(func() {
			disk.set(nil)
			close(gate)
		})
	}
	t.Cleanup(letGo)
	return disk, func() {
		disk.set(func(op fault.Op, path string) error {
			if op == fault.OpSync && strings.HasPrefix(path, "store/journal/") {
				<-gate
			}
			return nil
		})
	}, letGo
}

func TestFullQueueMakesCallersWait(t *testing.T) {
	disk, hold, letGo := heldSync(t)
	o := small(disk)
	o.MaxQueuedBytes = 64 << 10
	r := openRig(t, o)
	id := r.create(store.Retention{})
	hold()
	answers := make(chan error, 100)
	for range 20 { // 10 KiB each: six fit
		go func() {
			_, err := r.Append(context.Background(), one(id, make([]byte, 10<<10)))
			answers <- err
		}()
	}
	await(t, "a full queue", func() bool { return !r.queued.TryAcquire(10<<10) || releaseNow(r, 10<<10) })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := r.Append(ctx, one(id, make([]byte, 10<<10))); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("append to a full queue: got %v, want %v", err, context.DeadlineExceeded)
	}
	r.qmu.Lock()
	waiting := 0
	for _, q := range r.queue {
		waiting += q.bytes
	}
	r.qmu.Unlock()
	if waiting > 64<<10 {
		t.Errorf("%d bytes are queued, the bound is %d", waiting, 64<<10)
	}
	letGo()
	for range 20 {
		if err := <-answers; err != nil {
			t.Errorf("a caller that waited: %v", err)
		}
	}
	if h := r.head(id); h.Next != 20 {
		t.Errorf("%d records, want 20: the one that gave up must not be there", h.Next)
	}
}

// releaseNow gives back what a look at the queue has taken.
func releaseNow(r *rig, n int64) bool {
	r.queued.Release(n)
	return false
}

// TestDearTransactionsOnAHotKeyAllGetTheirTurn: each takes all the time that one group has for transactions that lost.
func TestDearTransactionsOnAHotKeyAllGetTheirTurn(t *testing.T) {
	r := openRig(t, small(fault.NewTorn()))
	const callers = 40
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			_, err := r.Update(t.Context(), func(tx store.Tx) error {
				v, _, err := tx.Get(topicKey("hot"))
				if err != nil {
					return err
				}
				for begun := time.Now(); time.Since(begun) <= serialBudget; { // work
				}
				return tx.Set(topicKey("hot"), append(slices.Clone(v), '1'))
			})
			if err != nil {
				t.Errorf("got %v", err)
			}
		})
	}
	all.Wait()
	if got := len(r.get("hot")); got != callers {
		t.Errorf("got %d changes, want %d", got, callers)
	}
}

func TestRequestLargerThanTheQueueIsTakenAlone(t *testing.T) {
	o := small(fault.NewTorn())
	o.MaxQueuedBytes = 16 << 10
	r := openRig(t, o)
	id := r.create(store.Retention{})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := r.Append(t.Context(), one(id, make([]byte, 200<<10))); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if h := r.head(id); h.Next != 8 {
		t.Errorf("%d records, want 8", h.Next)
	}
}

// TestUnmovedJournalIsBounded holds the mover back: writers wait, and go on when it does.
func TestUnmovedJournalIsBounded(t *testing.T) {
	disk := &ruleFS{FS: fault.NewTorn()}
	gate := make(chan struct{})
	disk.set(func(op fault.Op, path string) error {
		if op == fault.OpCreate && strings.HasPrefix(path, "store/segments/") {
			<-gate
		}
		return nil
	})
	o := small(disk)
	o.MoveAfterBytes, o.MaxUnmovedBytes = 256<<10, 1<<20
	r := openRig(t, o)
	id := r.create(store.Retention{})
	done := make(chan int)
	go func() {
		n := 0
		for ; n < 400; n++ {
			if _, err := r.Append(context.Background(), one(id, numbered(id, store.Offset(n), 8<<10))); err != nil {
				t.Error(err)
				break
			}
		}
		done <- n
	}()
	await(t, "the bound on unmoved journal", func() bool { return r.mover.over() })
	bound := o.MaxUnmovedBytes + 2*o.JournalFileBytes
	for range 100 {
		if got := r.Counters().UnmovedBytes; got > bound {
			t.Fatalf("%d bytes of journal are not moved, the bound is %d", got, bound)
		}
		runtime.Gosched()
	}
	if got := r.head(id).Next; got >= 400 {
		t.Fatal("the writer was never held")
	}
	if err := r.readNumbered(id, 0); err != nil {
		t.Errorf("reads while writers wait: %v", err)
	}
	disk.set(nil)
	close(gate)
	if n := <-done; n != 400 {
		t.Errorf("%d appends went through, want 400", n)
	}
	if err := r.readNumbered(id, 0); err != nil {
		t.Error(err)
	}
}

func TestUnmovedEntriesAreBounded(t *testing.T) {
	o := small(fault.NewTorn())
	o.MoveAfterBytes, o.MaxUnmovedBytes, o.MaxUnmovedEntries = 64<<20, 128<<20, 500
	r := openRig(t, o)
	id := r.create(store.Retention{})
	perFile := o.JournalFileBytes / 4096
	for range 20 {
		r.fill(id, 200, 10)
		if got := r.Counters().UnmovedBatches; got > 500+2*perFile {
			t.Fatalf("%d batches are not moved, the bound is 500", got)
		}
	}
	if err := r.readNumbered(id, 0); err != nil {
		t.Error(err)
	}
}

func TestTailCacheStaysWithinItsBound(t *testing.T) {
	o := small(fault.NewTorn())
	o.TailCacheBytes = 3 * chunkSize
	o.JournalFileBytes, o.MoveAfterBytes, o.MaxUnmovedBytes = 8<<20, 32<<20, 64<<20
	r := openRig(t, o)
	id := r.create(store.Retention{})
	for i := range 60 {
		r.fill(id, 1, []int{100, 100 << 10, 900 << 10}[i%3])
		r.cache.mu.Lock()
		held, chunks := r.cache.bytes, len(r.cache.chunks)
		r.cache.mu.Unlock()
		if held > o.TailCacheBytes+chunkSize {
			t.Fatalf("the cache holds %d bytes in %d chunks, the bound is %d", held, chunks, o.TailCacheBytes)
		}
	}
	r.Shrink()
	if r.cache.bytes > chunkSize {
		t.Errorf("after Shrink the cache holds %d bytes", r.cache.bytes)
	}
	if err := r.readNumbered(id, 0); err != nil {
		t.Error(err)
	}
}

func TestOpenFilesAreBounded(t *testing.T) {
	o := small(fault.NewTorn())
	o.MaxOpenFiles, o.MoveAfterBytes, o.AdoptBatchBytes = 16, 64<<10, 1<<20
	r := openRig(t, o)
	var ids []store.PartitionID
	for range 40 {
		ids = append(ids, r.create(store.Retention{}))
	}
	for range 3 {
		for _, id := range ids {
			r.fill(id, 20, 1000)
		}
	}
	await(t, "40 segments", func() bool { return len(r.files(segmentsDir, ".seg")) >= 40 })
	for range 3 {
		for _, id := range ids {
			if err := r.readNumbered(id, 0); err != nil {
				t.Fatal(err)
			}
			r.segments.mu.Lock()
			n := len(r.segments.open)
			r.segments.mu.Unlock()
			if n > 8+1 { // half of the files; one more while the mover reads
				t.Fatalf("%d segments are open, the bound is 8", n)
			}
		}
	}
}

func TestCloseEndsAllGoroutines(t *testing.T) {
	before := runtime.NumGoroutine()
	for i := range 5 {
		r := openRig(t, small(fault.NewTorn()))
		id := r.create(store.Retention{})
		for range i {
			r.fill(id, 50, 5000)
			r.set(fmt.Sprint(i), make([]byte, 1000))
		}
		r.stop()
	}
	await(t, fmt.Sprintf("%d goroutines, as before", before), func() bool { return runtime.NumGoroutine() <= before })
}

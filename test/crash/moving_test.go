//go:build system

package crash

import (
	"sync"
	"testing"
	"time"

	"millrace/test/process"
)

const (
	// movingBytes fills more than one journal file beyond the bound, whatever the size of a file.
	movingBytes = 100 << 20

	// movingTime is several times what the load takes on a busy machine, and less than a client waits for an
	// answer: writers that wait for ever are still waiting then.
	movingTime = 45 * time.Second
)

// A journal bounded far below its default makes writers wait for the mover again and again; none may wait for
// ever, and what the mover rewrites must stay as it was, also over a kill.
func TestWritersGoOnWhileTheMoverKeepsTheJournalSmall(t *testing.T) {
	seed := uint64(1)
	h := newHarness(t, seed, harnessLoad{fill: 4000, args: []string{"--max-unmoved-mib", "8", "--journal-file-mib", "2"}})
	h.createStreams(t)
	s, _ := h.start(t)
	h.budget.Store(movingBytes)
	done := make(chan struct{})
	go func() {
		defer close(done)
		var wg sync.WaitGroup
		for _, w := range h.writers {
			wg.Go(func() {
				if err := w.run(s.Ready.AWS); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}()
	select {
	case <-done:
		if left := h.budget.Load(); left > 0 {
			t.Errorf("writers ended with %d MiB of %d left to write", left>>20, movingBytes>>20)
		}
	case <-time.After(movingTime):
		t.Errorf("writers wait: %d MiB of %d are left to write after %v", h.budget.Load()>>20, movingBytes>>20, movingTime)
	}
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
	<-done
	h.readEverything(t)
	v := Check(h.history)
	t.Logf("%d records acknowledged, %d unanswered", v.Acknowledged, v.Unanswered)
	for _, p := range v.Problems {
		t.Error(p)
	}
}

// The server refuses a folder that another process has open, and says who holds it.
func TestASecondProcessOnTheFolderIsRefused(t *testing.T) {
	h := newHarness(t, 1, harnessLoad{fill: 1})
	h.start(t)
	second, err := process.Launch(h.options)
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-second.Done():
	case <-time.After(10 * time.Second):
		t.Fatalf("a second process runs on %s", h.options.Data)
	}
	if err := second.Stop(); err == nil {
		t.Errorf("a second process on %s ended well, want a refusal", h.options.Data)
	}
}

package embedded

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"millrace/internal/core/fault"
	"millrace/internal/core/journal"
	"millrace/internal/core/store"
)

// groupOrder goes through what was done to the disk and counts groups: writes to a journal file after its page was
// written. It fails where an answer comes before its group's file was synced.
func groupOrder(t *testing.T, events []fault.Event) (groups, answers int) {
	t.Helper()
	begun := map[string]bool{}
	waiting := map[string][]int{} // groups written since the file's last sync
	synced := map[int]bool{}
	for i, e := range events {
		inJournal := strings.HasSuffix(e.Path, ".log")
		switch {
		case e.Err != nil:
			t.Fatalf("event %d: %v: %v", i, e, e.Err)
		case e.Op == fault.OpWrite && inJournal && e.Off == 0 && e.Len == journal.PageSize:
			begun[e.Path] = true
		case e.Op == fault.OpWrite && inJournal && begun[e.Path]:
			groups++
			waiting[e.Path] = append(waiting[e.Path], groups)
		case e.Op == fault.OpSync && inJournal:
			for _, g := range waiting[e.Path] {
				synced[g] = true
			}
			waiting[e.Path] = nil
		case e.Op == fault.OpNote:
			var seq int
			if _, err := fmt.Sscanf(e.Text, "answer of group %d", &seq); err != nil {
				t.Fatalf("event %d: %v", i, e)
			}
			answers++
			if !synced[seq] {
				t.Fatalf("event %d: the answer of group %d came before a sync; %d groups were written", i, seq, groups)
			}
		}
	}
	return groups, answers
}

func TestSyncStandsBetweenWriteAndAnswer(t *testing.T) {
	count := fault.NewCount(fault.NewTorn())
	o := small(count)
	o.JournalFileBytes = 64 << 10
	r := openRig(t, o)
	var wg sync.WaitGroup
	for w := range 6 {
		wg.Go(func() {
			for i := range 60 {
				c, err := r.Update(t.Context(), func(tx store.Tx) error {
					return tx.Set(topicKey(fmt.Sprint(w, i)), make([]byte, 100*i))
				})
				if err != nil {
					t.Errorf("Update: %v", err)
					return
				}
				count.Note(fmt.Sprintf("answer of group %d", c.Sequence))
			}
		})
	}
	wg.Wait()
	groups, answers := groupOrder(t, count.Events())
	if answers != 360 || groups < 60 || groups > 361 {
		t.Errorf("%d answers of %d groups", answers, groups)
	}
	if s := count.Count(fault.OpSync); s < groups {
		t.Errorf("%d syncs for %d groups", s, groups)
	}
}

// TestNoAnswerComesWhileTheJournalIsDirty asks one after the other, so that every write was for the answer seen last.
func TestNoAnswerComesWhileTheJournalIsDirty(t *testing.T) {
	count := fault.NewCount(fault.NewTorn())
	r := openRig(t, small(count))
	id := r.create(store.Retention{})
	clean := func(what string) {
		t.Helper()
		for _, name := range count.Dirty() {
			// A file that is being prepared is written too; the one that groups go to has been begun.
			if strings.HasSuffix(name, ".log") && name == r.active.name {
				t.Fatalf("%s was answered, but %s is not synced", what, name)
			}
		}
	}
	for i := range 300 {
		r.append(id, make([]byte, 10*i))
		clean("an append")
		r.set("a", make([]byte, i))
		clean("a transaction")
	}
	r.update(func(tx store.Tx) error { return tx.ClosePartition(id) })
	clean("a close")
	if res, err := r.Append(t.Context(), one(id, nil)); err != nil || !errors.Is(res[0].Err, store.ErrClosed) {
		t.Errorf("append to a closed partition: %+v, %v", res, err)
	}
	clean("a refusal")
	if _, err := r.Update(context.Background(), func(tx store.Tx) error { return tx.DeletePartition(99) }); !errors.Is(err, store.ErrNoPartition) {
		t.Errorf("delete of no partition: %v", err)
	}
	clean("a refused transaction")
}

//go:build !race

package produce

import (
	"strings"
	"testing"

	"millrace/internal/core/store"
	"millrace/internal/core/store/storetest"
	"millrace/internal/service/kafka/logtest"
)

// The race detector empties pools at random, so this is not for it.

func TestProduceAllocatesNothingOfItsOwn(t *testing.T) {
	ids := make([]store.PartitionID, 10)
	s := &instant{storetest.NewModel(), make([]store.AppendResult, 10)}
	p := New(Options{Store: s})
	b := logtest.Values(logtest.Fields{}, s.Now(), strings.Repeat("x", 1024))
	ru := rules()
	done := func(q *Request) { q.Free() }
	// Less than one: the pool may be emptied by a collection in between.
	if got := testing.AllocsPerRun(1000, func() { produceOnce(p, ru, ids, b, done) }); got >= 1 {
		t.Fatalf("allocations of a request with 10 partitions: got %v, want 0", got)
	}
}

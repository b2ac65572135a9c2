package kinesis

import (
	"context"
	"errors"
	"testing"

	"golang.org/x/sync/semaphore"

	"millrace/internal/api/kinesisapi"
	"millrace/internal/core/store"
)

func TestPagesWaitForTheMemoryOfOthers(t *testing.T) {
	s := &Service{reading: semaphore.NewWeighted(1000)}
	first, second := &page{svc: s}, &page{svc: s}
	if ok, err := first.reserve(t.Context(), 800); !ok || err != nil {
		t.Fatalf("first page: got %v, %v", ok, err)
	}
	first.settle(&store.ReadResult{Batches: []store.Batch{{Bytes: make([]byte, 600)}}}, 800)
	if first.held != 600 {
		t.Fatalf("held after the read: got %d, want what was read: 600", first.held)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if ok, err := second.reserve(gone, 500); ok || !errors.Is(err, context.Canceled) {
		t.Fatalf("an empty page at the bound: got %v, %v, want it to wait until its caller goes", ok, err)
	}
	second.records = make([]kinesisapi.Record, 1)
	if ok, err := second.reserve(t.Context(), 500); ok || err != nil {
		t.Fatalf("a page with records at the bound: got %v, %v, want it to end as it is", ok, err)
	}
	first.release()
	if ok, err := second.reserve(t.Context(), 1000); !ok || err != nil {
		t.Fatalf("after the first page was sent: got %v, %v", ok, err)
	}
}

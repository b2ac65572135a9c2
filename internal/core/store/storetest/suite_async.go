package storetest

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"millrace/internal/core/store"
)

var asyncTests = []test{
	{"AsyncAppendsAreDecidedInTheOrderOfTheirCalls", func(e *env) {
		id := e.partition()
		e.producer(7, 0)
		const n = 200
		answers := e.async(n, func(i int) []store.AppendRequest {
			return []store.AppendRequest{producedBy(7, 0, int32(i)).to(id)}
		})
		for i, a := range answers {
			if a.err != nil || len(a.results) != 1 || a.results[0].Err != nil || a.results[0].Base != store.Offset(i) {
				e.Fatalf("append %d: got %+v, %v", i, a.results, a.err)
			}
		}
		wantEqual(e, "next offset", e.head(id).Next, n)
	}},
	{"AsyncAppendsBehindOneThatFailsFailToo", func(e *env) {
		id := e.partition()
		e.producer(7, 0)
		seqs := []int32{0, 1, 3, 4, 5} // 2 is missing
		answers := e.async(len(seqs), func(i int) []store.AppendRequest {
			return []store.AppendRequest{producedBy(7, 0, seqs[i]).to(id)}
		})
		for i, a := range answers {
			var want error
			if i >= 2 {
				want = store.ErrOutOfSequence
			}
			if a.err != nil || !errors.Is(a.results[0].Err, want) {
				e.Errorf("append %d: got %+v, %v; want %v", i, a.results, a.err, want)
			}
		}
	}},
	{"AsyncAppendsAreAnsweredOnceAlsoWhenTheStoreCloses", func(e *env) {
		id := e.partition()
		var wg sync.WaitGroup
		var mu sync.Mutex
		calls := map[string]int{}
		appended := 0
		for w := range 4 {
			wg.Go(func() {
				for i := range 200 {
					name := fmt.Sprint(w, ".", i)
					wg.Add(1)
					e.s.AppendAsync(e.ctx, []store.AppendRequest{loose(id, name)}, func(_ []store.AppendResult, err error) {
						mu.Lock()
						defer mu.Unlock()
						if calls[name]++; calls[name] == 1 {
							wg.Done()
						}
						if err == nil {
							appended++
						} else if !errors.Is(err, store.ErrStopped) {
							e.Errorf("append %s: got %v", name, err)
						}
					})
				}
			})
		}
		if err := e.s.Close(); err != nil {
			e.Errorf("Close: %v", err)
		}
		wg.Wait()
		for name, n := range calls {
			if n != 1 {
				e.Errorf("append %s was answered %d times", name, n)
			}
		}
		wantEqual(e, "answers", len(calls), 800)
	}},
	{"AsyncAppendThatIsRefusedIsAnswered", func(e *env) {
		id := e.partition()
		e.update(func(tx store.Tx) error { return tx.ClosePartition(id) })
		got := e.async(2, func(i int) []store.AppendRequest {
			if i == 0 {
				return nil
			}
			return []store.AppendRequest{loose(id, "a")}
		})
		if got[0].err != nil || len(got[0].results) != 0 {
			e.Errorf("append of nothing: got %+v", got[0])
		}
		if got[1].err != nil || !errors.Is(got[1].results[0].Err, store.ErrClosed) {
			e.Errorf("append to a closed partition: got %+v", got[1])
		}
	}},
}

// asyncAnswer is what the callback of one AppendAsync got.
type asyncAnswer struct {
	results []store.AppendResult
	err     error
}

// async begins n appends one after the other and returns their answers in the same order.
func (e *env) async(n int, req func(i int) []store.AppendRequest) []asyncAnswer {
	e.Helper()
	answers := make([]asyncAnswer, n)
	done := make(chan int, n)
	for i := range n {
		e.s.AppendAsync(e.ctx, req(i), func(results []store.AppendResult, err error) {
			answers[i] = asyncAnswer{results, err}
			done <- i
		})
	}
	for range n {
		select {
		case <-done:
		case <-time.After(testTime / 2):
			e.Fatal("an append was not answered")
		}
	}
	return answers
}

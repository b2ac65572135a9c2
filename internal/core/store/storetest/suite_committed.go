package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"

	"millrace/internal/core/batch"
	"millrace/internal/core/store"
)

// The sizes of the transactional load: transactions of several producers overlap in each partition.
const (
	committedProducers  = 4
	committedPartitions = 3
	committedRounds     = 8
)

// committedLoad has producers run transactions at once, half of which abort, ended in slices of one or two
// partitions, and compares what a consumer of committed records sees with what was committed.
func committedLoad(e *env) {
	ids := e.partitions(committedPartitions)
	var mu sync.Mutex
	want := map[store.PartitionID][]string{}
	var wg sync.WaitGroup
	for p := range store.ProducerID(committedProducers) {
		e.producer(p, 0)
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(p), 9))
			seq := map[store.PartitionID]int32{}
			for round := range committedRounds {
				done, err := committedRound(e, rng, p, round, ids, seq)
				if err != nil {
					e.Errorf("producer %d, round %d: %v", p, round, err)
					return
				}
				mu.Lock()
				for id, values := range done {
					want[id] = append(want[id], values...)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	for _, id := range ids {
		for _, maxBytes := range []int{1, 300, 1 << 20} {
			got := e.consume(id, maxBytes)
			slices.Sort(got)
			slices.Sort(want[id])
			if !slices.Equal(got, want[id]) {
				e.Fatalf("committed records of partition %d, read %d bytes at a time: got %q, want %q", id, maxBytes, got, want[id])
			}
		}
		if h := e.head(id); h.LastStable != h.Next {
			e.Fatalf("partition %d: last stable %d, next %d after all transactions ended", id, h.LastStable, h.Next)
		}
	}
}

// committedRound runs one transaction and returns its records when it was committed, and plain ones.
func committedRound(e *env, rng *rand.Rand, p store.ProducerID, round int, ids []store.PartitionID, seq map[store.PartitionID]int32) (map[store.PartitionID][]string, error) {
	commit, done := rng.IntN(2) == 0, map[store.PartitionID][]string{}
	for i := range 1 + rng.IntN(4) {
		id, v := ids[rng.IntN(len(ids))], fmt.Sprintf("%d.%d.%d", p, round, i)
		res, err := e.s.Append(e.ctx, []store.AppendRequest{inTxn(p, seq[id], v).to(id), loose(id, v+" plain")})
		if err == nil {
			err = errors.Join(res[0].Err, res[1].Err)
		}
		if err != nil {
			return nil, err
		}
		seq[id]++
		done[id] = append(done[id], v+" plain")
		if commit {
			done[id] = append(done[id], v)
		}
	}
	for remain := 1; remain > 0; {
		_, err := e.retryContention(func(tx store.Tx) (err error) {
			remain, err = tx.EndTransaction(p, 0, commit, 1+round%2)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return done, nil
}

// consume reads committed records as a Kafka consumer does: it leaves out the batches of a producer from the first
// offset of an aborted transaction up to its marker.
func (e *env) consume(id store.PartitionID, maxBytes int) []string {
	e.Helper()
	var all []string
	for from := store.Offset(0); ; {
		res := e.read(store.ReadRequest{Partition: id, From: from, MaxBytes: maxBytes, Isolation: store.ReadCommitted})
		if len(res.Batches) == 0 {
			return all
		}
		for _, b := range res.Batches {
			h := header(e, b)
			from = b.Next
			aborted := slices.ContainsFunc(res.Aborted, func(a store.Aborted) bool {
				return int64(a.Producer) == h.ProducerID && a.First <= b.Base && b.Base < a.Last
			})
			if h.Attributes&batch.AttrControl != 0 || aborted && h.Transactional() {
				continue
			}
			for _, r := range e.records([]store.Batch{b}) {
				all = append(all, string(r.Value))
			}
		}
	}
}

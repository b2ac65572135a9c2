package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"millrace/internal/core/store"
)

// The sizes of one linearizability check: the search is exponential in calls that overlap.
const (
	linearClients = 4
	linearCalls   = 10
	linearThings  = 3 // keys and partitions, each checked for itself
)

// linearInput is one call on one thing: a key that counts, or a partition.
type linearInput struct {
	thing int
	op    byte // 'g'et, 's'et to value, 'i'ncrement, 'a'ppend, 'n'ext
	value int
}

// thingModel is what a key or a partition must look like to somebody who does one call after the
// other: a number. Append returns it and adds one.
var thingModel = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		parts := map[string][]porcupine.Operation{}
		for _, o := range history {
			in := o.Input.(linearInput)
			name := fmt.Sprint(in.thing, in.op == 'a' || in.op == 'n')
			parts[name] = append(parts[name], o)
		}
		all := make([][]porcupine.Operation, 0, len(parts))
		for _, p := range parts {
			all = append(all, p)
		}
		return all
	},
	Init: func() any { return 0 },
	Step: func(state, input, output any) (bool, any) {
		n, in, out := state.(int), input.(linearInput), output.(int)
		switch in.op {
		case 's':
			return true, in.value
		case 'i':
			return out == n+1, n + 1
		case 'a':
			return out == n, n + 1
		default:
			return out == n, n
		}
	},
	DescribeOperation: func(input, output any) string {
		in := input.(linearInput)
		return fmt.Sprintf("%c %d (%d): %v", in.op, in.thing, in.value, output)
	},
}

// runLinear makes calls at once on single keys and partitions, through every way in and out, and checks
// that each took effect at one moment between its begin and its end.
func runLinear(t *testing.T, c *config) {
	t.Run("SingleKeysAndPartitionsAreLinearizable", func(t *testing.T) {
		e := newEnv(t, c.open(t))
		for seed := range max(1, c.seeds/10) {
			if !linear(e, uint64(seed)) {
				e.Fatalf("seed %d: no order of the calls explains their answers", seed)
			}
		}
	})
}

func linear(e *env, seed uint64) bool {
	ids := e.partitions(linearThings)
	begin := time.Now()
	var mu sync.Mutex
	var history []porcupine.Operation
	var wg sync.WaitGroup
	for client := range linearClients {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(seed, uint64(client)))
			for range linearCalls {
				in := linearInput{thing: rng.IntN(linearThings), op: "gsian"[rng.IntN(5)], value: rng.IntN(100)}
				call := time.Since(begin)
				out, err := linearCall(e, key("l%d/%d", seed, in.thing), ids[in.thing], in)
				if err != nil {
					e.Errorf("%+v: %v", in, err)
					return
				}
				mu.Lock()
				history = append(history, porcupine.Operation{
					ClientId: client, Input: in, Output: out,
					Call: call.Nanoseconds(), Return: time.Since(begin).Nanoseconds(),
				})
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return !e.Failed() && porcupine.CheckOperations(thingModel, history)
}

func linearCall(e *env, k []byte, id store.PartitionID, in linearInput) (out int, err error) {
	number := func(tx store.ReadTx) error {
		v, ok, err := tx.Get(k)
		out = 0
		if ok {
			_, scanErr := fmt.Sscan(string(v), &out)
			err = errors.Join(err, scanErr)
		}
		return err
	}
	switch in.op {
	case 'g':
		err = e.s.View(e.ctx, number)
	case 's':
		_, err = e.retryContention(func(tx store.Tx) error { return tx.Set(k, fmt.Append(nil, in.value)) })
	case 'i':
		_, err = e.retryContention(func(tx store.Tx) error {
			err := number(tx)
			out++
			return errors.Join(err, tx.Set(k, fmt.Append(nil, out)))
		})
	case 'a':
		var res []store.AppendResult
		if res, err = e.s.Append(e.ctx, []store.AppendRequest{loose(id, "x")}); err == nil {
			out, err = int(res[0].Base), res[0].Err
		}
	default:
		var h store.Head
		h, err = e.s.Head(e.ctx, id)
		out = int(h.Next)
	}
	return out, err
}

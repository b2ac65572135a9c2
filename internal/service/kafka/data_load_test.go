package kafka

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kversion"

	"millrace/internal/core/store"
	"millrace/internal/service/kafka/logtest"
)

const (
	loadTransactions = 30 // of each producer
	loadRecords      = 12 // of each transaction
)

// produceTransactions commits or aborts at random and returns the names of the transactions that were committed. Each
// record says its transaction.
func produceTransactions(t *testing.T, p *kgo.Client, name string, seed uint64) (committed []string) {
	random := rand.New(rand.NewPCG(seed, 1))
	ctx := deadline(t)
	for i := range loadTransactions {
		if err := p.BeginTransaction(); err != nil {
			t.Error(err)
			return nil
		}
		txn := fmt.Sprint(name, ".", i)
		for range loadRecords {
			p.Produce(ctx, &kgo.Record{Key: fmt.Append(nil, random.IntN(100)), Value: []byte(txn)}, func(_ *kgo.Record, err error) {
				if err != nil {
					t.Errorf("produce in %s: %v", txn, err)
				}
			})
		}
		if err := p.Flush(ctx); err != nil {
			t.Error(err)
			return nil
		}
		commit := random.IntN(3) > 0
		if err := p.EndTransaction(ctx, kgo.TransactionEndTry(commit)); err != nil {
			t.Errorf("end %s: %v", txn, err)
			return nil
		}
		if commit {
			committed = append(committed, txn)
		}
	}
	return committed
}

// readCommitted reads until the transactions named "last" of all producers have come whole, and returns how many records
// of each transaction were read.
func readCommitted(t *testing.T, c *kgo.Client, last int) map[string]int {
	ctx := deadline(t)
	seen := map[string]int{}
	for ended := 0; ended < last; {
		f := c.PollFetches(ctx)
		if errs := f.Errors(); len(errs) > 0 {
			t.Errorf("fetch: %+v", errs[0])
			return seen
		}
		for _, r := range f.Records() {
			if seen[string(r.Value)]++; strings.HasPrefix(string(r.Value), "last") {
				ended++
			}
		}
	}
	return seen
}

func TestTransactionsUnderLoadAreReadWholeAndOnce(t *testing.T) {
	logtest.EachStore(t, func(t *testing.T, s store.Store) {
		b := open(t, s)
		addr := listen(t, b)
		const parts = 3
		mustCreate(t, b, topicOf("load", parts))
		var mu sync.Mutex
		committed := map[string]bool{}
		var producers, readers sync.WaitGroup
		for i, versions := range []*kversion.Versions{kversion.Stable(), kversion.Stable(), kversion.V3_5_0(), kversion.V3_5_0()} {
			name := fmt.Sprint("p", i)
			p := client(t, addr, kgo.MaxVersions(versions), kgo.DefaultProduceTopic("load"), kgo.TransactionalID(name))
			producers.Go(func() {
				names := produceTransactions(t, p, name, uint64(i))
				mu.Lock()
				defer mu.Unlock()
				for _, n := range names {
					committed[n] = true
				}
			})
		}
		results := make([]map[string]int, 3)
		for i := range results {
			opts := []kgo.Opt{kgo.ConsumeTopics("load"), kgo.FetchIsolationLevel(kgo.ReadCommitted())}
			if i == 2 {
				opts = append(opts, kgo.DisableFetchSessions())
			}
			c := client(t, addr, opts...)
			readers.Go(func() { results[i] = readCommitted(t, c, parts) })
		}
		producers.Wait()
		end := client(t, addr, kgo.RecordPartitioner(kgo.ManualPartitioner()))
		for part := range int32(parts) {
			if err := end.ProduceSync(context.WithoutCancel(deadline(t)), &kgo.Record{Topic: "load", Partition: part, Value: fmt.Append(nil, "last", part)}).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
		readers.Wait()
		for i, seen := range results {
			for txn, n := range seen {
				if !strings.HasPrefix(txn, "last") && (!committed[txn] || n != loadRecords) {
					t.Errorf("reader %d: %d records of transaction %s (committed: %v), want %d of committed ones", i, n, txn, committed[txn], loadRecords)
				}
			}
			if len(seen) != len(committed)+parts {
				t.Errorf("reader %d: transactions: got %d, want %d", i, len(seen)-parts, len(committed))
			}
		}
	})
}

package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"millrace/internal/core/store"
	"millrace/internal/core/store/embedded"
	"millrace/test/load"
)

const (
	updateCallers = 64
	updateKeys    = 4096 // all in the memtable: the cost of the transaction, not of the disk
)

// runUpdate measures serializable transactions of the embedded store, inside this process: each adds one to a
// counter, all callers on one key or spread over many.
func (b *bench) runUpdate(ctx context.Context) error {
	dir := filepath.Join(b.dir, "update")
	defer os.RemoveAll(dir)
	s, err := embedded.Open(embedded.Options{Dir: dir})
	if err != nil {
		return err
	}
	for _, keys := range []int{updateKeys, 1} {
		if err := b.updateOn(ctx, s, keys); err != nil {
			return errors.Join(err, s.Close())
		}
	}
	return s.Close()
}

func (b *bench) updateOn(ctx context.Context, s store.Store, keys int) error {
	var rates, cpus []float64
	for range b.settings.rounds {
		before, err := load.Usage(os.Getpid())
		if err != nil {
			return err
		}
		start := time.Now()
		count, err := updates(ctx, s, keys, b.settings.window)
		if err != nil {
			return err
		}
		elapsed := time.Since(start)
		after, err := load.Usage(os.Getpid())
		if err != nil {
			return err
		}
		rates = append(rates, float64(count)/elapsed.Seconds())
		cpus = append(cpus, float64((after-before).Nanoseconds())/1000/float64(count))
	}
	row := []string{
		fmt.Sprintf("Update, %d callers on %d keys", updateCallers, keys),
		fmt.Sprintf("%.0f /s", median(rates)), fmt.Sprintf("%.1f µs CPU", median(cpus)),
	}
	b.report.updates = append(b.report.updates, row)
	fmt.Println(row)
	return nil
}

// updates counts upward with all callers for the given time, and returns how many transactions went in.
func updates(ctx context.Context, s store.Store, keys int, window time.Duration) (int64, error) {
	var stop atomic.Bool
	var count atomic.Int64
	errs := make([]error, updateCallers)
	var wg sync.WaitGroup
	for i := range updateCallers {
		wg.Go(func() {
			for n := i; !stop.Load() && errs[i] == nil; n++ {
				key := binary.BigEndian.AppendUint32([]byte{byte(store.FamilySetting), 'b'}, uint32(n*7919%keys))
				_, errs[i] = s.Update(ctx, func(tx store.Tx) error { return addOne(tx, key) })
				count.Add(1)
			}
		})
	}
	timer := time.AfterFunc(window, func() { stop.Store(true) })
	defer timer.Stop()
	wg.Wait()
	return count.Load(), errors.Join(errs...)
}

func addOne(tx store.Tx, key []byte) error {
	value, _, err := tx.Get(key)
	if err != nil {
		return err
	}
	n := uint64(0)
	if len(value) == 9 {
		n = binary.BigEndian.Uint64(value[1:])
	}
	return tx.Set(key, binary.BigEndian.AppendUint64([]byte{1}, n+1))
}

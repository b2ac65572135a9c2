package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	"millrace/internal/core/store"
	"millrace/internal/core/store/embedded"
	"millrace/test/process"
)

const (
	fillPartitions = 256
	fillWriters    = 8

	// fillBatches is just below the bound of unmoved batches, each of one record of 1 KiB: with their
	// frames a little over a gigabyte of journal.
	fillBatches = 980_000

	fillReady = "filled"
)

// runFill fills the folder dir with as much unmoved journal as the default bounds allow, says so, and waits to
// be killed. A server under load stays below that, since its mover works all the time; here the mover rests.
func runFill(ctx context.Context, dir string) error {
	s, err := embedded.Open(embedded.Options{
		Dir: dir, MoveAfterBytes: 4 << 30, MaxUnmovedBytes: 4 << 30, MaxUnmovedEntries: 4 * fillBatches,
	})
	if err != nil {
		return err
	}
	_, err = s.Update(ctx, func(tx store.Tx) error {
		for id := range fillPartitions {
			if err := tx.CreatePartition(store.PartitionID(id+1), 0, store.Retention{Millis: 1 << 40, Bytes: 1 << 40}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := fillRecords(ctx, s); err != nil {
		return err
	}
	fmt.Println(fillReady)
	<-ctx.Done()
	return ctx.Err()
}

// fillRecords appends one record to every partition, again and again.
func fillRecords(ctx context.Context, s store.Store) error {
	value := make([]byte, recordSize)
	var left atomic.Int64
	left.Store(fillBatches / fillPartitions)
	errs := make([]error, fillWriters)
	var wg sync.WaitGroup
	for i := range fillWriters {
		wg.Go(func() {
			var requests []store.AppendRequest
			for id := range fillPartitions {
				requests = append(requests, store.AppendRequest{
					Partition: store.PartitionID(id + 1), Records: []store.Record{{Key: []byte("key"), Value: value}},
				})
			}
			for left.Add(-1) >= 0 && errs[i] == nil {
				_, errs[i] = s.Append(ctx, requests)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// recoverFull kills a process that has filled its journal, and has the server recover the folder.
func (b *bench) recoverFull(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	o := b.millraceOptions("full")
	defer os.RemoveAll(o.Data)
	child, err := process.StartChild(b.log("fill"), nil, self, "-fill", o.Data)
	if err != nil {
		return err
	}
	err = child.Await(ctx, func() bool { return strings.Contains(child.Tail(), fillReady) })
	if err := errors.Join(err, child.Kill()); err != nil {
		return err
	}
	journal, err := filepath.Glob(filepath.Join(o.Data, "journal", "*"))
	if err != nil {
		return err
	}
	s, ms, err := b.ready(ctx, o)
	defer stop(s)
	if err != nil {
		return err
	}
	b.life(fmt.Sprintf("first answer after kill -9, %d batches in %d files of unmoved journal", fillBatches, len(journal)),
		"ms", []float64{ms}, 2000)
	return nil
}

package embedded

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"millrace/internal/core/batch"
	"millrace/internal/core/store"
	"millrace/internal/core/store/storetest"
)

// benchStore is a store with default sizes on the disk that b.TempDir is on.
func benchStore(b *testing.B) *rig {
	b.Helper()
	return openRig(b, benchOptions(b))
}

func benchOptions(b *testing.B) Options {
	return Options{Dir: filepath.Join(b.TempDir(), "data"), BallastBytes: -1, RootKey: storetest.RootKey, Logger: slog.New(slog.DiscardHandler)}
}

// callers makes b.N calls by some goroutines at once.
func callers(b *testing.B, n int, call func(worker, i int) error) {
	b.Helper()
	b.ReportAllocs()
	b.ResetTimer()
	var next atomic.Int64
	var wg sync.WaitGroup
	for w := range n {
		wg.Go(func() {
			for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
				if err := call(w, int(i)); err != nil {
					b.Errorf("call %d: %v", i, err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
}

// groups reports how many calls share a sync.
func (r *rig) groups(b *testing.B, before Counters) {
	c := r.Counters()
	b.ReportMetric(float64(b.N)/float64(max(1, c.Groups-before.Groups)), "calls/group")
}

func appendOK(res []store.AppendResult, err error) error {
	for i := range res {
		if res[i].Err != nil {
			return res[i].Err
		}
	}
	return err
}

// BenchmarkAppendLoose is PutRecord: one record of 1 KiB in a call.
func BenchmarkAppendLoose(b *testing.B) {
	for _, n := range []int{1, 16, 64} {
		b.Run(fmt.Sprintf("callers=%d", n), func(b *testing.B) {
			r := benchStore(b)
			var ids []store.PartitionID
			for range 4 {
				ids = append(ids, r.create(store.Retention{}))
			}
			value := make([]byte, 1<<10)
			before := r.Counters()
			b.SetBytes(1 << 10)
			callers(b, n, func(_, i int) error {
				return appendOK(r.Append(context.Background(), one(ids[i%4], value)))
			})
			r.groups(b, before)
		})
	}
}

// BenchmarkAppendHundred is PutRecords: 100 records of 1 KiB over 4 partitions in a call, 16 callers.
func BenchmarkAppendHundred(b *testing.B) { benchAppendHundred(b, false) }

// BenchmarkAppendHundredSealed is the same to a stream that is encrypted.
func BenchmarkAppendHundredSealed(b *testing.B) { benchAppendHundred(b, true) }

func benchAppendHundred(b *testing.B, seal bool) {
	r := benchStore(b)
	var req []store.AppendRequest
	for range 4 {
		a := store.AppendRequest{Partition: r.create(store.Retention{})}
		if seal {
			a.Key = r.seal(a.Partition)
		}
		for range 25 {
			a.Records = append(a.Records, store.Record{Key: []byte("key"), Value: make([]byte, 1<<10)})
		}
		req = append(req, a)
	}
	before := r.Counters()
	b.SetBytes(100 << 10)
	callers(b, 16, func(int, int) error { return appendOK(r.Append(context.Background(), req)) })
	r.groups(b, before)
}

// BenchmarkUpdate reads and writes one key, 64 callers: all the same one, or each its own.
func BenchmarkUpdate(b *testing.B) {
	for name, keys := range map[string]int{"one key": 1, "many keys": 1 << 20} {
		b.Run(name, func(b *testing.B) {
			r := benchStore(b)
			before := r.Counters()
			callers(b, 64, func(_, i int) error {
				k := topicKey(fmt.Sprintf("%08d", i%keys))
				_, err := r.Update(context.Background(), func(tx store.Tx) error {
					v, _, err := tx.Get(k)
					if err != nil {
						return err
					}
					return tx.Set(k, append(v[:0], make([]byte, 100)...))
				})
				return err
			})
			r.groups(b, before)
		})
	}
}

// BenchmarkRead reads 1 MiB at a time from one end to the other: from the tail cache, and from files that the page cache holds.
func BenchmarkRead(b *testing.B) {
	const total, piece = 8 << 20, 1 << 20
	load := func(b *testing.B, o Options, seal bool) (*rig, store.PartitionID) {
		r := openRig(b, o)
		id := r.create(store.Retention{})
		a := store.AppendRequest{Partition: id}
		if seal {
			a.Key = r.seal(id)
		}
		for range 64 {
			a.Records = append(a.Records, store.Record{Value: make([]byte, 1<<10)})
		}
		for range total / (64 << 10) {
			if err := appendOK(r.Append(b.Context(), []store.AppendRequest{a})); err != nil {
				b.Fatal(err)
			}
		}
		return r, id
	}
	read := func(b *testing.B, r *rig, id store.PartitionID) {
		next := r.head(id).Next
		from := store.Offset(0)
		b.SetBytes(piece)
		b.ReportAllocs()
		for b.Loop() {
			res, err := r.Read(context.Background(), store.ReadRequest{Partition: id, From: from, MaxBytes: piece})
			if err != nil || len(res.Batches) == 0 {
				b.Fatalf("read from %d: %d batches, %v", from, len(res.Batches), err)
			}
			if from = res.Batches[len(res.Batches)-1].Next; from >= next {
				from = 0
			}
			res.Release()
		}
	}
	for name, seal := range map[string]bool{"": false, " sealed": true} {
		b.Run("tail cache"+name, func(b *testing.B) {
			o := benchOptions(b)
			o.FirstFileBytes = 64 << 20 // a file that is adopted is read as one
			r, id := load(b, o, seal)
			read(b, r, id)
			if c := r.Counters(); c.CacheMisses > 0 {
				b.Errorf("%d of %d batches came from files", c.CacheMisses, c.CacheHits)
			}
		})
		b.Run("journal file"+name, func(b *testing.B) {
			o := benchOptions(b)
			r, _ := load(b, o, seal)
			r.stop()
			r = openRig(b, o)
			read(b, r, 1)
		})
	}
	b.Run("segment", func(b *testing.B) {
		o := benchOptions(b)
		o.JournalFileBytes, o.MoveAfterBytes, o.AdoptBatchBytes = 1<<20, 1<<20, 1<<30
		r, _ := load(b, o, false)
		await(b, "segments", func() bool { return r.Counters().MovedFiles > 0 })
		r.stop()
		r = openRig(b, o)
		read(b, r, 1)
	})
}

// BenchmarkRecovery opens what a crash has left of a store: 256 MiB of journal that were never moved, batches of 4 KiB with
// a key change for each 16.
func BenchmarkRecovery(b *testing.B) {
	const total = 256 << 20
	o := benchOptions(b)
	o.MoveAfterBytes, o.MaxUnmovedBytes = 1<<30, 2<<30
	o.AdoptBatchBytes = 1 << 30
	r := openRig(b, o)
	id := r.create(store.Retention{})
	r.load(id, total)
	next, left := r.head(id).Next, filepath.Join(b.TempDir(), "left")
	copyTree(b, o.Dir, left, func(from, to string) error {
		if strings.HasSuffix(from, ".log") && from != r.active.name {
			return os.Link(from, to)
		}
		return copyFile(from, to) // what the stop below goes on writing
	})
	r.stop()
	b.SetBytes(total)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		b.StopTimer()
		o.Dir = filepath.Join(filepath.Dir(left), fmt.Sprint(i))
		copyTree(b, left, o.Dir, os.Link) // recovery writes new files
		b.StartTimer()
		r := &rig{TB: b, Store: mustOpen(b, o)}
		b.StopTimer()
		if h := r.head(id); h.Next != next {
			b.Fatalf("%d records after recovery, want %d", h.Next, next)
		}
		r.stop()
		if err := os.RemoveAll(o.Dir); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}

// load writes transactions of 16 batches of 4 KiB and a key.
func (r *rig) load(id store.PartitionID, total int) {
	r.Helper()
	var builder batch.Builder
	builder.Start(nil, 0)
	builder.Add(&batch.Record{Value: make([]byte, 4000)})
	record := builder.Finish(batch.Fields{ProducerID: batch.NoProducer, ProducerEpoch: batch.NoProducer, BaseSequence: batch.NoProducer})
	const workers = 64
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range total / 4096 / 16 / workers {
				_, err := r.Update(context.Background(), func(tx store.Tx) error {
					for range 16 {
						if _, err := tx.Append(store.AppendRequest{Partition: id, Batch: record}); err != nil {
							return err
						}
					}
					return tx.Set(topicKey(fmt.Sprintf("%d/%d", w, i)), make([]byte, 100))
				})
				if err != nil {
					r.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// copyTree makes a folder like another, without its locks, each file by each.
func copyTree(b *testing.B, from, to string, each func(from, to string) error) {
	b.Helper()
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		switch {
		case err != nil:
			return err
		case d.IsDir():
			return os.MkdirAll(filepath.Join(to, rel), 0o755)
		case d.Name() == lockName || d.Name() == holderName:
			return nil
		}
		return each(path, filepath.Join(to, rel))
	})
	if err != nil {
		b.Fatal(err)
	}
}

func copyFile(from, to string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, b, 0o644)
}

// BenchmarkAppendSpread is PutRecords of 500 records of 1 KiB over more and more partitions, 8 callers; the mover has its
// part in it. An operation is a record.
func BenchmarkAppendSpread(b *testing.B) {
	for _, parts := range []int{4, 100, 4000} {
		b.Run(fmt.Sprintf("partitions=%d", parts), func(b *testing.B) {
			const perCall = 500
			r := benchStore(b)
			ids := make([]store.PartitionID, parts)
			for i := range ids {
				ids[i] = r.create(store.Retention{})
			}
			value := make([]byte, 1<<10)
			var calls [8][16][]store.AppendRequest
			for w := range calls {
				for v := range calls[w] {
					calls[w][v] = spreadOver(ids, perCall, value)
				}
			}
			b.SetBytes(1 << 10)
			b.ReportAllocs()
			b.ResetTimer()
			var next atomic.Int64
			var wg sync.WaitGroup
			for w := range calls {
				wg.Go(func() {
					for i := next.Add(perCall); i <= int64(b.N)+perCall; i = next.Add(perCall) {
						if err := appendOK(r.Append(context.Background(), calls[w][i/perCall%16])); err != nil {
							b.Errorf("call %d: %v", i, err)
							return
						}
					}
				})
			}
			wg.Wait()
			await(b, "the mover", func() bool { c := r.Counters(); return c.UnmovedBytes <= r.opts.MoveAfterBytes })
		})
	}
}

// spreadOver groups n records by partition, in the order of partitions, as PutRecords does.
func spreadOver(ids []store.PartitionID, n int, value []byte) []store.AppendRequest {
	var req []store.AppendRequest
	at := map[store.PartitionID]int{}
	for range n {
		id := ids[rand.IntN(len(ids))]
		i, ok := at[id]
		if !ok {
			i = len(req)
			at[id] = i
			req = append(req, store.AppendRequest{Partition: id})
		}
		req[i].Records = append(req[i].Records, store.Record{Key: []byte("key-1234567890"), Value: value})
	}
	slices.SortFunc(req, func(a, b store.AppendRequest) int { return cmp.Compare(a.Partition, b.Partition) })
	return req
}

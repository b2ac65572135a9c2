package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"millrace/internal/core/store"
)

// Bench measures a driver: appends of 1 KiB from 1 and 64 callers, updates of keys of their own, and of
// one key that all want.
func Bench(b *testing.B, open func(b *testing.B) store.Store) {
	for _, callers := range []int{1, 64} {
		b.Run(fmt.Sprintf("Append1KiB/callers=%d", callers), func(b *testing.B) {
			req := []store.AppendRequest{loose(1, string(make([]byte, 1024)))}
			bench(b, open, callers, func(s store.Store, _ int64) error {
				res, err := s.Append(context.Background(), req)
				if err == nil {
					err = res[0].Err
				}
				return err
			})
		})
		b.Run(fmt.Sprintf("UpdateOwnKey/callers=%d", callers), func(b *testing.B) {
			bench(b, open, callers, func(s store.Store, n int64) error { return benchUpdate(s, key("%d", n%10_000)) })
		})
		b.Run(fmt.Sprintf("UpdateHotKey/callers=%d", callers), func(b *testing.B) {
			bench(b, open, callers, func(s store.Store, _ int64) error { return benchUpdate(s, key("hot")) })
		})
	}
}

// benchUpdate reads a key and writes it, again when it lost too often.
func benchUpdate(s store.Store, k []byte) error {
	for {
		_, err := s.Update(context.Background(), func(tx store.Tx) error {
			v, _, err := tx.Get(k)
			if len(v) == 0 {
				v = make([]byte, 100)
			}
			v[0]++
			return errors.Join(err, tx.Set(k, v))
		})
		if !errors.Is(err, store.ErrContention) {
			return err
		}
	}
}

func bench(b *testing.B, open func(b *testing.B) store.Store, callers int, call func(s store.Store, n int64) error) {
	s := open(b)
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	_, err := s.Update(b.Context(), func(tx store.Tx) error { return tx.CreatePartition(1, 0, store.Retention{}) })
	if err != nil {
		b.Fatal(err)
	}
	var n atomic.Int64
	left := make(chan error, callers)
	b.ReportAllocs()
	b.ResetTimer()
	for range callers {
		go func() {
			for {
				i := n.Add(1)
				if i > int64(b.N) {
					left <- nil
					return
				}
				if err := call(s, i); err != nil {
					left <- err
					return
				}
			}
		}()
	}
	for range callers {
		if err := <-left; err != nil {
			b.Error(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ops/s")
}

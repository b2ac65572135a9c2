package embedded

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"millrace/internal/core/batch"
	"millrace/internal/core/clock"
	"millrace/internal/core/fault"
	"millrace/internal/core/store"
)

// handClock tells the time of a manual clock, and its timers never go off: the store's own compactor stays out of what tests do by hand.
type handClock struct{ *clock.Manual }

func (h handClock) NewTimer(d time.Duration) clock.Timer {
	return clock.NewManual(h.Now()).NewTimer(max(d, 1))
}

// keyedRig is a store with one compacted partition, a clock that stands still, and producers 1 to 9.
type keyedRig struct {
	*rig
	now *clock.Manual
	id  store.PartitionID
	seq map[store.ProducerID]int32
}

func openKeyed(t *testing.T, with store.Compaction, change func(*Options)) *keyedRig {
	t.Helper()
	now := clock.NewManual(time.UnixMilli(1_700_000_000_000))
	o := moving(fault.NewTorn(), false)
	o.Clock = handClock{now}
	if change != nil {
		change(&o)
	}
	k := &keyedRig{rig: openRig(t, o), now: now, seq: map[store.ProducerID]int32{}}
	k.id = k.create(store.Retention{})
	with.Enabled = true
	k.update(func(tx store.Tx) error {
		errs := []error{tx.SetCompaction(k.id, with)}
		for p := store.ProducerID(1); p < 10; p++ {
			errs = append(errs, tx.InitProducer(p, 0))
		}
		return errors.Join(errs...)
	})
	return k
}

// put appends one batch of records "key=value", "key" (a tombstone) or "=value" (no key), of a transaction of the
// producer unless that is 0.
func (k *keyedRig) put(producer store.ProducerID, records ...string) {
	k.Helper()
	now := k.now.Now().UnixMilli()
	f := batch.Fields{FirstTimestamp: now, MaxTimestamp: now, ProducerID: batch.NoProducer, ProducerEpoch: batch.NoProducer, BaseSequence: batch.NoProducer}
	if producer > 0 {
		f.ProducerID, f.ProducerEpoch, f.BaseSequence, f.Attributes = int64(producer), 0, k.seq[producer], batch.AttrTransactional
		k.seq[producer] += int32(len(records))
	}
	var b batch.Builder
	b.Start(nil, now)
	for _, text := range records {
		key, value, ok := strings.Cut(text, "=")
		r := batch.Record{Timestamp: now}
		if key != "" {
			r.Key = []byte(key)
		}
		if ok {
			r.Value = []byte(value)
		}
		b.Add(&r)
	}
	req := store.AppendRequest{Partition: k.id, Batch: b.Finish(f), Key: k.sealed[k.id]}
	if res, err := k.Append(context.Background(), []store.AppendRequest{req}); err != nil || res[0].Err != nil {
		k.Fatalf("append of %q: %+v, %v", records, res, err)
	}
}

func (k *keyedRig) end(producer store.ProducerID, commit bool) {
	k.Helper()
	k.update(func(tx store.Tx) error {
		_, err := tx.EndTransaction(producer, 0, commit, store.NoLimit)
		return err
	})
}

// settle has everything moved into segments.
func (k *keyedRig) settle() {
	k.Helper()
	if err := k.Store.roll(context.Background()); err != nil {
		k.Fatalf("roll: %v", err)
	}
	await(k, "the mover", func() bool {
		k.mu.RLock()
		defer k.mu.RUnlock()
		return len(k.Store.files) == 1
	})
}

// compact moves everything and makes one pass.
func (k *keyedRig) compact() {
	k.Helper()
	k.settle()
	k.pass()
}

func (k *keyedRig) pass() *pass {
	k.Helper()
	p := newPass(k.Store, k.id)
	if err := p.run(); err != nil {
		k.Fatalf("compaction: %v", err)
	}
	return p
}

// list is what the partition holds, batch by batch: the offset and text of each record, "+" behind a batch with a horizon.
func (k *keyedRig) list() string {
	k.Helper()
	h := k.head(k.id)
	var all []string
	for from := h.Start; from < h.Next; {
		res, err := k.Read(context.Background(), store.ReadRequest{Partition: k.id, From: from, MaxBytes: 1000})
		if err != nil || len(res.Batches) == 0 {
			k.Fatalf("read from %d: %d batches, %v", from, len(res.Batches), err)
		}
		for _, b := range res.Batches {
			all = append(all, listed(k, b.Bytes))
			from = b.Next
		}
		res.Release()
	}
	return strings.Join(all, " | ")
}

func listed(tb testing.TB, b []byte) string {
	tb.Helper()
	h, err := batch.Verify(b)
	if err != nil {
		tb.Fatal(err)
	}
	var text []string
	for r, err := range batch.Records(b, batch.Limits{}) {
		if err != nil {
			tb.Fatal(err)
		}
		s := fmt.Sprintf("%d %s", r.Offset, r.Key)
		if r.Value != nil {
			s += "=" + string(r.Value)
		}
		if m, err := batch.MarkerType(b); err != nil || m != batch.MarkerNone {
			s = fmt.Sprintf("%d %v of %d", r.Offset, m, h.ProducerID)
		}
		text = append(text, s)
	}
	if h.Attributes&batch.AttrDeleteHorizon != 0 {
		text = append(text, "+")
	}
	return strings.Join(text, " ")
}

func (k *keyedRig) want(when, want string) {
	k.Helper()
	if got := k.list(); got != want {
		k.Errorf("%s:\ngot  %s\nwant %s", when, got, want)
	}
}

func BenchmarkCompaction(b *testing.B) {
	for _, codec := range []batch.Compression{batch.None, batch.LZ4, batch.Zstd} {
		b.Run(codec.String(), func(b *testing.B) { benchmarkCompaction(b, codec) })
	}
}

// Half of what is compacted is older: there every second record is replaced.
const (
	compactRecords  = 32 << 10
	compactSize     = 1 << 10
	compactPerBatch = 16
)

// openFilled is a store on disk with a partition of 32 MiB that was not compacted yet.
func openFilled(b *testing.B, codec batch.Compression) *keyedRig {
	b.Helper()
	now := clock.NewManual(time.UnixMilli(1_700_000_000_000))
	r := openRig(b, Options{Dir: b.TempDir(), BallastBytes: -1, MoveAfterBytes: 1 << 20, Clock: now})
	id := r.create(store.Retention{})
	r.update(func(tx store.Tx) error { return tx.SetCompaction(id, store.Compaction{Enabled: true}) })
	for i := 0; i < compactRecords; i += compactPerBatch {
		var w batch.Builder
		w.Start(nil, 0)
		for n := i; n < i+compactPerBatch; n++ {
			key := n
			if n%2 == 0 {
				key %= compactRecords / 2
			}
			w.Add(&batch.Record{Key: fmt.Appendf(nil, "%016d", key), Value: numbered(id, store.Offset(n), compactSize)})
		}
		plain := w.Finish(batch.Fields{ProducerID: batch.NoProducer, ProducerEpoch: batch.NoProducer, BaseSequence: batch.NoProducer})
		if res, err := r.Append(context.Background(), []store.AppendRequest{{Partition: id, Batch: packed(plain, codec)}}); err != nil || res[0].Err != nil {
			b.Fatal(res, err)
		}
	}
	k := &keyedRig{rig: r, now: now, id: id}
	k.settle()
	return k
}

func benchmarkCompaction(b *testing.B, codec batch.Compression) {
	for b.Loop() {
		b.StopTimer()
		k := openFilled(b, codec)
		b.StartTimer()
		k.pass()
		b.StopTimer()
		k.stop()
		b.StartTimer()
	}
	b.SetBytes(compactRecords * compactSize)
}

// BenchmarkAppendBesideCompaction is one closed loop of records of 1 KiB, alone and while 32 MiB are compacted.
func BenchmarkAppendBesideCompaction(b *testing.B) {
	for _, beside := range []bool{false, true} {
		b.Run(fmt.Sprintf("beside=%v", beside), func(b *testing.B) {
			var took []time.Duration
			for b.Loop() {
				b.StopTimer()
				k := openFilled(b, batch.None)
				id := k.create(store.Retention{})
				b.StartTimer()
				done := make(chan struct{})
				go func() {
					defer close(done)
					if beside {
						_ = newPass(k.Store, k.id).run() // a failure shows in what is measured
					}
				}()
				for n, running := 0, true; running || n < 100; n++ {
					start := time.Now()
					k.append(id, make([]byte, compactSize))
					took = append(took, time.Since(start))
					select {
					case <-done:
						running = false
					default:
					}
				}
				b.StopTimer()
				k.stop()
				b.StartTimer()
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-us")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-us")
		})
	}
}

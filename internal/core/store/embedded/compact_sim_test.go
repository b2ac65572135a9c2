package embedded

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"millrace/internal/core/batch"
	"millrace/internal/core/clock"
	"millrace/internal/core/datakey"
	"millrace/internal/core/fault"
	"millrace/internal/core/store"
	"millrace/internal/core/store/storetest"
)

// compactSim appends random records to compacted partitions, compacts them at random moments, lets the disk crash, and
// compares what a consumer of committed records sees with a ledger of everything that was appended. It makes one call
// after the other, so that only the last one before a crash is in doubt.
type compactSim struct {
	rng   *rand.Rand
	clock *clock.Manual
	opts  Options
	fs    *fault.TornFS
	s     *Store
	key   uint64
	parts []*compactPart
	txns  []*compactTxn
	most  int64 // bytes of a group of compaction
	large int   // most bytes of a value: large ones have journal files adopted

	crashes, passes  int
	dropped, adopted int64 // bytes, files
}

// compactPart is what one partition must hold.
type compactPart struct {
	id      store.PartitionID
	start   store.Offset
	next    store.Offset
	records map[store.Offset]*compactRecord // by offset; none for markers
	seq     map[store.ProducerID]int32
}

type compactRecord struct {
	key, value []byte
	ms         int64
	header     batch.Header // of its batch as it was sent, with its base offset
	txn        *txnRun      // nil: it counts at once
}

// compactTxn is a transactional producer.
type compactTxn struct {
	id   store.ProducerID
	open *txnRun
}

// txnRun is one transaction.
type txnRun struct {
	first     map[*compactPart]store.Offset
	committed bool
	ended     bool
}

const compactEpoch = 4

func newCompactSim(seed uint64) *compactSim {
	rng := rand.New(rand.NewPCG(seed, 99))
	m := &compactSim{rng: rng, clock: clock.NewManual(time.UnixMilli(1_700_000_000_000)), fs: fault.NewTorn(), most: 1 << (8 + rng.IntN(8)), large: 30}
	if rng.IntN(4) == 0 {
		m.large = 3000
	}
	m.opts = Options{
		Dir: "store", JournalFileBytes: 128 << 10, FirstFileBytes: 32 << 10, MoveAfterBytes: 64 << 10, MaxUnmovedBytes: 1 << 20,
		TailCacheBytes: 2 << 20, MemtableBytes: 256 << 10, BlockCacheBytes: 256 << 10, BallastBytes: -1, MaxOpenFiles: 32,
		AdoptBatchBytes: int64([]int{1 << 10, 1 << 20}[rng.IntN(2)]), RootKey: storetest.RootKey, Logger: slog.New(slog.DiscardHandler),
		Clock: m.clock, CompactionKeys: []int{3, 10, 1000}[rng.IntN(3)], Fatal: func(error) {},
	}
	return m
}

func (m *compactSim) run(steps int) (err error) {
	defer func() {
		if m.s != nil {
			err = errors.Join(err, m.s.Close())
		}
	}()
	if err := m.open(); err != nil {
		return err
	}
	if err := m.setUp(); err != nil {
		return err
	}
	for range 3 {
		m.fs.CrashAt(m.fs.Ops()+1+int64(m.rng.IntN(12*steps)), rand.New(rand.NewPCG(m.rng.Uint64(), 1)))
		for i := 0; i < steps && m.fs.Crashed() == nil; i++ {
			if err := m.step(); err != nil {
				return fmt.Errorf("step %d: %w", i, err)
			}
		}
		if err := m.reopen(); err != nil {
			return err
		}
		if err := m.verifyAll(); err != nil {
			return fmt.Errorf("after a crash: %w", err)
		}
	}
	return nil
}

func (m *compactSim) open() (err error) {
	m.opts.FS = m.fs
	m.s, err = Open(m.opts)
	return err
}

func (m *compactSim) reopen() error {
	m.adopted += m.s.Counters().AdoptedFiles
	if err := m.s.Close(); err != nil && m.fs.Crashed() == nil {
		return err
	}
	m.s = nil
	if left := m.fs.Crashed(); left != nil {
		m.fs = left
		m.crashes++
	} else {
		m.fs.CrashAt(0, nil)
	}
	m.opts.FS = m.fs
	if _, err := Check(m.opts, func(string) {}); err != nil {
		return fmt.Errorf("check: %w", err)
	}
	return m.open()
}

func (m *compactSim) update(fn func(store.Tx) error) error {
	_, err := m.s.Update(context.Background(), fn)
	return err
}

func (m *compactSim) setUp() error {
	with := store.Compaction{Enabled: true, DeleteMillis: 50}
	if m.rng.IntN(2) == 0 {
		with.MinLagMillis = 30
	}
	return m.update(func(tx store.Tx) (err error) {
		if m.key, err = datakey.Create(tx, m.opts.RootKey); err != nil {
			return err
		}
		for id := store.PartitionID(1); id <= 2; id++ {
			if err := errors.Join(tx.CreatePartition(id, 0, store.Retention{}), tx.SetCompaction(id, with)); err != nil {
				return err
			}
			m.parts = append(m.parts, &compactPart{id: id, records: map[store.Offset]*compactRecord{}, seq: map[store.ProducerID]int32{}})
		}
		for id := store.ProducerID(1); id <= 4; id++ {
			if err := tx.InitProducer(id, compactEpoch); err != nil {
				return err
			}
			m.txns = append(m.txns, &compactTxn{id: id})
		}
		return nil
	})
}

func (m *compactSim) step() error {
	p := m.parts[m.rng.IntN(len(m.parts))]
	switch n := m.rng.IntN(40); {
	case n < 18:
		return m.append(p)
	case n < 23:
		return m.end()
	case n < 27:
		m.clock.Advance(time.Duration(m.rng.IntN(40)) * time.Millisecond)
		return nil
	case n < 32:
		return m.roll()
	case n < 37:
		return m.compact(p)
	case n < 38:
		return m.trim(p)
	default:
		return m.verify(p)
	}
}

// build makes a batch of some records.
func (m *compactSim) build(p *compactPart, producer store.ProducerID, txn bool) ([]byte, []*compactRecord) {
	now := m.clock.Now().UnixMilli()
	f := batch.Fields{FirstTimestamp: now, MaxTimestamp: now, ProducerID: int64(producer), ProducerEpoch: batch.NoProducer, BaseSequence: batch.NoProducer}
	if producer != store.NoProducer {
		f.ProducerEpoch, f.BaseSequence = compactEpoch, p.seq[producer]
	}
	if txn {
		f.Attributes = batch.AttrTransactional
	}
	var b batch.Builder
	b.Start(nil, now)
	recs := make([]*compactRecord, 1+m.rng.IntN(5))
	for i := range recs {
		r := &compactRecord{key: fmt.Appendf(nil, "key %d", m.rng.IntN(8)), value: fmt.Appendf(nil, "%d/%d %x", p.id, int(p.next)+i, make([]byte, m.rng.IntN(m.large))), ms: now - int64(m.rng.IntN(9))}
		switch m.rng.IntN(12) {
		case 0:
			r.key = nil
		case 1, 2, 3:
			r.value = nil
		}
		b.Add(&batch.Record{Key: r.key, Value: r.value, Timestamp: r.ms, Headers: []batch.RecordHeader{{Key: []byte("h"), Value: r.value}}})
		recs[i] = r
	}
	return packed(b.Finish(f), batch.Compression(m.rng.IntN(5))), recs
}

// packed is a batch with its records packed by another codec.
func packed(plain []byte, c batch.Compression) []byte {
	if c == batch.None {
		return plain
	}
	out, err := batch.Compress(bytes.Clone(plain[:batch.HeaderSize]), c, plain[batch.HeaderSize:])
	if err != nil {
		panic(err)
	}
	binary.BigEndian.PutUint32(out[8:], uint32(len(out)-12))
	out[22] |= byte(c)
	h, _ := batch.ReadHeader(plain)
	batch.SetMaxTimestamp(out, h.MaxTimestamp) // sums it again
	return out
}

func (m *compactSim) append(p *compactPart) error {
	producer, t := store.NoProducer, (*compactTxn)(nil)
	switch n := m.rng.IntN(6); {
	case n < 3:
		t = m.txns[1+m.rng.IntN(3)]
		producer = t.id
	case n < 4:
		producer = 1
	}
	b, recs := m.build(p, producer, t != nil)
	req := store.AppendRequest{Partition: p.id, Batch: b}
	if m.rng.IntN(3) == 0 {
		req.Key = m.key
	}
	res, err := m.s.Append(context.Background(), []store.AppendRequest{req})
	if m.fs.Crashed() != nil {
		if err := m.reopen(); err != nil {
			return err
		}
		if h, err := m.s.Head(context.Background(), p.id); err != nil || h.Next == p.next {
			return err
		}
	} else if err != nil || res[0].Err != nil || res[0].Base != p.next {
		return fmt.Errorf("append: %+v, %w; want offset %d", res, err, p.next)
	}
	var run *txnRun
	if t != nil {
		if t.open == nil {
			t.open = &txnRun{first: map[*compactPart]store.Offset{}}
		}
		run = t.open
		if _, ok := run.first[p]; !ok {
			run.first[p] = p.next
		}
	}
	h, _ := batch.ReadHeader(b)
	h.BaseOffset = int64(p.next)
	for _, r := range recs {
		r.header, r.txn = h, run
		p.records[p.next] = r
		p.next++
	}
	if producer != store.NoProducer {
		p.seq[producer] += int32(len(recs))
	}
	return nil
}

// end ends a transaction.
func (m *compactSim) end() error {
	t := m.txns[1+m.rng.IntN(3)]
	if t.open == nil {
		return nil
	}
	commit := m.rng.IntN(2) == 0
	err := m.update(func(tx store.Tx) error {
		_, err := tx.EndTransaction(t.id, compactEpoch, commit, store.NoLimit)
		return err
	})
	if m.fs.Crashed() != nil {
		if err := m.reopen(); err != nil {
			return err
		}
		for p := range t.open.first {
			if h, err := m.s.Head(context.Background(), p.id); err != nil || h.Next == p.next {
				return err
			}
		}
	} else if err != nil {
		return err
	}
	for p := range t.open.first {
		p.next++
	}
	t.open.ended, t.open.committed = true, commit
	t.open = nil
	return nil
}

// roll has everything moved.
func (m *compactSim) roll() error {
	if err := m.s.roll(context.Background()); err != nil {
		return err
	}
	for end := time.Now().Add(awaited); ; time.Sleep(100 * time.Microsecond) {
		m.s.mu.RLock()
		left := len(m.s.files)
		m.s.mu.RUnlock()
		if left == 1 {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("%d journal files are not moved", left-1)
		}
	}
}

// compact runs a pass; a consumer reads while it runs.
func (m *compactSim) compact(p *compactPart) error {
	s := m.s
	before := s.Counters()
	done := make(chan error, 1)
	go func() {
		x := newPass(s, p.id)
		x.most = m.most
		err := x.run()
		if errors.Is(err, errMoved) || errors.Is(err, store.ErrNoPartition) {
			err = nil
		}
		done <- err
	}()
	for {
		if err := m.verify(p); err != nil {
			return errors.Join(fmt.Errorf("beside compaction: %w", err), <-done)
		}
		select {
		case err := <-done:
			after := s.Counters()
			m.passes++
			m.dropped += after.CompactedFrom - before.CompactedFrom - (after.CompactedTo - before.CompactedTo)
			if err != nil {
				return fmt.Errorf("compaction: %w", err)
			}
			return m.verify(p)
		default:
		}
	}
}

func (m *compactSim) trim(p *compactPart) error {
	if p.next == p.start || m.rng.IntN(3) > 0 {
		return nil
	}
	to := p.start + store.Offset(m.rng.Int64N(int64(p.next-p.start)))/4
	err := m.update(func(tx store.Tx) error { return tx.TrimPartition(p.id, to) })
	if m.fs.Crashed() != nil {
		if err := m.reopen(); err != nil {
			return err
		}
		h, err := m.s.Head(context.Background(), p.id)
		p.start = h.Start
		return err
	}
	p.start = to
	return err
}

func (m *compactSim) verifyAll() error {
	for _, p := range m.parts {
		if err := m.verify(p); err != nil {
			return err
		}
	}
	return nil
}

// verify reads a partition as a consumer of committed records does, and compares.
func (m *compactSim) verify(p *compactPart) error {
	stable := p.next
	for _, t := range m.txns {
		if t.open != nil {
			if first, ok := t.open.first[p]; ok {
				stable = min(stable, first)
			}
		}
	}
	h, err := m.s.Head(context.Background(), p.id)
	if err != nil || h.Start != p.start || h.Next != p.next || h.LastStable != stable {
		return fmt.Errorf("head of %d: got %+v, %w; want %d to %d, stable %d", p.id, h, err, p.start, p.next, stable)
	}
	seen := map[string]store.Offset{}
	last := p.start - 1
	if err := consume(m.s, p.id, p.start, stable, 1+m.rng.IntN(3000), func(h *batch.Header, r *batch.Record) error {
		at := store.Offset(r.Offset)
		if at < p.start {
			return nil
		}
		if at <= last {
			return fmt.Errorf("offset %d of %d comes after %d", at, p.id, last)
		}
		last = at
		if r.Key != nil {
			seen[string(r.Key)] = at
		}
		return p.compare(h, r)
	}); err != nil {
		return err
	}
	return p.compareLatest(seen, stable)
}

// consume reads committed records as clients of Kafka do: of an aborted transaction nothing counts until its marker, in each
// answer anew.
func consume(s *Store, id store.PartitionID, from, to store.Offset, most int, fn func(*batch.Header, *batch.Record) error) error {
	for from < to {
		res, err := s.Read(context.Background(), store.ReadRequest{Partition: id, From: from, MaxBytes: most, Isolation: store.ReadCommitted})
		if err != nil {
			return err
		}
		if len(res.Batches) == 0 {
			return fmt.Errorf("a reader of %d finds nothing from %d on, the last stable offset is %d", id, from, to)
		}
		if err := consumeAll(res.Batches, res.Aborted, &from, fn); err != nil {
			return err
		}
		res.Release()
	}
	return nil
}

// consumeAll reads one answer.
//
// Source: CompletedFetch of Apache Kafka's client.
func consumeAll(batches []store.Batch, aborted []store.Aborted, from *store.Offset, fn func(*batch.Header, *batch.Record) error) error {
	queue := slices.SortedFunc(slices.Values(aborted), func(a, b store.Aborted) int { return cmp.Compare(a.First, b.First) })
	skip := map[int64]bool{}
	for _, b := range batches {
		h, err := batch.Verify(b.Bytes)
		if err != nil || store.Offset(h.BaseOffset) != b.Base || store.Offset(h.NextOffset()) != b.Next || b.Next <= *from {
			return fmt.Errorf("batch at %d to %d, asked from %d: %+v, %w", b.Base, b.Next, *from, h, err)
		}
		*from = b.Next
		for len(queue) > 0 && queue[0].First < b.Next {
			skip[int64(queue[0].Producer)] = true
			queue = queue[1:]
		}
		if h.Control() {
			if marker, err := batch.MarkerType(b.Bytes); err != nil {
				return err
			} else if marker == batch.MarkerAbort {
				delete(skip, h.ProducerID)
			}
			continue
		}
		if h.Transactional() && skip[h.ProducerID] {
			continue
		}
		for r, err := range batch.Records(b.Bytes, batch.Limits{}) {
			if err != nil {
				return err
			}
			if err := fn(&h, &r); err != nil {
				return err
			}
		}
	}
	return nil
}

// compare holds a record that was read against what was appended.
func (p *compactPart) compare(h *batch.Header, r *batch.Record) error {
	want := p.records[store.Offset(r.Offset)]
	switch {
	case want == nil:
		return fmt.Errorf("record of %d at %d was never there: %q=%q", p.id, r.Offset, r.Key, r.Value)
	case want.txn != nil && !want.txn.committed:
		return fmt.Errorf("record of %d at %d is not committed: %q=%q", p.id, r.Offset, r.Key, r.Value)
	case !same(r.Key, want.key) || !same(r.Value, want.value) || r.Timestamp != want.ms || len(r.Headers) != 1 || !same(r.Headers[0].Value, want.value):
		return fmt.Errorf("record of %d at %d: got %q=%q at %d, want %q=%q at %d", p.id, r.Offset, r.Key, r.Value, r.Timestamp, want.key, want.value, want.ms)
	}
	got, sent := *h, want.header
	got.Length, got.CRC, got.Count, got.MaxTimestamp, got.FirstTimestamp = sent.Length, sent.CRC, sent.Count, sent.MaxTimestamp, sent.FirstTimestamp
	got.Attributes &^= batch.AttrDeleteHorizon
	if got != sent {
		return fmt.Errorf("batch of %d at %d: got %+v, want %+v", p.id, h.BaseOffset, got, sent)
	}
	return nil
}

// same tells whether two values are the same, where null is not empty.
func same(a, b []byte) bool { return bytes.Equal(a, b) && (a == nil) == (b == nil) }

// compareLatest holds the last offset of each key against the ledger. A key whose last record is a tombstone may be gone.
func (p *compactPart) compareLatest(seen map[string]store.Offset, stable store.Offset) error {
	want := map[string]store.Offset{}
	for at := p.start; at < stable; at++ {
		if r := p.records[at]; r != nil && r.key != nil && (r.txn == nil || r.txn.committed) {
			want[string(r.key)] = at
		}
	}
	for key, at := range want {
		got, ok := seen[key]
		if !ok && p.records[at].value == nil {
			continue
		}
		if !ok || got != at {
			return fmt.Errorf("last record of %q in %d: got offset %d (%v), want %d", key, p.id, got, ok, at)
		}
	}
	return nil
}

var (
	compactSeeds = flag.Int("compact.seeds", 30, "how many simulations TestCompactionKeepsTheLatestOfEachKey runs")
	compactFrom  = flag.Uint64("compact.from", 0, "the first seed")
)

// TestCompactionKeepsTheLatestOfEachKey runs simulations, each from a seed. With -compact.from a failing one is run again.
func TestCompactionKeepsTheLatestOfEachKey(t *testing.T) {
	var crashes, passes int
	var dropped, adopted int64
	for seed := *compactFrom; seed < *compactFrom+uint64(*compactSeeds); seed++ {
		m := newCompactSim(seed)
		if err := m.run(120); err != nil {
			t.Errorf("seed %d: %v\nrun it again with -compact.from %d -compact.seeds 1", seed, err, seed)
		}
		crashes, passes, dropped, adopted = crashes+m.crashes, passes+m.passes, dropped+m.dropped, adopted+m.adopted
	}
	t.Logf("%d seeds, %d crashes, %d passes, %d bytes dropped, %d journal files adopted", *compactSeeds, crashes, passes, dropped, adopted)
	if *compactSeeds >= 20 && (crashes == 0 || dropped == 0 || adopted == 0) {
		t.Errorf("the simulation is too tame: %d crashes, %d bytes dropped, %d journal files adopted", crashes, dropped, adopted)
	}
}

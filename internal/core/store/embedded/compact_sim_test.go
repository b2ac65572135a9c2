package embedded

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
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

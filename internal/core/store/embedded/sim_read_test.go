package embedded

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"slices"

	"millrace/internal/core/batch"
	"millrace/internal/core/store"
)

// mirrored is all that was ever read of a partition, also what is trimmed now.
type mirrored struct {
	batches []mirrorBatch
	at      []place // by offset
	gap     bool    // something was trimmed before it was read
}

type mirrorBatch struct {
	base, next store.Offset
	time       int64
	key        uint64
	sum        uint32
	header     batch.Header
	marker     batch.Marker
}

// place says which record stands at an offset: of operation op-1; 0 for a marker, or what was never read.
type place struct{ op, nth, i int }

func (x *mirrored) end() store.Offset {
	if len(x.batches) == 0 {
		return 0
	}
	return x.batches[len(x.batches)-1].next
}

// checkPartitions reads everything.
func (m *sim) checkPartitions(x *expected) error {
	ids, err := m.s.Partitions(context.Background(), 0, 1<<20)
	if err != nil {
		return err
	}
	if want := slices.Sorted(maps.Keys(x.parts)); !slices.Equal(ids, want) {
		return fmt.Errorf("partitions: got %v, want %v", ids, want)
	}
	for _, o := range m.ledger.ops {
		if o.state == opUnknown || o.state == opPresent && o.ended > m.ledger.tick {
			for _, a := range o.adds {
				if o.state == opUnknown {
					a.base, a.err = -1, nil // what it was told after the crash does not count
				}
			}
		}
	}
	for _, id := range ids {
		if m.mirror[id] == nil {
			m.mirror[id] = &mirrored{}
		}
		if err := m.checkPartition(id, x.parts[id]); err != nil {
			return fmt.Errorf("partition %d: %w", id, err)
		}
	}
	return nil
}

func (m *sim) checkPartition(id store.PartitionID, p *expectedPart) error {
	h, err := m.s.Head(context.Background(), id)
	if err != nil {
		return err
	}
	p.head = h
	if h.Start != p.start || h.Closed != p.closed || h.Epoch != p.epoch || h.Retention != p.retention {
		return fmt.Errorf("head is %+v, want start %d, closed %v, epoch %d, retention %+v", h, p.start, p.closed, p.epoch, p.retention)
	}
	mirror := m.mirror[id]
	if h.Next < mirror.end() {
		return fmt.Errorf("ends at %d, was read up to %d before", h.Next, mirror.end())
	}
	mirror.gap = mirror.gap || h.Start == h.Next && mirror.end() < h.Next
	bytes, batches, err := m.readAll(id, h)
	if err != nil {
		return err
	}
	st, err := m.s.Stat(context.Background(), id)
	if err != nil || st.Bytes < bytes || st.Batches < batches || h.Start == 0 && (st.Bytes != bytes || st.Batches != batches) {
		return fmt.Errorf("stat %+v, %w; read %d bytes in %d batches", st, err, bytes, batches)
	}
	if err := m.checkOrder(mirror); err != nil {
		return err
	}
	if mirror.gap {
		return nil
	}
	return m.checkTransactions(id, mirror, h)
}

// readAll reads from start to end, in pieces of a random size.
func (m *sim) readAll(id store.PartitionID, h store.Head) (bytes, batches int64, err error) {
	maxBytes := []int{1, 3000, 1 << 20}[m.pick(3)]
	for from := h.Start; from < h.Next; {
		res, err := m.s.Read(context.Background(), store.ReadRequest{Partition: id, From: from, MaxBytes: maxBytes})
		if err != nil {
			return 0, 0, fmt.Errorf("read from %d: %w", from, err)
		}
		if len(res.Batches) == 0 {
			return 0, 0, fmt.Errorf("read from %d of %d: nothing", from, h.Next)
		}
		for i := range res.Batches {
			b := &res.Batches[i]
			if from > h.Start && b.Base != from || b.Base > from || b.Next <= from {
				return 0, 0, fmt.Errorf("batch %d to %d where %d is next", b.Base, b.Next, from)
			}
			if err := m.see(id, b, h.Start); err != nil {
				return 0, 0, fmt.Errorf("batch %d to %d: %w", b.Base, b.Next, err)
			}
			from = b.Next
			if bytes += int64(len(b.Bytes)); b.Key != 0 {
				bytes += store.SealOverhead
			}
			batches++
		}
		res.Release()
	}
	return bytes, batches, nil
}

// see compares a batch with what was read at its place before, or adds it to the mirror.
func (m *sim) see(id store.PartitionID, b *store.Batch, start store.Offset) error {
	h, err := batch.Verify(b.Bytes)
	if err != nil {
		return err
	}
	if store.Offset(h.BaseOffset) != b.Base || store.Offset(h.NextOffset()) != b.Next {
		return fmt.Errorf("its header says %d to %d", h.BaseOffset, h.NextOffset())
	}
	mirror := m.mirror[id]
	got := mirrorBatch{base: b.Base, next: b.Next, time: b.AppendTime, key: b.Key, sum: crc32.ChecksumIEEE(b.Bytes), header: h}
	if got.marker, err = batch.MarkerType(b.Bytes); err != nil {
		return err
	}
	if b.Base < mirror.end() {
		at, ok := slices.BinarySearchFunc(mirror.batches, b.Base, func(x mirrorBatch, base store.Offset) int { return int(x.base - base) })
		if !ok || mirror.batches[at] != got {
			return fmt.Errorf("is %+v, was %+v before", got, mirror.batches[max(0, at-1):min(len(mirror.batches), at+1)])
		}
		return nil
	}
	if b.Base > mirror.end() {
		if start < b.Base && mirror.end() < start || start == 0 {
			return fmt.Errorf("does not follow %d", mirror.end())
		}
		mirror.gap = true
	}
	if n := len(mirror.batches); n > 0 && got.time < mirror.batches[n-1].time {
		return fmt.Errorf("append time %d after %d", got.time, mirror.batches[n-1].time)
	}
	mirror.batches = append(mirror.batches, got)
	mirror.at = append(mirror.at, make([]place, int(b.Next)-len(mirror.at))...)
	if got.marker != batch.MarkerNone {
		return nil
	}
	return m.seeRecords(id, b, mirror)
}

func (m *sim) seeRecords(id store.PartitionID, b *store.Batch, mirror *mirrored) error {
	for r, err := range batch.Records(b.Bytes, batch.Limits{}) {
		if err != nil {
			return err
		}
		opID, nth, i, err := parseValue(r.Value)
		if err != nil {
			return err
		}
		if opID >= len(m.ledger.ops) || nth >= len(m.ledger.ops[opID].adds) {
			return fmt.Errorf("record %.40q was never sent", r.Value)
		}
		o := m.ledger.ops[opID]
		a, base := o.adds[nth], store.Offset(r.Offset)-store.Offset(i)
		if o.state == opUnknown || o.state == opPresent && a.base < 0 {
			a.base = base
		}
		switch {
		case o.state == opRefused || o.state == opAbsent || a.err != nil:
			return fmt.Errorf("record %.40q is there, but %v", r.Value, o)
		case a.part != id || a.base != base || i >= a.n:
			return fmt.Errorf("record %.40q is at %d, but %v", r.Value, r.Offset, o)
		case a.time != 0 && o.state == opAcked && a.time != b.AppendTime:
			return fmt.Errorf("record %.40q has append time %d, but was answered %d: %v", r.Value, b.AppendTime, a.time, o)
		}
		a.time = b.AppendTime
		mirror.at[r.Offset] = place{opID + 1, nth, i}
	}
	return nil
}

// checkOrder: what was answered before another call began stands before it.
func (m *sim) checkOrder(mirror *mirrored) error {
	var latest *op
	for at, p := range mirror.at {
		if p.op == 0 {
			continue
		}
		o := m.ledger.ops[p.op-1]
		if latest != nil && o.ended < latest.began {
			return fmt.Errorf("offset %d: %v was answered before %v began, which stands before it", at, o, latest)
		}
		if latest == nil || o.began > latest.began {
			latest = o
		}
	}
	return nil
}

// openIn works out which transactions are open in a partition and which were aborted.
func openIn(mirror *mirrored) (open map[store.ProducerID]store.Offset, aborted []store.Aborted) {
	open = map[store.ProducerID]store.Offset{}
	for i := range mirror.batches {
		b := &mirror.batches[i]
		id := store.ProducerID(b.header.ProducerID)
		first, ok := open[id]
		switch {
		case b.marker == batch.MarkerNone && b.header.Transactional() && !ok:
			open[id] = b.base
		case b.marker != batch.MarkerNone:
			if ok && b.marker == batch.MarkerAbort {
				aborted = append(aborted, store.Aborted{Producer: id, First: first, Last: b.base})
			}
			delete(open, id)
		}
	}
	return open, aborted
}

func (m *sim) checkTransactions(id store.PartitionID, mirror *mirrored, h store.Head) error {
	open, aborted := openIn(mirror)
	stable := h.Next
	for _, first := range open {
		stable = min(stable, first)
	}
	if h.LastStable != stable {
		return fmt.Errorf("last stable offset is %d, the batches say %d", h.LastStable, stable)
	}
	for from := h.Start; from < stable; {
		res, err := m.s.Read(context.Background(), store.ReadRequest{Partition: id, From: from, MaxBytes: 1 << 30, Isolation: store.ReadCommitted})
		if err != nil || len(res.Batches) == 0 {
			return fmt.Errorf("committed records end at %d, want %d; error %w", from, stable, err)
		}
		base, to := res.Batches[0].Base, res.Batches[len(res.Batches)-1].Next
		want := slices.DeleteFunc(slices.Clone(aborted), func(a store.Aborted) bool { return a.First >= to || a.Last < base || a.Last < h.Start })
		if !slices.Equal(res.Aborted, want) || to > stable {
			return fmt.Errorf("aborted transactions of %d to %d, stable %d: got %v, want %v", base, to, stable, res.Aborted, want)
		}
		from = to
		res.Release()
	}
	return nil
}

// checkProducers compares epochs and open transactions, and tells the workers' producers where they stand.
func (m *sim) checkProducers(x *expected) error {
	for _, p := range m.made {
		p.epoch = -1
		if e, ok := x.epochs[p.id]; ok {
			p.epoch = e
		}
		p.parts = map[store.PartitionID]*sentTo{}
		var want []store.OpenPartition
		for _, id := range slices.Sorted(maps.Keys(x.parts)) {
			mirror := m.mirror[id]
			if mirror.gap {
				continue
			}
			open, _ := openIn(mirror)
			if first, ok := open[p.id]; ok {
				want = append(want, store.OpenPartition{Partition: id, First: first})
			}
			m.remembered(p, mirror)
		}
		var got store.Producer
		err := m.s.View(context.Background(), func(tx store.ReadTx) (err error) {
			var ok bool
			got, ok, err = tx.Producer(p.id)
			if ok != (p.epoch >= 0) || ok && got.Epoch != p.epoch {
				err = errors.Join(err, fmt.Errorf("producer %d: got %+v, %v; want epoch %d", p.id, got, ok, p.epoch))
			}
			return err
		})
		if err != nil {
			return err
		}
		got.Open = slices.DeleteFunc(got.Open, func(o store.OpenPartition) bool { return m.mirror[o.Partition] != nil && m.mirror[o.Partition].gap })
		if !slices.Equal(got.Open, want) {
			return fmt.Errorf("producer %d: open in %v, the batches say %v", p.id, got.Open, want)
		}
	}
	return nil
}

// remembered goes through a producer's batches in a partition.
func (m *sim) remembered(p *producer, mirror *mirrored) {
	for i := range mirror.batches {
		b := &mirror.batches[i]
		if store.ProducerID(b.header.ProducerID) != p.id || b.marker != batch.MarkerNone {
			continue
		}
		at := mirror.at[b.base]
		p.remember(m.ledger.ops[at.op-1].adds[at.nth])
	}
}

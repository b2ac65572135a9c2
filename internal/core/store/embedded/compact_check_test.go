package embedded

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"

	"millrace/internal/core/batch"
	"millrace/internal/core/store"
)

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

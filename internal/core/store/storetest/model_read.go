package storetest

import (
	"bytes"
	"context"
	"slices"

	"millrace/internal/core/store"
)

// modelPartition is the batches of a partition, oldest first.
type modelPartition struct {
	batches []modelBatch
}

type modelBatch struct {
	store.Batch
	maxTimestamp int64
	size         int // stored
}

func (p *modelPartition) append(a *store.Append) {
	sealed := a.AppendSealed(nil)
	a.Size = len(sealed)
	if a.Key != 0 {
		a.Size += store.SealOverhead
	}
	p.batches = append(p.batches, modelBatch{
		Batch:        store.Batch{Bytes: sealed, Base: a.Base, Next: a.Next(), AppendTime: a.AppendTime, Key: a.Key},
		maxTimestamp: a.MaxTimestamp,
		size:         a.Size,
	})
}

func (p *modelPartition) trim(start store.Offset) {
	p.batches = slices.DeleteFunc(p.batches, func(b modelBatch) bool { return b.Next <= start })
}

// Read returns copies of batches.
func (m *Model) Read(ctx context.Context, req store.ReadRequest) (store.ReadResult, error) {
	if err := m.start(ctx); err != nil {
		return store.ReadResult{}, err
	}
	defer m.mu.Unlock()
	h, ok := m.state.Head(req.Partition)
	switch {
	case !ok:
		return store.ReadResult{}, store.ErrNoPartition
	case req.From < h.Start:
		return store.ReadResult{}, &store.TrimmedError{Asked: req.From, First: h.Start}
	case req.From > h.Next:
		return store.ReadResult{}, store.ErrOffsetOutOfRange
	}
	end := h.Next
	if req.Isolation == store.ReadCommitted {
		end = h.LastStable
	}
	var found []store.Batch
	var aborted []store.Aborted
	size := 0
	for _, b := range m.parts[req.Partition].batches {
		if b.Next <= req.From {
			continue
		}
		if size += b.size; b.Base >= end || len(found) > 0 && size > req.MaxBytes {
			break
		}
		b.Bytes = bytes.Clone(b.Bytes)
		found = append(found, b.Batch)
	}
	if len(found) > 0 && req.Isolation == store.ReadCommitted {
		aborted = m.state.Aborted(req.Partition, found[0].Base, found[len(found)-1].Next)
	}
	return store.NewReadResult(h, found, aborted, nil), nil
}

// Seek looks at every batch.
func (m *Model) Seek(ctx context.Context, id store.PartitionID, ms int64, by store.SeekBy) (store.Offset, bool, error) {
	if err := m.start(ctx); err != nil {
		return 0, false, err
	}
	defer m.mu.Unlock()
	h, ok := m.state.Head(id)
	if !ok {
		return 0, false, store.ErrNoPartition
	}
	for _, b := range m.parts[id].batches {
		if by == store.SeekAppendTime && b.AppendTime >= ms || by == store.SeekTimestamp && b.maxTimestamp >= ms {
			return max(b.Base, h.Start), true, nil
		}
	}
	return h.Next, false, nil
}

// Stat sums up every batch.
func (m *Model) Stat(ctx context.Context, id store.PartitionID) (store.Stat, error) {
	if err := m.start(ctx); err != nil {
		return store.Stat{}, err
	}
	defer m.mu.Unlock()
	h, ok := m.state.Head(id)
	if !ok {
		return store.Stat{}, store.ErrNoPartition
	}
	st := store.Stat{Head: h}
	for i, b := range m.parts[id].batches {
		if i == 0 {
			st.FirstAppend = b.AppendTime
		}
		st.Bytes += int64(b.size)
		st.Batches++
	}
	return st, nil
}

var _ store.ProducerLister = (*Model)(nil)

// PartitionProducers asks the state.
func (m *Model) PartitionProducers(ctx context.Context, id store.PartitionID, from store.ProducerID, limit int) ([]store.PartitionProducer, error) {
	if err := m.start(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	found, ok := m.state.PartitionProducers(id, from, limit)
	if !ok {
		return nil, store.ErrNoPartition
	}
	return found, nil
}

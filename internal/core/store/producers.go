package store

import (
	"context"
	"slices"
)

// PartitionProducer is what a partition remembers of one producer.
type PartitionProducer struct {
	Producer     ProducerID
	Epoch        int16  // of its last batch here, or of its open transaction
	LastSequence int32  // of its last record here; -1 when no batch is remembered
	LastAppend   int64  // append time of its last batch here, ms since 1970; 0 when none is remembered
	Open         Offset // first offset of its open transaction here; -1 when none is open
}

// ProducerLister is a Store that tells which producers have written to a partition.
type ProducerLister interface {
	// PartitionProducers returns what a partition remembers of its producers, in order of their ids, upwards
	// of from, which is one of them, at most limit.
	//
	// Errors: ErrNoPartition, ErrStopped.
	PartitionProducers(ctx context.Context, id PartitionID, from ProducerID, limit int) ([]PartitionProducer, error)
}

// PartitionProducers is ProducerLister's on a state; false when there is no such partition.
func (s *State) PartitionProducers(id PartitionID, from ProducerID, limit int) ([]PartitionProducer, bool) {
	p := s.partitions.Get(id)
	if p == nil {
		return nil, false
	}
	ids := make([]ProducerID, 0, len(p.producers))
	for pid := range p.producers {
		if pid >= from {
			ids = append(ids, pid)
		}
	}
	for pid := range p.open {
		if pid >= from && p.producers[pid] == nil {
			ids = append(ids, pid)
		}
	}
	slices.Sort(ids)
	ids = ids[:max(0, min(limit, len(ids)))]
	found := make([]PartitionProducer, len(ids))
	for i, pid := range ids {
		found[i] = s.partitionProducer(p, pid)
	}
	return found, true
}

func (s *State) partitionProducer(p *partition, id ProducerID) PartitionProducer {
	f := PartitionProducer{Producer: id, LastSequence: -1, Open: -1}
	if pr := s.producers[id]; pr != nil {
		f.Epoch = pr.epoch
	}
	if e := p.producers[id]; e != nil && len(e.last) > 0 {
		last := &e.last[len(e.last)-1]
		f.Epoch, f.LastSequence, f.LastAppend = e.epoch, last.Last, last.AppendTime
	}
	if first, ok := p.open[id]; ok {
		f.Open = first
	}
	return f
}

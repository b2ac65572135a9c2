package embedded

import (
	"context"

	"millrace/internal/core/store"
)

var _ store.ProducerLister = (*Store)(nil)

// PartitionProducers implements store.ProducerLister.
func (s *Store) PartitionProducers(ctx context.Context, id store.PartitionID, from store.ProducerID, limit int) ([]store.PartitionProducer, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	s.mu.RLock()
	defer s.mu.RUnlock()
	found, ok := s.applied.PartitionProducers(id, from, limit)
	if !ok {
		return nil, store.ErrNoPartition
	}
	return found, nil
}

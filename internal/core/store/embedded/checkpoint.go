package embedded

import (
	"math"

	"github.com/cockroachdb/pebble/v2"

	"millrace/internal/core/store"
)

// checkpoint adds the states of all partitions and producers that have changed to b.
func (m *mover) checkpoint(b *pebble.Batch, files []*journalFile) (checkpoint, map[store.PartitionID]bool, map[store.ProducerID]bool, error) {
	s := m.s
	s.mu.RLock()
	defer s.mu.RUnlock()
	st := s.applied
	c := checkpoint{state: st.Sequence(), moved: m.last.moved, file: m.last.file, time: max(st.Time(), s.now.Load()), last: st.LastPartitionID()}
	for _, f := range files {
		c.moved, c.file = max(c.moved, f.lastSeq.Load()), f.header.Seq+1
	}
	var buf []byte
	parts, prods := map[store.PartitionID]bool{}, map[store.ProducerID]bool{}
	for _, id := range st.Partitions(0, math.MaxInt) {
		parts[id] = true
		if m.parts[id] && !st.HeadChangedSince(id, store.FieldAll, m.last.state) {
			continue
		}
		buf, _ = st.AppendPartitionState(buf[:0], id)
		if err := b.Set(numberKey(tagPartition, uint64(id)), buf, nil); err != nil {
			return c, nil, nil, err
		}
	}
	for _, id := range st.Producers() {
		prods[id] = true
		if m.prods[id] && !st.ProducerChangedSince(id, m.last.state) {
			continue
		}
		buf, _ = st.AppendProducerState(buf[:0], id)
		if err := b.Set(numberKey(tagProducer, uint64(id)), buf, nil); err != nil {
			return c, nil, nil, err
		}
	}
	for id := range m.parts {
		if !parts[id] {
			if err := b.Delete(numberKey(tagPartition, uint64(id)), nil); err != nil {
				return c, nil, nil, err
			}
		}
	}
	for id := range m.prods {
		if !prods[id] {
			if err := b.Delete(numberKey(tagProducer, uint64(id)), nil); err != nil {
				return c, nil, nil, err
			}
		}
	}
	return c, parts, prods, b.Set(keyCheckpoint, c.encode(), nil)
}

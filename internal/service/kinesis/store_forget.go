package kinesis

import (
	"millrace/internal/core/catalog"
	"millrace/internal/core/store"
)

// Closed shards whose records are all too old are forgotten: nothing of them stays in the store but their
// place in the catalogue, which their children name. It is done an hour after they have left the lists,
// so that a reader who stands at their end still finds the way to their children.

// forgetAfterMS is that hour.
const forgetAfterMS = 3_600_000

// maxForgotten is how many partitions one commit deletes: far below the 10,000 a transaction can.
const maxForgotten = 4000

// forgetAt is when the next shard is forgotten, 0 when there is none to come.
func (st *stream) forgetAt() int64 {
	next := int64(0)
	for i := range st.shards {
		sh := &st.shards[i]
		if !sh.closed || sh.partition == 0 {
			continue
		}
		if at := sh.closedMS + st.settings.retentionMS() + forgetAfterMS; next == 0 || at < next {
			next = at
		}
	}
	return next
}

// forgetShards deletes the partitions of shards whose time has come, and leaves the topic due when the
// next one's comes.
func (s *Service) forgetShards(tx store.Tx, p place, t *catalog.Topic) error {
	st, err := s.readTopic(tx, p, t)
	if err != nil {
		return err
	}
	now := tx.Now()
	var old []*shard
	for i := range st.shards {
		sh := &st.shards[i]
		if sh.partition != 0 && sh.expired(now-forgetAfterMS, st.settings.retentionMS()) && len(old) < maxForgotten {
			old = append(old, sh)
		}
	}
	if err := s.forget(tx, st, old); err != nil {
		return err
	}
	t.Due = st.forgetAt()
	return s.cat.Save(tx, t)
}

// forget deletes the partitions of shards.
func (s *Service) forget(tx store.Tx, st *stream, shards []*shard) error {
	err := st.runs(shards, func(first int, parts []catalog.Partition) error {
		return s.cat.Forget(tx, st.topic, first, parts)
	})
	for _, sh := range shards {
		sh.partition = 0
	}
	return err
}

// kept are the shards that have a partition.
func (st *stream) kept() []*shard {
	var found []*shard
	for i := range st.shards {
		if st.shards[i].partition != 0 {
			found = append(found, &st.shards[i])
		}
	}
	return found
}

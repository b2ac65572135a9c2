package kinesis

import (
	"context"

	"millrace/internal/core/catalog"
	"millrace/internal/core/store"
)

// setRetention changes how long records of a stream are kept. check sees the stream first.
//
// A stream with more shards than one commit can change gets it in several; the last one shows it.
//
// Errors: errNotFound, those of check and of the store.
func (s *Service) setRetention(ctx context.Context, p place, hours int32, check func(*stream) error) error {
	for from, more := 0, true; more; {
		next := 0
		_, err := s.store.Update(ctx, func(tx store.Tx) error {
			next = 0
			st, err := s.readStream(tx, p)
			if err != nil {
				return err
			}
			if err := check(st); err != nil {
				return err
			}
			if st.settings.retentionHours == hours {
				return nil
			}
			st.settings.retentionHours = hours
			if next, err = retain(tx, st, from); err != nil || next > 0 {
				return err
			}
			return s.saveRetention(tx, st)
		})
		if err != nil {
			return err
		}
		from, more = next, next > 0
	}
	return nil
}

// maxRetained is how many partitions one commit gives a retention; a transaction changes 10,000 at most.
const maxRetained = 9000

// retain gives shards from an index on the stream's retention, and returns where to go on, 0 at the end.
func retain(tx store.Tx, st *stream, from int) (next int, err error) {
	done := 0
	for i := from; i < len(st.shards); i++ {
		if st.shards[i].partition == 0 {
			continue
		}
		if done == maxRetained {
			return i, nil
		}
		if err := tx.SetRetention(st.shards[i].partition, store.Retention{Millis: st.settings.retentionMS()}); err != nil {
			return 0, err
		}
		done++
	}
	return 0, nil
}

func (s *Service) saveRetention(tx store.Tx, st *stream) error {
	if st.topic.Origin == catalog.OriginKinesis { // else the partitions' retention is all there is
		if err := s.cat.SetAttribute(tx, st.topic, attrSettings, encodeSettings(&st.settings)); err != nil {
			return err
		}
		st.topic.Due = st.forgetAt()
	}
	return s.cat.Save(tx, st.topic)
}

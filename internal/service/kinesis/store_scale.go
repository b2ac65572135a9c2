package kinesis

import (
	"context"
	"encoding/binary"
	"errors"
	"math"

	"millrace/internal/core/catalog"
	"millrace/internal/core/field"
	"millrace/internal/core/store"
)

// attrLoad is the name of what a stream has carried, beside its topic. Permanent. It does not raise the topic's
// revision.
const (
	attrLoad    = "kinesis.load"
	loadVersion = 1
)

// encodeHistory: version, then for each day that had a load the day since 1970 (4), bytes (8) and records (8) a second
// in its busiest minute, rounded up.
func encodeHistory(h *history) []byte {
	be := binary.BigEndian
	v := append(make([]byte, 0, 1+20*len(h.peaks)), loadVersion)
	for _, p := range h.peaks {
		v = be.AppendUint32(v, uint32(p.day))
		v = be.AppendUint64(v, uint64(math.Ceil(p.bytes)))
		v = be.AppendUint64(v, uint64(math.Ceil(p.records)))
	}
	return v
}

func decodeHistory(v []byte) (history, error) {
	if len(v) == 0 || v[0] != loadVersion {
		return history{}, corrupt("load of a stream")
	}
	d := field.Reader{B: v[1:]}
	var h history
	for len(d.B) > 0 {
		p := dayPeak{day: int32(d.Uint32()), load: load{bytes: float64(d.Uint64()), records: float64(d.Uint64())}}
		if n := len(h.peaks); d.Bad || n > historyDays || n > 0 && h.peaks[n-1].day >= p.day {
			return history{}, corrupt("load of a stream")
		}
		h.peaks = append(h.peaks, p)
	}
	return h, nil
}

// readHistory reads what a stream has carried; false when nothing is known.
func (s *Service) readHistory(ctx context.Context, st *stream) (h history, ok bool, err error) {
	err = s.store.View(ctx, func(tx store.ReadTx) error {
		v, found, err := s.cat.Attribute(tx, st.topic, attrLoad)
		if err != nil || !found {
			return err
		}
		ok = true
		h, err = decodeHistory(v)
		return err
	})
	return h, ok, err
}

// writeHistory keeps what a stream has carried, unless the stream is another or gone.
func (s *Service) writeHistory(ctx context.Context, st *stream, h *history) error {
	_, err := s.store.Update(ctx, func(tx store.Tx) error {
		t, err := s.cat.Get(tx, st.topic.Num)
		if errors.Is(err, catalog.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		return s.cat.SetAttribute(tx, t, attrLoad, encodeHistory(h))
	})
	return err
}

// onDemandStreams finds the on-demand streams of all accounts and regions.
func (s *Service) onDemandStreams(ctx context.Context) ([]place, error) {
	return s.streamsThat(ctx, func(tx store.ReadTx, t *catalog.Topic) (bool, error) {
		c, err := s.readSettings(tx, t, nil)
		return t.Origin == catalog.OriginKinesis && c.mode == modeOnDemand, err
	})
}

// streamsThat finds the streams of all accounts and regions for which is says so.
func (s *Service) streamsThat(ctx context.Context, is func(store.ReadTx, *catalog.Topic) (bool, error)) ([]place, error) {
	const page = 500 // topics of one View
	var found []place
	after, more := uint64(0), true
	for more {
		var here []place
		last := after
		err := s.store.View(ctx, func(tx store.ReadTx) error {
			here, last = nil, after
			topics, left, err := s.cat.All(tx, after, page)
			if err != nil {
				return err
			}
			for _, t := range topics {
				ok, err := is(tx, t)
				if err != nil {
					return err
				}
				if ok {
					here = append(here, s.placeOf(t))
				}
				last = t.Num
			}
			more = left
			return nil
		})
		if err != nil {
			return nil, err
		}
		found, after = append(found, here...), last
	}
	return found, nil
}

// errNotNow says that a stream is not to be scaled now.
var errNotNow = errors.New("kinesis: stream is not to be scaled now")

// startScaling begins a change of an on-demand stream's shards if it is still what it was when the change was planned,
// and Kafka's clients have not produced to it for a day: they could not skip a closed partition.
//
// Errors: errNotNow, errTooManyShards, those of the store.
func (s *Service) startScaling(ctx context.Context, planned *stream, do scaling) error {
	var refused error
	err := s.startReshard(ctx, planned.place, func(tx store.Tx, st *stream, r *reshard) error {
		refused = s.mayScale(tx, planned, st)
		if refused != nil {
			return refused
		}
		r.kind, r.shards = reshardHalve, do.split
		if len(do.join) > 0 {
			r.kind, r.shards = reshardJoin, do.join
		}
		return nil
	})
	if refused != nil {
		return refused
	}
	return err
}

func (s *Service) mayScale(tx store.ReadTx, planned, st *stream) error {
	if st.topic.Num != planned.topic.Num || st.topic.Revision != planned.topic.Revision ||
		st.topic.State != catalog.StateActive || st.settings.mode != modeOnDemand {
		return errNotNow
	}
	byKafka, err := catalog.KafkaProducedSince(tx, st.topic.Num, tx.Now()-dayMS)
	if err == nil && byKafka {
		err = errNotNow
	}
	return err
}

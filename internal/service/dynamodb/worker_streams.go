package dynamodb

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"millrace/internal/core/catalog"
	"millrace/internal/core/store"
	"millrace/internal/service/dynamodb/capture"
)

const (
	// maxOpenShards bounds what a stream is split into: 64,000 changes a second at the default rate.
	maxOpenShards = 64
	// splitGap is between the numbers of a partition that is split and those of its children, so that the former stay below.
	splitGap = 1_000_000_000
)

// turnStreams rotates and splits shards of the streams that are due and forgets what is too old, and returns how long until there is more.
func (s *Service) turnStreams(ctx context.Context) (time.Duration, error) {
	failed := s.recallStreams(ctx) // one stream that cannot be read must not hold up the others
	due, wait, bad, err := s.dueStreams(ctx)
	if failed = errors.Join(failed, bad); err != nil {
		return 0, errors.Join(failed, err)
	}
	for _, at := range due {
		if err := s.turnStream(ctx, at); err != nil {
			failed = errors.Join(failed, fmt.Errorf("stream %s: %w", at.arn(), err))
		}
	}
	if len(due) > 0 {
		wait = 0 // look again: there may be more
	}
	return wait, failed
}

// dueStreams finds streams whose time has come, how long it is until that of the next, and what is wrong with keys that cannot be read.
func (s *Service) dueStreams(ctx context.Context) (due []streamPlace, wait time.Duration, bad, err error) {
	err = s.store.View(ctx, func(tx store.ReadTx) error {
		due, wait, bad = nil, statesIdle, nil
		from, to := []byte{byte(store.FamilyTable), kindStreamDue}, []byte{byte(store.FamilyTable), kindStreamDue + 1}
		return eachKey(tx, from, to, statesPage, func(kv store.KV) bool {
			at, ok := streamPlace{}, false
			if len(kv.Key) > 10 {
				at, ok = streamPlaceOf(kv.Key[10:])
			}
			if !ok {
				bad = errors.Join(bad, corrupt("stream that is due"))
				return true
			}
			if ms := int64(binary.BigEndian.Uint64(kv.Key[2:])); ms > tx.Now() {
				wait = min(wait, time.Duration(ms-tx.Now())*time.Millisecond)
				return false
			}
			due = append(due, at)
			return len(due) < statesPage
		})
	})
	return due, wait, bad, err
}

// recallStreams brings the time forward when streams are looked at, where it was noted by a service with a longer rotation. It does so in the
// worker's first step, and again while the store cannot be asked.
func (s *Service) recallStreams(ctx context.Context) (bad error) {
	if s.recalled {
		return nil
	}
	var late []streamPlace
	err := s.store.View(ctx, func(tx store.ReadTx) error {
		late, bad = nil, nil
		return eachKey(tx, []byte{byte(store.FamilyTable), kindStream}, []byte{byte(store.FamilyTable), kindStream + 1}, statesPage, func(kv store.KV) bool {
			at, ok := streamPlaceOf(kv.Key[2:])
			r, err := decodeStream(at, kv.Value)
			switch {
			case !ok || err != nil:
				bad = errors.Join(bad, corrupt("stream"))
			case s.dueOf(r) < r.due:
				late = append(late, at)
			}
			return true
		})
	})
	if err != nil {
		return err
	}
	for _, at := range late {
		_, err := s.store.Update(ctx, func(tx store.Tx) error {
			r, err := readStream(tx, at)
			if err != nil || r == nil {
				return err
			}
			return s.saveStream(tx, r)
		})
		if err != nil {
			return fmt.Errorf("stream %s: %w", at.arn(), err)
		}
	}
	s.recalled = true
	return bad
}

// turnStream does what is due for one stream. An open shard ends behind all that has been written to its partition: what a reader has been given of
// it must not be its child's afterwards.
func (s *Service) turnStream(ctx context.Context, at streamPlace) error {
	_, err := s.store.Update(ctx, func(tx store.Tx) error {
		r, err := readStream(tx, at)
		if err != nil || r == nil || r.due > tx.Now() {
			return err
		}
		old := tx.Now() - maxChangeAge.Milliseconds()
		if r.ended != 0 && r.ended <= old {
			return s.removeStream(tx, r)
		}
		r.shards.Drop(old)
		topic, err := s.cat.Get(tx, r.topic)
		if err != nil {
			return err
		}
		parts, err := s.cat.Partitions(tx, topic)
		if err != nil {
			return err
		}
		for _, sh := range slices.Clone(r.shards.All) {
			if !sh.Open() || tx.Now()-sh.Since < s.opts.StreamRotation.Milliseconds() {
				continue
			}
			if err := s.turnShard(tx, r, &sh, parts[sh.Partition].ID); err != nil {
				return err
			}
		}
		return s.saveStream(tx, r)
	})
	return err
}

// removeStream forgets a stream that was disabled a day ago.
func (s *Service) removeStream(tx store.Tx, r *stream) error {
	if err := s.releaseCapture(tx, r.topic, needStream); err != nil {
		return err
	}
	if err := tx.Delete(r.at.dueKey(r.due)); err != nil {
		return err
	}
	return tx.Delete(r.at.key())
}

// turnShard rotates or splits a shard that is old enough.
func (s *Service) turnShard(tx store.Tx, r *stream, sh *capture.Shard, partition store.PartitionID) error {
	h, err := tx.Head(partition, store.FieldNext)
	if err != nil {
		return err
	}
	if int64(h.Next-sh.From)*1000 > int64(s.opts.StreamSplitRate)*(tx.Now()-sh.Since) {
		split, err := s.splitShard(tx, r, sh, h.Next)
		if split || err != nil {
			return err
		}
	}
	r.shards.Rotate(sh.ID, h.Next, tx.Now())
	return nil
}

// splitShard closes a shard's partition and gives the halves of its slice to two new ones; false when it is not to be split.
func (s *Service) splitShard(tx store.Tx, r *stream, sh *capture.Shard, end store.Offset) (bool, error) {
	old, err := s.readTable(tx, r.at.place)
	if err != nil || old == nil || old.capture == nil || old.capture.topic != r.topic || len(old.capture.slices) >= maxOpenShards {
		return false, err
	}
	topic, err := s.cat.Get(tx, r.topic)
	if err != nil {
		return false, err
	}
	parts, err := s.cat.Partitions(tx, topic)
	if err != nil {
		return false, err
	}
	id := parts[sh.Partition].ID
	slice, ok := capture.DecodeSlice(parts[sh.Partition].Attr)
	if !ok {
		return false, corrupt("slice of a capture")
	}
	halves, ok := slice.Halves(int64(end) + splitGap)
	at := slices.IndexFunc(old.capture.slices, func(c capturedSlice) bool { return c.id == id })
	if !ok || at < 0 || len(parts)+2 > capture.MaxPartitions {
		return false, nil
	}
	if err := tx.ClosePartition(id); err != nil {
		return false, err
	}
	added := []catalog.Partition{{Created: tx.Now(), Attr: halves[0].Encode()}, {Created: tx.Now(), Attr: halves[1].Encode()}}
	if err := s.cat.AddPartitions(tx, topic, added, store.Retention{Millis: maxChangeAge.Milliseconds()}); err != nil {
		return false, err
	}
	if err := s.cat.Save(tx, topic); err != nil {
		return false, err
	}
	t := old.clone()
	t.capture = &captured{topic: old.capture.topic, needs: old.capture.needs, slices: slices.Replace(slices.Clone(old.capture.slices), at, at+1,
		capturedSlice{halves[0].Last, added[0].ID}, capturedSlice{halves[1].Last, added[1].ID})}
	r.shards.Split(sh.ID, [2]int{len(parts), len(parts) + 1}, tx.Now())
	return true, saveTable(tx, r.at.place, old, t)
}

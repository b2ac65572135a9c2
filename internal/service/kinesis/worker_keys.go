package kinesis

import (
	"context"
	"errors"
	"time"

	"millrace/internal/core/catalog"
	"millrace/internal/core/store"
)

// A data key is replaced when it is a day old and was used, and long before it has sealed 2^32 batches, which is what
// random nonces allow (core/datakey). A batch has at least one record, so records are counted.
const (
	keyAge     = 24 * time.Hour
	keyRecords = 1 << 30 // some minutes at any speed before 2^32
	keysEvery  = time.Minute

	// Each time of so many all streams are looked for, not only those that Kinesis' clients use: Kafka's write too.
	keysSearch = 60
)

// workKeys replaces data keys of streams until ctx is done.
func (s *Service) workKeys(ctx context.Context) {
	timer := s.opts.Clock.NewTimer(keysEvery)
	defer timer.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-timer.C():
		}
		var err error
		if n%keysSearch == 0 {
			err = s.findSealed(ctx)
		}
		if err = errors.Join(err, s.replaceKeys(ctx, keyRecords)); err != nil {
			if ctx.Err() != nil || errors.Is(err, store.ErrStopped) {
				return
			}
			s.log.Error("data keys could not be replaced", "err", err)
		}
		timer.Reset(keysEvery)
	}
}

// replaceKeys looks at each stream in use once.
func (s *Service) replaceKeys(ctx context.Context, most uint64) error {
	var failed error // one stream that cannot be read must not hold up the others
	for _, st := range s.cache.all() {
		if st.encryption.dataKey == 0 {
			continue
		}
		n, err := s.recordsSince(ctx, st, st.encryption.made)
		if errors.Is(err, store.ErrNoPartition) {
			continue // the copy is old
		}
		if err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		base := st.encryption.base // n may be less when the key is old: shards are forgotten
		if n-min(n, base) >= most || n != base && s.store.Now()-st.encryption.made >= keyAge.Milliseconds() {
			failed = errors.Join(failed, s.replaceKey(ctx, st))
		}
	}
	return failed
}

// findSealed has all encrypted streams in memory.
func (s *Service) findSealed(ctx context.Context) error {
	places, err := s.streamsThat(ctx, func(tx store.ReadTx, t *catalog.Topic) (bool, error) {
		id, err := s.cat.DataKey(tx, t)
		return id != 0, err
	})
	for _, p := range places {
		if _, err := s.stream(ctx, p, s.nowNS()); err != nil {
			if err = notFoundAs(err, nil); err != nil {
				return err
			}
		}
	}
	return err
}

// replaceKey gives a stream a new data key, unless another node has done it.
func (s *Service) replaceKey(ctx context.Context, old *stream) error {
	base, err := s.baseOf(ctx, old.place)
	if err != nil {
		return notFoundAs(err, nil)
	}
	_, err = s.store.Update(ctx, func(tx store.Tx) error {
		t, err := s.cat.Get(tx, old.topic.Num)
		if errors.Is(err, catalog.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		e, err := s.readEncryption(tx, t)
		if err != nil || e.dataKey != old.encryption.dataKey || t.State == catalog.StateDeleting {
			return err
		}
		if err := s.newDataKey(tx, &e.encryption, base); err != nil {
			return err
		}
		if err := s.writeEncryption(tx, t, &e); err != nil {
			return err
		}
		return s.cat.Save(tx, t)
	})
	s.cache.expire(old.place)
	return err
}

package kinesis

import (
	"context"
	"errors"
	"time"

	"millrace/internal/core/catalog"
	"millrace/internal/core/datakey"
	"millrace/internal/core/store"
	"millrace/internal/core/worker"
)

// Data keys are replaced when they are worn (core/datakey). A batch has at least one record, so records are counted.
const (
	keysEvery = time.Minute

	// Each time of so many all streams are looked for, not only those that Kinesis' clients use: Kafka's write too.
	keysSearch = 60
)

// workKeys returns the worker that replaces data keys of streams.
func (s *Service) workKeys() *worker.Worker {
	n := -1
	return worker.New(worker.Options{
		First: keysEvery, Retry: keysEvery, What: "data keys could not be replaced", Clock: s.opts.Clock, Logger: s.log,
		Step: func(ctx context.Context) (_ time.Duration, err error) {
			if n++; n%keysSearch == 0 {
				err = s.findSealed(ctx)
			}
			return keysEvery, errors.Join(err, s.replaceKeys(ctx, datakey.MaxSealed))
		},
	})
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
		base := st.encryption.base
		sealed := n - min(n, base)
		if n < base { // the key is old: shards are forgotten
			sealed = 1
		}
		if datakey.Worn(sealed, most, time.Duration(s.store.Now()-st.encryption.made)*time.Millisecond) {
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

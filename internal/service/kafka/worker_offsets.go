package kafka

import (
	"context"
	"errors"
	"time"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/catalog"
	"millrace/internal/core/clock"
	"millrace/internal/core/store"
	"millrace/internal/service/kafka/group"
	"millrace/internal/service/kafka/offset"
)

// offsetsInterval is offsets.retention.check.interval.ms of Kafka: how often offsets are looked at that may expire.
const offsetsInterval = 10 * time.Minute

// workOffsets forgets offsets that expire by offsets.retention.minutes: of groups that have been empty for so long, and of
// topics that a group does not consume any more. Groups that have none left go too.
func (b *Broker) workOffsets(ctx context.Context) {
	for clock.Sleep(ctx, b.opts.Clock, offsetsInterval) == nil {
		retention := b.offsetsRetention()
		for x := range b.groups.Expirable() {
			if ctx.Err() != nil {
				return
			}
			if err := b.expireOffsets(ctx, &x, retention); err != nil && ctx.Err() == nil {
				b.log.Warn("expire the offsets of a group", "group", x.Group, "err", err)
			}
		}
	}
}

// offsetsRetention is offsets.retention.minutes.
func (b *Broker) offsetsRetention() time.Duration {
	return time.Duration(b.topics.broker.Load().Int("offsets.retention.minutes")) * time.Minute
}

func (b *Broker) expireOffsets(ctx context.Context, x *group.Expirable, retention time.Duration) error {
	before := b.store.Now() - retention.Milliseconds()
	if x.Since > before {
		return nil // the group has not been empty for long enough
	}
	due := true
	for since, first := []byte(nil), true; due && (first || since != nil); first = false {
		_, err := b.store.Update(ctx, func(tx store.Tx) (err error) {
			if due, err = group.StillExpirable(tx, *x); err != nil || !due {
				return err
			}
			limit := before
			if x.Since > 0 {
				limit = tx.Now() + 1 // all of a group count from when it became empty
			}
			next, err := offset.Expire(tx, x.Group, limit, b.consumed(tx, x), since, offset.MaxEntries)
			if err == nil {
				since = next
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	if x.Empty && due {
		b.groups.Forget(x.Group, hasNoOffsets, func(kafkaapi.Code) {})
	}
	return nil
}

// consumed tells whether members of a group consume a topic, whose offsets then stay.
func (b *Broker) consumed(tx store.ReadTx, x *group.Expirable) func(topic uint64) bool {
	return func(num uint64) bool {
		if len(x.Subscribed) == 0 {
			return false
		}
		t, err := b.topics.cat.Get(tx, num)
		if errors.Is(err, catalog.ErrNotFound) {
			return false
		}
		return err != nil || x.Subscribed[t.Kafka]
	}
}

// hasNoOffsets tells whether a group has no offsets.
func hasNoOffsets(tx store.Tx, id string) (bool, error) {
	found, err := offset.FetchAll(tx, id, nil, 1, false)
	return len(found) == 0, err
}

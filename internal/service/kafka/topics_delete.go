package kafka

import (
	"context"
	"errors"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/catalog"
	"millrace/internal/core/store"
	"millrace/internal/service/kafka/offset"
)

// Streams is what the broker asks of Kinesis: streams that it made have states, quotas and consumers that only it
// knows.
type Streams interface {
	// DeleteStream begins the deletion of a stream, as a client of Kinesis would. The error's text is for the
	// client of Kafka.
	DeleteStream(ctx context.Context, account, region, name string) error
}

// deleteTopic removes a topic made by Kafka, with its partitions, in one commit: its name is free at once, as in Kafka.
// A stream made by Kinesis goes as Kinesis deletes it.
//
// Errors: catalog.ErrNotFound, *refusal, those of the store.
func (b *Broker) deleteTopic(ctx context.Context, lookup func(store.ReadTx) (*catalog.Topic, error)) (*catalog.Topic, error) {
	var gone *catalog.Topic
	_, err := b.store.Update(ctx, func(tx store.Tx) error {
		c, err := lookup(tx)
		if err != nil {
			return err
		}
		if c.State == catalog.StateDeleting || c.State == catalog.StateCreating {
			return catalog.ErrNotFound
		}
		if gone = c; c.Origin == catalog.OriginKinesis {
			return nil
		}
		return b.remove(tx, c)
	})
	if err == nil && gone.Origin == catalog.OriginKinesis {
		err = b.deleteStream(ctx, gone)
	}
	if err != nil {
		return nil, err
	}
	if t := b.topics.byName(gone.Kafka); t != nil {
		b.topics.drop(t)
	}
	return gone, nil
}

// deleteStream has Kinesis delete a stream that it made.
func (b *Broker) deleteStream(ctx context.Context, c *catalog.Topic) error {
	if b.opts.Streams == nil {
		return refuse(kafkaapi.PolicyViolation, "Topic '"+c.Kafka+"' is a stream made by Kinesis, which is not served here.")
	}
	if err := b.opts.Streams.DeleteStream(ctx, c.Account, c.Region, c.Name); err != nil {
		return refuse(kafkaapi.PolicyViolation, "Topic '"+c.Kafka+"' is a stream made by Kinesis: "+err.Error())
	}
	return nil
}

// remove takes a topic made by Kafka out of the store. A topic has at most 10,000 partitions, as many as a
// transaction deletes.
func (b *Broker) remove(tx store.Tx, c *catalog.Topic) error {
	parts, err := b.topics.cat.Partitions(tx, c)
	if err != nil {
		return err
	}
	last := tx.Now() // no record is newer
	for i := range parts {
		last = max(last, parts[i].Created)
	}
	if err := b.topics.cat.Remove(tx, c); err != nil {
		return err
	}
	if mayCollide(c.Kafka) {
		k := configKey(kindAlike, alike(c.Kafka))
		num, ok, err := getNumber(tx, k)
		if err == nil && ok && num == c.Num {
			err = tx.Delete(k)
		}
		if err != nil {
			return err
		}
	}
	return b.remember(tx, c.Kafka, last)
}

// forgetNames is how many names of topics deleted long ago go with each deletion: more than it adds.
const forgetNames = 4

// remember notes when a topic of a name was deleted, and forgets others for which it does not matter any more.
func (b *Broker) remember(tx store.Tx, name string, last int64) error {
	own := configKey(kindDeleted, name)
	// The names after this one, so that deletions at the same time seldom meet.
	old, err := tx.Scan(append(own[:len(own):len(own)], 0), configKey(kindDeleted+1, ""), forgetNames, false)
	if err != nil {
		return err
	}
	if len(old) == 0 {
		if old, err = tx.Scan(configKey(kindDeleted, ""), own, forgetNames, false); err != nil {
			return err
		}
	}
	for _, kv := range old {
		at, _, err := getNumber(tx, kv.Key)
		if err != nil {
			return err
		}
		if int64(at)/1000 < tx.Now()/1000 {
			if err := tx.Delete(kv.Key); err != nil {
				return err
			}
		}
	}
	return tx.Set(own, encodeNumber(uint64(last)))
}

// forgetOffsets has the offsets that groups have committed for deleted topics go, in the background: numbers are never
// used again, so they are seen by nobody.
func (b *Broker) forgetOffsets(nums []uint64) {
	if len(nums) == 0 {
		return
	}
	b.work.Go(func() {
		for _, num := range nums {
			if err := offset.ForgetTopic(b.ctx, b.store, num); err != nil {
				if b.ctx.Err() == nil && !errors.Is(err, store.ErrStopped) {
					b.log.Error("committed offsets of a deleted topic stay until they expire", "topic", num, "err", err)
				}
				return
			}
		}
	})
}

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
	// DeleteStream begins the deletion of a stream, as a client of Kinesis would. The region is never empty once
	// the default one is known. The error's text is for the client of Kafka.
	DeleteStream(ctx context.Context, account, region, name string) error
}

// deletion is a topic to be deleted.
type deletion struct {
	lookup func(store.ReadTx) (*catalog.Topic, error)

	gone *catalog.Topic // once it is
	err  error          // why it is not: catalog.ErrNotFound, *refusal, those of the store
}

// maxDeletedKeys is how many keys one commit writes about to delete topics, some hundred: far fewer than a transaction
// can, since the scans of each topic go through what the transaction has written (of 10,000 topics with one partition
// 9,000 keys a commit took 22 s, 1,000 take 2).
const maxDeletedKeys = 1000

// deleteTopics removes topics made by Kafka with their partitions, many in one commit: their names are free at once, as
// in Kafka. A stream made by Kinesis goes as Kinesis deletes it. A topic that cannot be deleted does not fail the others.
func (b *Broker) deleteTopics(ctx context.Context, all []*deletion) {
	for rest := all; len(rest) > 0; {
		n := 0
		_, err := b.store.Update(ctx, func(tx store.Tx) (err error) {
			n, err = b.deleteSome(tx, rest)
			return err
		})
		if err != nil {
			n = max(n, 1)
		}
		for _, d := range rest[:n] {
			if err != nil {
				d.err = err
			}
		}
		rest = rest[n:]
	}
	for _, d := range all {
		if d.err == nil && d.gone.Origin == catalog.OriginKinesis {
			d.err = b.deleteStream(ctx, d.gone)
		}
		if d.err != nil {
			continue
		}
		if t := b.topics.byName(d.gone.Kafka); t != nil {
			b.topics.drop(t)
		}
	}
}

// deleteSome removes as many topics as one transaction can, at least one, and returns how many.
func (b *Broker) deleteSome(tx store.Tx, all []*deletion) (n int, err error) {
	keys, partitions := 0, 0
	for n = range all {
		d := all[n]
		d.gone, d.err = d.lookup(tx)
		if d.err == nil && (d.gone.State == catalog.StateDeleting || d.gone.State == catalog.StateCreating) {
			d.err = catalog.ErrNotFound
		}
		if errors.Is(d.err, catalog.ErrNotFound) {
			continue
		}
		if d.err != nil {
			return n + 1, d.err
		}
		if d.gone.Origin == catalog.OriginKinesis {
			continue
		}
		if d.gone.Origin == catalog.OriginTable {
			d.err = errReadOnly
			continue
		}
		partitions += d.gone.Partitions
		if n > 0 && (partitions > store.MaxTxParts || keys > maxDeletedKeys) {
			return n, forgetNames(tx, 2*n)
		}
		if err := b.remove(tx, d.gone); err != nil {
			return n + 1, err
		}
		keys += 8 + d.gone.Partitions/256 // topic, names, id, attribute, when it was deleted, chunks
	}
	return len(all), forgetNames(tx, 2*len(all))
}

// deleteStream has Kinesis delete a stream that it made.
func (b *Broker) deleteStream(ctx context.Context, c *catalog.Topic) error {
	if b.opts.Streams == nil {
		return refuse(kafkaapi.PolicyViolation, "Topic '"+c.Kafka+"' is a stream made by Kinesis, which is not served here.")
	}
	region := c.Region
	if region == "" {
		if err := b.store.View(ctx, b.topics.cat.LoadRegion); err != nil {
			return err
		}
		region, _ = b.topics.cat.Region()
	}
	if err := b.opts.Streams.DeleteStream(ctx, c.Account, region, c.Name); err != nil {
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
	return tx.Set(configKey(kindDeleted, c.Kafka), encodeNumber(uint64(last)))
}

// forgetNames forgets names of topics that were deleted in an earlier second, of at most limit: more than the
// transaction has added, so that they do not gather.
func forgetNames(tx store.Tx, limit int) error {
	old, err := tx.Scan(configKey(kindDeleted, ""), configKey(kindDeleted+1, ""), min(max(limit, 10), maxDeletedKeys), false)
	if err != nil {
		return err
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
	return nil
}

// forgetOffsets has the offsets that groups have committed for deleted topics go, in the background: numbers are never
// used again, so they are seen by nobody.
func (b *Broker) forgetOffsets(nums []uint64) {
	if len(nums) == 0 {
		return
	}
	b.work.Go(func() {
		err := offset.ForgetTopics(b.ctx, b.store, nums)
		if err != nil && b.ctx.Err() == nil && !errors.Is(err, store.ErrStopped) {
			b.log.Error("committed offsets of deleted topics stay until they expire", "topics", len(nums), "err", err)
		}
	})
}

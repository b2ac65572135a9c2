package txn

import (
	"context"
	"slices"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/store"
	"millrace/internal/service/kafka/offset"
)

// AddPartitions makes partitions part of the open transaction, or begins one with them: AddPartitionsToTxn of clients
// under transaction version 1, which do so before they append. It is durable when it returns.
//
// Codes, of all partitions alike: InvalidProducerIDMapping, ProducerFenced (INVALID_PRODUCER_EPOCH on the wire before
// version 2), ConcurrentTransactions, InvalidRequest (more than 100,000 partitions), CoordinatorNotAvailable,
// CoordinatorLoadInProgress.
// Source: TransactionCoordinator.handleAddPartitionsToTransaction of Kafka 4.3.
func (c *Coordinator) AddPartitions(ctx context.Context, who Ident, ids []store.PartitionID) kafkaapi.Code {
	return c.use(ctx, who, func(tx store.Tx, r *record) (did, error) {
		added := r.addPartitions(ids)
		if !added && r.state == Ongoing {
			return nothing, nil
		}
		if len(r.partitions) > maxPartitions {
			return nothing, refusal(kafkaapi.InvalidRequest)
		}
		r.begin(tx.Now())
		return wrote, nil
	})
}

// Verify tells of each partition whether it is part of the open transaction (AddPartitionsToTxn with verify-only, version
// 4 and above). It changes nothing.
//
// Codes of each: those of AddPartitions, TransactionAbortable when it is not.
func (c *Coordinator) Verify(ctx context.Context, who Ident, ids []store.PartitionID) []kafkaapi.Code {
	codes := make([]kafkaapi.Code, len(ids))
	all := func(code kafkaapi.Code) []kafkaapi.Code {
		for i := range codes {
			codes[i] = code
		}
		return codes
	}
	if code := who.check(); code != kafkaapi.None {
		return all(code)
	}
	r, p, err := c.read(ctx, who.ID)
	switch {
	case err != nil:
		return all(codeOf(err))
	case r == nil:
		return all(kafkaapi.InvalidProducerIDMapping)
	}
	if code := r.checkUse(who.Producer, who.Epoch); code != kafkaapi.None {
		return all(code)
	}
	for i, id := range ids {
		if r.state != Ongoing || !r.hasPartition(id) {
			codes[i] = kafkaapi.TransactionAbortable
		}
		if slices.ContainsFunc(p.Open, func(o store.OpenPartition) bool { return o.Partition == id }) {
			codes[i] = kafkaapi.None
		}
	}
	return codes
}

// AddOffsets makes the offsets of a group part of the open transaction, or begins one with them: AddOffsetsToTxn of clients
// under transaction version 1.
//
// Codes: those of AddPartitions; InvalidGroupID, InvalidRequest for more than 32 groups.
func (c *Coordinator) AddOffsets(ctx context.Context, who Ident, group string) kafkaapi.Code {
	if len(group) > offset.MaxGroup {
		return kafkaapi.InvalidGroupID
	}
	return c.use(ctx, who, func(tx store.Tx, r *record) (did, error) { return r.addGroup(tx, group) })
}

// addGroup makes a group part of the transaction.
func (r *record) addGroup(tx store.Tx, group string) (did, error) {
	known := slices.Contains(r.groups, group)
	switch {
	case known && r.state == Ongoing:
		return nothing, nil
	case !known && len(r.groups) == maxGroups:
		return nothing, refusal(kafkaapi.InvalidRequest)
	case !known:
		r.groups = append(slices.Clip(r.groups), group)
	}
	r.begin(tx.Now())
	return wrote, nil
}

// use changes the record of a transaction that the client may extend.
func (c *Coordinator) use(ctx context.Context, who Ident, fn func(tx store.Tx, r *record) (did, error)) kafkaapi.Code {
	if code := who.check(); code != kafkaapi.None {
		return code
	}
	s, code := c.enter(ctx, who.ID, c.find, func(r *record) kafkaapi.Code { return r.checkUse(who.Producer, who.Epoch) })
	if code != kafkaapi.None {
		return code
	}
	defer s.release()
	return codeOf(c.change(ctx, s, func(tx store.Tx, r *record) (did, error) {
		if code := r.checkUse(who.Producer, who.Epoch); code != kafkaapi.None {
			return nothing, refusal(code)
		}
		return fn(tx, r)
	}))
}

// read returns the stored record of an id, nil when there is none, and its producer.
func (c *Coordinator) read(ctx context.Context, id string) (r *record, p store.Producer, err error) {
	err = c.opts.Store.View(ctx, func(tx store.ReadTx) error {
		if r, err = load(tx, id); r == nil || err != nil {
			return err
		}
		p, _, err = tx.Producer(r.producer)
		return err
	})
	return r, p, err
}

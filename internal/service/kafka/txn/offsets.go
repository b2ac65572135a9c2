package txn

import (
	"context"
	"slices"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/store"
	"millrace/internal/service/kafka/offset"
)

// OffsetCommit is offsets of a group that become visible with the transaction.
type OffsetCommit struct {
	Ident
	Group   string
	Offsets []offset.Entry // Time is set here

	V2        bool // TxnOffsetCommit version 5 and above: the group becomes part of the transaction by itself
	Abortable bool // version 4 and above: the client understands TransactionAbortable

	// Check is the group's own check, of member and generation (KIP-447). It runs inside the commit, so it may read keys, and
	// it may run more than once. Nil for none.
	Check func(tx store.Tx) kafkaapi.Code
}

// CommitOffsets keeps offsets that become the group's when the transaction commits (TxnOffsetCommit). Nobody sees them
// before; a fetch of stable offsets sees that there are some. Durable when it returns.
//
// Codes, of all partitions alike: InvalidProducerIDMapping, InvalidProducerEpoch, ConcurrentTransactions, InvalidGroupID,
// InvalidTxnState or TransactionAbortable (version 1: the group was not added), those of Check, CoordinatorNotAvailable,
// CoordinatorLoadInProgress.
// Source: GroupCoordinatorService.commitTransactionalOffsets of Kafka 4.3, KIP-447, KIP-890.
func (c *Coordinator) CommitOffsets(ctx context.Context, req OffsetCommit) kafkaapi.Code {
	if len(req.Group) > offset.MaxGroup {
		return kafkaapi.InvalidGroupID
	}
	for rest := req.Offsets; ; {
		n := min(len(rest), offset.MaxEntries)
		code := c.commitOffsets(ctx, &req, rest[:n])
		if rest = rest[n:]; code != kafkaapi.None || len(rest) == 0 {
			return code
		}
	}
}

// commitOffsets makes one commit: the offsets of a larger request are not visible before the transaction ends anyway.
func (c *Coordinator) commitOffsets(ctx context.Context, req *OffsetCommit, entries []offset.Entry) kafkaapi.Code {
	code := c.use(ctx, req.Ident, func(tx store.Tx, r *record) (d did, err error) {
		if req.Check != nil {
			if code := req.Check(tx); code != kafkaapi.None {
				return nothing, refusal(code)
			}
		}
		switch {
		case req.V2:
			if d, err = r.addGroup(tx, req.Group); err != nil {
				return nothing, err
			}
		case r.state != Ongoing || !slices.Contains(r.groups, req.Group):
			return nothing, refusal(notPart(req.Abortable))
		}
		stamped := slices.Clone(entries)
		for i := range stamped {
			stamped[i].Time = tx.Now()
		}
		return d, offset.AddPending(tx, r.producer, req.Group, stamped)
	})
	if code == kafkaapi.ProducerFenced {
		return kafkaapi.InvalidProducerEpoch // what the group coordinator answers, in all versions
	}
	return code
}

// notPart is the code for what was not added to the transaction.
func notPart(abortable bool) kafkaapi.Code {
	if abortable {
		return kafkaapi.TransactionAbortable
	}
	return kafkaapi.InvalidTxnState
}

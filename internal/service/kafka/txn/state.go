package txn

import (
	"math"
	"slices"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/store"
)

// lastGiven is the largest epoch that a client gets: the one above it is kept for fencing it. Kafka's
// TransactionMetadata.isEpochExhausted.
const lastGiven = math.MaxInt16 - 1

// preparing tells whether a transaction has been decided and its markers are not all written.
func (r *record) preparing() bool { return r.state == PrepareCommit || r.state == PrepareAbort }

// open tells whether a transaction is open. Appends begin one by themselves, in the store's own state.
func (r *record) open(p *store.Producer) bool {
	return !r.preparing() && (r.state == Ongoing || len(p.Open) > 0)
}

// begin makes a transaction ongoing in the record.
func (r *record) begin(now int64) {
	if r.state != Ongoing {
		r.state, r.start = Ongoing, now
	}
}

// isRepeat tells whether an EndTxn that told id and epoch is answered already: the client did not hear of the epoch that
// came with the end.
func (r *record) isRepeat(id store.ProducerID, epoch int16) bool {
	if epoch == noEpoch || epoch != r.ended {
		return false
	}
	if id == r.producer {
		return r.epoch == epoch+1
	}
	return id == r.previous && epoch >= lastGiven && r.epoch == 0
}

// checkEnd decides what an EndTxn does: None with proceed to end the transaction (or an empty one), None alone for
// a repeat that is answered with what stands.
//
// As TransactionCoordinator.endTransaction, with two differences. A repeat under TV2 is one of the epoch that ended,
// and not just any epoch that is one less: a client that was fenced never takes its successor's end for its own. And a
// TV2 client may commit a transaction without records (KAFKA-18401).
func (r *record) checkEnd(id store.ProducerID, epoch int16, commit, v2, open bool) (code kafkaapi.Code, proceed bool) {
	repeat := v2 && r.isRepeat(id, epoch)
	switch {
	case id != r.producer && !repeat:
		return kafkaapi.InvalidProducerIDMapping, false
	case epoch != r.epoch && !repeat:
		return kafkaapi.ProducerFenced, false
	case r.preparing() && commit == (r.state == PrepareCommit):
		return kafkaapi.ConcurrentTransactions, false
	case r.preparing():
		return kafkaapi.InvalidTxnState, false
	case repeat && r.state != ended(commit):
		return kafkaapi.InvalidTxnState, false
	case repeat:
		return kafkaapi.None, false
	case open || v2:
		return kafkaapi.None, true
	case r.state == ended(commit):
		return kafkaapi.None, false
	}
	return kafkaapi.InvalidTxnState, false
}

func ended(commit bool) State {
	if commit {
		return CompleteCommit
	}
	return CompleteAbort
}

// checkUse decides whether a request that extends a transaction may do so.
func (r *record) checkUse(id store.ProducerID, epoch int16) kafkaapi.Code {
	switch {
	case id != r.producer:
		return kafkaapi.InvalidProducerIDMapping
	case epoch != r.epoch:
		return kafkaapi.ProducerFenced
	case r.preparing():
		return kafkaapi.ConcurrentTransactions
	}
	return kafkaapi.None
}

// prepare decides the open transaction: its markers carry the epoch of ending.
func (r *record) prepare(commit bool, ending store.ProducerID, epoch int16, now int64) {
	r.state = PrepareAbort
	if commit {
		r.state = PrepareCommit
	}
	r.ending, r.endingEpoch, r.updated = ending, epoch, now
}

// complete is when all markers are written.
func (r *record) complete(now int64) {
	r.state = ended(r.state == PrepareCommit)
	r.ending, r.endingEpoch = store.NoProducer, noEpoch
	r.partitions, r.groups, r.start = nil, nil, 0
	r.updated = now
}

// addPartitions tells whether some of ids are new.
func (r *record) addPartitions(ids []store.PartitionID) bool {
	all := slices.Clone(r.partitions)
	all = append(all, ids...)
	slices.Sort(all)
	all = slices.Compact(all)
	added := len(all) > len(r.partitions)
	r.partitions = all
	return added
}

func (r *record) hasPartition(id store.PartitionID) bool {
	_, ok := slices.BinarySearch(r.partitions, id)
	return ok
}

// advance raises the epoch for a client, or gives a new producer id when the epochs are used up: what came before
// is fenced. Errors: those of the store.
func (r *record) advance(tx store.Tx) error {
	if r.epoch < lastGiven {
		r.epoch++
		return tx.InitProducer(r.producer, r.epoch)
	}
	if r.previous != store.NoProducer {
		if err := tx.DeleteProducer(r.previous); err != nil {
			return err
		}
	}
	if err := tx.InitProducer(r.producer, math.MaxInt16); err != nil {
		return err
	}
	id, err := newProducer(tx)
	if err != nil {
		return err
	}
	r.previous, r.producer, r.epoch = r.producer, id, 0
	return tx.InitProducer(id, 0)
}

// fence raises the epoch over the one that the client has; nobody gets this one.
func (r *record) fence(tx store.Tx) error {
	if r.epoch < math.MaxInt16 {
		r.epoch++
	}
	return tx.InitProducer(r.producer, r.epoch)
}

// producerCounter counts producer ids. Permanent.
const producerCounter = "kafka.producer"

func newProducer(tx store.Tx) (store.ProducerID, error) {
	n, err := tx.NextID(producerCounter)
	return store.ProducerID(n), err
}

// Package txn is Kafka's transaction coordinator, on the producers of the store. It knows nothing of the wire.
//
// # One transaction
//
//	InitProducerId ─► Init         epoch + 1: fences the last incarnation and aborts what it left open     1 commit
//	Produce        ─► Admit        memory only; the store begins the transaction with the first append      its append
//	                  AddPartitions, AddOffsets (version 1)   before that, durably                          1 commit each
//	TxnOffsetCommit ► CommitOffsets  pending offsets (package offset)                                        1 commit
//	EndTxn         ─► End          markers in all partitions, offsets, state, next epoch                    1 commit
//
// Under transaction version 2 (KIP-890) a transaction of one append is two commits. In Kafka each arrow is several
// writes in several logs, and a marker reaches its partition some time after the decision; here a reader of committed
// records sees a whole transaction or nothing of it, and the offsets with it.
//
// What is in more partitions than Options.SliceParts, or has more offsets than Options.SliceOffsets, does not fit into
// one commit. Then the first commit is the decision
// (PrepareCommit, PrepareAbort), slices follow, and the client gets CONCURRENT_TRANSACTIONS until they are done.
// After a restart New goes on with them.
//
// # What is open
//
// An open transaction is told by two things: the record of the transactional id says Ongoing (something but an append
// has begun it), or the store has open partitions of the producer. Both are read in the commit that ends it, so nothing
// that was acknowledged can be left out: an append that comes between makes the end run again.
//
// # Late requests
//
//	a batch of an ended transaction, version 2   the store refuses its epoch: each end raises it
//	… version 1, where the epoch stays           Admit: its partition has not been added to the open transaction
//	an EndTxn of an earlier transaction          its epoch is neither the one of now nor the one that just ended
//	an EndTxn repeated                           the epoch that just ended: the answer is given again
//	an InitProducerId repeated                   lastEpoch: the answer is given again
//
// Admit is the one that keeps order in memory: a ticket is held while an append is queued, and an end waits for the
// tickets. The store's order does the rest. With several coordinators on one store version 1 needs one of them alone
// to serve an id, and so does the clock of a timeout; everything else is decided inside of commits.
//
// What transactions are not: isolated. Two of them may write to the same partitions in any order, and a reader of
// several partitions sees each commit in each of them when it reads there, as in Kafka.
//
// # Time
//
// All times are store time. A transaction that was begun by AddPartitionsToTxn, AddOffsetsToTxn or TxnOffsetCommit counts from
// then, also over a restart. One that only appends have begun counts from its first append, and after a restart from the
// restart. A transaction is aborted up to Options.CheckInterval after its timeout: its client is fenced, whether
// it comes back or not. Under version 2 an abort that the client then sends is answered with the new epoch.
//
// # Keys
//
// In store.FamilyKafkaTxn:
//
//	0x22 01 transactional id   record
//	0x22 02 producer(8)        idempotent producer without a transactional id: version(1), last known use in ms(8)
//
// A record is, permanent, version 1 (numbers are zigzag varints unless said):
//
//	version(1) state(1)
//	producer, the one before (-1: none), epoch, epoch that was told for this one (-1: none), epoch that ended with
//	this one (-1: none), timeout in ms, start and last change in ms, producer and epoch of the markers being written
//	count, partitions that were added: differences, all unsigned
//	count, groups: length and bytes, all unsigned
//
// Producer ids are the counter kafka.producer.
//
// # Sources
//
// Apache Kafka 4.3: TransactionCoordinator, TransactionMetadata, TransactionStateManager, AddPartitionsToTxnManager;
// KIP-98, KIP-360, KIP-447, KIP-588, KIP-664, KIP-890 (read 2026-11). Differences stand at Init, End, Abort and
// record.checkEnd.
package txn

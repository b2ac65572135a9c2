// Package offset keeps the committed offsets of consumer groups, and those that wait in open transactions.
//
// Everything here runs inside a transaction of the store, so a caller joins it with what belongs together:
// the group coordinator with its check of the generation, the transaction coordinator with the markers.
//
//	OffsetCommit ──────────────► Commit ──────────────────► committed
//	TxnOffsetCommit ► AddPending ► pending ── MovePending ─► committed   in the commit of the markers
//	                                      └── DropPending                when the transaction aborts
//
// Commit and AddPending write blindly: they never lose to each other, and the last one in the order of
// commits stands. What the store has not made durable is not visible, so neither is an offset.
//
// # Keys
//
// All in store.FamilyKafkaOffset, numbers big-endian, a group as its length in two bytes and its name. Groups
// are therefore listed by length, then by name. Topics are numbers of the catalogue, or of the internal topics that are only
// shown: 0 is __consumer_offsets, 2^64-1 __transaction_state.
//
//	0x21 01 group topic(8) partition(4)              committed offset
//	0x21 02 producer(8) group topic(8) partition(4)  offset of the producer's open transaction
//	0x21 03 group producer(8)                        the producer has such offsets of this group
//
// # Values
//
// Permanent, version 1, for both kinds of offsets; the third kind of key has the version byte alone:
//
//	version(1) offset(8) leader epoch(4) commit time, ms(8) metadata(rest)
package offset

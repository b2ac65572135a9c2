// Package group is the coordinator of Kafka's classic consumer groups: who is a member, which generation
// the group is in, and which assignment each member has. It knows nothing of the wire, and treats what
// members say of their subscriptions and what leaders assign as bytes.
//
// # One rebalance
//
//	Join ──► Preparing: members gather until all known ones have joined, or the rebalance timeout
//	           │           removes those that have not
//	           ▼
//	      Completing: generation + 1, one protocol that all support, one leader; every Join is answered,
//	           │          the leader's with all members
//	           ▼
//	Sync ──► the leader's assignments are written to the store ──► durable ──► Stable: every Sync is answered
//
// The last member that leaves ends the generation in Empty; Dead is a group that is being deleted.
// A member that is silent for its session timeout is removed, and so is one that does not sync
// within the rebalance timeout; both begin the next rebalance.
//
// # How it is built
//
//	group.go, join.go, rebalance.go, sync.go, leave.go   one group as a pure state machine: a method gets the
//	                     time and puts answers and a record to write into effects; no lock, no clock, no I/O
//	coordinator.go       groups by id, a lock for each; runs a transition, then its effects without the lock
//	timer.go             one goroutine and one timer for all groups: a heap of when each has something due
//	writer.go            one goroutine that writes the records of many groups in one commit
//	store.go, record.go  keys, encodings, loading, and the rule that fences offset commits
//
// A waiting Join or Sync is a callback in the member's state, not a goroutine. Heartbeats only move a
// time on: the group's place in the heap is a lower bound, and is set right when it is reached.
//
// # Consistency
//
// A generation is durable before its first Sync is answered, and so is a static member's new id before
// its Join is. After a restart groups are Stable or Empty as they were last written, and members
// have one session timeout to be heard from: to a client whose group was Stable, a restart is only a lost
// connection. A rebalance that was under way is forgotten; its members are told ILLEGAL_GENERATION or
// UNKNOWN_MEMBER_ID and join again.
//
// Fence, inside of the transaction that writes offsets, holds them to the generation that is durable: a
// commit by a member of an older one is then ordered before the next generation is answered, or fails.
// Records carry who wrote them: of two coordinators on one store, the one that did not write last finds
// out when it writes, and starts again from what is stored.
//
// # Differences from Apache Kafka
//
//   - The first rebalance of an empty group does not wait for more members (Options.InitialRebalanceDelay):
//     the configuration that ships with Kafka also sets group.initial.rebalance.delay.ms to 0.
//   - A Join or Sync whose connection closes no longer counts as waiting, so a client that died inside a
//     rebalance is removed after its session timeout and not after the rebalance.
//   - All protocols of a member are kept over a restart, not only the chosen one, so its next Join is
//     still recognised as unchanged.
//   - A Join or Sync that the same member sends while an earlier one waits answers the earlier one with
//     REBALANCE_IN_PROGRESS; a Sync of a member that is removed is answered with UNKNOWN_MEMBER_ID. Kafka
//     leaves both without an answer.
//   - An empty group that was only ever asked to give out member ids is forgotten when these expire.
//
// # Sources
//
// Apache Kafka 4.3: ClassicGroup and GroupMetadataManager for behaviour, the configuration reference
// for limits; KIP-62, KIP-134, KIP-345, KIP-394, KIP-447, KIP-814 (read 2026-11).
package group

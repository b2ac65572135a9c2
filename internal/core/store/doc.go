// Package store is the contract everything stands on: ordered keys and partitions of
// record batches that change together in one atomic, durable, ordered commit.
//
// Two drivers keep it: store/embedded (a journal, Pebble and segments in one folder) and
// store/cluster (PostgreSQL). storetest holds the suite that both pass and a model that
// random histories are compared with.
//
// # How a commit is made
//
// Callers come with requests: the outcome of a transaction function (Update), or records
// for partitions (Append). A driver gathers what has arrived into a Group, decides the
// requests one after the other on its State with the pure rules of this package, writes
// the group durably, applies it to what readers see, and only then answers everybody:
//
//	Update(fn) ── RunTx on a Snapshot ──► Request ─┐
//	                                               ├─► State.Decide… ─► Group ─► durable ─► State.Apply ─► answers
//	Append(reqs) ──────────────────────────────────┘    (decided)                  (applied)
//
// A Group is all that a journal or a database has to keep: key changes, partition changes,
// producer changes and batches. Applying the same groups in order to an empty State gives
// the same State again; recovery does just that.
//
// # Conflicts
//
// Update is serializable and optimistic: fn runs on a snapshot, and its request names what
// it read. It commits if nothing that it read was written by a later group: neither a key,
// nor a range (including keys that were not there), nor a producer, nor one of the
// tracked fields of a partition's head. Otherwise fn runs again.
//
// # Promises
//
//   - What Update or Append returned is durable. View, Read and Watch show only what is
//     durable. Also a refusal, a no-op and a repeat wait until the last group they were
//     decided on is durable and applied.
//   - Commits have one order. Offsets have no gaps of the store's making and no repeats.
//   - Appends of one producer commit in the order they were given.
//   - The outcome of a commit is known, or ErrUnknownOutcome says that it is not.
//
// # Keys
//
// A key begins with its family byte (families.go), a value with a version byte of its
// owner. Keys are at most 32 KiB, values at most 2 MiB.
package store

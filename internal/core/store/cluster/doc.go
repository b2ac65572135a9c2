// Package cluster is the store on PostgreSQL 15 or newer: the database orders and keeps everything.
//
// This first form is one node with all bytes inline: batches are rows, there are no objects and no
// packer. A second node on the same database is refused. It keeps the whole contract; it is not fast.
//
//	Update(fn) ── snapshot: REPEATABLE READ ──► Request ─┐            one transaction for a group:
//	                                                     ├─► queue ─► lock commit row, check node epoch,
//	Append(reqs) ────────────────────────────────────────┘            decide (Go rules), write, COMMIT ─► apply ─► answers
//
// # The committer
//
// One goroutine takes what waits, up to store.GroupSealSize, as one group. It locks the row of
// store_commit, decides each request on its State, asks the database which of the keys and ranges
// that the request has read were written after its snapshot, writes the group's effects and commits. It holds the lock
// while the Go rules run: many nodes need the rules in SQL.
//
// A transaction that loses runs again in its caller's goroutine; one that has lost some times gets a turn: the
// committer waits for it, so that it runs on the newest state with nobody beside it.
//
// # Unknown outcomes
//
// Each group has a random id, and its row in store_groups goes in with its effects. When the connection
// is lost at COMMIT, the committer inserts a tombstone under the same id on a new connection: if it
// goes in, the group will never commit and is decided again; if the id is there, it did.
//
// # State
//
// Heads, producers and open transactions are kept in memory as two States, decided and applied, and
// as rows in the encoding of store (docs/format/state.md). Open loads the rows. docs/format/cluster.md
// draws the tables.
//
// # Locks
//
// mu guards the applied State and what belongs to it, timeMu store time. The decided State belongs to the
// committer. The queue has its own lock. None is held while another is taken, but mu inside timeMu never.
package cluster

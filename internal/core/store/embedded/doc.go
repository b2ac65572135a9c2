// Package embedded is the store in one process and one folder: a journal that everybody's commits
// are synced in, Pebble for keys, and segments for what the journal held.
//
//	callers ─► queue ─► sequencer ─────────────────► applier ──────────────► answers
//	                    decide on State (decided)     Pebble, State (applied),
//	                    seal, write, sync the group   index, watchers
//
// The sequencer takes what is waiting, and a moment later who comes back from the last group (company.go), decides it as one group, seals the group into a chunk of the tail
// cache, writes it from there and syncs. The applier makes it visible and answers, while the next group is
// sealed and synced; of a small group without keys the sequencer does that itself (hand). Latency follows the disk,
// throughput follows the load.
//
// # Files of the folder
//
//	LOCK, holder         the process that has the folder
//	journal/NNN.log      groups (core/journal); recycled
//	keys/                Pebble, without a log of its own
//	segments/…           sealed runs of partitions, alone or many in a file (core/segment)
//	ballast              room that is given up when the disk is full
//
// # What lives where
//
// Pebble holds the callers' keys, and under FamilyDriver what recovery needs (driverkeys.go): the sequence
// of the last group whose keys it has, checkpoints of the State, and the runs of partitions. A group
// without key changes does not touch Pebble. The journal is replayed by number on top of that.
//
// # In the background
//
// The mover takes batches out of the journal into sealed files; the compactor drops from these what later records of the
// same key replace (compactor.go); retain trims by age and size.
//
// # Locks
//
// pubMu guards the moment in which a group becomes visible: whoever takes a Pebble snapshot with the applied
// sequence holds it for reading. mu guards the applied State, the index and the list of journal files.
// Order: pubMu before mu before the mover's. The decided State belongs to the sequencer alone.
package embedded

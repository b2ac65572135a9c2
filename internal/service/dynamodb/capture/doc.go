// Package capture is what changes of items look like where they are kept: the record of one change, the slices of a
// table's hash space that become partitions, and the shards that readers of a stream see. It is pure: no store, no clock.
//
// # From items to shards
//
//	a change of an item ── hash16 of its key ──► slice ──► partition of the capture's topic
//	                                                       offsets 0 … n, in order of commits
//
//	partition 0   |■■■■■■■■■ shard a ■■■■■■■■■|■■■■ shard b ■■■■|──── shard c ────►
//	                       rotation, 4 hours    split: closed
//	partition 1                                                 |──── shard d ────►
//	partition 2                                                 |──── shard e ────►
//
// A partition belongs to one slice for as long as it lives, so all changes of an item stand in one of them, in order. A shard is
// a range of offsets of one partition: rotation ends it at an offset, and a child goes on there in the same partition. A split
// closes the partition and makes two, for halves of its slice; the first shards of both are children of its last one.
//
// # Sequence numbers
//
// The record at an offset of a partition has the number
//
//	1 | base + offset, 15 digits | index of the partition, 5 digits
//
// which is unique in its capture, always 21 digits long, and grows with the offset. Base is 0 in a capture's first partitions; in
// one that a split has made it is above base + offset of all that its parent holds, so that a child's numbers are above its parent's.
//
// docs/format/changes.md draws what is permanent.
package capture

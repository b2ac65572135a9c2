// Package journal is the file format that the embedded store syncs: groups of key changes,
// partition changes and record batches, one after the other.
//
//	file:   ┌────────────┬─────────┬─────────┬ ─ ─ ┬───────────────┐
//	        │ file page  │ group   │ group   │     │ zeros, or what │
//	        │ 4 KiB      │         │         │     │ an earlier use │
//	        └────────────┴─────────┴─────────┴ ─ ─ ┴───────────────┘
//	group:  header 96 B │ directory 96 B each │ partitions │ producers │ keys │ batches │ zeros to 4 KiB
//
// A group begins at a multiple of 4 KiB and describes itself. Its header's sum covers all but
// the batches; the directory holds a sum of each batch's stored bytes. The random id in the
// file page stands in every group of the file, so that neither a group of an earlier use nor
// one inside of a payload is taken for a group of this file.
//
// A group is written when the one before is durable. So at most the last group of the last
// file can be torn: it is cut. Anything else that does not fit is damage and named.
//
// docs/format/journal.md draws the bytes. All numbers are little-endian, except inside of batches.
package journal

// Package segment keeps sealed runs of partitions, of one or of many, in files that never change, and indexes over
// files that hold the runs of many in between each other.
//
// A segment is data and index in one file; a shared file is the same with the runs of many partitions, one after the
// other; a sidecar is the index alone, over another data file (a journal file that stays where it is). All end in
// the same way, drawn byte by byte in docs/format/segment.md:
//
//	header   64 bytes: magic, version, kind, partition or file number, CRC
//	data     stored bytes of the batches, one after the other (not in a sidecar)
//	blocks   up to 256 entries each with a CRC, partition by partition
//	tail     one line for each block, one line for each partition, one CRC
//	footer   64 bytes: where the tail is, CRC
//
// The flow: a [Writer] takes entries with their stored bytes in order of offset and ends the file with
// Finish, a [SharedWriter] those of one partition after the other; [WriteSidecar] takes the entries alone. [Open],
// [OpenShared] and [OpenSidecar] read footer and tail, which stay in
// memory (40 bytes for each 256 entries), and give an [Index] for each partition. A look-up searches the
// tail in memory and reads one block; [ReadStored] then reads the batch and holds it against its CRC and
// its base offset. [Verify], [VerifyShared] and [VerifySidecar] read everything.
//
// All numbers are little-endian, all sums CRC32C. Damage is a [CorruptError] that names file and place.
// Entries of a partition have rising offsets; holes between them (markers, compaction) are normal.
package segment

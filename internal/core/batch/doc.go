// Package batch reads, checks, patches and builds Kafka record batches of magic 2, the unit in which
// the log stores and moves records.
//
// A batch is a header of 61 bytes and its records, all numbers big-endian:
//
//	 0  base offset       int64   outside the CRC: the log assigns it
//	 8  length            int32   bytes after this field
//	12  leader epoch      int32   outside the CRC: the log assigns it
//	16  magic             int8    2
//	17  CRC32C            uint32  of everything from byte 21 to the end
//	21  attributes        int16   bits 0-2 compression, 3 log append time, 4 transactional, 5 control, 6 delete horizon
//	23  last offset delta int32
//	27  first timestamp   int64   ms
//	35  max timestamp     int64   ms
//	43  producer id       int64   -1: none
//	51  producer epoch    int16
//	53  base sequence     int32
//	57  record count      int32
//	61  records, compressed together when attributes say so
//
// The flow: a finished batch comes in from a Kafka producer and passes [Check], which looks at the
// header and the CRC and never opens a record; loose records become a batch through a [Builder], which
// writes into the caller's buffer. The log then patches what it decides ([SetBaseOffset],
// [SetLeaderEpoch], [SetLogAppendTime]) in place. Whoever needs single records (Kinesis readers, key
// compaction) opens the batch with [Records] or, without allocation, with a [Cursor].
//
// Decoders trust nothing: every length is held against what is left, and what decompression may yield
// is bounded by [Limits].
//
// Source: Kafka protocol guide, "Record Batch"; LogValidator of Apache Kafka 4.1 for the rules on what a
// producer may send (read 2026-11). docs/format/batch.md tells which of it the log relies on.
package batch

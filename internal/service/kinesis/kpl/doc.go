// Package kpl opens records in which the Kinesis Producer Library has packed many user records.
//
// # Format
//
//	f3 89 9a c2 | protobuf message AggregatedRecord | MD5 of the message, 16 bytes
//
//	message AggregatedRecord {                      message Record {
//	  repeated string partition_key_table     = 1;    required uint64 partition_key_index     = 1;
//	  repeated string explicit_hash_key_table = 2;    optional uint64 explicit_hash_key_index = 2;
//	  repeated Record records                 = 3;    required bytes  data                    = 3;
//	}                                                 repeated Tag    tags                    = 4;
//	message Tag {                                   }
//	  required string key   = 1;
//	  optional string value = 2;
//	}
//
// The parts of a message may stand in any order, and a record may come before the tables that it points
// into. What is not known is skipped, except groups, which nobody writes.
//
// # Flow
//
//	Split ── magic, MD5 ──► count (limits, sizes) ──► tables ──► records, which point into data
//
// GetRecords and SubscribeToShard give aggregated records as they are, as AWS does: clients open them. This
// package is for readers of a stream that open them on AWS's side, as event source mappings and delivery
// streams do.
//
// # Sources
//
// amazon-kinesis-producer, aggregation-format.md; amazon-kinesis-client, AggregatorUtil, for what is a plain
// record, and for the order of records (read 2026-11).
package kpl

// Package kinesis serves Kinesis Data Streams on the log: a stream is a topic and a shard is a
// partition.
//
// # How a record goes in and out
//
//	PutRecords ── address ──► stream (a copy in memory, cache.go)
//	              route: MD5 of the partition key ──► open shard (shard.go)
//	              charge: quota of the shard (limits.go)
//	              group by shard ──► store.Append, one commit for all shards ──► sequence numbers (seqnum.go)
//
//	GetShardIterator ──► offset in a shard, sealed into a token (token.go)
//	GetRecords ── token ──► store.Read ──► records of the batches, not copied (page.go) ──► next token
//
//	SubscribeToShard ── consumer ──► claim on the shard (claim.go) ──► store.Watch
//	              each commit wakes the request's goroutine: page ──► event ──► next (subscription.go)
//
// No transaction is needed for these: a copy of the stream's shards is kept in memory. It may be
// behind; what makes that harmless is the store, where a closed or deleted partition refuses records
// and the id of a partition is never used again. Then the stream is read anew and the records are
// placed once more.
//
// All other operations are transactions on the catalogue (store.go, with its layouts in store_values.go): stream, names, partitions and
// usage of quotas change together. CREATING, UPDATING and DELETING end when their time has come, by a
// worker that finds in the store what is due (worker_states.go). Splits and merges are two commits of
// that worker (reshard.go plans them, store_reshard.go makes them). Another worker looks at on-demand streams once a
// minute and begins such changes where their load says so (worker_scale.go measures, scale.go decides). A third
// one replaces the data keys of encrypted streams (encryption.go, worker_keys.go).
//
// # Consistency
//
// What was acknowledged is durable, and a GetRecords that begins after it sees it. Describe and List
// read one snapshot. Sequence numbers of a shard are in the order of commits; holes are normal.
// Records written by Kafka are shown as kafkaview.go says; of transactions only what was committed.
//
// # Not served
//
// Channels and queues: they answer as AWS answers an unknown operation.
//
// # Sources
//
// Kinesis API reference and developer guide (read 2026-11) for behaviour and limits; kinesalite, whose
// author recorded AWS's answers, for texts of errors and the layout of sequence numbers. docs/kinesis.md
// is the user's page; docs/format/catalog.md draws what is stored.
package kinesis

// Package dynamodb serves DynamoDB on the store: tables, items, expressions.
//
// # What is served
//
// Tables and their indexes are created, described, listed, updated, tagged and deleted; items are read and written one
// by one, in batches and in transactions, queried and scanned. The rest of the model answers as an unknown operation (unserved.go);
// docs/dynamodb.md says what is not there yet.
//
// # From a request to the store
//
//	input ── request.go: attribute values, expressions ──► expr.Plan
//	      ── names.go: name or ARN ──► place
//	one store.Update or View:
//	      readTable ──► table (decoded once, compared since) ──► key.go: the item's key
//	      Get ──► condition ──► change ──► Set
//	      ──► answer: images, consumed capacity
//
// write.go is one change of one item, for all operations that write; page.go is a range of items, for Query and Scan; transact.go
// and store_token.go are what transactions have beside it.
//
// A write is one transaction, serializable with every other; it reads the table's record, so it cannot land in a table that has
// been dropped. A consistent read sees every write that was answered before it began; others do too.
//
// # Indexes
//
// index.go is what an index is; index_create.go and index_update.go are what CreateTable and UpdateTable do with indexes. follow.go is
// where an item changes: it calls index_row.go, which writes the rows of the item in the same transaction and says what they cost,
// and collection.go, which keeps the sizes of item collections. index_read.go points a Query or Scan at an index. index_work.go fills
// indexes that were added to a table in use, and deletes the rows of those that are gone.
//
// # Tables
//
// store.go and store_table.go know keys and records, which docs/format/tables.md draws. table.go is what a table goes through, without
// I/O. Items stand under a number that is never used again, so a new table of an old name begins empty while worker_states.go still
// deletes the old one's items in slices.
//
// # What hangs on items
//
// follow.go is the one place where an item changes. ttl.go and store_ttl.go keep there the rows by which worker_ttl.go finds items that expire.
// throttle.go holds tables to their units, if it is asked to; counts.go counts items when somebody asks how many there are.
// vault.go is where values of encrypted tables are sealed and opened; store_seal.go and worker_keys.go give tables their data keys, and other ones
// when those are worn; worker_seals.go seals what a table has from before it was encrypted.
//
// # Streams
//
// stream.go and store_stream.go begin and end the capture of a table's changes, into which follow.go's change puts its record in the item's commit
// (package capture says how that looks); worker_streams.go rotates and splits shards and forgets what is a day old. The four operations of
// DynamoDB Streams read with stream_read.go and stream_page.go; iterators (stream_iterator.go) hold all that is needed to go on.
//
// Sources: DynamoDB API reference and developer guide (read 2026-11); where texts of errors come from is said in errors.go and
// in package expr.
package dynamodb

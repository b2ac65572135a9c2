// Package crash shows that nothing acknowledged is lost when the process dies.
//
// The harness runs bin/millrace under load from several writers and readers, kills it with -9 at random
// moments, starts it again on the same folder, and does so fifty times. Then everything is read and one
// checker compares it with what was sent, what was answered, and what readers had seen on the way:
//
//	history.go    what happened: sends, acknowledgements, observations
//	check.go      what must hold; pure, with its own negative controls in check_test.go
//	writer.go     a writer: PutRecord and PutRecords, each record unlike any other
//	reader.go     a reader that follows a shard across crashes
//	lineage.go    splits, merges and scalings
//	consumer.go   an application on the SDK for Go that follows ChildShards across crashes, polling or pushed
//	check_keys.go order of a key from parents to children
//	check_consumed.go what consumers must have got
//	lives_test.go the lives of a server under load, which ends with kill -9 (build tag system)
//	kills_test.go the run (build tag system)
//	reshard_test.go the run with splits and merges (build tag system)
//	registers.go  calls on single items; check_registers.go: linearizable, by porcupine
//	lists.go      lists that transactions append to; check_lists.go: strictly serializable, by a search for cycles
//	transfers.go  transfers between accounts; check_transfers.go: each once, with its token, and the sum stays
//	replay.go     follows the stream of the table; each record must fit onto the ones before it
//	tables_test.go the run over a table, its index and its stream (build tag system)
//	sync_test.go  counts syncs between requests and answers with strace (build tag system)
//
// kill -9 leaves the page cache alone, so it cannot see a missing sync; sync_test.go can, and the crashing
// file system in the store's own tests.
//
//	go test -tags system ./test/crash -kills 50 -changes 200 -seed 7
package crash

// Bench measures bin/millrace against the floor (test/bench/floor), kinesalite, Apache Kafka, DynamoDB Local and dynoxide, on one
// machine and in one run, and holds the results against the bars of the project.
//
//	make bench             everything
//	make bench-memory      ten minutes at full load, resident memory over time
//	go run ./test/bench -only put-records -rounds 3
//	go run ./test/bench -only ddb    tables; `go run ./tools/parts dynamodb-local dynoxide` prepares the peers
//
// How it measures. All servers of a scenario run at once, idle except in their own windows. Each gets
// a warm-up, then windows of load in turn: a round is one window on each. A figure is the median over the
// rounds, a ratio the median of the ratios inside each round, so that a machine that slows down for a
// minute slows both sides. CPU is user and system time of the server process, nanoseconds where the
// kernel counts them, divided by calls or records; the generator's own CPU is not in it. The generator
// sends prebuilt requests over one connection for each worker (package test/load).
//
// Where. Data lies in a folder below build/, is bounded by deleting the stream after each scenario and is removed
// at the end. The run refuses to begin with less than 12 GiB free.
//
//	main.go       flags, order of scenarios
//	servers.go    starts floor, kinesalite and millrace
//	put.go        PutRecord and PutRecords
//	get.go        GetRecords catch-up
//	life.go       start, idle memory, recovery, size
//	fill.go       recovery of as much journal as the bounds allow
//	push.go       enhanced fan-out: put to event, idle subscriptions
//	shards.go     PutRecords over 1 to 4,000 shards; describing, listing and doubling many
//	quota.go      twice the quota is offered: what is accepted
//	update.go     transactions of the embedded store
//	ddb*.go       beside DynamoDB Local and dynoxide: items, queries, batches, transactions, streams, indexes
//	kafka*.go     beside Apache Kafka: producers, consumers, groups, transactions; connections, restart
//	memory.go     memory over ten minutes
//	report.go     table, bars
package main

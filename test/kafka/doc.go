// Package kafka runs unchanged Kafka clients against the built binary. Its tests carry the build tag system, since they
// need `make build`, the parts that tools/parts prepares, and kcat:
//
//	go test -tags system ./test/kafka
//
// Seven clients play one scenario, step by step, each on topics of its own (scenario_test.go):
//
//	auto            a topic comes to be by a record for it
//	topic           CreateTopics, again (refused), CreatePartitions, configs altered and described, a record above
//	                max.message.bytes refused
//	produce         every compression the client has; keys, binary headers, timestamps read back exactly, place by place
//	timestamps      offsets for times
//	group           one member reads and commits, a second joins and they share, both leave, a third goes on from what
//	                was committed
//	idempotent      an idempotent producer
//	transaction     commit and abort, with offsets of a group; read_committed and read_uncommitted; a zombie is fenced
//	delete-records  the first offset moves
//	groups          they are listed, one is deleted
//	delete-topic    the topic is gone
//
// and then every batch has to be there in the compression in which it was produced.
//
// The Java clients play it too, with cooperative and static members besides, and a process that runs Kafka's console tools
// one after the other calls each of them (java_test.go, tools_test.go).
//
// Kafka Streams counts words with exactly_once_v2 while its process is killed and loses its folder; Kafka Connect,
// distributed and with exactly-once sources, moves a file through a topic into another file and goes on after a kill.
//
// Kinesis and Kafka meet on one topic (mixed_test.go): boto3 puts plain records and such as the KPL packs, kcat reads them; a
// transactional producer writes, and the AWS SDK reads what was committed; headers survive; a stream with a closed
// shard refuses what Kafka produces, with its reason.
//
// What has bitten real brokers is tried by name (traps_test.go). At last the server is killed again and again (kills_test.go) under transactional clients, which are processes that are
// killed too, and idempotent producers of franz-go, librdkafka and Java that live through it all. A read_committed reader sees all of a transaction or none of
// it, and none twice; each acknowledged record of the idempotent producers is there once, in order:
//
//	go test -tags system ./test/kafka -run Kills -kills 200 -seed 42
//
// The Go clients and kcat are driven from here; Python, JavaScript and Java have a program each under clients/, which prints
// "ok STEP" for each step. A step without its line fails.
package kafka

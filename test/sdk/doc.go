// Package sdk runs unchanged AWS clients against the built binary. Its tests carry the build tag
// system, since they need `make build` and the parts that tools/parts prepares:
//
//	go test -tags system ./test/sdk
//	go test -tags system ./test/sdk -endpoint http://127.0.0.1:4567 -http1     another server
//
// Every client of Kinesis plays the same scenario on a stream of its own, step by step:
//
//	create      CreateStream with 4 shards, wait for ACTIVE, ListStreams
//	shards      ListShards: hash ranges that meet and cover everything
//	put         PutRecord: keys beyond ASCII, binary data, some with an explicit hash key
//	put-batch   PutRecords
//	read        each shard from TRIM_HORIZON in small pages: the records that were answered for, in
//	            order of sequence number, bytes and keys exact
//	iterators   AT and AFTER_SEQUENCE_NUMBER, AT_TIMESTAMP, LATEST
//	tags        AddTagsToStream, RemoveTagsFromStream, ListTagsForStream
//	retention   Increase- and DecreaseStreamRetentionPeriod
//	errors      the code, a message and a request id, for seven refusals
//	push        SubscribeToShard over HTTP/2 (JavaScript, Java): records exact and in order as they are put, until
//	            the consumer is deregistered
//	delete      DeleteStream, until the stream is gone
//
// Beside it boto3 and the AWS CLI call every operation that is served (operations_test.go, refusals_test.go): each must
// answer what is expected once at least, and refuse with AWS's code and text once at least. One program,
// clients/calls.py, drives both in a process that stays, so that all of it takes seconds; an operation that becomes
// served without a step there fails the test.
//
// The Go client is also pushed records over each protocol, with a takeover and a consumer that ends.
//
// Clients of DynamoDB (tables_test.go) play one on a table of their own, each with what its language adds: packages of
// values and expressions in Go, the resource of boto3, the document client of JavaScript, the enhanced client of Java with
// beans, versions and counters:
//
//	create        CreateTable, the waiter, ListTables
//	items         every type, sets and 38 digits, exact; ReturnValues
//	expressions   condition, projection, update; the item of a condition that failed
//	legacy        Expected, AttributeUpdates, KeyConditions, QueryFilter, AttributesToGet
//	batches       BatchWriteItem, BatchGetItem
//	pages         paginators of Query and Scan, also of parallel segments
//	transactions  TransactWriteItems with its cancellation reasons, TransactGetItems
//	capacity      ConsumedCapacity
//	errors        the code, a message and a request id
//	delete        DeleteTable, the waiter
//
// Beside it each uses what follows a table, on another one (follow_test.go):
//
//	create        CreateTable with a global and a local index and a stream
//	indexes       Query of each in pages, in order, with what is projected
//	added         UpdateTable adds a global index to the table in use, until it is ACTIVE
//	capacity      ConsumedCapacity of each index
//	follow        ListStreams, DescribeStream, GetShardIterator, GetRecords: INSERT, MODIFY and REMOVE with both images
//	expiry        UpdateTimeToLive, DescribeTimeToLive: an item goes, by the service's hand
//	delete        DeleteTable
//
// The Kinesis Producer Library puts records over TLS (kpl_test.go), and an application of the Kinesis Client Library processes
// them and others with two workers while shards change and one worker is killed (kcl_test.go). The same library follows changes of a table through the
// adapter of DynamoDB Streams (changes_test.go).
//
// Clients of CloudWatch put metrics and read them (cloudwatch_test.go).
//
// The Go client and the AWS CLI are driven from here; Python, JavaScript and Java have a program each
// under clients/, which prints a line for each step. A step without a line fails.
package sdk

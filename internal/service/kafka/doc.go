// Package kafka is the broker: it answers Kafka's requests from the store's partitions, which are also the shards of
// Kinesis streams.
//
//	wire/kafka ─► Serve(Call, request, answer) ─► dispatch.go: the operation of the key ─► op_<api>.go ─► answer(response)
//	              Produce, Fetch: typed views on pooled buffers, answered by the store's applier and by waiters
//
//	topics*.go  what a topic is: a view of core/catalog, kept current by its revision; configs in config
//	group       consumer groups         offset   what they committed
//	txn         transactional ids       session  fetch sessions
//	sasl        users
//
// Most operations run in the connection's goroutine and answer before they return. Those that wait (Produce, Fetch,
// JoinGroup, SyncGroup) keep no goroutine: they register and answer later, once.
//
// The broker has no state that is not in the store or made from it, but for requests that wait, fetch sessions and
// timers. There is one broker, id 0, which is also the controller; replicas and in-sync replicas are that one, and what
// was asked for is echoed.
//
// Errors: store errors become Kafka's codes in errors.go. Produce never answers UNKNOWN_SERVER_ERROR: the Java client would
// then write twice in spite of idempotence (KAFKA-14034); what is unknown is answered with a code that makes it retry.
//
// Source: the message definitions and behaviour of Apache Kafka 4.3.1.
package kafka

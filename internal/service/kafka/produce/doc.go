// Package produce appends what Kafka's producers send: it holds each batch to the rules of the protocol and of its
// topic, gives all of a request to the store at once, and turns the store's answers into Kafka's codes.
//
//	Request (topics resolved) ─► check each batch ─► revive lost producers, admit transactions ───► Store.AppendAsync
//	                                   │ header and CRC; records only when a rule needs them        │
//	            done(request) ◄────────┴────────────────── answers, by whoever commits ◄────────────┘
//
// Batches are not opened and not copied: what is checked is the header and the sum. They are opened for topics that
// demand keys, when the header's times are out of bounds or make no sense, and nowhere else. So the compression that a
// producer chose stays, whatever compression.type says, and bounds on times hold the first and the largest timestamp
// of a batch, not each one between.
//
// # Producers
//
// Kafka's idempotent producers raise their epoch by themselves, in one partition after the other; the store takes that as
// it comes (store rules). They may come back after the store has forgotten them: a batch of an id that is not known
// introduces its producer first, in a commit of its own (introduce.go). For transactional producers only the coordinator
// does.
//
// # Answers
//
// acks 1 and all are the same: answered when durable. An answer is never UNKNOWN_SERVER_ERROR, which some clients take
// for a reason to send the batch under a new sequence number: what is not known is a retriable code.
//
// Source: ProduceRequest.validateRecords, UnifiedLog.analyzeAndValidateRecords, LogValidator and ProducerAppendInfo of
// Apache Kafka 4.1 (read 2026-11).
package produce

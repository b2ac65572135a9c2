// Package hot has codecs written by hand for the calls that most of the work is: PutRecord, PutRecords
// and GetRecords of Kinesis, in JSON; for the answers of GetRecords also in CBOR, which KCL reads; and the ten calls
// of DynamoDB that carry items.
//
// A decoder reads a body once, knows only what clients usually send, and gives up on anything else:
// escapes, nulls, repeated or unknown members, values the model forbids, bad base64. The general codec
// then reads the body again and finds the words for what is wrong. So a decoder here has no error
// texts, and whatever it accepts, the general codec and api.Validate accept with the same result; a
// fuzz test holds them equal.
//
//	body, pooled:     {"Records":[{"Data":"aGVsbG8=","PartitionKey":"k1"},...],"StreamName":"s"}
//	                                     │                          │                       │
//	                                 decoded into              points into             kept between
//	                                 Scratch.data               the body            calls that repeat it
//
// Data, partition keys and hash keys live in pooled memory: they are gone once the answer is sent.
// Names of streams are proper strings.
//
// Items, keys and values of expressions of DynamoDB go through the form of their service (api.Form): its reader stands at the first byte of
// one, writes it as it is stored, and says where it ends; the writer of an answer does the reverse. Package wire does not know what the
// form is.
//
//	body, pooled:     {"TableName":"t","Item":{"pk":{"S":"a"},"n":{"N":"1"}}}
//	                                         └── api.FormReader ──► stored item, in memory of the scratch
//	store:            stored item ── api.Form.Append ──► answer, pooled
//
// What that reader gives up on, because a value is not as it should be, is held against JSON and stays a piece of the body, which
// the service reads once more for the words. Expressions and names of tables are proper strings, kept between calls that
// repeat them, as are maps of names.
//
// An encoder appends to a buffer and hands it over in pieces of 64 KiB, so that an answer of 10 MiB
// touches no fresh memory.
package hot

// Package hot has codecs written by hand for the calls that most of the work is: PutRecord, PutRecords
// and GetRecords of Kinesis, in JSON; and for the answers of GetRecords also in CBOR, which KCL reads.
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
// An encoder appends to a buffer and hands it over in pieces of 64 KiB, so that an answer of 10 MiB
// touches no fresh memory.
package hot

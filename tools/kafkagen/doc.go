// Command kafkagen writes internal/api/kafkaapi from the message definitions of a pinned kafka-clients release.
//
//	go run ./tools/kafkagen            write
//	go run ./tools/kafkagen -check     fail if what is written differs from the repository
//
// The release is a jar (a zip file) that holds common/message/NAME.json, JSON with comment lines. The
// part kafka-definitions of tools/parts fetches it; it must have the checksum in source.go.
//
//	jar ──► definition.go: JSON as it is ──► types.go: Go types, sizes, defaults
//	                                              │
//	             emit.go: structs, Decode, Encode ◄┴► emit_keys.go: keys, ranges, the list for tests
//
// Every message of the broker's listener is written, requests and responses, in both directions, but for
// ProduceRequest and FetchResponse: package wire/kafka has codecs of its own for these, without copies.
package main

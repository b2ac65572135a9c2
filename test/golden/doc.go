// Package golden compares what is on the wire with the AWS SDK for Go v2, member by member.
//
//	document_test.go  a struct as the document that it is on the wire, by the names of its fields: it knows
//	                  neither our codecs nor their tables, and reads the SDK's structs as well
//	snapshot_test.go  request and response snapshots of the SDK's kinesis module, read where the Go module cache
//	                  has them: each request decodes, each answer and error encodes to an equal document, in
//	                  JSON and in CBOR, by the general codec and by those of package hot
//	sdk_test.go       every operation called through the SDK and the front with every member set, both ways
//
// Snapshots stop at the codec, since their values ("__StreamName__") are not what the model allows, and the SDK has
// none of SubscribeToShard; the calls of sdk_test.go have values by the model and go through all of the front.
package golden

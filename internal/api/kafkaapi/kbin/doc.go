// Package kbin reads and writes the primitive types of the Kafka protocol, within bounds.
//
//	            plain                             flexible (compact)
//	string      int16 length, bytes               uvarint length+1, bytes        -1 or 0: null
//	bytes       int32 length, bytes               uvarint length+1, bytes
//	array       int32 count, elements             uvarint count+1, elements
//	struct?     int8: -1 null, else present       the same
//	tags        none                              uvarint count, then (tag, size, data) each
//	numbers     big endian; varint and varlong are zigzag, in records only
//
// A Reader and a Writer are told once whether the message is flexible. Errors stick: after the first
// one every read gives a zero value, so that decoders need to look only once, at the end.
//
// # Bounds
//
// What a peer sends decides neither time nor memory beyond its own size:
//
//   - the count of an array times the smallest size of its elements must fit into the rest of the frame;
//   - a struct has at most 128 tagged fields, and those that are not known are skipped;
//   - what is allocated for a message is at most 16 times its bytes plus 64 KiB (Budget). The element sizes
//     that generated decoders report are those of Go's structs.
//
// # Ownership
//
// Strings and byte slices that a Reader gives alias its input: nothing is copied. The input must not
// change as long as they are in use, and keeping one keeps all of the input alive; strings.Clone what is kept.
package kbin

// Package codec puts the shapes of package api on the wire and takes them off it.
//
// Decoding has two halves. A reader knows one encoding and gives values one after the other; the
// decoder knows shapes, asks the reader for what a member needs, and answers what does not fit with
// the texts AWS uses. Encoding appends to a buffer, one function for each encoding.
//
//	JSON bytes ── jsonReader ─┐                      ┌─ AppendJSON ──► JSON bytes
//	                          ├─ decoder ─► struct ──┤
//	CBOR bytes ── cborReader ─┘                      └─ AppendCBOR ──► CBOR bytes
//
// Smithy RPC v2 CBOR is the same with other times (DecodeRPC, AppendRPC). The query protocol has a decoder of its own,
// since a form gives a value's path with every value: DecodeQuery sorts the parameters by their paths and walks them and
// the shapes side by side. Its answers are XML (AppendQuery).
//
// A further encoding is a reader and an appender. Shapes are walked by reflection over field indexes
// that the tables give; what is called most has codecs of its own (package hot) that a fuzz test
// holds equal to this one.
//
// # Bounds
//
// Values nest 64 deep at most. What decoding allocates is bounded by 16 times the body and 64 KiB;
// what exceeds the body and 64 KiB is asked of a [Memory] where one is given. A list longer than its
// model allows is read to its end but kept only one element past the limit, which is enough for its
// violation. Strings are copies; a blob in CBOR is the piece of the body it stands in, so that the body
// must live as long as the input.
package codec

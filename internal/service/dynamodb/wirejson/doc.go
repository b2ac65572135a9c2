// Package wirejson reads and writes the JSON of DynamoDB's data plane in one pass, by hand: attribute values
// go from the body of a request straight into stored form, and from stored form straight into an
// answer.
//
//	{"Item":{"pk":{"S":"a"},"n":{"N":"1"}},"TableName":"t"}
//	          └── Decoder ──► value.Builder ──► stored item, in Decoder's memory
//
//	stored item ── AppendItem ──► {"n":{"N":"1"},"pk":{"S":"a"}}
//
// [Form] hands both to the front, which reads a body and writes an answer: an item that nothing is wrong with reaches the service in its
// stored form. Any other stays text, and the service reads it with a Decoder of its own, which says what is wrong.
//
// # Reading
//
// A [Decoder] walks a body as its caller asks: Body or Open for a structure, Member for each name, then a method for
// what the member is. Errors stick: after the first one every method gives nothing and every loop ends, so
// that a caller looks once, at End.
//
//	d.Reset(body)
//	d.Body()
//	for name, ok := d.Member(); ok; name, ok = d.Member() {
//		switch name {
//		case "TableName":
//			in.Table, _ = d.String()
//		case "Item":
//			in.Item = d.Item()
//		default:
//			d.Skip()
//		}
//	}
//	if err := d.End(); err != nil { … }
//
// Two kinds of errors are kept apart, as AWS reads a whole body before it looks at what it means. What
// has the wrong shape is a SerializationException, the error of End. What is wrong with a value (a bad
// number, an empty set, two types at once, more than 32 levels) is noted with the value and reading goes on; the
// caller asks Invalid when it is that check's turn.
//
// Members nobody asked for are passed over; null is as if the member were not there. Of members or attributes with one
// name the last counts.
//
// Everything a Decoder returns lives in the body or in its own memory, until Reset.
//
// # Sources
//
// Texts: dynalite, test/helpers.js, recorded against AWS; base64 as kinesalite has it (read 2026-11).
package wirejson

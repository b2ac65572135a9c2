// Package value holds what a table stores: attribute values, items and their numbers, without I/O.
//
// # In memory
//
// A [Value] is one of the ten attribute types in 32 bytes; an [Item] is a slice of attributes sorted by
// name. Both are immutable once they are built: whoever changes an item makes a new slice ([Item.With],
// [Item.Without]) and shares the values that stay. Strings may alias the buffer they were decoded
// from; [Value.Clone] and [Item.Clone] cut that tie for what outlives it.
//
// A [Number] is a decimal of up to 38 significant digits, held as an integer of 127 bits and a power
// of ten. It never passes through floating point, and its form is canonical: equal numbers are equal
// with ==, whatever they were written as.
//
// Sets are kept sorted (strings and binaries by their bytes, numbers by value) without duplicates, so
// that equality, union and look-up go element by element. AWS promises no order of them.
//
// # On disk
//
// [AppendItem] writes an item in the format of docs/format/item.md, which is permanent. A [View] reads
// it where it lies: a look-up of an attribute is a binary search in a table of offsets, and nothing
// else is decoded. The format is canonical too: two stored items are equal exactly when their bytes
// are, and the number in an item is in the encoding that keys use ([Number.AppendOrdered]), which
// sorts as the numbers do.
//
// # Size
//
// [Value.Size] and [Item.Size] count as AWS bills and limits: an attribute is its name in UTF-8 and its
// value; a number is 1 + ⌈integer digits/2⌉ + ⌈fraction digits/2⌉ bytes, and 1 more when it is negative; a
// list or map is 3 bytes and 1 for each element beside the elements; BOOL and NULL are 1; a set is the
// sum of its elements.
//
// # Errors
//
// What a client can get wrong is an [*Error] with AWS's text, which has two wordings; the service
// answers it as a ValidationException. What bytes on disk can get wrong is ErrCorrupt.
//
// Sources: DynamoDB developer guide, "Data types", "Item sizes and formats", "Constraints" (read 2026-11);
// answers of the service where the guide is silent or wrong, as the functions say.
package value

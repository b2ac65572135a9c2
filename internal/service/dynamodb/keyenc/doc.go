// Package keyenc writes the keys of items and index rows as bytes that sort as the keys do.
//
// A key is one to four partition attributes and none to four sort attributes, each an S, N or B of a type that
// the table's schema fixes; so no type is written. An index row ends with the key of its item, which makes rows
// with equal index keys distinct.
//
//	item  = hash16 | component of each partition attribute | component of each sort attribute
//	index = hash16 | … partition … | … sort … | partition and sort of the table
//
//	S, B component = bytes, with 00 written as 00 ff | 00 01
//	N component    = ordered number (value.Number.AppendOrdered)
//
// Every component ends by itself, so no key is the beginning of another, and byte order is the order of components
// one after the other: S by the bytes of its UTF-8, B by unsigned bytes, N by value. The format is permanent;
// docs/format/item.md has it.
//
// hash16 spreads partitions over 65,536 slots in front of everything: they are what a table is divided by, the order of a
// Scan, and the segments of a parallel one. All rows of one partition key stand together.
//
// Limits on keys (1 to 2,048 and 1 to 1,024 bytes) are the service's.
package keyenc

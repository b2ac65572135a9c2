// Package catalog keeps what exists: topics, their names, and the partitions they are made of.
//
// A topic is one thing for all protocols. It has a 16-byte id that clients may see, a dense number
// inside that is never used again, and two unique names: one in its account and region, one for
// Kafka. It is in a state; a state that ends by itself has a due time, and the topics that are due are
// found by time, so that whoever works on them needs no memory of its own:
//
//	Create ──► creating ──due──► active ──► deleting ──due──► Remove
//
// Every function works inside a transaction of the caller (store.Tx), who changes topic, partitions
// and quotas in one commit. Services keep their own settings beside a topic, as attributes, and beside
// each partition, as bytes that this package does not read.
//
// Partitions stand in chunks of 256, so that a topic of 10,000 partitions is 40 keys and fits into one
// transaction. docs/format/catalog.md draws keys and values; they are permanent.
//
// # The default region
//
// Topics of the default account and region are kept under the empty region: Kafka can make them before
// anybody has said what the default region is. It is said once (an option, or the first signed request)
// and then kept; see Catalog.
package catalog

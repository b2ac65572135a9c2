// Package datakey keeps the keys that batches and values are sealed with at rest.
//
//	root key ── wraps ──► data key 1 (a key of the store) ── seals ──► batches of a topic
//	(outside of           data key 2 …                                 values of a table
//	 the store)
//
// A data key is 32 random bytes of AES-256. It stands in the store under its number, wrapped by the root key:
//
//	key    04 id:8
//	value  01 | root key's id 8 | nonce 12 | wrapped 48         AES-256-GCM, AAD "millrace data key" 00 id:8
//
// It is made in the transaction that needs it first (Create) and never changed or deleted: whoever wants
// another key makes a new one, and what is there stays readable under the old one. Numbers are big-endian.
//
// The root key is not in the store: whoever has a copy of the store alone reads nothing that is sealed. It is
// 32 random bytes; its id is the beginning of a digest of them, so that a wrong one is named and not
// mistaken for damage.
//
// # Sealed batches
//
// A batch is sealed as a whole, header and all, with a random nonce, and is 16 bytes longer then. Its AAD says
// where it belongs, so that one batch cannot be put in another's place:
//
//	AAD    01 | partition 8 | base offset 8 | count 4
//
// The nonce has 96 random bits, for which NIST SP 800-38D allows 2^32 batches under one key: who owns a key replaces
// it long before (wear.go). A batch takes at least one offset, so that heads tell how many there can be.
//
// # Sealed values
//
// A value of the store is sealed alone, and carries what opens it. Its AAD is the key where it stands, so that it cannot be
// put under another:
//
//	value  ff | data key 8 | nonce 12 | encrypted, tag 16
//	AAD    02 | key of the store
//
// Whoever seals values has no plain ones that begin with ff: so both may stand beside each other.
//
// docs/format/keys.md and docs/format/segment.md are the formats; they are permanent.
package datakey

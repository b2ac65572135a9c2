// Package session keeps fetch sessions (KIP-227): what a consumer subscribes to stays here between its
// fetches, so that a fetch names only what the client changed, its answer only what changed in the log, and
// its cost is that of both, not of the subscription.
//
//	Cache.Begin(request) ──► Poll ──► Lock ─► Take ─► (look at each) ─► Finish ─► Unlock
//	                           │                            │
//	                           │                       nothing new: Wait(bytes, wake)
//	                           └── error code: unknown session, wrong epoch, ids mixed with names
//
// A [Session] is the partitions of one client and, of each, what the client was last told (high watermark,
// log start). A [Poll] is one fetch on its way. A fetch without a session has a Session of its own that ends
// with it, so that there is one way to look and to wait.
//
// # What is looked at
//
// A partition is dirty when there may be something to tell: it is new, the client has changed its position, a
// commit has changed it, or the last look found data or an error. Only dirty ones are taken by a poll. To
// learn of commits a session that has once waited stays registered with the store ([Watcher]) until it ends.
// Before that, every partition stays dirty.
//
// Taken partitions are a queue: those that were sent go to its end, those that found no room in the answer
// keep their place. So each gets its turn, however large the others are.
//
// # Locks
//
// Poll.Lock is held while one fetch looks; a second fetch of the same session on another connection waits for
// it, and then the first one finds that its epoch has passed. Commits take only Session.mu, for moments: they
// come from the goroutine that answers everybody. Watch and its cancel are called with the first lock held and
// never with the second. Cache.mu is taken alone, or inside of Poll.Lock.
//
// Source: FetchSession and FetchManager of Apache Kafka 4.1 (read 2026-11), KIP-227, KIP-516 for topic ids.
package session

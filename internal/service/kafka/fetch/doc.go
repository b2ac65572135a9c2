// Package fetch answers what Kafka's consumers ask for, at once or when there is enough of it.
//
//	Request ─► session ─► look: head of each dirty partition ─► read those with data ─► enough? ─► done(request)
//	                        ▲                                                            │ no
//	                        │ worker                                                     ▼
//	                        └──── bytes from commits ≥ min_bytes, or the time is over ◄─ wait: no goroutine, no buffer
//
// A look runs in the goroutine that calls Fetch, or, after a wait, in one of a few workers. It takes the heads of the
// partitions that the session says have changed, and reads those that have something at the wanted offset. A request
// that waits is a registration with its session (which commits add bytes to) and with one heap of deadlines; nothing it
// has read is kept. Whoever wakes it, the applier or the clock, hands it to a worker and goes on.
//
// # What a look answers
//
//   - whole batches as they were sent, from the one that holds the offset on; the client skips what is before it. The
//     first partition that has any gets at least one batch, however large; others nothing beyond the limits;
//   - readers of committed records see nothing at or above the last stable offset, and get the aborted transactions that
//     touch exactly what is returned; other readers get none;
//   - the position is below the start or above the end: OFFSET_OUT_OF_RANGE. A position in a hole that compaction left is
//     not: the next batch is returned, and without one the request waits;
//   - an error of the log ends the wait. A topic that does not exist is told with the answer, and ends the wait only when
//     nothing else is asked for, as in Kafka.
//
// # Memory
//
// The bytes of an answer are the store's own, held until Free. What all answers hold at once is bounded (budget.go): a
// request beyond it waits its turn, in order. So clients that read slowly cost others time and never the process its
// memory.
//
// Source: KafkaApis.handleFetchRequest, ReplicaManager.fetchMessages and DelayedFetch of Apache Kafka 4.1 (read 2026-11);
// KIP-74 (limits), KIP-227 (sessions), KIP-392 (no preferred replica here), KIP-320 (epochs).
package fetch

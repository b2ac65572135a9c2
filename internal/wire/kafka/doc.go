// Package kafka is the front for Kafka clients: listeners, connections, frames, and the order of answers.
//
//	conn ─► TLS? ─► size, key, version ─► served? authenticated? within bounds? ─► rest of the frame
//	                 (8 bytes, kept in the Conn; what came with them,                  (pooled)
//	                  4 KiB at most, in a pooled buffer until it is taken)
//	    ┌─ Produce: ProduceRequest, records are slices of the frame ─┐
//	─► ─┼─ Fetch: FetchRequest, on pooled structs                    ├─► Handler ─► ... ─► Done, Send, Reply
//	    └─ all others: Request with a message of package kafkaapi    ┘                        │
//	                                                                                          ▼
//	socket ◄─ one write for all answers that are complete from the front ◄─ queue of the connection, in order
//
// A Produce that has come whole, in one read and alone, goes to its handler in the buffer that it was read into. Linux
// says with each read whether anything was left in the socket (TCP_INQ): if not, the next request is waited for without
// asking the socket again. Reads and writes that never wait are not announced to the runtime.
//
// A handler is called in the goroutine that reads the connection, and answers once, then or later, from any
// goroutine. Whoever completes the request at the front of the queue writes it, and those behind it that are
// complete, without waiting: what does not fit into the socket at once is left to a goroutine that lives as long as
// there is something to write. With more requests outstanding that goroutine writes in any case, so that it finds
// the others complete that belong to the same group of the store. The connection is cut when the client takes
// nothing for 30 s. No more than the first 8 bytes, behind a Produce 4 KiB, are read from a connection whose answer has
// not gone, so a slow reader holds one answer and no more, and a client that goes away while its Fetch waits is noticed.
//
// # Order
//
// While only Produce is outstanding the connection reads on, so that requests of one client share a commit. Any
// other request waits until all before it are answered, and the next is taken in when it is answered itself, as
// Apache Kafka's brokers do. Answers always have the order of requests. Produce with acks=0 has no answer.
//
// # Bounds
//
//	frame            512 KiB before authentication, then Options.MaxFrameBytes; 30 s for each MiB
//	frames at once   Options.MaxInFlightBytes in all; past it requests wait 10 s, then their connection ends
//	pipelined        128 Produce requests and 32 MiB for each connection
//	connections      Options.MaxConns; past it they wait in the kernel
//	idle             Options.IdleTimeout
//	answers          30 s for a client to take a MiB
//
// An idle connection holds no buffer, and neither does one whose Fetch waits.
//
// # What ends a connection
//
// A frame too large or too small, a key or version that is not served (a too new ApiVersions is answered with
// UNSUPPORTED_VERSION and the ranges instead, in the form of version 0), bytes that are not the message they
// should be, and anything but ApiVersions, SaslHandshake and SaslAuthenticate before authentication where the
// listener demands it. The log says which, with the addresses.
//
// # SASL
//
// The handler sees SaslHandshake and SaslAuthenticate as requests like others and calls Conn.SetPrincipal. After
// a SaslHandshake of version 0 clients send bare tokens: each comes to the handler as a SaslAuthenticateRequest,
// and the bytes of its response go back bare.
package kafka

// Package load puts a server under load at the least cost for the machine that both share.
//
// Requests are built once, signed once, and sent as they are: one write, one connection for each worker,
// an answer parsed only as far as its length and status. HTTP/1.1 is read by hand; HTTP/2 is a frame writer and
// reader over prebuilt header blocks, one stream at a time. So the generator takes a few microseconds
// for a small call, and the CPU that a run measures is the server's.
//
//	Signer    builds awsJson requests for one endpoint
//	Conn      sends them and reads answers, HTTP/1.1 or HTTP/2
//	Run       a window of load from many connections
//	Usage     CPU time and memory of a process
package load

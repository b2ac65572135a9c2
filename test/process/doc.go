// Package process starts servers as real processes for the tests and benchmarks of the whole system,
// and ends them: politely, with kill -9, or with the test that started them.
//
// Every wait has a deadline and an end: a server that exits at once fails its caller within
// milliseconds, with the last lines of its log. A process that was started here is the only thing
// that is ever signalled.
//
//	Child    any program: the peers of test/bench
//	Server   bin/millrace, ready when it wrote its --ready-file
//
// The binary is bin/millrace below the module root, or what MILLRACE_BIN names; it is not built here,
// so that what is tested is what was built for users.
package process

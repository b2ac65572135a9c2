// Parts prepares what the tests need and a machine may lack: AWS SDKs, a peer to measure against,
// PostgreSQL, a service model and the pinned tools, each from its registry into an ignored folder.
//
//	go run ./tools/parts              everything but the peers that only benchmarks of tables need
//	go run ./tools/parts dynamodb-local dynoxide    these; the second is compiled for a quarter of an hour
//	go run ./tools/parts node java    these parts
//	go run ./tools/parts -list        the names
//
// A part is one folder below build/parts (build/tools for the tools) with a file named .stamp. The
// stamp is the SHA-256 of the part's pin files, its recipe number and the platform: as long as it
// agrees nothing is fetched, so a second run takes milliseconds and needs no network. A part is
// built in place, and its stamp is written last; a run that was cut short starts that part anew.
//
// Pin files live beside this program, one folder for each part: requirements.txt for PyPI,
// package-lock.json for npm, pom.xml for Maven, crate.txt for crates.io, and tools/pinned/go.mod for the Go module proxy.
//
// A part that cannot be prepared ends the run with the kind of registry that did not answer, or with
// the program that is missing, and with the end of that program's output.
package main

// Suite runs everything that must hold before a change goes in, and says how long each part took.
//
//	go run ./tools/suite                 everything: make test
//	go run ./tools/suite -quick          what an edit needs: make test-quick
//	go run ./tools/suite -only 'fuzz'    the parts whose names match
//	go run ./tools/suite -list           the names
//
// A part runs in a process of its own with a deadline; its output goes to build/log/PART.log, and only what
// failed is shown. Results of Go tests are counted test by test; linters and builds count one each. A
// part that cannot run has failed, and so has a test that skips itself: what is not run is not known. The parts
// after a failed one run all the same.
//
//	plan.go    the parts
//	run.go     a part: processes, deadlines, logs
//	gotest.go  reads `go test -json`
//	main.go    flags, order, the closing summary
package main

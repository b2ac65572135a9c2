// Package folders holds a data folder as each level of the format has written it, and a test that opens
// every one of them. `go test ./test/folders -write` makes the folder of the level that this binary writes,
// once, when a level is new; folders of earlier levels are never made again.
package folders

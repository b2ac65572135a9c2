package expr

import (
	_ "embed"
	"strings"
)

// reservedText are the 573 words of "Reserved words in DynamoDB" in the developer guide (read 2026-11), with the
// guide's own spelling of FLATTERN, INNTER and LOGED.
//
//go:embed reserved_words.txt
var reservedText string

// reservedLongest is the length of MATERIALIZED's longer neighbours: AUTHORIZATION, CORRESPONDING, LOCALTIMESTAMP.
const reservedLongest = 14

var reserved = func() map[string]struct{} {
	words := strings.Fields(reservedText)
	set := make(map[string]struct{}, len(words))
	for _, w := range words {
		set[w] = struct{}{}
	}
	return set
}()

// isReserved says that name may not stand in an expression without an alias, in whatever case it is written.
func isReserved(name string) bool {
	if len(name) > reservedLongest {
		return false
	}
	var upper [reservedLongest]byte
	for i := range len(name) {
		c := name[i]
		if 'a' <= c && c <= 'z' {
			c -= 'a' - 'A'
		}
		upper[i] = c
	}
	_, ok := reserved[string(upper[:len(name)])]
	return ok
}

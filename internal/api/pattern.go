package api

import (
	"regexp"
	"sync"
)

// patterns caches compiled patterns by their text: a few dozen for each service, never more than
// the models hold.
var patterns sync.Map // string -> *regexp.Regexp

// matches says whether pattern matches all of s, as Java's String.matches does. The patterns come
// from the service models; a test of each generated package compiles them all.
func matches(pattern, s string) bool {
	re, ok := patterns.Load(pattern)
	if !ok {
		re, _ = patterns.LoadOrStore(pattern, regexp.MustCompile(`^(?:`+pattern+`)$`))
	}
	return re.(*regexp.Regexp).MatchString(s)
}

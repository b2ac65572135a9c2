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

// PatternCompiles says whether a model's pattern is one that Go can match. Java's lookaheads are not;
// a generated package with such a pattern fails its test.
func PatternCompiles(pattern string) bool {
	_, err := regexp.Compile(`^(?:` + pattern + `)$`)
	return err == nil
}

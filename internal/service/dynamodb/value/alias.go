package value

import "unsafe"

// aliasString is b as a string, for as long as b does not change.
func aliasString(b []byte) string {
	return unsafe.String(unsafe.SliceData(b), len(b)) //nolint:gosec // callers keep b as it is
}
